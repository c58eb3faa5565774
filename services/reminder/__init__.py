"""reminder: says a loan's due dates and arrears to its borrower, as wishes that the gate weighs.

Reads: lending.due-dates, lending.repayments, lending.arrangements; ticks from collections.loan-clock.
Writes: collections.reminders (contact requested, contact withdrawn), keyed by borrower.
Promises: one outstanding request per loan; a request whose money is paid, or whose loan must be left alone, is
withdrawn at the tick that reads the fact; missed steps collapse into the one that fits; each due step leads to a
request or to a reason why not.
Never: makes contact itself, asks for a loan that it has no terms of, fires a step dated on or before the day of
boarding, or speaks in an overdue tone about a payment that has just come back.
"""
