"""The names under which borrowers and loans appear in logs and traces: keyed hashes of their ids.

Whoever holds the deployment's key can follow a person or a loan (`duecourse pseudonym ID`); nobody else can go back
from a name to an id, or try out guesses. The same id has the same name in all processes that share the key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Final

from shared.runtime.settings import Settings, UnusableSettings

PSEUDONYM_CHARACTERS: Final = 16
KEY_CHARACTERS_MIN: Final = 16
"""A shorter key could be found by trying; `openssl rand -hex 32` makes a good one."""
_REMEMBERED: Final = 4096


class Pseudonyms:
    """Gives names. Without a key it draws one of this process's own, which dies with it."""

    def __init__(self, key: str = "") -> None:
        self.of_deployment = bool(key)
        secret = (key or secrets.token_hex(32)).encode()
        self.of = lru_cache(maxsize=_REMEMBERED)(lambda name: _pseudonym(secret, name))


def _pseudonym(secret: bytes, name: str) -> str:
    return hmac.new(secret, name.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_CHARACTERS]


def deployment_key(settings: Settings) -> str:
    """Return the deployment's key, from the setting or from the file that it names; empty where there is neither."""
    key = settings.log_key
    if settings.log_key_file is not None:
        if key:
            raise UnusableSettings("log_key and log_key_file are both given")
        try:
            key = settings.log_key_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableSettings(f"log_key_file {settings.log_key_file} cannot be read") from error
        if not key:
            raise UnusableSettings(f"log_key_file {settings.log_key_file} is empty")
    if key and len(key) < KEY_CHARACTERS_MIN:
        raise UnusableSettings(f"the log key has fewer than {KEY_CHARACTERS_MIN} characters")
    return key
