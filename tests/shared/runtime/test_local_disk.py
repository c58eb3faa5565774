import subprocess
import sys

from shared.runtime.local_disk import LocalDisk
from shared.runtime.stop import StopReason


def test_only_a_clean_end_lets_the_store_live(tmp_path):
    """After any other end the store may be ahead of the log: it is wiped at the next start."""
    first = LocalDisk(tmp_path)
    assert first.open()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "db").write_text("x")
    first.mark_clean()
    first.release()
    second = LocalDisk(tmp_path)
    assert not second.open()
    assert (tmp_path / "state" / "db").exists()
    second.release()
    third = LocalDisk(tmp_path)
    assert third.open(), "the second did not end cleanly"
    assert not (tmp_path / "state").exists()
    third.release()


def test_a_directory_in_use_stops_a_second_process(tmp_path):
    """Two instances with one identity: the second ends and says so."""
    held = LocalDisk(tmp_path)
    held.open()
    code = (
        "import sys, pathlib as p; from shared.runtime import local_disk as d; d.LocalDisk(p.Path(sys.argv[1])).open()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    held.release()
    assert ended.returncode == StopReason.STORE_IN_USE.code
    assert "store_in_use" in ended.stdout
