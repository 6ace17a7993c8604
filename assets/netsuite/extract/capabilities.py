"""Results of checks against the account, kept in the warehouse so that runs need not repeat them.

netsuite_capabilities  ->  Capabilities.get("limits")  ->  check again if no longer fresh  ->  .record(…)  ->  .save()

Asking for a column that the account lacks costs a rejected call each time, and concurrency limits rarely change. The
server time and the session's time zone are not kept: clocks change.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
import orjson

from assets.netsuite.extract.watermarks import naive_utc
from resources.warehouse.tables import ensure_table, has_table
from sql import statement

LIMITS = "limits"


@dataclass
class ColumnFindings:
    """The readable columns of one record type in this account; stored as JSON.

    Attributes:
        requested: Fingerprint of the columns that were requested.
        missing: Columns that the account lacks.
        expressions: Expressions of columns that are read from another expression than the declared one.
        local_time: SYS_EXTRACT_UTC does not work: timestamps arrive in the session's time zone.
        types_known: It is known which custom fields are dates.
    """

    requested: str
    missing: list[str] = field(default_factory=list)
    expressions: dict[str, str] = field(default_factory=dict)
    local_time: bool = False
    types_known: bool = True


@dataclass(frozen=True)
class KnownColumns:
    """The columns of one record type that the warehouse already holds.

    Attributes:
        findings: `ColumnFindings` of an earlier run, as JSON; None: no earlier run.
        is_fresh: The findings are recent enough to be used without another check.
        outdated: Missing columns of which the warehouse holds values.
        field_types: Types of custom fields, as last seen in the metadata catalog.
    """

    findings: Any = None
    is_fresh: bool = False
    outdated: frozenset[str] = frozenset()
    field_types: Mapping[str, str] = field(default_factory=dict)


def missing_columns(con: duckdb.DuckDBPyConnection, record_type: str) -> set[str]:
    """Return the columns of a record type that NetSuite did not show at the last check."""
    if not has_table(con, "netsuite_capabilities"):
        return set()
    query = "select answer from netsuite_capabilities where capability = ?"
    rows = con.execute(query, [f"columns {record_type}"]).fetchall()
    return {name for (answer,) in rows for name in (orjson.loads(answer) or {}).get("missing", [])}


class Capabilities:
    """Answers of earlier runs, and those that this run adds."""

    def __init__(self, con: duckdb.DuckDBPyConnection, now: datetime, hours: float) -> None:
        """Read the stored answers; those of the last `hours` before `now` (aware) are fresh."""
        self._answers: dict[str, Any] = {}
        self._fresh: set[str] = set()
        self._new: set[str] = set()
        if has_table(con, "netsuite_capabilities"):
            query = "select capability, answer, checked_at > ? and checked_at <= ? from netsuite_capabilities"
            rows = con.execute(query, [naive_utc(now - timedelta(hours=hours)), naive_utc(now)]).fetchall()
            self._answers = {name: orjson.loads(answer) for name, answer, _ in rows}
            self._fresh = {name for name, _, is_fresh in rows if is_fresh}

    def is_fresh(self, name: str) -> bool:
        """Return whether there is a recent answer; it may be None."""
        return name in self._fresh

    def get(self, name: str) -> Any:
        """Return a copy of the answer, whatever its age; None if there is none."""
        return deepcopy(self._answers.get(name))  # one that is changed in place would seem to be the same

    def record(self, name: str, answer: Any) -> None:
        """Keep an answer, unless the same one is fresh: its age counts from the check that found it."""
        if name not in self._fresh or self._answers[name] != answer:
            self._answers[name] = answer
            self._fresh.add(name)
            self._new.add(name)

    def save(self, con: duckdb.DuckDBPyConnection, now: datetime, run_id: str) -> None:
        """Write this run's answers, in the caller's transaction."""
        if not self._new:
            return
        ensure_table(con, statement("ledger", "netsuite_capabilities"))
        for name in sorted(self._new):
            con.execute("delete from netsuite_capabilities where capability = ?", [name])
            values = [name, orjson.dumps(self._answers[name]).decode(), naive_utc(now), run_id]
            con.execute(
                "insert into netsuite_capabilities (capability, answer, checked_at, run_id) values (?, ?, ?, ?)", values
            )
