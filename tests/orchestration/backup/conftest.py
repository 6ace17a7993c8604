"""A small home without runs of jobs: a warehouse with a ledger, a queue, switches, and an account."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.spec.switches import Switches
from orchestration.realtime.queue import NotificationQueue
from resources.warehouse.bindings import bind
from tests.orchestration.conftest import Home, at_home

WORKFLOW = "suiteprojects__customers"


def fill(home: Home, value: str = "one", account: str = "1234567") -> None:
    """Make the home, or another version of it."""
    home.sandbox.netsuite.insert("customer", [])
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        bind(con, "netsuite", {"host": "netsuite.example", "account": account}, home.sandbox.clock.now(), "run")
        con.execute("create or replace table content as select ? as value", [value])
        con.execute(
            "insert into sync_runs (run_id, workflow, position, calls) select ?, ?, coalesce(max(position), 0) + 1, 0"
            " from sync_runs",
            [value, WORKFLOW],
        )
    Switches(home.warehouse.folder).override(WORKFLOW, active=True, reason=value)
    NotificationQueue(home.folder).add("customers", value, is_deleted=False, nonce=value, now=1000.0, remember_s=10.0)


def value(home: Home) -> str:
    """Return which version of the home this is."""
    return str(home.warehouse.read("select value from content").item())


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Home]:
    """A home with one version of everything, in use."""
    with at_home(tmp_path / "home") as home, pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.chdir(tmp_path)
        fill(home)
        yield home
