"""What was found out about the account, kept in the pond for some hours, so that runs do not ask again and again.

netsuite_probes  ->  Probes.recall("limits")  ->  ask NetSuite only when nothing fresh is known  ->  .remember(…)

A column that the account does not know costs a refused call each time it is asked for; how many calls may run side by
side seldom changes. The time and the session's zone are not remembered: clocks change.
"""

from datetime import datetime, timedelta
from typing import Any

import duckdb
import orjson

from assets.netsuite.watermarks import naive
from resources.warehouse import ensure_table, has_table
from sql import statement

LIMITS = "limits"
_UNKNOWN = object()


class Probes:
    """Answers of the last hours, and those that this run adds."""

    def __init__(self, con: duckdb.DuckDBPyConnection, now: datetime, hours: float) -> None:
        """Read what is fresh.

        Args:
            con: The pond.
            now: The time.
            hours: How long an answer is good.
        """
        self._answers: dict[str, Any] = {}
        self._new: set[str] = set()
        if has_table(con, "netsuite_probes"):
            since = naive(now - timedelta(hours=hours))
            found = con.execute("select probe, answer from netsuite_probes where asked_at > ?", [since]).fetchall()
            self._answers = {probe: orjson.loads(answer) for probe, answer in found}

    def knows(self, probe: str) -> bool:
        """Whether there is a fresh answer; it may be None."""
        return probe in self._answers

    def recall(self, probe: str) -> Any:
        """The answer; None when there is none."""
        return self._answers.get(probe)

    def remember(self, probe: str, answer: Any) -> None:
        """Keep an answer, unless the same one is known: its age counts from when it was found out."""
        if self._answers.get(probe, _UNKNOWN) != answer:
            self._answers[probe] = answer
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
