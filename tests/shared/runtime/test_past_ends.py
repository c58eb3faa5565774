"""The note of how former processes ended."""

import subprocess
import sys

from shared.runtime.past_ends import PastEnds
from shared.runtime.stop import StopReason

NO_ROOM = """
import resource, sys
from pathlib import Path
from shared.runtime.past_ends import PastEnds
ends = PastEnds(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
ends.opened("killed")
"""


def test_an_end_that_nobody_noted_was_a_kill(tmp_path):
    """Noted ends count by their reason; a start after a start finds a process that was killed in between."""
    ends = PastEnds(tmp_path)
    assert ends.opened("killed") == {}
    ends.note("clean")
    assert ends.opened("killed") == {"clean": 1}
    assert ends.opened("killed") == {"clean": 1, "killed": 1}


def test_a_disk_without_room_for_the_note_stops_the_process_by_name(tmp_path):
    """A start on a disk that fills up just then ends with the disk's own exit code, not with a traceback."""
    command = [sys.executable, "-c", NO_ROOM, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == StopReason.DISK_UNUSABLE.code, ended.stderr
    assert "disk_unusable" in ended.stdout
