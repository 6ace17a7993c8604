"""The state of a home after a run: failures, target records, writes, decisions; and temporary changes of its setup."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest

from assets.failures import failed_assets
from tests.orchestration.conftest import Home
from tests.orchestration.expected_targets import target_customers, target_options

CUSTOMERS, OPTIONS = "suiteprojects__customers", "precoro__options"
TargetRecords = dict[str, list[dict[str, Any]]]


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return the error text of each failed step or table, marked if the step raised an error without one."""
    found = {}
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if tables := failed_assets(event):
                found |= tables
                continue
            description = failure.user_failure_data.description if failure.user_failure_data else None
            found[str(event.step_key)] = description or f"(no description) {failure.error}"
    return found


def retried(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the steps that Dagster retried."""
    return {str(event.step_key) for event in result.all_events if event.is_step_up_for_retry}


def target_records(home: Home) -> TargetRecords:
    """Return our records in both targets, by workflow."""
    return {CUSTOMERS: target_customers(home.sandbox), OPTIONS: target_options(home.sandbox)}


def writes(home: Home) -> dict[str, int]:
    """Return the number of write calls that each target received."""
    sandbox = home.sandbox
    return {CUSTOMERS: sandbox.suiteprojects.write_calls(), OPTIONS: sandbox.precoro.write_calls()}


def row_counts(home: Home) -> dict[str, int]:
    """Return the row counts of the staging tables that workflows read."""
    names = [f"stg_netsuite__{record_type}" for record_type in ("customers", "projects", "contacts", "subsidiaries")]
    return {name: home.warehouse.table(name).height for name in names}


def decisions(home: Home, workflow: str) -> dict[str, tuple[str, str, str]]:
    """Return the current decision about each customer: action, code, reason."""
    found = home.warehouse.read(
        "select source_id, action, reason_code, reason from sync_decisions"
        " where workflow = ? and source = 'customers' and to_run is null",
        [workflow],
    )
    return {key: (action, code, reason) for key, action, code, reason in found.iter_rows()}


def has_no_duplicates(home: Home) -> bool:
    """Return whether no target has an external id twice."""
    found = target_records(home)
    keys = ([row["externalid"] for row in found[CUSTOMERS]], [row["external_id"] for row in found[OPTIONS]])
    return all(len(each) == len(set(each)) for each in keys)


@contextmanager
def credentials(home: Home, system: str, **changes: str) -> Iterator[None]:
    """Change the sandbox's credentials within the block."""
    path = home.folder / "sandbox" / "credentials.json"
    before = path.read_text()
    content = json.loads(before)
    content[system] |= changes
    path.write_text(json.dumps(content))
    yield
    path.write_text(before)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set environment variables within the block."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield
