"""The names of people and loans in logs and traces."""

import pytest

from shared.runtime.pseudonyms import KEY_CHARACTERS_MIN, PSEUDONYM_CHARACTERS, Pseudonyms, deployment_key
from shared.runtime.settings import Settings, UnusableSettings

KEY = "k" * KEY_CHARACTERS_MIN


def test_one_key_gives_one_name_and_another_key_another() -> None:
    """Processes that share the key name somebody alike, and only they; the name holds nothing of the id."""
    name = Pseudonyms(KEY).of("loan-1")
    assert name == Pseudonyms(KEY).of("loan-1")
    assert len(name) == PSEUDONYM_CHARACTERS
    assert name not in (Pseudonyms("j" * KEY_CHARACTERS_MIN).of("loan-1"), Pseudonyms(KEY).of("loan-2"))


def test_without_a_key_each_process_draws_its_own() -> None:
    """Names then hold for one process, and it knows that they do."""
    first, second = Pseudonyms(), Pseudonyms()
    assert first.of("loan-1") == first.of("loan-1") != second.of("loan-1")
    assert not first.of_deployment
    assert Pseudonyms(KEY).of_deployment


def test_the_key_is_given_or_lies_in_a_file(tmp_path) -> None:
    """A file's surrounding white space is no part of the key."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert deployment_key(Settings(log_key=KEY)) == KEY
    assert deployment_key(Settings(log_key_file=file)) == KEY
    assert deployment_key(Settings()) == ""
    assert KEY not in repr(Settings(log_key=KEY))


@pytest.mark.parametrize(
    ("key", "content", "problem"),
    [
        ("short", None, "fewer than 16"),
        (KEY, KEY, "both given"),
        ("", "", "is empty"),
        ("", b"\xff\xfe", "cannot be read"),
        ("", "short", "fewer than 16"),
    ],
)
def test_a_key_that_protects_nobody_is_refused(tmp_path, key, content, problem) -> None:
    """Short, doubled, empty, unreadable: the process does not start, and says why without the key."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UnusableSettings, match=problem) as refused:
        deployment_key(Settings(log_key=key, log_key_file=None if content is None else file))
    assert "short" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path) -> None:
    """A deployment whose key did not arrive must not go on under names that die with the process."""
    with pytest.raises(UnusableSettings, match="cannot be read"):
        deployment_key(Settings(log_key_file=tmp_path / "nowhere"))
