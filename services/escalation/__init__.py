"""escalation: moves a case up and down the ladder, asks for calls, and tells the gate who answers for a loan.

Reads: lending.due-dates, lending.repayments, lending.arrangements, collections.loan-contacts; ticks from
collections.loan-clock.
Writes: collections.escalations (loan linked and unlinked, stage changed, contact requested and withdrawn, clearance
requested), keyed by borrower; collections.dead-letters for all topics that are keyed by loan.
Promises: up by treatment days and amount and attempts really made and days dwelt on the rung, one rung at a time; down
as far as the conditions of the lower rungs reach, as soon as they do; cleared on cure; restricted only after clearance.
Never: counts silence that our own caps, holds or outages caused; climbs while the loan or a person who answers for it
must be left alone; goes beyond a person's review; makes contact itself.
"""
