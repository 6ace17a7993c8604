"""Secrets that cannot be used, or that anyone could guess, stop the start with the variable and the fix."""

import base64
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from orchestration.cli.start import check_settings
from orchestration.configuration.secret_check import check_secrets
from orchestration.configuration.secret_names import SECRETS
from orchestration.configuration.secret_settings import know_secrets, redact
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.configuration.settings_error import SettingsError
from orchestration.dagster_internals import PartitionBackfill
from orchestration.dagster_storage import KeptEventLogStorage, without_secrets
from orchestration.redaction import install
from orchestration.web.webserver import sign_in_token

GOOD = {
    "MILLPOND_ENCRYPTION_KEY": base64.urlsafe_b64encode(bytes(range(32))).decode(),
    "MILLPOND_ALERT_WEBHOOK_URL": "https://hooks.example.com/services/T0/B0/xxxxxxxxxxxx",
    "MILLPOND_ALERT_SLACK_URL": "https://hooks.slack.com/services/T0/B0/xxxxxxxxxxxx",
}
CANARY = "canary0123456789-ABCDEFGHIJ-abcdefghij"


FORMS = {
    "line feed": (lambda text: text[:20] + "\n" + text[20:], "contains a line break after 20 characters"),
    "carriage return": (lambda text: text[:20] + "\r" + text[20:], "contains a line break after 20 characters"),
    "escape": (lambda text: text[:20] + "\x1b" + text[20:], "contains a control character"),
    "separator": (lambda text: text[:20] + "\u2028" + text[20:], "contains a line break"),
    "typographic": (lambda text: text[:20] + "\u2019" + text[20:], "non-ASCII"),
    "space": (lambda text: text[:20] + " " + text[20:], "contains a space"),
}  # fmt: skip
LISTS = {"MILLPOND_ENCRYPTION_KEY", "MILLPOND_LEDGER_KEY", "MILLPOND_WEBHOOK_SECRETS"}
OF_PASSWORDS = {"typographic", "space"}  # which a password may have


@pytest.mark.parametrize(
    ("name", "spoil", "problem"),
    [
        pytest.param(name, *form, id=f"{label}-{name}")
        for label, form in FORMS.items()
        for name in SECRETS
        if not (name.endswith("PASSWORD") and label in OF_PASSWORDS)
    ],
)
def test_a_secret_of_another_form_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, spoil: Callable[[str], str], problem: str
) -> None:
    """An HTTP library would quote it in its own error."""
    good = GOOD.get(name, CANARY)
    monkeypatch.setenv(name, spoil(good))
    if problem == "contains a space" and name in {
        "MILLPOND_ENCRYPTION_KEY",
        "MILLPOND_LEDGER_KEY",
        "MILLPOND_WEBHOOK_SECRETS",
    }:
        problem = "32"  # of a list, whose items are then too short
        monkeypatch.setenv(name, spoil(good).replace(" ", ", "))

    with pytest.raises(SettingsError, match=f"{name}: .*{problem}") as caught:
        check_settings()

    assert good[:10] not in str(caught.value)
    assert good[-10:] not in str(caught.value)


def test_several_accounts_and_connections_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their variables have other names."""
    monkeypatch.setenv("PRECORO_UK_TOKEN", "a\nb")
    monkeypatch.setenv("NETSUITE_ACME_TOKEN_SECRET", "a\nb")

    with pytest.raises(SettingsError) as caught:
        check_secrets()

    assert [line.partition(":")[0] for line in sorted(str(caught.value).splitlines())] == [
        "NETSUITE_ACME_TOKEN_SECRET",
        "PRECORO_UK_TOKEN",
    ]


def test_spaces_around_a_secret_are_ignored_except_in_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pasted line often ends with one."""
    monkeypatch.setenv("PRECORO_TOKEN", f"  {CANARY}\t")
    monkeypatch.setenv("SUITEPROJECTS_PASSWORD", " päss word ")

    check_secrets()

    assert os.environ["PRECORO_TOKEN"] == CANARY
    assert os.environ["SUITEPROJECTS_PASSWORD"] == " päss word "


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MILLPOND_UI_TOKEN", "short", "shorter than 16 characters"),
        ("MILLPOND_UI_TOKEN", "    ", "only spaces"),
        ("MILLPOND_ALERT_WEBHOOK_KEY", "short", "shorter than 16 characters"),
        ("MILLPOND_WEBHOOK_SECRETS", "a" * 31, "shorter than 32 characters"),
        ("MILLPOND_WEBHOOK_SECRETS", f"{'a' * 32},short", "shorter than 32 characters"),
        ("MILLPOND_WEBHOOK_SECRETS", ",", "shorter than 32 characters"),
        ("MILLPOND_ENCRYPTION_KEY", "short", "must be 32 bytes"),
        ("MILLPOND_ENCRYPTION_KEY", "   ", "only spaces"),
        ("MILLPOND_ENCRYPTION_KEY", f"{GOOD['MILLPOND_ENCRYPTION_KEY']},", "must be 32 bytes"),
    ],
)
def test_a_blank_or_short_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    """It would let anyone in, or leave plans readable."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=f"^{name}: {problem}"):
        check_secrets()


@pytest.mark.parametrize("content", ["", "\n", "short", "   ", "\u2019" * 30])
def test_an_incomplete_token_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    """A full disk, or a killed process of an earlier version, leaves one."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    (tmp_path / "ui_token").write_text(content, encoding="utf-8")

    with pytest.raises(SettingsError, match="ui_token holds no complete token; delete it"):
        sign_in_token(MillpondSettings())


def test_the_token_file_is_whole_and_private_under_any_umask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is renamed into place; one that others could read is closed."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
    before = os.umask(0)
    try:
        token = sign_in_token(MillpondSettings())
    finally:
        os.umask(before)
    file = tmp_path / "home" / "ui_token"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)

    assert sign_in_token(MillpondSettings()) == token == file.read_text()
    assert len(token) >= 32
    assert file.stat().st_mode & 0o777 == 0o600


def fail(words: str) -> None:
    """Raise an error whose whole chain quotes a secret, as a library would."""
    try:
        raise ValueError(f"Illegal header value b'{CANARY}'")  # noqa: TRY301 - a chain is the point
    except ValueError as error:
        raise RuntimeError(f"{words} {CANARY}") from error


def test_logs_and_tracebacks_have_no_secret(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the message, its arguments, nor anywhere in the chain of an exception."""
    monkeypatch.setenv("PRECORO_TOKEN", CANARY)
    made = logging.getLogRecordFactory()
    try:
        install()
        try:
            fail("failed with")
        except RuntimeError:
            logging.getLogger("millpond.test").exception("a request of %s failed: %r", CANARY, {"token": CANARY})
    finally:
        logging.setLogRecordFactory(made)

    assert CANARY not in caplog.text
    assert "Illegal header value b'<PRECORO_TOKEN>'" in caplog.text
    assert "a request of <PRECORO_TOKEN> failed" in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("PGPASSWORD", "catalog-secret", "catalog-secret"),
        ("MILLPOND_CELERY_BROKER", "redis://:broker-secret@queue:6379/0", "broker-secret"),
        ("MILLPOND_CELERY_BROKER", "redis://:a@broker-secret@queue:6379/0", "a@broker-secret"),
        ("MILLPOND_CELERY_BROKER", "sentinel://:a-secret@queue;sentinel://:b@c-secret@other", "b@c-secret"),
        ("HTTPS_PROXY", "http://ada:proxy%20secret@proxy:3128", "proxy secret"),
        ("HTTPS_PROXY", "http://ada:p@proxy-secret@proxy:3128/a@b", "p%40proxy-secret"),
        ("https_proxy", "http://ada:proxy%20secret@proxy:3128", "proxy%20secret"),
        ("MILLPOND_WAREHOUSE_CATALOG", "host=db password='it\\'s secret' dbname=x", "it's secret"),
        ("MILLPOND_WAREHOUSE_CATALOG", "postgresql://db/x?user=ada&password=url-secret&a=b", "url-secret"),
        ("NETSUITE_BASE_URL", "https://ada:address-secret@example.com", "address-secret"),
    ],
)
def test_a_password_within_an_address_is_redacted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, shown: str
) -> None:
    """Drivers quote the whole address in their errors."""
    monkeypatch.setenv(name, value)
    know_secrets()

    for text in (f"cannot connect to {value}", f"refused: {shown}!"):
        assert "secret" not in redact(text)


def test_an_uncaught_error_prints_no_secret() -> None:
    """Python's own traceback shows the texts of the whole chain."""
    script = f"from orchestration.redaction import install; install(); raise ValueError('sent {CANARY}')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PRECORO_TOKEN": CANARY}

    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "ValueError: sent <PRECORO_TOKEN>" in ended.stderr
    assert "canary" not in ended.stderr.partition("ValueError")[2]


BESIDE_THE_LOG = f"""
import logging, sys, warnings
from orchestration.redaction import install
install()
logging.basicConfig(stream=sys.stdout)
class Closing:
    def __del__(self): raise RuntimeError("unraisable {CANARY}")
closing = Closing(); del closing
warnings.warn("warned {CANARY}")
logging.warning(ValueError("an error as message {CANARY}"))
logging.warning("not a number: %d", "{CANARY}")
logging.warning("a number: %d", 3)
"""


def test_no_other_way_to_the_terminal_prints_a_secret() -> None:
    """Warnings, errors that Python can raise to no one, and what libraries log that is no text or does not fit."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PRECORO_TOKEN": CANARY}

    ended = subprocess.run(
        [sys.executable, "-c", BESIDE_THE_LOG], env=environment, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, "Traceback" in ended.stdout) == (0, False)
    assert "WARNING:root:an error as message <PRECORO_TOKEN>" in ended.stdout
    assert "WARNING:root:not a number: %d ('<PRECORO_TOKEN>',)" in ended.stdout
    assert "WARNING:root:a number: 3" in ended.stdout
    assert "RuntimeError: unraisable <PRECORO_TOKEN>" in ended.stderr
    assert "UserWarning: warned <PRECORO_TOKEN>" in ended.stderr
    assert CANARY not in ended.stdout + ended.stderr


def test_dagsters_events_have_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Errors of any code, log lines and metadata are redacted where they are stored."""
    monkeypatch.setenv("PRECORO_TOKEN", CANARY)
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    @dg.asset
    def leaking(context: dg.AssetExecutionContext) -> None:
        context.log.warning("sent %s", CANARY)
        context.add_output_metadata({"header": CANARY})
        fail("no answer to")

    error = SerializableErrorInfo(f"Illegal header value {CANARY!r}", [], "ValueError")
    backfill = PartitionBackfill("b1", BulkActionStatus.REQUESTED, False, {}, 1.0, asset_selection=[])
    with dg.DagsterInstance.get() as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(1.0, "SENSOR", "id", [error]))
        instance.add_backfill(backfill)
        instance.update_backfill(backfill.with_error(error))
        assert instance.get_daemon_heartbeats()["SENSOR"].errors == [without_secrets(error)]
        assert instance.get_backfill("b1").error == without_secrets(error)  # type: ignore[union-attr]
        assert isinstance(instance.event_log_storage, KeptEventLogStorage)
        assert not dg.materialize([leaking], instance=instance, raise_on_error=False).success

    stored = b"".join(path.read_bytes() for path in (tmp_path / "history").rglob("*") if path.is_file())
    assert b"no answer to <PRECORO_TOKEN>" in stored
    assert b"Illegal header value" in stored
    assert CANARY.encode() not in stored


def test_an_event_with_a_secret_that_its_own_name_has_is_stored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The name that replaces it is not replaced in turn."""
    monkeypatch.setenv("PRECORO_TOKEN", "RO_TOKEN")
    storage = KeptEventLogStorage(str(tmp_path))

    storage.store_event(dg.EventLogEntry(None, 10, "refused: RO_TOKEN", "run", 1.0))

    assert [each.user_message for each in storage.get_logs_for_run("run")] == ["refused: <PRECORO_TOKEN>"]
