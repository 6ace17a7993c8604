"""Days of changes around a backup and its restore, and what the targets were sent after it, write by write.

Days(home, seed).go()  ->  run, backup, days with runs, manual edits, restore, run, run  ->  problems, by name
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from orchestration.cli.main import app
from resources.sandbox.simulation.day import manual_edits, simulate_day
from tests.orchestration.conftest import Home
from tests.orchestration.expected_targets import (
    Rows,
    selected_customers,
    selected_options,
    target_customers,
    target_options,
)
from tests.orchestration.home_state import CUSTOMERS, OPTIONS, failures, writes

_LOGS = {
    "suiteprojects": """
        create table written (data text);
        create trigger made after insert on objects when new.type = 'Customer'
        begin insert into written values (new.data); end;
        create trigger changed after update of data on objects when new.type = 'Customer'
            and json_extract(new.data, '$.company') is not json_extract(old.data, '$.company')
        begin insert into written values (new.data); end;
    """,
    "precoro": """
        create table written (data text);
        create trigger made after insert on options
        begin insert into written values (json_object('key', new.external_id, 'name', new.name)); end;
        create trigger changed after update on options when new.name is not old.name
        begin insert into written values (json_object('key', new.external_id, 'name', new.name)); end;
    """,
}


def millpond(*tokens: object) -> int:
    """Run a command in this process."""
    try:
        app([str(each) for each in tokens])
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("a command always ends by its exit code")


class Days:
    """One sequence of events, chosen by a seed."""

    def __init__(self, home: Home, folder: Path, seed: int) -> None:
        self.home, self._dice, self._seed = home, Random(seed), seed
        self.file = folder / "backup.tar.gz"
        self.edited: set[str] = set()

    def go(self) -> None:
        """Back up after the first run, let days go by, and restore."""
        assert millpond("backup", self.file) == 0
        for day in range(self._dice.randint(1, 3)):
            simulate_day(self.home.sandbox, seed=100 * self._seed + day)
            if day == 0 or self._dice.random() < 0.7:
                self.run()
        if self._dice.random() < 0.7:
            manual_edits(self.home.sandbox, seed=self._seed)
        if self._dice.random() < 0.5:  # not seen by any run before the restore
            simulate_day(self.home.sandbox, seed=100 * self._seed + 50)
        assert millpond("restore", self.file) == 0

    def run(self) -> None:
        """Run everything."""
        assert failures(self.home.run("all")) == {}

    # --- what was sent ---------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Log every record that is made and every name that changes in the targets from now on."""
        for system, script in _LOGS.items():
            with closing(self._store(system)) as con:
                con.executescript(script)

    def written(self, system: str) -> list[dict[str, Any]]:
        """Return every one of them."""
        with closing(self._store(system)) as con:
            return [json.loads(row[0]) for row in con.execute("select data from written order by rowid")]

    def _store(self, system: str) -> sqlite3.Connection:
        return sqlite3.connect(self.home.folder / "sandbox" / f"{system}.sqlite", timeout=10)

    def problems(self) -> Iterator[str]:
        """Yield every duplicate, and every value that was sent and is not NetSuite's newest."""
        customers, options = self.expected()
        for name, of in (("customer", target_customers), ("option", target_options)):
            key = "externalid" if name == "customer" else "external_id"
            counts = Counter(row[key] for row in of(self.home.sandbox))
            yield from (f"{name} {each} exists {count} times" for each, count in counts.items() if count > 1)
        yield from _old("customer", self.written("suiteprojects"), customers, "externalid", lambda row: row["company"])
        yield from _old("option", self.written("precoro"), options, "key", lambda row: row["name"])

    def expected(self) -> tuple[Rows, Rows]:
        """Return what both targets should have, by NetSuite's tables."""
        rejected = self.home.warehouse.read(
            "select source_id from sync_decisions where to_run is null and workflow = ? and action = 'quarantined'",
            [CUSTOMERS],
        )
        sandbox = self.home.sandbox
        return selected_customers(sandbox, set(rejected["source_id"])), selected_options(sandbox)

    def differences(self) -> Iterator[str]:
        """Yield what the targets show and should not, of the records that they should have."""
        customers, options = self.expected()
        shown = {row["externalid"]: row["company"] for row in target_customers(self.home.sandbox)}
        yield from (f"customer {key}" for key, row in customers.items() if shown.get(key) != row["company"])
        names = {row["external_id"]: (row["name"], row["parent"]) for row in target_options(self.home.sandbox)}
        held = self._held()
        yield from (
            f"option {key}: {names.get(key)}"
            for key, row in options.items()
            if names.get(key) != (row["name"], row["parent"]) and key not in held
        )

    def _held(self) -> set[str]:
        query = (
            "select source_id from sync_decisions where to_run is null and workflow = ?"
            " and action in ('quarantined', 'blocked', 'ambiguous')"
        )
        return set(self.home.warehouse.read(query, [OPTIONS])["source_id"])

    def writes(self) -> dict[str, int]:
        """Return the number of write calls so far."""
        return writes(self.home)


def _old(
    what: str, written: list[dict[str, Any]], expected: Rows, key: str, name: Callable[[dict[str, Any]], Any]
) -> Iterator[str]:
    for row in written:
        wanted = expected.get(str(row.get(key)))
        newest = wanted.get("company", wanted["name"]) if wanted else None
        if newest and name(row) != newest:
            yield f"{what} {row[key]} was sent {name(row)!r}, but NetSuite has {newest!r}"
