"""`duecourse kafka`: a real broker on this machine, for a first look, the demo and tests."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from services.cli.errors import UserError
from shared.runtime.local_kafka import LocalKafka, LocalKafkaError, find_java, kafka_classpath

directory_option = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".kafka"),
    show_default=True,
    help="Where the broker keeps its data, log and process number.",
)


@click.group()
def command() -> None:
    """Start, look at and stop an Apache Kafka of your own, on loopback."""


@command.command()
@directory_option
def start(directory: Path) -> None:
    """Start the broker, or find it running, and print its address."""
    with _told_to_the_user():
        click.echo(LocalKafka(directory).start())


@command.command()
@directory_option
def stop(directory: Path) -> None:
    """Stop the broker; its data stay."""
    stopped = LocalKafka(directory).stop()
    click.echo("stopped" if stopped else f"no broker runs in {directory}")


@command.command()
@directory_option
def status(directory: Path) -> None:
    """Tell whether the broker runs, and where; exit code 1 when it does not."""
    broker = LocalKafka(directory)
    found = broker.status()
    if found is None:
        click.echo(f"no broker runs in {directory}")
        sys.exit(1)
    state = "running" if found.answers else "starting"
    click.echo(f"{state} at {found.bootstrap}, process {found.pid}, log {broker.log_file}")


@command.command()
def fetch() -> None:
    """Fetch Kafka's jars, if this checkout lacks them, and see that there is a Java to run them."""
    with _told_to_the_user():
        find_java()
        kafka_classpath()


@contextmanager
def _told_to_the_user() -> Iterator[None]:
    try:
        yield
    except LocalKafkaError as error:
        raise UserError(error.problem, error.advice) from error
