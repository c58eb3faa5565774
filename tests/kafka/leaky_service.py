"""The reminder as a broken build: `python -m tests.kafka.leaky_service FAULT...`, each with a fact in its hands."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import structlog

from services.reminder.processor import PROCESSOR
from shared.domain.policy import load_policy
from shared.engine.processor import Fact
from shared.runtime.application import create_app, run_app
from shared.runtime.settings import settings_from


def raises(fact: Fact) -> NoReturn:
    """A core that quotes what it cannot bear."""
    quoted = {"the": fact}
    raise ValueError(f"cannot bear {quoted}") from KeyError(fact.key)


def logs(fact: Fact) -> None:
    """A line of ours with fields that no line may have."""
    structlog.get_logger("reminder").info("fact", payload=repr(fact), loan_id=fact.key, facts=fact)


def logs_by_library(fact: Fact) -> None:
    """A library's line with a fact among its arguments."""
    logging.getLogger("library").warning("got %s and %r", fact, ValueError(fact.key))


def forgets_a_task(fact: Fact) -> None:
    """A task whose error nobody fetches: asyncio describes it, message and all."""

    async def fail() -> None:
        raise ValueError(fact)

    _ = asyncio.get_event_loop().create_task(fail())


def fails_in_a_thread(fact: Fact) -> None:
    """An error that ends a thread."""
    thread = threading.Thread(target=raises, args=(fact,))
    thread.start()
    thread.join()


def prints(fact: Fact) -> None:
    """What no redaction can catch, and the search must."""
    print(f"printed {fact}", flush=True)  # noqa: T201 - the leak that the search is to find


def says(fact: Fact) -> None:
    """The same by way of the log: data where a constant belongs."""
    structlog.get_logger("reminder").info(f"said {fact}")


FAULTS: dict[str, Callable[[Fact], None]] = {
    f.__name__: f for f in (raises, logs, logs_by_library, forgets_a_task, fails_in_a_thread, prints, says)
}


def leaking(faults: list[Callable[[Fact], None]]) -> Callable[..., Any]:
    def decide(state: Any, key: str, item: Any, now: int, policy: Any) -> Any:
        if isinstance(item, Fact):
            for fault in faults:
                fault(item)
        return PROCESSOR.decide(state, key, item, now, policy)

    return decide


if __name__ == "__main__":
    broken = replace(PROCESSOR, decide=leaking([FAULTS[name] for name in sys.argv[1:]]))
    policy = load_policy()
    run_app(create_app(broken, settings_from(os.environ), {policy.hash: policy}))
