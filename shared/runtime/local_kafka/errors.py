"""What may keep a local Kafka from running."""


class LocalKafkaError(Exception):
    """The machine lacks something, or the broker would not start.

    Args:
        problem: What is wrong, one sentence.
        advice: What to do about it, one sentence.
    """

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem} {advice}")
        self.problem = problem
        self.advice = advice
