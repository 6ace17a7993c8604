"""The versions of marts and targets: a copy of each moment can be made again, whatever the clocks showed."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.ledger.rebind import forget_account
from assets.delivery.ledger.sides import MART, TARGET, Side
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.version_readings import ALL, SELECTED, WRITTEN, Reading
from assets.delivery.ledger.versions import NO_KEYS, Kept, keep_versions, mark_unseen
from assets.delivery.mart.versions import keep_mart
from assets.delivery.schemas import MART_COLUMNS
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import TARGET_STATE_COLUMNS, TOP
from assets.warehouse.retention import prune
from orchestration.renaming.tables import rename_in_warehouse, traces
from resources.encryption import Cipher
from resources.warehouse.analytics import add_analytics
from resources.warehouse.masking import Personal
from resources.warehouse.open import open_warehouse
from resources.warehouse.tables import columns_of, read_frame, replace_table
from tests.assets.delivery.builders import one_source

START = datetime(2026, 11, 16, 6)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
HOUR = timedelta(hours=1)
# blank, odd and composite values: lists as the targets write them, JSON, quotes, lines, and what looks like a null
VALUES = [None, "", "Bern", "Bâle", "1, 3, 4", '["a", "b"]', '{"a": null}', "null", 'O\'Brien "x"', "a\nb", "$.name"]


@dataclass
class History:
    """A workflow's tables in memory, and a full copy of them at each moment."""

    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    now: datetime = START
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: tuple[str, ...] = ("name", "city")
    copies: list[tuple[datetime, pl.DataFrame]] = field(default_factory=list)

    def __post_init__(self) -> None:
        ensure_ledger(self.con)

    def put(self, side: Side) -> None:
        """Replace the table by the rows."""
        own = MART_COLUMNS if side is MART else TARGET_STATE_COLUMNS
        schema = {**own, **dict.fromkeys(self.fields, pl.String)}
        replace_table(self.con, side.table("flow"), pl.DataFrame(list(self.rows.values()), schema=schema, orient="row"))

    def read(self, side: Side, *, kind: str = ALL, keys: list[str] | None = None, **changes: Any) -> Kept:
        """Keep the versions of the rows, and copy the table."""
        self.put(side)
        reading = replace(
            Reading(workflow="flow", kind=kind, read_at=self.now, run_id="r", fields=self.fields), **changes
        )
        if keys is not None:
            column = side.key[-1]
            added = ", 'customers' as source" if side is MART else ""
            self.con.execute(f"create or replace temp table _keys as select unnest(?) as {column}{added}", [keys])
        kept = keep_versions(self.con, side, reading, keys=None if keys is None else "_keys", closes=kind != WRITTEN)
        self.copies.append((self.now, read_frame(self.con, f"from {side.table('flow')} order by all")))
        return kept

    def versions(self, side: Side) -> pl.DataFrame:
        """Return the versions, in the order of their key and position."""
        return read_frame(self.con, f"from {side.versions('flow')} order by {side.key[-1]}, from_position")

    def at(self, side: Side, moment: datetime) -> pl.DataFrame:
        """Return the state at a moment, from the versions."""
        columns = ", ".join(f'"{name}"' for name in columns_of(self.con, side.table("flow")) if name != "input_hash")
        query = (
            f"select {columns} from {side.versions('flow')}, (select max(position) as at_position from sync_readings"
            " where workflow = 'flow' and read_at <= ?) where from_position <= at_position"
            " and (to_position is null or to_position > at_position) order by all"
        )
        return read_frame(self.con, query, [moment])


def of_target(target_id: str, name: str | None = "Acme", city: str | None = "Bern", **more: Any) -> dict[str, Any]:
    """Return a record of a target."""
    row = {"target_id": target_id, "external_id": None, "is_active": True, "parent_id": None, "updated_at": None}
    return {**row, "name": name, "city": city, **more}


def of_mart(source_id: str, name: str | None = "Acme", city: str | None = "Bern", **more: Any) -> dict[str, Any]:
    """Return a desired record."""
    row = dict.fromkeys(MART_COLUMNS) | {"source": "customers", "source_id": source_id, "disposition": "deliver"}
    row |= {"level": 1, "source_hash": f"{name} {city}", "payload_hash": f"{name} {city}"}
    return {**row, "name": name, "city": city, **more}


def test_a_target_that_begins_to_show_who_is_at_the_top_has_not_changed() -> None:
    """The same record has no second version, and no edit in the target."""
    history = History()
    for parent in (None, TOP):
        history.rows["1"] = of_target("1", parent_id=parent)
        history.read(TARGET)

    assert history.versions(TARGET)["parent_id"].to_list() == [None]


OF = {"mart": of_mart, "target": of_target}


@pytest.mark.parametrize("side", [MART, TARGET], ids=["mart", "target"])
def test_a_key_that_is_listed_twice_has_one_version(side: Side) -> None:
    """A page that is shown again, or a source with a repeated key, does not make two records of one."""
    history = History()
    history.rows = {"first": OF[side.name]("1"), "again": OF[side.name]("1"), "other": OF[side.name]("2")}

    history.read(side)

    assert history.versions(side)[side.key[-1]].to_list() == ["1", "2"]


@pytest.mark.parametrize("side", [MART, TARGET], ids=["mart", "target"])
def test_a_key_that_is_listed_a_second_time_with_other_values_has_one_current_version(side: Side) -> None:
    """One of its rows is as it was, so that only the other one is a change."""
    history = History()
    keys = [str(number) for number in range(100, 300)]
    history.rows = {key: OF[side.name](key) for key in keys}
    history.read(side)
    history.rows["again"] = OF[side.name]("100", "Another")

    history.read(side)

    assert history.versions(side).filter("is_current")[side.key[-1]].to_list() == keys


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "edit", "delete", "nothing", "inactive"]),
        st.sampled_from("1234"), st.sampled_from(VALUES), st.sampled_from(VALUES),
        st.sampled_from([1, 1, 1, 0, -3]),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@pytest.mark.parametrize("side", [MART, TARGET], ids=["mart", "target"])
@settings(max_examples=3)
@given(edits=EDITS)
def test_each_moment_is_as_a_full_copy_of_it(side: Side, edits: list[Any]) -> None:
    """Random edits, deletions, repeated readings and clocks that stand still or are set back: nothing is lost."""
    check_edits(side, edits)


@pytest.mark.long
@pytest.mark.parametrize("side", [MART, TARGET], ids=["mart", "target"])
@settings(max_examples=60)
@given(edits=EDITS)
def test_each_moment_of_many_is_as_a_full_copy_of_it(side: Side, edits: list[Any]) -> None:
    """The same, of many more."""
    check_edits(side, edits)


def check_edits(side: Side, edits: list[Any]) -> None:
    """Make random edits, with a reading after each, and compare each moment with its copy."""
    history = History()
    for what, key, name, city, hours in edits:
        history.now += hours * HOUR
        if what in {"edit", "inactive"}:
            more = {"is_active": False} if what == "inactive" and side is TARGET else {}
            history.rows[key] = OF[side.name](key, name, city, **more)
        elif what == "delete":
            history.rows.pop(key, None)
        history.read(side)

    for place, (moment, copy) in enumerate(history.copies):
        if all(later > moment for later, _ in history.copies[place + 1 :]):  # else that time was lived twice
            expected = copy.drop("input_hash") if side is MART else copy
            assert history.at(side, moment).equals(expected)
    check_order(history, side)


def check_order(history: History, side: Side) -> None:
    """Check that versions neither overlap nor are inverted, by time and by position, and that equal ones are one."""
    for _, rows in history.versions(side).group_by(side.key):
        versions = rows.to_dicts()
        for one, other in pairwise(versions):
            assert one["from_position"] < one["to_position"] <= other["from_position"]
            assert one["valid_from"] <= one["valid_to"] <= other["valid_from"]
            same = all(
                one[name] == other[name] for name in ("name", "city", *(("is_active",) if side is TARGET else ()))
            )
            assert not (same and one["to_position"] == other["from_position"])
        assert [version["is_current"] for version in versions[:-1]] == [False] * (len(versions) - 1)
        assert versions[-1]["is_current"] is (versions[-1]["to_position"] is None)


@pytest.mark.parametrize("side", [MART, TARGET], ids=["mart", "target"])
def test_a_run_without_a_change_adds_no_version(side: Side) -> None:
    """The tables grow with changes, not with runs."""
    history = History(rows={key: OF[side.name](key) for key in "123"})
    assert history.read(side).opened == 3
    for _ in range(3):
        history.now += HOUR
        kept = history.read(side)
        assert (kept.opened, kept.closed) == (0, 0)
    assert history.versions(side).height == 3


def test_a_mart_of_which_nothing_was_made_again_is_not_read() -> None:
    """The making of the mart knows it already."""
    history = History(rows={"1": of_mart("1")})
    history.read(MART)
    history.rows["1"] = of_mart("1", "Other")
    history.put(MART)
    reading = Reading(workflow="flow", kind=ALL, read_at=history.now, fields=history.fields)
    assert keep_versions(history.con, MART, reading, keys=NO_KEYS).opened == 0


def test_only_the_records_that_were_read_are_judged() -> None:
    """A reading of some records shows nothing of the others: their absence from it is no deletion."""
    history = History(rows={key: of_target(key) for key in "123"})
    history.read(TARGET)
    history.rows = {"1": of_target("1", "Other")}
    kept = history.read(TARGET, kind=SELECTED, keys=["1", "2"])
    assert (kept.opened, kept.closed) == (1, 2)
    current = history.versions(TARGET).filter("is_current")["target_id"].to_list()
    assert current == ["1", "3"]


def test_a_listing_that_may_leave_records_out_ends_no_version() -> None:
    """The record stays, with the moment from which it was not shown; once it is shown, that is forgotten."""
    history = History(rows={key: of_target(key) for key in "12"})
    history.read(TARGET)
    history.now += HOUR
    history.rows.pop("2")
    history.put(TARGET)
    reading = Reading(workflow="flow", kind=ALL, read_at=history.now, fields=history.fields)
    assert keep_versions(history.con, TARGET, reading, closes=False).closed == 0
    mark_unseen(history.con, "flow", history.now)
    assert history.versions(TARGET)["unseen_at"].to_list() == [None, history.now]
    history.rows["2"] = of_target("2")
    history.read(TARGET)
    mark_unseen(history.con, "flow", history.now)
    assert history.versions(TARGET)["unseen_at"].to_list() == [None, None]
    assert history.versions(TARGET).height == 2


def test_a_reading_that_began_before_a_write_does_not_undo_it() -> None:
    """A page that was read before another run's write shows the old value: that is no edit in the target."""
    history = History(rows={key: of_target(key) for key in "12"})
    began = history.read(TARGET).position
    history.rows["1"] = of_target("1", "Written")
    history.read(TARGET, kind=WRITTEN, keys=["1"])
    history.rows = {"1": of_target("1"), "2": of_target("2", "Edited")}

    assert history.read(TARGET, began_position=began).opened == 1
    current = history.versions(TARGET).filter("is_current")
    assert dict(current.select("target_id", "name").iter_rows()) == {"1": "Written", "2": "Edited"}


def test_a_field_that_is_read_from_now_on_did_not_change() -> None:
    """A new mapping row makes a version only where the field has a value; a dropped one is no longer wanted."""
    history = History(rows={key: of_target(key) for key in "12"})
    history.read(TARGET)
    history.fields = ("name", "city", "phone")
    history.rows = {"1": of_target("1", phone="1"), "2": of_target("2", phone=None)}
    assert history.read(TARGET).opened == 1
    history.fields = ("name",)
    history.rows = {key: {k: v for k, v in of_target(key).items() if k != "city"} for key in "12"}
    assert history.read(TARGET).opened == 0  # not read is not emptied

    wanted = History(rows={key: of_mart(key, city=None if key == "2" else "Bern") for key in "12"})
    wanted.read(MART)
    wanted.fields = ("name",)
    wanted.rows = {key: {k: v for k, v in of_mart(key).items() if k != "city"} for key in "12"}
    assert wanted.read(MART).opened == 1


def test_equal_values_are_no_change_if_the_fingerprint_is_another() -> None:
    """DuckDB's hash may differ from one of its versions to the next."""
    history = History(rows={key: of_target(key) for key in "123"})
    history.read(TARGET)
    history.con.execute("update hist_target__flow set version_hash = 1")
    history.rows["3"] = of_target("3", "Other")
    assert history.read(TARGET).opened == 1
    assert history.read(TARGET).opened == 0


def test_a_desired_version_says_what_changed_it() -> None:
    """NetSuite's record, the workflow file, both, or something else that the mapping looks up."""
    history = History(rows={"1": of_mart("1", "a")})
    steps = [("a", "a", "v1"), ("b", "b", "v1"), ("c", "b", "v2"), ("c", "d", "v2"), ("e", "d", "v2"), ("f", "f", "v3")]
    for name, source, version in steps:
        history.now += HOUR
        history.rows["1"] = of_mart("1", name) | {"source_hash": source}
        history.read(MART, workflow_version=version)
    assert history.versions(MART)["version_cause"].to_list() == [None, "netsuite", "workflow_file", "other", "both"]


def test_another_accounts_records_do_not_continue_those_of_the_old_one() -> None:
    """Ids of the new account may be the same numbers."""
    history = History(rows={"1": of_target("1")})
    history.read(TARGET)
    with_mart = Workflow("flow", one_source())
    forget_account(history.con, with_mart, history.now + HOUR, "rebind")
    history.now += 2 * HOUR
    history.rows = {"1": of_target("1", "Another company")}
    history.read(TARGET)
    old, new = history.versions(TARGET).to_dicts()
    assert old["to_position"] < new["from_position"]
    assert changes(history, "1")[1:] == [
        ("(record)", "(present)", None, "another account"), ("(record)", None, "(present)", "first reading"),
    ]  # fmt: skip


def changes(history: History, target_id: str) -> list[tuple[Any, ...]]:
    """Return field, before, after and changed_by of a target's record."""
    add_analytics(history.con)
    query = "select field, before, after, changed_by from field_changes('flow', ?, id_of := 'target')"
    return history.con.execute(query, [target_id]).fetchall()


def test_old_versions_and_readings_are_deleted_and_current_ones_are_not() -> None:
    """Retention bounds what is kept; a clock that was set back makes nothing old."""
    history = History(rows={"1": of_target("1"), "2": of_target("2")})
    for name in ("b", "c"):
        history.read(TARGET)
        history.now += 10 * HOUR
        history.rows["1"] = of_target("1", name)
    history.read(TARGET)
    deleted = prune(history.con, START + 15 * HOUR)
    assert (deleted["hist_target__flow"], deleted["sync_readings"]) == (1, 2)
    assert history.versions(TARGET)["name"].to_list() == ["b", "c", "Acme"]


def kept_by(folder: Path, personal: Personal) -> duckdb.DuckDBPyConnection:
    """Return a published snapshot; `name` held names of people until its mapping row was changed."""
    warehouse = open_warehouse(folder, personal=personal)
    if not warehouse.exists():
        with warehouse.writer() as con:
            history = History(con, rows={"1": of_target("1", "Greta Persson"), "2": of_target("2", "Acme AB")})
            con.execute(
                "insert into lineage_columns (workflow, target_field, source_table, source_column) values"
                " ('flow', 'name', 'stg_netsuite__customers', 'city'),"
                " ('flow', 'city', 'stg_netsuite__customers', 'city')"
            )
            history.read(TARGET, personal=["name"])
            history.now += HOUR
            history.rows["1"] = of_target("1", "Lund", "Lund")
            history.read(TARGET)
            history.rows = {
                "1": of_mart("1", "Lund", reason="Persson is not in the list", reason_code="value_not_in_list")
            }
            history.read(MART)
    warehouse.publish()
    return duckdb.connect(str(warehouse.snapshot), read_only=True)


@pytest.mark.parametrize("personal", ["mask", pytest.param("empty", marks=pytest.mark.long)])
def test_a_masked_snapshot_hides_what_was_ever_personal(tmp_path: Path, personal: Personal) -> None:
    """A field that another mapping row fills now still has the old row's values in its versions."""
    with kept_by(tmp_path, personal) as con:
        cells = repr([con.execute(f"from {name}").fetchall() for name in ("hist_target__flow", "hist_mart__flow")])
        changes = con.execute("from changes_between('2026-01-01', '2027-01-01')").fetchall()
        fingerprints = con.execute("select count(version_hash) from hist_target__flow").fetchall()
    assert "Persson" not in cells + repr(changes)
    assert "Bern" in cells  # a city is not personal
    assert fingerprints == [(0,)]  # whoever knows the other values could try names
    assert any(row[7] == "city" for row in changes)


@pytest.mark.long
def test_an_unmasked_snapshot_shows_it(tmp_path: Path) -> None:
    """The test above could fail."""
    with kept_by(tmp_path, "show") as con:
        assert "Greta Persson" in repr(con.execute("from hist_target__flow").fetchall())


def test_versions_are_renamed_with_their_workflow() -> None:
    """A new name continues the versions of the old one."""
    history = History(rows={"1": of_target("1")})
    history.read(TARGET)
    history.rows = {"1": of_mart("1")}
    history.read(MART)
    lines = list(rename_in_warehouse(history.con, "flow", "stream", {}, Cipher("")))
    assert {"table hist_mart__flow -> hist_mart__stream", "table hist_target__flow -> hist_target__stream"} <= {*lines}
    assert history.con.execute("select distinct workflow from sync_readings").fetchall() == [("stream",)]
    assert traces(history.con, "flow") == []
    assert {"hist_mart__stream", "hist_target__stream"} <= {*traces(history.con, "stream")}


def test_a_mart_that_has_no_versions_yet_gets_them_although_nothing_was_made_again() -> None:
    """A warehouse from before has the mart already, and its next run may find it unchanged."""
    flow = Workflow("flow", one_source())
    history = History(fields=tuple(flow.spec.target_fields))
    names = dict.fromkeys(flow.spec.target_fields, "x")
    row = {name: value for name, value in of_mart("1").items() if name in MART_COLUMNS}
    history.rows = {"1": row | names, "2": row | names | {"source_id": "2"}}
    history.put(MART)
    for opened in (2, 0):
        keep_mart(history.con, flow, history.now, "run", changed="")
        last = "select opened from sync_readings order by position desc limit 1"
        assert history.con.execute(last).fetchall() == [(opened,)]
    assert history.versions(MART).height == 2
