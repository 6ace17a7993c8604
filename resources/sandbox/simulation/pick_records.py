"""Who is at hand to be edited: every record is touched by one event a day, so that a test can tell them apart."""

from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

from resources.sandbox.generator.companies import invent
from resources.sandbox.generator.records import STATUS_OF_STAGE, Ids, RecordMaker
from resources.sandbox.sandbox import Sandbox

Row = dict[str, Any]
Records = list[tuple[str, int]]


class NobodyFitsError(Exception):
    """No untouched record is left that this kind of edit could be done to."""


class Editing:
    """One day's records of the NetSuite stand-in, and how to pick, change and add some."""

    def __init__(self, sandbox: Sandbox, random: Random) -> None:
        self._netsuite = sandbox.netsuite
        self._clock = sandbox.clock
        self._random = random
        self._customers: dict[int, Row] = {row["id"]: row for row in self._netsuite.rows("customer")}
        self._jobs = self._by("job", "customer")
        self._contacts = self._by("contact", "company")
        self._relationships = self._by("customersubsidiaryrelationship", "entity")
        self._parents = {row["parent"] for row in self._customers.values()}
        self._untouched = list(self._customers)
        random.shuffle(self._untouched)
        self._companies = invent(random, {row["altname"] for row in self._customers.values()})
        tables = ("customer", "customersubsidiaryrelationship", "customeraddressbookentityaddress")
        self._ids = Ids(*map(self._netsuite.next_id, tables))

    def _by(self, table: str, column: str) -> defaultdict[int, list[Row]]:
        found: defaultdict[int, list[Row]] = defaultdict(list)
        for row in self._netsuite.rows(table):
            found[row[column]].append(row)
        return found

    def _pick(self, fits: Callable[[Row], Any], *, active: bool = True) -> Row:
        """An untouched customer, touched from now on.

        Raises:
            NobodyFitsError: There is none.
        """
        for index, number in enumerate(self._untouched):
            row = self._customers[number]
            if row["isinactive"] is not active and fits(row):
                del self._untouched[index]
                return row
        raise NobodyFitsError

    def _pick_of(self, children: defaultdict[int, list[Row]], fits: Callable[[Row], Any]) -> Row:
        """A project or contact of an untouched customer; the customer counts as touched from now on."""
        owner = self._pick(lambda row: any(map(fits, children[row["id"]])))
        return self._random.choice(list(filter(fits, children[owner["id"]])))

    def _changed(self, row: Row, **changes: Any) -> Records:
        self._netsuite.update("customer", row["id"], **changes)
        return [("customer", row["id"])]

    def _converted(self, before: str, after: str) -> Records:
        row = self._pick(lambda row: row["searchstage"] == before)
        status = self._random.choice(STATUS_OF_STAGE[after])
        return self._changed(row, searchstage=after, entitystatus=status)

    def _created(self, stage: str) -> Records:
        maker = self._maker()
        return self._kept(maker, "customer", maker.customer(next(self._companies), stage, maker.now))

    def _maker(self) -> RecordMaker:
        now = self._clock.now().replace(microsecond=0)
        return RecordMaker(self._random, now, self._ids)

    def _kept(self, maker: RecordMaker, table: str, row: Row) -> Records:
        for name, rows in maker.tables.items():
            self._netsuite.insert(name, rows)
        return [(table, row["id"])]

    def _primary(self, customer: Row) -> int:
        known = self._relationships[customer["id"]]
        return next((int(each["subsidiary"]) for each in known if each["isprimarysub"]), 1)
