"""The clock: the only service that asks what time it is, and the one that lets the gate act.

Reads: the ends of all input topics, what the services report, both clock topics, `collections.control`.
Writes: ticks on `collections.loan-clock` (stage 1) and `collections.borrower-clock` (stage 2).
Promises: `at` rises strictly per partition; stage 2 gets a tick only when all of stage 1 have applied it, or the pairs
left behind are named; in true time a tick tells the truth within 5 s or is not written; two clocks are harmless.
Never: reads a fact, keeps state, or decides anything about a loan or a borrower.
"""
