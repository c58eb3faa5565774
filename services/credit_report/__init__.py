"""credit_report: tells the credit bureau, month by month, how a loan stood, and puts right what turns out wrong.

Reads: lending.due-dates, lending.repayments, lending.arrangements, collections.loan-contacts; ticks from
collections.loan-clock.
Writes: collections.credit-reports (contact requested and withdrawn for the notice, clearance requested, report
changed), keyed by borrower.
Promises: every open loan is furnished at every cut-off, as it stood there by value date; a fact that helps corrects
what was told at the tick that reads it; each month that waits at the gate says why, and is decided within a bound.
Never: tells anything adverse without a notice that was made and did not bounce, the waiting time, a clearance, and
arrears that are still unpaid; tells `good` of a month that was not; worsens a month that was given up as unknown;
repeats a month that was filed before the loan was boarded.
"""
