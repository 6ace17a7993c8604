"""What was found out about the account, kept in the warehouse, so that runs do not ask again and again.

netsuite_probes  ->  Probes.recall("limits")  ->  ask NetSuite again when it is no longer fresh  ->  .remember(…)

A column that the account does not know costs a refused call each time it is asked for; how many calls may run side by
side seldom changes. The time and the session's zone are not remembered: clocks change.
"""

from datetime import datetime, timedelta
from typing import Any

import duckdb
import orjson

from assets.netsuite.extract.watermarks import naive
from resources.warehouse.tables import ensure_table, has_table
from sql import statement

LIMITS = "limits"


class Probes:
    """Answers of earlier runs, and those that this run adds."""

    def __init__(self, con: duckdb.DuckDBPyConnection, now: datetime, hours: float) -> None:
        """Read what is known.

        Args:
            con: The warehouse.
            now: The time.
            hours: How long an answer is fresh.
        """
        self._answers: dict[str, Any] = {}
        self._fresh: set[str] = set()
        self._new: set[str] = set()
        if has_table(con, "netsuite_probes"):
            since = naive(now - timedelta(hours=hours))
            found = con.execute("select probe, answer, asked_at > ? from netsuite_probes", [since]).fetchall()
            self._answers = {probe: orjson.loads(answer) for probe, answer, _ in found}
            self._fresh = {probe for probe, _, is_fresh in found if is_fresh}

    def is_fresh(self, probe: str) -> bool:
        """Whether there is an answer of the last hours; it may be None."""
        return probe in self._fresh

    def recall(self, probe: str) -> Any:
        """The answer, whatever its age; None when there is none."""
        return self._answers.get(probe)

    def remember(self, probe: str, answer: Any) -> None:
        """Keep an answer, unless the same one is fresh: its age counts from when it was found out."""
        if probe not in self._fresh or self._answers[probe] != answer:
            self._answers[probe] = answer
            self._fresh.add(probe)
            self._new.add(probe)

    def write(self, con: duckdb.DuckDBPyConnection, now: datetime, run_id: str) -> None:
        """Write what this run found out, in the caller's transaction."""
        if not self._new:
            return
        ensure_table(con, statement("ledger", "netsuite_probes"))
        for probe in sorted(self._new):
            con.execute("delete from netsuite_probes where probe = ?", [probe])
            values = [probe, orjson.dumps(self._answers[probe]).decode(), naive(now), run_id]
            con.execute("insert into netsuite_probes (probe, answer, asked_at, run_id) values (?, ?, ?, ?)", values)
