"""The second opinion derives from the workflow file and two read-outs what the target should have."""

import ast
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.certificate_check.check import (
    CHANGED,
    CONFIRMED,
    GONE,
    HELD,
    LATER,
    LEFT,
    MAPPING,
    MEANINGS,
    OPEN,
    PENDING,
    REFUTED,
    UNDATED,
    Findings,
    check_certificate,
)
from orchestration.certificate_check.read_outs import ReadOutError
from orchestration.configuration.settings import ROOT
from tests.orchestration.certificate_check.tables import TYPES, table

FOLDER = ROOT / "orchestration" / "certificate_check"
THROUGH = datetime(2026, 11, 17, 6, 0)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
BEFORE, AFTER = "2026-11-01 12:00:00", "2026-11-17 12:00:00"
ATTRIBUTES = {
    "source": "customers",
    "select": {
        "stages": {"customer": "include", "lead": "skip"},
        "require_flag": "exported",
        "where": "customer_id <> '99'",
    },
    "fields": [
        {"field": "externalid", "from": "customer_id", "locked": True},
        {"field": "name", "sql": "coalesce(company_name, alt_name)"},
        {"field": "type", "from": "stage", "values": {"customer": "C"}},
        {"field": "active", "value": True},
        {"field": "rate", "from": "rate"},
        {"field": "currency", "from": "currency", "lookup": {"table": "stg_netsuite__currencies"}},
        {"field": "notes", "value": "From NetSuite", "on": "create"},
        {"field": "off", "from": "nowhere", "active": False},
    ],
}
NETSUITE = {
    "customer_id": "1", "company_name": "Acme", "alt_name": "A", "stage": "customer", "exported": True, "rate": 1.5,
    "currency": "SEK", "is_inactive": False, "is_deleted": False, "is_missing": False, "modified_at": BEFORE,
    "created_at": "2026-10-01 12:00:00",
}  # fmt: skip
TARGET = {
    "target_id": "7", "external_id": "1", "is_active": True, "externalid": "1", "name": "Acme", "type": "C",
    "active": "1", "rate": "1.5", "currency": "SEK",
}  # fmt: skip


class Case:
    """A warehouse with one certificate, and two read-outs of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.con = duckdb.connect()
        mart = {"source": "customers", "source_id": "1"} | {
            name: TARGET[name] for name in ("externalid", "name", "type", "active", "rate", "currency")
        }
        table(self.con, "stg_netsuite__customers", NETSUITE)
        table(self.con, "target_flow", TARGET, types={"is_active": "boolean"})
        table(self.con, "mart_flow", mart)
        certificate = {"workflow": "flow", "verified_through": str(THROUGH), "position": "1"}
        table(self.con, "sync_certificates", certificate, types={"verified_through": "timestamp", "position": "bigint"})
        decided = {"workflow": "flow", "source": "customers", "source_id": "0", "action": "held", "to_run": None}
        table(self.con, "sync_decisions", decided)
        named = {"workflow": "flow", "source": "customers", "source_id": "0", "kind": "held", "through": None}
        table(self.con, "sync_unverified", named, types={"through": "timestamp"})
        self.read(NETSUITE)
        self.seen(TARGET)

    def read(self, *rows: Mapping[str, Any], suffix: str = "parquet") -> None:
        """Write NetSuite's read-out."""
        self._write("stg_netsuite__customers", rows, TYPES, suffix)

    def seen(self, *rows: Mapping[str, Any], suffix: str = "parquet") -> None:
        """Write the target's read-out."""
        self._write("target", rows, {"is_active": "boolean"}, suffix)

    def _write(self, name: str, rows: tuple[Mapping[str, Any], ...], types: Mapping[str, str], suffix: str) -> None:
        with duckdb.connect() as con:
            table(con, name, *rows, types=types)
            con.execute(f"copy {name} to '{self.folder / name}.{suffix}'")

    def findings(self) -> Findings:
        """Return the findings."""
        ids = {"customers": "customer_id"}
        return check_certificate(self.con, "flow", ATTRIBUTES, self.folder, key_field="externalid", ids=ids)

    def outcome(self) -> str:
        """Return the outcome of the only record."""
        found = self.findings()
        assert sum(found.counts.values()) == 1, found
        return next(iter(found.counts))


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    """A certificate that is so."""
    made = Case(tmp_path)
    yield made
    made.con.close()


def test_what_is_so_is_confirmed(case: Case) -> None:
    """Every field that DuckDB can derive is derived; the others come from the mart, and are named."""
    found = case.findings()

    assert (found.is_confirmed, found.counts, found.examples) == (True, {CONFIRMED: 1}, {CONFIRMED: ["1"]})
    assert found.verified_through == THROUGH
    assert found.not_derived == {"currency": "its value is looked up in stg_netsuite__currencies"}


def test_read_outs_may_be_csv(case: Case) -> None:
    """As a spreadsheet, or another client, writes them: texts get the types of the warehouse."""
    for file in case.folder.iterdir():
        file.unlink()
    case.read(NETSUITE, suffix="csv")
    case.seen(TARGET, suffix="csv")

    assert case.outcome() == CONFIRMED


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"name": "Other"}, REFUTED),
        ({"rate": "2.5"}, REFUTED),
        ({"currency": "EUR"}, REFUTED),
        ({"is_active": False}, REFUTED),
        ({"externalid": "2", "external_id": "2"}, REFUTED),
        ({"notes": "changed by a person"}, CONFIRMED),
    ],
)
def test_a_target_that_never_had_the_values_refutes_the_certificate(
    case: Case, changes: dict[str, Any], outcome: str
) -> None:
    """Neither when it was read back, nor now."""
    table(case.con, "target_flow", TARGET | changes, types={"is_active": "boolean"})
    case.seen(TARGET | changes)

    assert case.outcome() == outcome
    assert case.findings().is_confirmed is (outcome == CONFIRMED)


def test_a_record_that_someone_edited_since_is_named_apart(case: Case) -> None:
    """The claim was so; it is not any more."""
    case.seen(TARGET | {"name": "Edited"})

    assert case.outcome() == CHANGED
    assert not case.findings().is_confirmed


def test_two_active_records_with_our_key_refute_it(case: Case) -> None:
    """One of them is too much."""
    case.seen(TARGET, TARGET | {"target_id": "8"})
    table(case.con, "target_flow", TARGET | {"is_active": False}, types={"is_active": "boolean"})

    assert case.outcome() == REFUTED


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"company_name": "New", "modified_at": AFTER}, LATER),
        ({"company_name": "New"}, UNDATED),
        ({"stage": "lead"}, OPEN),
        ({"exported": False}, OPEN),
        ({"is_missing": True}, OPEN),
    ],
)
def test_a_later_change_in_netsuite_says_nothing_about_the_certificate(
    case: Case, changes: dict[str, Any], outcome: str
) -> None:
    """With a date after its time, or without one after the reading."""
    case.read(NETSUITE | changes)

    assert case.outcome() == outcome
    assert case.findings().is_confirmed


@pytest.mark.parametrize("changes", [{"company_name": "New"}, {"is_inactive": True}])
def test_a_dated_change_before_its_time_that_was_not_read_refutes_it(case: Case, changes: dict[str, Any]) -> None:
    """The warehouse has the former values and the former date: the certificate claims what no one read."""
    case.read(NETSUITE | changes | {"modified_at": "2026-11-10 12:00:00"})

    assert case.outcome() == REFUTED


@pytest.mark.parametrize("change", ["is_inactive", "is_deleted"])
def test_an_active_record_of_an_inactive_one_refutes_it(case: Case, change: str) -> None:
    """The workflow file deactivates them unless it says otherwise."""
    row = NETSUITE | {change: True}
    case.read(row)
    table(case.con, "stg_netsuite__customers", row)

    assert case.outcome() == REFUTED


def test_a_record_that_netsuite_deleted_must_be_inactive(case: Case) -> None:
    """It is not in NetSuite's read-out any more; the warehouse knows it."""
    table(case.con, "stg_netsuite__customers", NETSUITE, NETSUITE | {"customer_id": "5", "is_deleted": True})
    mart = case.con.execute("select * replace ('5' as source_id, '5' as externalid) from mart_flow").fetchall()
    case.con.execute(f"insert into mart_flow values ({', '.join('?' * len(mart[0]))})", list(mart[0]))
    fifth = TARGET | {"target_id": "9", "externalid": "5", "external_id": "5"}
    case.seen(TARGET, fifth)
    table(case.con, "target_flow", TARGET, fifth, types={"is_active": "boolean"})

    assert case.findings().counts == {CONFIRMED: 1, REFUTED: 1}


def test_a_record_that_was_never_read_refutes_it(case: Case) -> None:
    """It existed before the certificate's time."""
    case.read(NETSUITE, NETSUITE | {"customer_id": "6"})

    assert case.findings().counts == {CONFIRMED: 1, REFUTED: 1}
    assert case.findings().examples[REFUTED] == ["6"]


@pytest.mark.parametrize("where", ["sync_decisions", "sync_unverified"])
def test_a_record_that_a_decision_holds_back_is_named(case: Case, where: str) -> None:
    """The certificate names it as well."""
    case.seen(TARGET | {"name": "Old"})
    values = "'flow', 'customers', '1', " + ("'quarantined', null" if where == "sync_decisions" else "'held', null")
    case.con.execute(f"insert into {where} values ({values})")

    assert case.outcome() == HELD


def test_a_mapping_that_this_reading_gives_otherwise_is_reported(case: Case) -> None:
    """The target has what the engine mapped: a person looks at the expression."""
    other = TARGET | {"name": "ACME"}
    case.seen(other)
    case.con.execute("update mart_flow set name = 'ACME'")

    assert case.outcome() == MAPPING


def test_without_a_time_there_is_nothing_to_check(case: Case) -> None:
    """And nothing is confirmed."""
    case.con.execute("update sync_certificates set verified_through = null")

    assert not case.findings().is_confirmed
    assert "claims no time" in case.findings().problem


def test_a_time_after_the_last_reading_is_not_confirmed(case: Case) -> None:
    """No one can know what NetSuite changed after it was last read."""
    table(case.con, "netsuite_reads", {"netsuite_at": BEFORE}, types={"netsuite_at": "timestamp"})

    findings = case.findings()

    assert not findings.is_confirmed
    assert findings.problem == (
        "the newest certificate claims 2026-11-17 06:00:00 UTC, and NetSuite was last read at 2026-11-01 12:00:00 UTC"
    )


def test_the_time_of_the_last_reading_itself_is_confirmed(case: Case) -> None:
    """It is the certificate's where nothing was changed since."""
    table(case.con, "netsuite_reads", {"netsuite_at": THROUGH}, types={"netsuite_at": "timestamp"})

    assert case.findings().is_confirmed


@pytest.mark.parametrize(("returned_at", "outcome"), [(None, HELD), (BEFORE, UNDATED)])
def test_a_record_that_was_forgotten_since_is_held_back(case: Case, returned_at: object, outcome: str) -> None:
    """Its values are gone from the warehouse, and from the target; the next run decides so."""
    forgotten = {"source": "customers", "source_id": "1", "returned_at": returned_at}
    table(case.con, "sync_forgotten", forgotten, types={"returned_at": "timestamp"})
    case.con.execute("update stg_netsuite__customers set company_name = null")
    case.seen(TARGET | {"name": "Anonymous"})

    assert case.outcome() == outcome


def test_a_missing_read_out_is_named(case: Case) -> None:
    """With the file that is needed."""
    (case.folder / "target.parquet").unlink()

    with pytest.raises(ReadOutError, match=r"no read-out of target: .*target\.parquet or target\.csv is needed"):
        case.findings()


@pytest.mark.parametrize("name", ["name", "rate", "currency", "externalid", "is_active"])
def test_a_field_that_the_targets_read_out_lacks_is_not_confirmed(case: Case, name: str) -> None:
    """Nothing would be compared, and the record would look as it should be."""
    case.seen({field: value for field, value in TARGET.items() if field != name})

    with pytest.raises(ReadOutError, match=rf"the read-out target has no column {name}$"):
        case.findings()


def test_an_empty_read_out_of_netsuite_is_not_confirmed(case: Case) -> None:
    """It has no record that could refute anything."""
    case.con.execute(f"copy (from stg_netsuite__customers limit 0) to '{case.folder}/stg_netsuite__customers.parquet'")

    with pytest.raises(ReadOutError, match="stg_netsuite__customers has no records, and the warehouse has 1"):
        case.findings()


def test_a_record_that_the_read_out_lacks_is_counted(case: Case) -> None:
    """It may have been deleted since; what was left out must not look as if it had been compared."""
    case.read(NETSUITE | {"customer_id": "2", "stage": "lead"})

    assert case.findings().counts == {GONE: 1, OPEN: 1}


@pytest.mark.parametrize("side", ["target", "netsuite"])
def test_read_outs_of_other_types_are_one_sentence(case: Case, side: str) -> None:
    """As a program writes them that has flags as texts, or an export without the columns of the rules."""
    if side == "target":
        case.con.execute(
            f"copy (select * replace (is_active::varchar as is_active) from target_flow) to"
            f" '{case.folder}/target.parquet'"
        )
    else:
        case.con.execute(
            f"copy (select customer_id from stg_netsuite__customers) to '{case.folder}/stg_netsuite__customers.parquet'"
        )

    with pytest.raises(ReadOutError, match="cannot be compared with the warehouse: Binder Error"):
        case.findings()


def test_each_outcome_has_a_meaning() -> None:
    """The command prints it."""
    assert set(MEANINGS) == {
        CONFIRMED, OPEN, LATER, HELD, PENDING, LEFT, UNDATED, MAPPING, GONE, CHANGED, REFUTED,
    }  # fmt: skip


@pytest.mark.parametrize("module", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_it_shares_no_code_with_the_engine(module: Path) -> None:
    """Standard library, DuckDB, and its own folder: a fault of the engine cannot hide itself here."""
    allowed = {"duckdb", "orchestration.certificate_check", *sys.stdlib_module_names}
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert {name, name.rpartition(".")[0], name.partition(".")[0]} & allowed, name
