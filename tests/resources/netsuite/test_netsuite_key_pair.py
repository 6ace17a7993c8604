"""`millpond netsuite-key`: a key that NetSuite accepts, private from its first moment, and never replaced."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.cli.netsuite_key import netsuite_key
from resources.clock import WallClock
from resources.netsuite.auth import ClientCredentials
from resources.netsuite.key_file import check_key_file
from resources.netsuite.key_pair import VALID, KeyPair, certificate_file, new_key_pair, save

NOW = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    """One key pair: a key of 4096 bits takes a moment."""
    return new_key_pair(NOW)


def test_the_doctor_accepts_the_key_file_until_its_certificate_ends(tmp_path: Path, pair: KeyPair) -> None:
    """Two years is NetSuite's maximum; a longer certificate would end earlier than it says."""
    key_file = tmp_path / "keys" / "netsuite_key.pem"
    save(pair, key_file)

    found = list(check_key_file(key_file, NOW))

    assert [each.found for each in found] == ["RSA of 4096 bits", f"valid until {pair.expires_at:%Y-%m-%d}"]
    assert all(each.passed for each in found)
    assert pair.expires_at - NOW <= VALID
    assert not list(check_key_file(key_file, pair.expires_at - timedelta(days=29)))[-1].passed


def test_what_is_uploaded_holds_no_private_key_and_no_one_else_reads_either(tmp_path: Path, pair: KeyPair) -> None:
    """The certificate leaves this machine; the key does not."""
    key_file = tmp_path / "netsuite_key.pem"

    uploaded = save(pair, key_file)

    assert uploaded == certificate_file(key_file)
    assert uploaded.read_text() == pair.certificate
    assert "PRIVATE" not in uploaded.read_text()
    assert {path.stat().st_mode & 0o777 for path in (uploaded, key_file)} == {0o600}


@pytest.mark.parametrize("existing", ["netsuite_key.pem", "netsuite_key.certificate.pem"])
def test_an_existing_file_stays(
    tmp_path: Path, pair: KeyPair, existing: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is in use is lost if it is replaced before its successor works."""
    (tmp_path / existing).write_text("in use")
    monkeypatch.setattr("orchestration.cli.netsuite_key.new_key_pair", lambda _now: pair)

    assert netsuite_key(tmp_path / "netsuite_key.pem") == 2

    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "in use"
    assert f"{existing} exists" in capsys.readouterr().out


def test_the_command_names_the_files_and_prints_no_key(
    tmp_path: Path, pair: KeyPair, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the settings to copy."""
    monkeypatch.setattr("orchestration.cli.netsuite_key.new_key_pair", lambda _now: pair)

    assert netsuite_key(tmp_path / "new.pem") == 0

    printed = capsys.readouterr().out
    assert f"NETSUITE_PRIVATE_KEY_FILE={tmp_path / 'new.pem'}" in printed
    assert str(tmp_path / "new.certificate.pem") in printed
    assert "BEGIN" not in printed


def test_the_client_signs_with_the_key_file(tmp_path: Path, pair: KeyPair) -> None:
    """Although the certificate is in the same file."""
    save(pair, tmp_path / "key.pem")

    ClientCredentials(
        base_url="https://1234567.suitetalk.api.netsuite.com",
        client_id="client",
        certificate_id="certificate",
        private_key=(tmp_path / "key.pem").read_bytes(),
        clock=WallClock(),
    )
