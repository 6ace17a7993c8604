"""`millpond doctor` on a SuiteProjects Pro account, for each way in which it can be unready."""

from pathlib import Path
from typing import Any

import pytest

from resources.diagnostics import Finding
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from resources.suiteprojects.doctor import diagnose_suiteprojects

MAPPED = {"customer": {"netsuite_customer_id__c": "suiteprojects__customers"}}


def findings(sandbox: Sandbox, mapped: dict[str, dict[str, str]] | None = None, **given: Any) -> list[Finding]:
    """Diagnose the sandbox's account."""
    with open_suiteprojects(sandbox=str(sandbox.folder), attempts=2, **given) as client:
        return list(diagnose_suiteprojects(client, MAPPED if mapped is None else mapped))


def failed(found: list[Finding]) -> dict[str, str]:
    """Return the failed checks with result and fix."""
    return {each.check: f"{each.found}; {each.fix}" for each in found if not each.passed}


def test_a_ready_account_passes_every_check(sandbox: Sandbox) -> None:
    """User, requests left, custom fields."""
    found = findings(sandbox)

    assert failed(found) == {}
    assert [each.check for each in found] == ["sign-in", "requests", "custom fields of customer"]
    assert "user 1" in found[0].found


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ({"password": "not this one"}, "user and password"),
        ({"key": "not this one"}, "API key"),
        ({"namespace": "other"}, "API key and namespace"),
        ({"access_token": "expired"}, "authorize the application again"),
    ],
)
def test_a_rejected_sign_in_names_the_fix(sandbox: Sandbox, given: dict[str, Any], fix: str) -> None:
    """Nothing else is called, and the wrong value is not shown."""
    found = findings(sandbox, **given)

    assert [each.check for each in found] == ["sign-in"]
    assert not found[0].passed
    assert "not this one" not in f"{found[0]}"
    assert any(word in f"{found[0]}" for word in (fix, "correct", "SUITEPROJECTS"))


def test_missing_settings_are_named(sandbox: Sandbox) -> None:
    """By their environment variables."""
    with open_suiteprojects(base_url="https://x.example") as client:
        (found,) = diagnose_suiteprojects(client, MAPPED)

    assert "SUITEPROJECTS_PASSWORD" in f"{found.found} {found.fix}"
    assert sandbox.suiteprojects.calls_made() == 0


def test_a_missing_or_inactive_custom_field_is_named(sandbox: Sandbox) -> None:
    """A write to it would be ignored or rejected."""
    sandbox.suiteprojects.add_custom_field("customer", "segment", active="0")
    mapped = {"customer": {"segment__c": "a", "region__c": "b", "netsuite_customer_id__c": "a"}}

    found = findings(sandbox, mapped)

    results = [each.found for each in found if not each.passed]
    assert results == ["region__c does not exist", "segment__c is inactive"]


def test_few_requests_left_are_reported(sandbox: Sandbox) -> None:
    """A run would stop halfway."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=100)

    assert list(failed(findings(sandbox))) == ["requests"]


def test_a_service_that_is_down_is_reported(sandbox: Sandbox) -> None:
    """It is not reported as wrong credentials."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=414)

    assert "try again" in failed(findings(sandbox))["sign-in"]


def test_the_days_of_the_refresh_token_are_reported(sandbox: Sandbox, tmp_path: Path) -> None:
    """If the lifetime is configured; without a sign-in the fix names the command."""
    own = sandbox.credentials["suiteprojects"]
    oauth = {"client_id": own["client_id"], "client_secret": own["client_secret"], "refresh_days": 31}
    never_signed_in = findings(sandbox, token_file=str(tmp_path / "none.json"), **oauth)
    signed_in = findings(sandbox, token_file=str(tmp_path / "tokens.json"), refresh_token=own["refresh_token"], **oauth)

    assert "run `millpond login suiteprojects`" in failed(never_signed_in)["sign-in"]
    (left,) = (each for each in signed_in if each.check == "refresh token")
    assert left.found == "31.0 days left unless a run renews it"
    assert left.passed
