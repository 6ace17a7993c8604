"""`millpond doctor` on a Precoro company, for each way in which it can be unready."""

import hashlib
import sqlite3
from contextlib import closing
from typing import Any

from resources.diagnostics import Finding
from resources.precoro.connect import open_precoro
from resources.precoro.doctor import MIN_CALLS, diagnose_precoro
from resources.sandbox.sandbox import Sandbox

MAPPED = {"Customers/Projects": "precoro__options"}


def findings(sandbox: Sandbox, mapped: dict[str, str] | None = None, **given: Any) -> list[Finding]:
    """Diagnose the sandbox's company."""
    with open_precoro(sandbox=sandbox.folder, attempts=2, **given) as client:
        return list(diagnose_precoro(client, MAPPED if mapped is None else mapped))


def failed(found: list[Finding]) -> dict[str, str]:
    """Return the failed checks with result and fix."""
    return {each.check: f"{each.found}; {each.fix}" for each in found if not each.passed}


def change(sandbox: Sandbox, **values: Any) -> None:
    """Change the definition of the field, as an administrator would."""
    assignments = ", ".join(f"{name} = ?" for name in values)
    with sandbox.precoro.store.write() as connection:
        connection.execute(f"update fields set {assignments} where name = 'Customers/Projects'", tuple(values.values()))


def test_a_ready_company_passes_every_check(sandbox: Sandbox) -> None:
    """Token, field by name or id, calls left."""
    found = findings(sandbox, {**MAPPED, "5144": "another"})

    assert failed(found) == {}
    assert [each.check for each in found] == [
        "sign-in",
        "custom field '5144'",
        "custom field 'Customers/Projects'",
        "calls left",
    ]


def test_a_rejected_token_names_the_fix(sandbox: Sandbox) -> None:
    """Nothing else is called."""
    found = findings(sandbox, token="a-wrong-token")

    assert list(failed(found)) == ["sign-in"]
    assert "PRECORO_TOKEN" in failed(found)["sign-in"]
    assert "a-wrong-token" not in f"{found}"


def test_missing_settings_are_named() -> None:
    """By their environment variables."""
    with open_precoro() as client:
        (found,) = diagnose_precoro(client, MAPPED)

    assert "PRECORO_TOKEN" in f"{found.found} {found.fix}"


def test_a_missing_field_is_named_with_its_workflow(sandbox: Sandbox) -> None:
    """The fix names the workflow."""
    found = failed(findings(sandbox, {"Cost centres": "precoro_uk__options"}))

    assert "workflow precoro_uk__options" in found["custom field 'Cost centres'"]


def test_a_disabled_field_is_reported(sandbox: Sandbox) -> None:
    """Options could be written to it, but no one would see them."""
    change(sandbox, enable=0)

    assert "disabled" in failed(findings(sandbox))["custom field 'Customers/Projects'"]


def test_few_calls_left_are_reported(sandbox: Sandbox) -> None:
    """The doctor's own calls count together with those of the runs."""
    token = sandbox.credentials["precoro"]["token"]
    account = hashlib.sha256(token.encode()).hexdigest()[:16]
    now = sandbox.clock.now().timestamp()
    findings(sandbox)
    with closing(sqlite3.connect(sandbox.folder / "precoro_budget.sqlite")) as budget, budget:
        earlier = [(account, now - 3000 + number) for number in range(1500 - MIN_CALLS["hour"])]
        budget.executemany("insert into calls (account, at) values (?, ?)", earlier)
    sandbox.clock.sleep(120)

    found = failed(findings(sandbox))

    assert "hour is over" in found["calls left"]
