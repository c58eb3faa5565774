"""What tests of commands that talk to a broker may ask for."""

from collections.abc import Callable, Sequence
from itertools import count

import pytest

from services.cli import main
from shared.runtime.records import Deployment
from tests.services.cli.topic_set import make_topics

Run = Callable[..., tuple[int, str, str]]
_numbers = count(1)


@pytest.fixture
def deployment(kafka: str) -> Deployment:
    """A deployment of this test's own, with all topics, on the session's broker."""
    made = Deployment(kafka, f"cli-{next(_numbers)}")
    make_topics(made)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line as a shell would; return exit code, standard output and standard error."""

    def run_it(*arguments: str, deployment: Deployment | None = None) -> tuple[int, str, str]:
        options: Sequence[str] = ["--broker", deployment.broker, "--prefix", deployment.prefix] if deployment else []
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *options])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run_it
