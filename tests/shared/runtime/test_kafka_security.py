import ssl
from pathlib import Path

import pytest

from shared.runtime.faust_credentials import faust_credentials
from shared.runtime.kafka_clients import new_admin
from shared.runtime.kafka_security import Access, Mechanism, Protocol, Security
from shared.runtime.settings import Settings, UnusableSettings, security_from, settings_from
from tests.kafka.certificates import Authority

CANARY = "canary-of-a-password"
USER = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_user": "reminder", "sasl_password_file": "/p"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority with a folder of its own."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """A file with a password, which only its owner may read."""
    file = tmp_path / "password"
    file.write_text(f"{CANARY}\n")
    file.chmod(0o600)
    return file


def by_password(file: Path, **more: object) -> Security:
    """Return how a user gets in who has this password file."""
    given = {"protocol": Protocol.SASL_SSL, "mechanism": Mechanism.SCRAM_SHA_512, "user": "reminder", **more}
    return Security(password_file=file, **given)  # type: ignore[arg-type]


def test_plain_is_what_nobody_has_to_ask_for() -> None:
    """Without any setting clients are told of no security, and Faust neither."""
    settings = Settings()
    assert settings.access == Access("127.0.0.1:9092", Security())
    assert settings.security.client_arguments() == {}
    assert settings.security.unusable_file() is None
    assert faust_credentials(settings.security) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"security_protocol": "SASL_SSL"}, "security_protocol SASL_SSL needs sasl_mechanism"),
        ({"security_protocol": "SASL_SSL", **USER, "sasl_user": ""}, "security_protocol SASL_SSL needs sasl_user"),
        (
            {"security_protocol": "SASL_SSL", **USER, "sasl_password_file": ""},
            "security_protocol SASL_SSL needs sasl_password_file",
        ),
        (USER, "sasl_mechanism is given, but security_protocol PLAINTEXT has no SASL"),
        ({"security_protocol": "SSL", **USER}, "sasl_mechanism is given, but security_protocol SSL has no SASL"),
        ({"tls_ca_file": "/ca"}, "tls_ca_file is given, but security_protocol PLAINTEXT has no TLS"),
        (
            {"security_protocol": "SSL", "tls_key_file": "/k"},
            "tls_certificate_file and tls_key_file go together, and one is missing",
        ),
        (
            {"security_protocol": "SSL", "tls_certificate_file": "/c"},
            "tls_certificate_file and tls_key_file go together, and one is missing",
        ),
        (
            {"security_protocol": "SSL", "tls_key_password_file": "/k"},
            "tls_key_password_file is given, but no tls_key_file",
        ),
        (
            {"security_protocol": "SASL_PLAINTEXT", **USER, "sasl_mechanism": "PLAIN"},
            "sasl_mechanism PLAIN over SASL_PLAINTEXT would send the password in the clear: take SASL_SSL, or SCRAM",
        ),
        (
            {"security_protocol": "SASL_SSL", **USER, "sasl_user": "a\nb"},
            "sasl_user must be up to 256 printable characters",
        ),
        ({"security_protocol": "TLS"}, "DUECOURSE_SECURITY_PROTOCOL='TLS' is not usable"),
        (
            {"security_protocol": "SASL_SSL", **USER, "sasl_mechanism": "GSSAPI"},
            "DUECOURSE_SASL_MECHANISM='GSSAPI' is not usable",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_told_in_one_sentence(given: dict[str, str], told: str) -> None:
    """Settings that contradict one another are refused before anything is opened."""
    environment = {f"DUECOURSE_{name.upper()}": text for name, text in given.items()}
    with pytest.raises(UnusableSettings) as refused:
        settings_from(environment)
    assert str(refused.value) == told


def test_commands_look_at_these_variables_only() -> None:
    """A variable about something else, even an impossible one, does not keep a command from the broker."""
    environment = {
        "DUECOURSE_SECURITY_PROTOCOL": "SSL",
        "DUECOURSE_TLS_CA_FILE": "/ca",
        "DUECOURSE_LOAN_PARTITIONS": "x",
    }
    assert security_from(environment) == Security(protocol=Protocol.SSL, ca_file=Path("/ca"))


def test_a_password_is_read_without_its_end_of_line(password: Path) -> None:
    """The first line is the password: editors add an end, and later lines may say whose it is."""
    password.write_text(f"{CANARY}\nof the reminder\n")
    security = by_password(password)
    assert security.password() == CANARY
    told = security.client_arguments()
    assert (told["sasl_plain_password"], told["sasl_mechanism"]) == (CANARY, "SCRAM-SHA-512")
    assert told["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert told["ssl_context"].check_hostname


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (b"", 0o600, "sasl_password_file {file} begins with no password"),
        (b"\nlater", 0o600, "sasl_password_file {file} begins with no password"),
        (CANARY.encode() + b"\xff\n", 0o600, "sasl_password_file {file} is not text in UTF-8"),
        (CANARY.encode(), 0o604, "sasl_password_file {file} can be read by everybody on this machine: chmod o-rwx it"),
        (None, 0o600, "sasl_password_file {file} cannot be read (No such file or directory)"),
    ],
)
def test_a_password_file_that_is_none_is_told_without_what_is_in_it(
    password: Path, content: bytes | None, mode: int, told: str
) -> None:
    """What cannot be used is named by setting and file; who may read it counts as well."""
    if content is None:
        password.unlink()
    else:
        password.write_bytes(content)
        password.chmod(mode)
    assert by_password(password).unusable_file() == told.format(file=password)


def test_a_group_may_read_the_file(password: Path) -> None:
    """Secrets that are mounted for a group of their own are as private as they can be there."""
    password.chmod(0o640)
    assert by_password(password).unusable_file() is None


def test_an_authority_that_is_none_is_told(password: Path) -> None:
    """A file without a certificate, and one that is not there, are refused by name."""
    no_pem = by_password(password, ca_file=password)
    assert no_pem.unusable_file() == f"tls_ca_file {password} holds no certificate in PEM"
    gone = by_password(password, ca_file=Path("/nowhere/ca.pem"))
    assert gone.unusable_file() == "tls_ca_file /nowhere/ca.pem cannot be read (No such file or directory)"


def test_own_certificate_and_key(authority: Authority, password: Path) -> None:
    """A pair is taken, also with an encrypted key; another's key, a wrong password and none at all are refused."""
    mine, other = authority.sign("mine"), authority.sign("other")
    hidden = authority.sign("hidden", password=CANARY)

    def told(**files: Path) -> str | None:
        return Security(protocol=Protocol.SSL, ca_file=authority.certificate, **files).unusable_file()

    assert told(certificate_file=mine.certificate, key_file=mine.key) is None
    assert told(certificate_file=hidden.certificate, key_file=hidden.key, key_password_file=password) is None
    for files in (
        {"certificate_file": mine.certificate, "key_file": other.key},
        {"certificate_file": hidden.certificate, "key_file": hidden.key},
    ):
        what = "tls_certificate_file {certificate_file} and tls_key_file {key_file}".format(**files)
        assert told(**files) == f"{what}: are no pair in PEM, or the key wants another password"
    mine.key.chmod(0o644)
    found = told(certificate_file=mine.certificate, key_file=mine.key)
    assert found == f"tls_key_file {mine.key} can be read by everybody on this machine: chmod o-rwx it"


async def test_no_repr_and_no_error_shows_the_password(password: Path) -> None:
    """Settings, access, Faust's credentials and clients say nothing of it when they are printed."""
    given = {"sasl_user": "reminder", "sasl_password_file": password, "sasl_mechanism": Mechanism.PLAIN}
    settings = Settings(security_protocol=Protocol.SASL_SSL, **given)  # type: ignore[arg-type]
    admin = new_admin(settings.access)
    shown = [settings, settings.access, settings.security, faust_credentials(settings.security), admin, admin._client]
    assert settings.security.password() == CANARY
    assert CANARY not in "".join(map(repr, shown)) + "".join(map(str, shown))
