"""Runs one toy service as a process of its own: `python -m tests.kafka.toy_service reminder|rate_limiter`."""

import os
import sys

from shared.runtime.application import create_app, run_app
from shared.runtime.settings import settings_from
from tests.kafka.toy_upgrade import LATER_LOANS
from tests.shared.engine.toy import GATE, LOANS, POLICY

if __name__ == "__main__":
    loans = LATER_LOANS if os.environ.get("TOY_FORMAT") == "2" else LOANS
    processor = {"reminder": loans, "rate_limiter": GATE}[sys.argv[1]]
    policies = dict.fromkeys(os.environ.get("TOY_POLICIES", POLICY).split(","))
    run_app(create_app(processor, settings_from(os.environ), policies))
