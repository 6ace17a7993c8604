"""Records that a person ignores are out of counts, lists and alerts until a date; the engine does not know of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from assets.delivery.audit.held_back import held_and_ignored, held_records
from assets.delivery.component.sync_summary import read_summary
from assets.delivery.errors import SyncError
from assets.delivery.ledger.ignored import MAX_DAYS, Ended, Ignored, end_ignored, read_ignored, save_ignored
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import SourceKey
from assets.delivery.spec.workflow import Workflow
from orchestration.alerts.conditions import Limits, warehouse_alerts
from orchestration.web.console.workflow_facts import workflow_facts
from resources.warehouse.tables import insert_frame, replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import desired, mart, option_tree
from tests.assets.delivery.ledger.ledger_rows import MOMENT

FLOW = Workflow("flow", option_tree())
DAY = MOMENT.date()
ENDED = Ended("flow", "ada", MOMENT)
DECIDED = {"1": ("quarantined", "too_long"), "2": ("quarantined", "too_long"), "3": ("skipped", "flag_not_set")}


class StoppedClock:
    """A clock at a fixed time."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Do nothing."""


@pytest.fixture
def held(warehouse: Warehouse) -> Warehouse:
    """Two quarantined customers, and one that is not selected."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        replace_table(con, "mart_flow", mart(*(desired(each) for each in DECIDED)))
        con.execute(
            f"create table {FLOW.plan} as"
            " select '' as plan_id, source, source_id, action, reason_code, [{field: ''}] as changes"
            " from sync_decisions limit 0"
        )
        con.execute("create table sync_watermarks (watermark_at timestamp)")
    decide(warehouse, DECIDED)
    return warehouse


def decide(warehouse: Warehouse, decided: dict[str, tuple[str, str]]) -> None:
    """Let these be the decisions that hold."""
    rows = [("flow", "customers", key, *decision, "because", MOMENT) for key, decision in decided.items()]
    names = ["workflow", "source", "source_id", "action", "reason_code", "reason", "from_at"]
    with warehouse.writer() as con:
        con.execute("delete from sync_decisions")
        insert_frame(con, "sync_decisions", pl.DataFrame(rows, schema=names, orient="row"))


def ignore(warehouse: Warehouse, *ids: str, days: int = 7, note: str = "wait for the new VAT number") -> int:
    """Ignore records for some days."""
    decision = Ignored("flow", DAY + timedelta(days=days), "ada", MOMENT, note)
    with warehouse.writer() as con:
        return save_ignored(con, decision, [SourceKey("customers", each) for each in ids])


def counted(warehouse: Warehouse, now: datetime) -> dict[str, Sequence[str] | int]:
    """Return what each list and count holds at a time: ids, or a number of records."""
    limits = Limits(0, {})
    alerts = warehouse_alerts(warehouse, ["flow"], limits, StoppedClock(now), ())  # type: ignore[arg-type]
    facts = workflow_facts(warehouse, now)["held"]
    with warehouse.writer(transaction=False) as con:
        listed = held_records(con, [FLOW], {"flow": FLOW}, {}, now)["source_id"].to_list()
        apart = held_and_ignored(con, [FLOW], {"flow": FLOW}, {}, now).filter(pl.col("ignored_until").is_not_null())
        page = read_summary(con, FLOW, "run", now).held
        kept = [row["source_id"] for row in read_ignored(con, now, "flow")]
    assert apart["source_id"].to_list() == kept
    return {
        "listed": listed, "ignored": kept, "overview": sum(row["records"] for row in facts),
        "page": sum(row[2] for row in page),
        "alerts": sum(int(alert.cause.split()[1]) for alert in alerts),
    }  # fmt: skip


def everything(*listed: str, ignored: Sequence[str] = ()) -> dict[str, Any]:
    """Return the counts of these records, the same everywhere."""
    count = len(listed)
    return {"listed": list(listed), "ignored": list(ignored), "overview": count, "page": count, "alerts": count}


def test_an_ignored_record_is_left_out_everywhere_until_its_date(held: Warehouse) -> None:
    """It is shown apart, through the whole last day; afterwards it counts again."""
    assert counted(held, MOMENT) == everything("1", "2")
    before = held.table("sync_decisions").to_dicts()

    assert ignore(held, "1", "3", days=7) == 1  # the third is not held back

    assert counted(held, MOMENT) == everything("2", ignored=["1"])
    last = datetime.combine(DAY + timedelta(days=7), datetime.max.time())
    assert counted(held, last) == everything("2", ignored=["1"])
    assert counted(held, last + timedelta(microseconds=1)) == everything("1", "2")
    assert held.table("sync_decisions").to_dicts() == before, "the engine's decisions are its own"
    (row,) = held.table("sync_ignored").to_dicts()
    assert (row["decided_by"], row["note"]) == ("ada", "wait for the new VAT number")
    assert row["until_on"] == DAY + timedelta(days=7)


@pytest.mark.parametrize("decision", [("quarantined", "required_blank"), ("failed", "too_long")])
def test_a_record_that_is_held_back_for_another_reason_is_counted_again(
    held: Warehouse, decision: tuple[str, str]
) -> None:
    """The person knew the reason of that day only."""
    ignore(held, "1")
    decide(held, {**DECIDED, "1": decision})
    assert counted(held, MOMENT) == everything("1", "2")

    decide(held, DECIDED)
    assert counted(held, MOMENT) == everything("2", ignored=["1"])


def test_ignoring_ends_at_once_if_a_person_says_so(held: Warehouse) -> None:
    """A later decision replaces an earlier one."""
    ignore(held, "1", "2", days=1)
    ignore(held, "1", days=30, note="longer")
    assert counted(held, MOMENT + timedelta(days=2)) == everything("2", ignored=["1"])

    with held.writer() as con:
        assert end_ignored(con, ENDED, [SourceKey("customers", "1")]) == 1
        assert end_ignored(con, ENDED, [SourceKey("customers", "1")]) == 0

    assert counted(held, MOMENT + timedelta(days=2)) == everything("1", "2")


@pytest.mark.parametrize(
    ("ids", "days", "note", "text"),
    [
        (["1"], -1, "why", "is not a day from"),
        (["1"], MAX_DAYS + 1, "why", "for a year at most"),
        (["1"], 7, " ", "needs a reason"),
        (["3"], 7, "why", "holds none of these records back"),
        (["99"], 7, "why", "holds none of these records back"),
    ],
)
def test_a_decision_that_hides_too_much_or_nothing_is_refused(
    held: Warehouse, ids: list[str], days: int, note: str, text: str
) -> None:
    """Nothing is stored."""
    with pytest.raises(SyncError, match=text):
        ignore(held, *ids, days=days, note=note)
    assert held.table("sync_ignored").is_empty()


def test_a_warehouse_without_the_table_ignores_nothing(held: Warehouse) -> None:
    """A file that was published before has no such table."""
    with held.writer() as con:
        con.execute("drop table sync_ignored")

    assert counted(held, MOMENT) == everything("1", "2")
