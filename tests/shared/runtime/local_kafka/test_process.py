"""Processes that end with whoever started them."""

import shutil
import signal
import subprocess
import sys

import pytest

from shared.runtime.local_kafka.process import OwnedProcess

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
STARTER = f"""
import signal, subprocess, sys, time
from shared.runtime.local_kafka.process import dying_with_starter
command = dying_with_starter([sys.executable, "-c", {DEAF!r}], signal.Signals(int(sys.argv[1])))
child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("how", "ends"), [(signal.SIGTERM, False), (signal.SIGKILL, True)])
def test_a_process_that_does_not_listen_ends_with_its_starter_only_by_force(how, ends):
    """The signal that was asked for is the one that comes when the starter is killed."""
    assert shutil.which("setpriv"), "util-linux is part of every machine that this runs on"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(int(how))], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    child = OwnedProcess.of(int(starter.stdout.readline()))
    assert child is not None
    starter.kill()
    starter.wait()
    starter.stdout.close()
    try:
        assert child.wait(5.0 if ends else 0.5) is ends
    finally:
        child.signal(signal.SIGKILL)
