"""`duecourse pseudonym ID...`: under which name a borrower or loan appears in the logs and traces of a deployment."""

from __future__ import annotations

from typing import Final

import click

from services.cli.deployment_options import given_settings
from services.cli.errors import UserError
from shared.runtime.pseudonyms import Pseudonyms, deployment_key

STANDARD_INPUT: Final = "-"


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def command(ids: tuple[str, ...]) -> None:
    """Print the name of each borrower or loan, one a line, in the order given; `-` reads ids from standard input.

    Needs the deployment's key, from DUECOURSE_LOG_KEY or the file that DUECOURSE_LOG_KEY_FILE names.
    """
    key = deployment_key(given_settings())
    if not key:
        raise UserError(
            "Logs of this deployment name people by a key that is not known here.",
            "Set DUECOURSE_LOG_KEY, or DUECOURSE_LOG_KEY_FILE, as its services have it.",
        )
    pseudonyms = Pseudonyms(key)
    for name in ids:
        wanted = click.get_text_stream("stdin").read().split() if name == STANDARD_INPUT else (name,)
        for each in wanted:
            click.echo(pseudonyms.of(each))
