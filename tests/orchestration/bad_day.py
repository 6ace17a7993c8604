"""What the tests of bad input ask: what failed and in which words, what the targets hold, what was written."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest

from tests.orchestration.conftest import Home
from tests.orchestration.expected_targets import held_customers, held_options

OF_SUITEPROJECTS, OF_PRECORO = "suiteprojects__customers", "precoro__options"
Held = dict[str, list[dict[str, Any]]]


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """What each failed step says to a person; a failure without words for people shows its class."""
    told = {}
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            described = failure.user_failure_data.description if failure.user_failure_data else None
            told[str(event.step_key)] = described or f"(no words) {failure.error}"
    return told


def retried(result: dg.ExecuteInProcessResult) -> set[str]:
    """Steps that Dagster tried again, in real time."""
    return {str(event.step_key) for event in result.all_events if event.is_step_up_for_retry}


def held(home: Home) -> Held:
    """Everything of ours in both targets."""
    return {OF_SUITEPROJECTS: held_customers(home.sandbox), OF_PRECORO: held_options(home.sandbox)}


def writes(home: Home) -> dict[str, int]:
    """Write calls that the targets have seen."""
    sandbox = home.sandbox
    return {OF_SUITEPROJECTS: sandbox.suiteprojects.write_calls(), OF_PRECORO: sandbox.precoro.write_calls()}


def rows(home: Home) -> dict[str, int]:
    """Row counts of the tables that the targets are fed from."""
    names = [f"stg_netsuite__{record_type}" for record_type in ("customers", "projects", "contacts", "subsidiaries")]
    return {name: home.warehouse.table(name).height for name in names}


def decisions(home: Home, workflow: str) -> dict[str, tuple[str, str, str]]:
    """The open decision of each record: action, code, reason."""
    found = home.warehouse.read(
        "select source_id, action, reason_code, reason from sync_decisions"
        " where workflow = ? and source = 'customers' and to_run is null",
        [workflow],
    )
    return {key: (action, code, reason) for key, action, code, reason in found.iter_rows()}


def is_ours_once(home: Home) -> bool:
    """No external id twice in a target."""
    found = held(home)
    keys = (
        [row["externalid"] for row in found[OF_SUITEPROJECTS]],
        [row["external_id"] for row in found[OF_PRECORO]],
    )
    return all(len(each) == len(set(each)) for each in keys)


@contextmanager
def credentials(home: Home, system: str, **changes: str) -> Iterator[None]:
    """The sandbox's keys are other ones for a while."""
    path = home.folder / "sandbox" / "credentials.json"
    before = path.read_text()
    kept = json.loads(before)
    kept[system] |= changes
    path.write_text(json.dumps(kept))
    yield
    path.write_text(before)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Variables of the operator's environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield
