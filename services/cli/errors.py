"""What the command line says when it cannot do what it was asked."""


class UserError(Exception):
    """Something outside the program is not as it must be, and the person at the keyboard can put it right.

    Promise: the command line shows both sentences, no traceback, and ends with exit code 2.

    Args:
        problem: What is wrong, one sentence.
        advice: What to do about it, one sentence; empty where the problem says it already.
    """

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice
