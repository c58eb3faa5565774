"""The gate: decides for each person, over all loans, lenders and channels, whether and when anybody may make contact.

Reads: lending.borrowers, outreach.outcomes, collections.reminders, collections.escalations, collections.credit-reports
(keyed by borrower).

Writes: collections.outreach (permits granted, deferred, refused, withdrawn, expired; breaches) for gateways, and
collections.loan-contacts (the same by loan, answers to clearances, holds on the person) for stage 1.

Promises: P3 capped, P4 quiet, P5 pay to silence. A permit is one attempt at one contact point inside one interval; it
lies inside the hours of every zone where the person may be and before any known hold, and counts in every cap from
grant on, until an outcome says that nothing was attempted.

Never: makes contact itself, asks for contact, or grants anything when a fact arrives. Only ticks decide.
"""
