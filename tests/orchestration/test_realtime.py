"""A record that was just saved reaches the targets by itself, and nothing else is touched."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import dagster as dg
import pytest

from assets.delivery.activation import Switches
from orchestration.hints import Hints
from orchestration.realtime import REALTIME
from tests.orchestration.conftest import Home

ALWAYS = ("suiteprojects__customers", "suiteprojects__projects", "suiteprojects__contacts", "precoro__options")


@dataclass
class Live:
    """A home whose workflows follow hints."""

    home: Home
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def hints(self) -> Hints:
        """What waits."""
        return Hints(self.home.folder)

    def hint(self, source: str, record_id: int, *, is_deleted: bool = False) -> None:
        """As the webhook keeps it."""
        nonce = f"nonce-{next(self.numbers):012}"
        kept = self.hints.keep(
            source, str(record_id), is_deleted=is_deleted, nonce=nonce, now=time.time(), remember_s=600
        )
        assert kept

    def bring(self) -> dg.ExecuteInProcessResult:
        """The targeted run."""
        return self.home.run(REALTIME)

    def ledger(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the pond."""
        return self.home.warehouse.read(query).rows()


@pytest.fixture
def live(settled: Home) -> Live:
    """One run of all went well."""
    for name in ALWAYS:
        Switches(settled.warehouse.folder).say(name, realtime=True)
    return Live(settled)


def test_smoke(live: Live) -> None:
    rows = live.ledger(
        "select customer_id, company_name from stg_netsuite__customers where stage='customer' and company_name is not null and list_contains(subsidiary_ids, '2') and custentity_oa_export_to_openair='T' and not is_inactive limit 3"
    )
    print(rows)
    key = int(rows[0][0])
    live.home.sandbox.netsuite.update("customer", key, companyname="Brand New Name")
    live.hint("customers", key)
    marks = live.ledger("select * from sync_watermarks order by 1")
    t = time.time()
    done = live.bring()
    print("seconds", time.time() - t, done.success)
    for e in done.all_events:
        if e.event_type_value == "ASSET_OBSERVATION":
            print(
                e.event_specific_data.asset_observation.asset_key,
                {k: v.value for k, v in e.event_specific_data.asset_observation.metadata.items()},
            )
        if e.is_step_failure:
            print(e.step_failure_data.error)
    assert done.success
    assert live.ledger("select * from sync_watermarks order by 1") == marks
    print(
        live.ledger(
            f"select workflow, action, state, seen_at from sync_attempts where source_id='{key}' order by seen_at"
        )
    )
    print(live.hints.waiting())
