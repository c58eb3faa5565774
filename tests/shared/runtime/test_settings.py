from pathlib import Path

import pytest

from shared.contract.ticks import LOAN_CLOCK, TimeMode
from shared.kernel.partitioning import Partitioner
from shared.runtime.settings import Settings, UnusableSettings, settings_from


def test_variables_are_read_and_options_overrule_them():
    """A process is told by variables, and an option of the command line has the last word."""
    environment = {
        "DUECOURSE_BROKER": "b:1",
        "DUECOURSE_MODE": "simulated",
        "DUECOURSE_LOAN_PARTITIONS": "7",
        "DUECOURSE_PARTITIONER": "crc32",
        "DUECOURSE_BOARDED": "yes",
        "DUECOURSE_POLICY_DIRECTORY": "p",
        "OTHER": "x",
    }
    settings = settings_from(environment, broker="c:2", prefix=None)
    assert settings == Settings(
        broker="c:2",
        mode=TimeMode.SIMULATED,
        loan_partitions=7,
        partitioner=Partitioner.CRC32,
        boarded=True,
        policy_directory=Path("p"),
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("MODE", "sometimes"), ("LOAN_PARTITIONS", "many"), ("LOAN_PARTITIONS", "0"), ("BOARDED", "maybe")],
)
def test_a_variable_that_cannot_be_used_is_named(name, text):
    """A wrong setting stops the process before it does anything, and its text says which it was."""
    with pytest.raises(UnusableSettings, match=name.lower() if text == "0" else name):
        settings_from({f"DUECOURSE_{name}": text})


def test_replicas_that_must_confirm_cannot_exceed_those_there_are():
    """A topic that nobody could write to is refused."""
    with pytest.raises(UnusableSettings, match="min_insync"):
        Settings(replication_factor=1, min_insync_replicas=2)


def test_names_begin_with_the_deployments_prefix():
    """Topics, groups and changelogs of two deployments on one cluster never meet."""
    settings = Settings(prefix="demo")
    assert settings.topic(LOAN_CLOCK) == f"demo.{LOAN_CLOCK}"
    assert (settings.group("reminder"), settings.changelog("reminder")) == (
        "demo.reminder",
        "demo.reminder-state-changelog",
    )
