"""Everything that decides besides the log: strategy, reporting, packs, holiday tables, checked as a whole."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from shared.domain.calendars import load_calendars
from shared.domain.packs import Packs
from shared.domain.packs_loading import load_packs
from shared.domain.policy_errors import PolicyError
from shared.domain.reporting import Reporting, load_reporting
from shared.domain.strategy import Strategy, load_strategy
from shared.kernel.business_days import BusinessCalendar

STRATEGY_FILE: Final = "strategy.toml"
REPORTING_FILE: Final = "reporting.toml"
CALENDARS_FILE: Final = "calendars.toml"
PACKS_FILE: Final = "packs.toml"
FILES: Final = (CALENDARS_FILE, PACKS_FILE, REPORTING_FILE, STRATEGY_FILE)
_HASH_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Policy:
    """A checked policy. `hash` names it in every tick and decision: it covers the files and the time-zone data."""

    packs: Packs
    strategy: Strategy
    reporting: Reporting
    calendars: Mapping[str, BusinessCalendar]
    hash: str


def default_directory() -> Traversable:
    """Return the folder of the policy that comes with the distribution."""
    return files("shared.domain").joinpath("policy_files")


def load_policy(directory: Path | None = None) -> Policy:
    """Read the four files of `directory` (None: the default policy) and check them; raise `PolicyError` otherwise."""
    folder: Traversable = default_directory() if directory is None else directory
    texts = {name: _read(folder, name) for name in FILES}
    tables = {name: _parse(name, text) for name, text in texts.items()}
    calendars = load_calendars(tables[CALENDARS_FILE], CALENDARS_FILE)
    return Policy(
        packs=load_packs(tables[PACKS_FILE], PACKS_FILE, calendars),
        strategy=load_strategy(tables[STRATEGY_FILE], STRATEGY_FILE),
        reporting=load_reporting(tables[REPORTING_FILE], REPORTING_FILE),
        calendars=calendars,
        hash=_hash(texts),
    )


def _read(folder: Traversable, name: str) -> bytes:
    file = folder.joinpath(name)
    if not file.is_file():
        raise PolicyError(name, "the file is missing: a policy is decided as a whole, nothing is taken from elsewhere")
    return file.read_bytes()


def _parse(name: str, text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(name, f"not TOML: {error}") from error


def _hash(texts: Mapping[str, bytes]) -> str:
    digest = sha256(f"tzdata {version('tzdata')}".encode())
    for name in FILES:
        digest.update(f"\0{name}\0{len(texts[name])}\0".encode() + texts[name])
    return digest.hexdigest()[:_HASH_LENGTH]
