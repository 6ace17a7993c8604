"""What `millpond doctor` says of a SuiteProjects Pro account, for each way in which it can be unready."""

from pathlib import Path
from typing import Any

import pytest

from resources.diagnostics import Finding
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from resources.suiteprojects.doctor import examine

MAPPED = {"customer": {"netsuite_customer_id__c": "suiteprojects__customers"}}


def look(sandbox: Sandbox, mapped: dict[str, dict[str, str]] | None = None, **given: Any) -> list[Finding]:
    """Examine the sandbox's account."""
    with open_suiteprojects(sandbox=str(sandbox.folder), attempts=2, **given) as client:
        return list(examine(client, MAPPED if mapped is None else mapped))


def ill(findings: list[Finding]) -> dict[str, str]:
    """What is not well."""
    return {each.what: f"{each.found}; {each.mend}" for each in findings if not each.is_well}


def test_an_account_that_is_ready_is_told_so(sandbox: Sandbox) -> None:
    """Who we are, what is left, which fields are there."""
    found = look(sandbox)

    assert ill(found) == {}
    assert [each.what for each in found] == ["sign-in", "requests", "custom fields of customer"]
    assert "user 1" in found[0].found


@pytest.mark.parametrize(
    ("given", "mend"),
    [
        ({"password": "not this one"}, "user and password"),
        ({"key": "not this one"}, "API key"),
        ({"namespace": "other"}, "API key and namespace"),
        ({"access_token": "expired"}, "authorize the application again"),
    ],
)
def test_a_refused_sign_in_says_what_to_correct(sandbox: Sandbox, given: dict[str, Any], mend: str) -> None:
    """And nothing else is asked; the wrong value itself is not shown."""
    found = look(sandbox, **given)

    assert [each.what for each in found] == ["sign-in"]
    assert not found[0].is_well
    assert "not this one" not in f"{found[0]}"
    assert any(word in f"{found[0]}" for word in (mend, "correct", "SUITEPROJECTS"))


def test_settings_that_are_missing_are_named(sandbox: Sandbox) -> None:
    """By the names of the environment."""
    with open_suiteprojects(base_url="https://x.example") as client:
        (found,) = examine(client, MAPPED)

    assert "SUITEPROJECTS_PASSWORD" in f"{found.found} {found.mend}"
    assert sandbox.suiteprojects.calls_made() == 0


def test_a_custom_field_that_is_missing_or_off_is_named(sandbox: Sandbox) -> None:
    """A write to it would be ignored or refused."""
    sandbox.suiteprojects.add_custom_field("customer", "segment", active="0")
    mapped = {"customer": {"segment__c": "a", "region__c": "b", "netsuite_customer_id__c": "a"}}

    found = look(sandbox, mapped)

    told = [each.found for each in found if not each.is_well]
    assert told == ["region__c does not exist", "segment__c is switched off"]


def test_a_day_that_is_nearly_used_up_is_told(sandbox: Sandbox) -> None:
    """A run would stop half-way."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=100)

    assert list(ill(look(sandbox))) == ["requests"]


def test_a_service_that_is_down_is_told(sandbox: Sandbox) -> None:
    """Not as a fault of the credentials."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=414)

    assert "try again" in ill(look(sandbox))["sign-in"]


def test_the_refresh_tokens_days_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the settings say how long one lives; who never signed in is told how to."""
    own = sandbox.credentials["suiteprojects"]
    oauth = {"client_id": own["client_id"], "client_secret": own["client_secret"], "refresh_days": 31}
    nobody = look(sandbox, token_file=str(tmp_path / "none.json"), **oauth)
    told = look(sandbox, token_file=str(tmp_path / "tokens.json"), refresh_token=own["refresh_token"], **oauth)

    assert "run `millpond login suiteprojects`" in ill(nobody)["sign-in"]
    (left,) = (each for each in told if each.what == "refresh token")
    assert left.found == "31.0 days left if no run renews it"
    assert left.is_well
