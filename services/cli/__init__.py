"""The command `duecourse`: everything a person asks of the system, from a terminal.

Reads: what its commands name. Writes: the same.
Promises: a mistake of the caller, or a missing broker, is one sentence and what to do, exit code 2, no traceback.
Never: decides anything about a loan or a borrower.

A command is one module of this package with a click command called `command`, and one line in `COMMANDS`.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from services.cli.errors import UserError

__all__ = ["COMMANDS", "UserError", "duecourse", "main"]

COMMANDS: Final[dict[str, str]] = {
    "demo": "services.cli.demo",
    "run": "services.cli.run",
    "topics": "services.cli.topics",
    "publish": "services.cli.publish",
    "watch": "services.cli.watch",
    "loan": "services.cli.loan",
    "dead-letters": "services.cli.dead_letters",
    "quarantine": "services.cli.quarantine",
    "transactions": "services.cli.transactions",
    "rebuild": "services.cli.rebuild",
    "outreach": "services.cli.outreach",
    "explain": "services.cli.explain",
    "kafka": "services.cli.kafka",
    "simulate": "services.cli.simulate",
    "swarm": "services.cli.swarm",
    "check": "services.cli.check",
    "doctor": "services.cli.doctor",
    "pseudonym": "services.cli.pseudonym",
}
"""Name of each command and the module that holds it, in the order in which `--help` lists them."""

EXIT_USER_ERROR: Final = 2
EXIT_INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """Imports a command's module when that command is asked for, so that `duecourse --version` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the registry's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module behind a name; None for a name that nobody registered."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(name="duecourse", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="duecourse", message="%(prog)s %(version)s")
def duecourse() -> None:
    """Decides when a borrower may be reminded, escalated or reported, from the facts that lenders publish to Kafka."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit code.

    Args:
        arguments: What follows the program's name; the process's own arguments if None.

    Raises:
        SystemExit: Always. 0 done, 1 the command's own verdict, 2 the caller must do something, 130 interrupted.
    """
    try:
        sys.exit(duecourse.main(args=arguments, prog_name="duecourse", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USER_ERROR)
    except UserError as error:
        click.echo(f"duecourse: {error.problem}", err=True)
        if error.advice:
            click.echo(error.advice, err=True)
        sys.exit(EXIT_USER_ERROR)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
