"""`millpond doctor` on a NetSuite account, for each way in which it can be unready."""

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
from resources.netsuite.connect import open_netsuite
from resources.netsuite.doctor import diagnose_netsuite
from resources.netsuite.key_file import check_key_file
from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox

NOW = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture
def account(sandbox: Sandbox) -> Sandbox:
    """Return an account with records."""
    seed(sandbox, customers=30, seed=1)
    return sandbox


def findings(
    sandbox: Sandbox, *, concurrency: int = 4, optional: tuple[str, ...] = (), **switches: Any
) -> list[Finding]:
    """Diagnose an account with these switches."""
    sandbox.switches.set("netsuite", NetSuiteSwitches, **switches)
    with open_netsuite(sandbox=str(sandbox.folder), attempts=2) as client:
        return list(diagnose_netsuite(client, table_needs([], optional), concurrency=concurrency))


def failed(found: list[Finding]) -> dict[str, str]:
    """Return the failed checks with result and fix."""
    return {each.check: f"{each.found}; {each.fix}" for each in found if not each.passed}


def test_a_ready_account_passes_every_check(account: Sandbox) -> None:
    """Passed checks are listed too: an operator wants to see that they ran."""
    found = findings(account, session_zone="GMT")

    assert failed(found) == {}
    results = {each.check: each.found for each in found}
    assert results["session time zone"] == "UTC+00:00"
    assert results["OneWorld"] == "yes, 6 subsidiaries"
    assert results["metadata catalog"].startswith("it has the types of 5 custom fields")
    assert results["table customer"].startswith("30 rows, 33 of 33")
    assert {each.partition(" ")[2] for each in results if each.startswith("table ")} >= {
        "job",
        "contact",
        "deletedrecord",
    }


def test_without_sign_in_nothing_else_is_called() -> None:
    """Five failures lock the user; NetSuite's reasons are in its audit trail."""
    with open_netsuite(
        account="1234567_SB1", client_id="x", certificate_id="x", private_key_file="nowhere.pem"
    ) as client:
        found = list(diagnose_netsuite(client, table_needs([], ()), concurrency=4))

    assert list(failed(found)) == ["sign-in"]
    assert "NETSUITE_PRIVATE_KEY_FILE" in failed(found)["sign-in"]


@pytest.mark.parametrize("skew", [150, -150])
def test_a_clock_skew_is_reported_before_sign_in_fails(account: Sandbox, skew: int) -> None:
    """NetSuite rejects a signature that is five minutes off."""
    found = failed(findings(account, clock_skew_s=skew))

    assert list(found) == ["sign-in"]
    assert "NTP" in found["sign-in"]


def test_an_unknown_session_zone_is_reported(account: Sandbox) -> None:
    """Literals in a query are read in that zone."""
    found = failed(findings(account, hidden_tables=["dual"]))

    assert list(found) == ["session time zone"]


@pytest.mark.parametrize(
    ("switches", "concurrency", "fix"),
    [
        ({"concurrency_limit": 5}, 5, "NETSUITE_CONCURRENCY to 4"),
        ({"concurrency_limit": 5, "integration_limit": 2}, 4, "NETSUITE_CONCURRENCY to 2"),
        ({"concurrency_limit": 15}, 4, ""),
        ({"governance_visible": False}, 4, ""),
    ],
)
def test_too_high_a_concurrency_is_reported(
    account: Sandbox, switches: dict[str, Any], concurrency: int, fix: str
) -> None:
    """The limit is shared with every other integration."""
    found = failed(findings(account, concurrency=concurrency, **switches))

    assert (fix in found["concurrency"]) if fix else found == {}


@pytest.mark.parametrize(
    ("table", "fix"),
    [
        ("customer", "'Customers'"),
        ("job", "'Projects (Jobs)'"),
        ("subsidiary", "'OneWorld'"),
        ("department", "'Departments'"),
        ("customeraddressbook", "'Customers'"),
        ("deletedrecord", "'Deleted Records'"),
    ],
)
def test_a_missing_table_names_permission_and_feature(account: Sandbox, table: str, fix: str) -> None:
    """NetSuite reports a missing permission as a record that was not found."""
    found = failed(findings(account, hidden_tables=[table]))

    assert list(found) == [f"table {table}"]
    assert fix in found[f"table {table}"]


def test_an_invisible_catalog_is_reported_and_passes(account: Sandbox) -> None:
    """Custom fields are text then, and dates follow the integration user's preference."""
    found = findings(account, metadata_visible=False)

    assert failed(found) == {}
    assert any(each.check == "metadata catalog" and "YYYY-MM-DD" in each.found for each in found)


def test_an_optional_table_may_be_missing(account: Sandbox) -> None:
    """An account without OneWorld is valid."""
    tables = ("subsidiary", "customersubsidiaryrelationship")

    found = findings(account, hidden_tables=list(tables), optional=tables)

    assert failed(found) == {}
    assert any("optional" in each.found for each in found)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "identifier"),
        (400, "field"),
        (400, "Invalid or unsupported search."),
        (400, "Record 'customercategory' was not found."),
        (403, "Åtkomst nekad."),
        (500, "Ett oväntat fel uppstod."),
    ],
)
def test_a_missing_column_is_found_in_any_wording(account: Sandbox, status: int, text: str) -> None:
    """Some accounts answer without naming the column; the run finds it by the same steps."""
    hidden = ["customer.entityid", "customer.fax"]

    found = findings(account, hidden_columns=hidden, unknown_column_text=text, unknown_column_status=status)

    assert list(failed(found)) == ["table customer"]
    assert "entityid" in failed(found)["table customer"]
    assert any("without fax" in each.found for each in found)


def test_a_role_that_sees_no_customer_is_reported(account: Sandbox) -> None:
    """NetSuite reports no error: a restricted role looks like an empty account."""
    found = failed(findings(account, empty_tables=["customer", "contact"]))

    assert list(found) == ["table customer"]
    assert "restrictions" in found["table customer"]


def test_an_account_without_sys_extract_utc_can_be_read(account: Sandbox) -> None:
    """Times come in the session's zone then; this is reported and passes."""
    found = findings(account, sys_extract_utc_works=False)

    assert failed(found) == {}
    assert any("SYS_EXTRACT_UTC" in each.found for each in found)


# --- the key file ------------------------------------------------------------------------------------------------


def pem(key: Any) -> bytes:
    """Return a private key in the format of the file."""
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text


def certificate(key: Any, days: int) -> bytes:
    """Return a certificate of a key that expires in so many days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "millpond")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    """Return a key that NetSuite accepts."""
    return ec.generate_private_key(ec.SECP256R1())


def key_findings(tmp_path: Path, content: bytes, mode: int = 0o600) -> list[Finding]:
    """Return the findings on a key file."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    return list(check_key_file(path, NOW))


def test_a_good_key_and_certificate_pass(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """The certificate's expiry is reported."""
    found = key_findings(tmp_path, pem(key) + certificate(key, 200))

    assert [each.fix for each in found] == ["", ""]
    assert "valid until 2027-06-04" in found[1].found


def test_each_defect_of_a_key_file_is_found(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Each has a finding."""
    other = ec.generate_private_key(ec.SECP256R1())
    cases = [
        (b"no key", 0o600, "contains no readable key"),
        (pem(rsa.generate_private_key(65537, 2048)), 0o600, "RSA of 2048 bits"),
        (pem(ed25519.Ed25519PrivateKey.generate()), 0o600, "neither RSA nor EC"),
        (pem(key), 0o644, "mode 644"),
        (pem(key) + certificate(key, 10), 0o600, "valid until 2026-11-26"),
        (pem(key) + certificate(other, 200), 0o600, "another key"),
        (pem(key) + b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", 0o600, "cannot be read"),
    ]

    for content, mode, text in cases:
        failures = [each for each in key_findings(tmp_path, content, mode) if not each.passed]
        assert len(failures) == 1, text
        assert text in failures[0].found


def test_a_missing_key_file_is_reported(tmp_path: Path) -> None:
    """The fix names the setting."""
    (found,) = check_key_file(tmp_path / "nothing.pem", NOW)

    assert "NETSUITE_PRIVATE_KEY_FILE" in found.fix


@pytest.mark.parametrize(("status", "text"), [(400, "Ogiltig sökning."), (403, "No."), (404, ""), (500, "Fel.")])
def test_a_refused_table_is_found_whatever_the_words(account: Sandbox, status: int, text: str) -> None:
    """As a run finds it: optional, or with the permission that the role lacks."""
    hidden = ("subsidiary", "department", "deletedrecord")
    found = findings(
        account, optional=("subsidiary",), hidden_tables=hidden, hidden_table_text=text, hidden_table_status=status
    )

    results = {each.check: each for each in found}
    assert results["table subsidiary"].found == "was not found; it is optional"
    assert results["OneWorld"].passed
    assert "'Departments'" in results["table department"].fix
    assert "'Deleted Records'" in results["table deletedrecord"].fix
    assert results["table customer"].passed
