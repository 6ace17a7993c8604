"""What `millpond doctor` says of a NetSuite account, for each way in which it can be unready."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from orchestration.cli.doctor import table_needs
from resources.diagnostics import Finding
from resources.netsuite.doctor import examine
from resources.netsuite.key_file import look_at_key_file
from resources.netsuite.resource import open_netsuite
from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox

NOW = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture
def account(sandbox: Sandbox) -> Sandbox:
    """An account with records."""
    seed(sandbox, customers=30, seed=1)
    return sandbox


def look(sandbox: Sandbox, *, lanes: int = 4, optional: tuple[str, ...] = (), **switches: Any) -> list[Finding]:
    """Examine an account that behaves otherwise."""
    sandbox.switches.set("netsuite", NetSuiteSwitches, **switches)
    with open_netsuite(sandbox=str(sandbox.folder), attempts=2) as client:
        return list(examine(client, table_needs([], optional), lanes=lanes))


def ill(findings: list[Finding]) -> dict[str, str]:
    """What was looked at and is not well, with found and mend."""
    return {each.what: f"{each.found}; {each.mend}" for each in findings if not each.is_well}


def test_an_account_that_is_ready_gets_a_line_for_everything(account: Sandbox) -> None:
    """Also what is well is told: an operator wants to see that it was looked at."""
    found = look(account, session_zone="GMT")

    assert ill(found) == {}
    told = {each.what: each.found for each in found}
    assert told["session time zone"] == "UTC+00:00"
    assert told["OneWorld"] == "yes, 6 subsidiaries"
    assert told["metadata catalogue"].startswith("tells the types of 5 custom fields")
    assert told["table customer"].startswith("30 rows, 30 of 30")
    assert {each.partition(" ")[2] for each in told if each.startswith("table ")} >= {"job", "contact", "deletedrecord"}


def test_without_sign_in_nothing_else_is_asked() -> None:
    """Five refusals lock the user; the reasons that NetSuite gives are in its audit trail."""
    with open_netsuite(
        account="1234567_SB1", client_id="x", certificate_id="x", private_key_file="nowhere.pem"
    ) as client:
        found = list(examine(client, table_needs([], ()), lanes=4))

    assert list(ill(found)) == ["sign-in"]
    assert "NETSUITE_PRIVATE_KEY_FILE" in ill(found)["sign-in"]


@pytest.mark.parametrize("skew", [150, -150])
def test_clocks_that_are_apart_are_told_before_sign_in_fails(account: Sandbox, skew: int) -> None:
    """NetSuite refuses a signature that is five minutes off."""
    found = ill(look(account, clock_skew_s=skew))

    assert list(found) == ["sign-in"]
    assert "NTP" in found["sign-in"]


def test_a_session_zone_that_is_not_told_costs_25_hours_each_time(account: Sandbox) -> None:
    """Literals are read in that zone."""
    found = ill(look(account, hidden_tables=["dual"]))

    assert list(found) == ["session time zone"]


@pytest.mark.parametrize(
    ("switches", "lanes", "mend"),
    [
        ({"concurrency_limit": 5}, 5, "NETSUITE_CONCURRENCY to 4"),
        ({"concurrency_limit": 5, "integration_limit": 2}, 4, "NETSUITE_CONCURRENCY to 2"),
        ({"concurrency_limit": 15}, 4, ""),
        ({"governance_visible": False}, 4, ""),
    ],
)
def test_more_calls_than_are_granted_are_told(
    account: Sandbox, switches: dict[str, Any], lanes: int, mend: str
) -> None:
    """The limit is shared with every other integration."""
    found = ill(look(account, lanes=lanes, **switches))

    assert (mend in found["concurrency"]) if mend else found == {}


@pytest.mark.parametrize(
    ("table", "mend"),
    [
        ("customer", "'Customers'"),
        ("job", "'Projects (Jobs)'"),
        ("subsidiary", "'OneWorld'"),
        ("department", "'Departments'"),
        ("customeraddressbook", "'Customers'"),
        ("deletedrecord", "'Deleted Records'"),
    ],
)
def test_a_table_that_is_not_found_names_permission_and_feature(account: Sandbox, table: str, mend: str) -> None:
    """NetSuite says of a missing permission that the record was not found."""
    found = ill(look(account, hidden_tables=[table]))

    assert list(found) == [f"table {table}"]
    assert mend in found[f"table {table}"]


def test_a_catalogue_that_is_out_of_sight_is_told_and_stops_nothing(account: Sandbox) -> None:
    """Custom fields are text then, and a date among them follows somebody's preference."""
    found = look(account, metadata_visible=False)

    assert ill(found) == {}
    assert any(each.what == "metadata catalogue" and "YYYY-MM-DD" in each.found for each in found)


def test_a_table_that_is_optional_may_be_missing(account: Sandbox) -> None:
    """An account without OneWorld is no fault."""
    tables = ("subsidiary", "customersubsidiaryrelationship")

    found = look(account, hidden_tables=list(tables), optional=tables)

    assert ill(found) == {}
    assert any("optional" in each.found for each in found)


@pytest.mark.parametrize("wording", ["identifier", "field", "500"])
def test_a_needed_column_that_is_missing_is_found_however_netsuite_says_it(account: Sandbox, wording: str) -> None:
    """Some accounts answer 500 and name nothing."""
    text = {"unknown_column_500": True} if wording == "500" else {"unknown_column_text": wording}

    found = look(account, hidden_columns=["customer.entityid", "customer.fax"], **text)

    assert list(ill(found)) == ["table customer"]
    assert "entityid" in ill(found)["table customer"]
    assert any("without fax" in each.found for each in found)


def test_a_role_that_sees_no_customer_is_told(account: Sandbox) -> None:
    """No error tells a restricted role from an empty account."""
    found = ill(look(account, emptied_tables=["customer", "contact"]))

    assert list(found) == ["table customer"]
    assert "restrictions" in found["table customer"]


def test_an_account_without_sys_extract_utc_can_be_read(account: Sandbox) -> None:
    """Times come in the session's zone then; that is told and no fault."""
    found = look(account, sys_extract_utc_works=False)

    assert ill(found) == {}
    assert any("SYS_EXTRACT_UTC" in each.found for each in found)


# --- the key file ------------------------------------------------------------------------------------------------


def pem(key: Any) -> bytes:
    """A private key as a file has it."""
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text


def certificate(key: Any, days: int) -> bytes:
    """A certificate of a key that ends in some days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "millpond")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    """A key that NetSuite takes."""
    return ec.generate_private_key(ec.SECP256R1())


def judged(tmp_path: Path, content: bytes, mode: int = 0o600) -> list[Finding]:
    """What is said of a file."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    return list(look_at_key_file(path, NOW))


def test_a_good_key_and_certificate_are_well(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """The certificate's end is told in time."""
    found = judged(tmp_path, pem(key) + certificate(key, 200))

    assert [each.mend for each in found] == ["", ""]
    assert "valid until 2027-06-04" in found[1].found


def test_each_fault_of_a_key_file_is_found(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """With what to do about it."""
    other = ec.generate_private_key(ec.SECP256R1())
    cases = [
        (b"no key", 0o600, "holds no key"),
        (pem(rsa.generate_private_key(65537, 2048)), 0o600, "RSA of 2048 bits"),
        (pem(ed25519.Ed25519PrivateKey.generate()), 0o600, "neither RSA nor EC"),
        (pem(key), 0o644, "mode 644"),
        (pem(key) + certificate(key, 10), 0o600, "valid until 2026-11-26"),
        (pem(key) + certificate(other, 200), 0o600, "another key"),
        (pem(key) + b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", 0o600, "cannot be read"),
    ]

    for content, mode, text in cases:
        faults = [each for each in judged(tmp_path, content, mode) if not each.is_well]
        assert len(faults) == 1, text
        assert text in faults[0].found


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The setting is named."""
    (found,) = look_at_key_file(tmp_path / "nothing.pem", NOW)

    assert "NETSUITE_PRIVATE_KEY_FILE" in found.mend
