"""What `millpond doctor` says of a Precoro company, for each way in which it can be unready."""

import hashlib
import sqlite3
from contextlib import closing
from typing import Any

from resources.diagnostics import Finding
from resources.precoro.connect import open_precoro
from resources.precoro.doctor import FEW_CALLS, examine
from resources.sandbox.sandbox import Sandbox

WANTED = {"Customers/Projects": "precoro__options"}


def look(sandbox: Sandbox, wanted: dict[str, str] | None = None, **given: Any) -> list[Finding]:
    """Examine the sandbox's company."""
    with open_precoro(sandbox=sandbox.folder, attempts=2, **given) as client:
        return list(examine(client, WANTED if wanted is None else wanted))


def ill(findings: list[Finding]) -> dict[str, str]:
    """What is not well."""
    return {each.what: f"{each.found}; {each.mend}" for each in findings if not each.is_well}


def change(sandbox: Sandbox, **values: Any) -> None:
    """Change the field's definition, as an administrator would."""
    assignments = ", ".join(f"{name} = ?" for name in values)
    with sandbox.precoro._store.write() as connection:
        connection.execute(f"update fields set {assignments} where name = 'Customers/Projects'", tuple(values.values()))


def test_a_company_that_is_ready_is_told_so(sandbox: Sandbox) -> None:
    """Token, field, calls left; by the field's name or its id."""
    found = look(sandbox, {**WANTED, "5144": "another"})

    assert ill(found) == {}
    assert [each.what for each in found] == [
        "sign-in",
        "custom field '5144'",
        "custom field 'Customers/Projects'",
        "calls left",
    ]


def test_a_refused_token_says_what_to_renew(sandbox: Sandbox) -> None:
    """And nothing else is asked."""
    found = look(sandbox, token="a-wrong-token")

    assert list(ill(found)) == ["sign-in"]
    assert "PRECORO_TOKEN" in ill(found)["sign-in"]
    assert "a-wrong-token" not in f"{found}"


def test_settings_that_are_missing_are_named() -> None:
    """By the names of the environment."""
    with open_precoro() as client:
        (found,) = examine(client, WANTED)

    assert "PRECORO_TOKEN" in f"{found.found} {found.mend}"


def test_a_field_that_is_not_there_is_named_with_its_workflow(sandbox: Sandbox) -> None:
    """The mend is in the workflow's file or in Precoro."""
    found = ill(look(sandbox, {"Cost centres": "precoro_uk__options"}))

    assert "workflow precoro_uk__options" in found["custom field 'Cost centres'"]


def test_a_disabled_field_is_told(sandbox: Sandbox) -> None:
    """Options of it could be written, and nobody would see them."""
    change(sandbox, enable=0)

    assert "disabled" in ill(look(sandbox))["custom field 'Customers/Projects'"]


def test_calls_that_are_nearly_used_up_are_told(sandbox: Sandbox) -> None:
    """The doctor's own calls are counted with those of the runs."""
    token = sandbox.credentials["precoro"]["token"]
    account = hashlib.sha256(token.encode()).hexdigest()[:16]
    now = sandbox.clock.now().timestamp()
    look(sandbox)
    with closing(sqlite3.connect(sandbox.folder / "precoro_budget.sqlite")) as budget, budget:
        earlier = [(account, now - 3000 + number) for number in range(1500 - FEW_CALLS["hour"])]
        budget.executemany("insert into calls (account, at) values (?, ?)", earlier)
    sandbox.clock.sleep(120)

    found = ill(look(sandbox))

    assert "hour is over" in found["calls left"]
