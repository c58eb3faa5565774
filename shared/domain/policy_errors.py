"""What may be wrong with a policy, said so that whoever wrote the file finds the line."""

from __future__ import annotations


class PolicyError(ValueError):
    """A policy that must not be put in force. `path` is file and key, e.g. `packs.toml: rules[3].limit`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message
