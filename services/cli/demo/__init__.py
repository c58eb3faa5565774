"""`duecourse demo`: sixty simulated days of the real services on a real Kafka, with things going wrong on stage."""

from services.cli.demo.command import command

__all__ = ["command"]
