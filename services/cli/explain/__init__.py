"""`duecourse explain`: what came in about a person or a loan, what was decided, why, and what happens next."""

from services.cli.explain.command import command

__all__ = ["command"]
