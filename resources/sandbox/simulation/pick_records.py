"""Selection of the records to edit: each record is part of one event a day, so that events do not overlap."""

from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

from resources.sandbox.generator.companies import invent
from resources.sandbox.generator.records import STATUS_OF_STAGE, Ids, RecordFactory
from resources.sandbox.sandbox import Sandbox

Row = dict[str, Any]
Records = list[tuple[str, int]]


class NoCandidateError(Exception):
    """No unedited record is left that suits this kind of edit."""


class RecordPicker:
    """The records of the simulated NetSuite account: pick, change and create some of them."""

    def __init__(self, sandbox: Sandbox, random: Random) -> None:
        self._netsuite = sandbox.netsuite
        self._clock = sandbox.clock
        self._random = random
        self._customers: dict[int, Row] = {row["id"]: row for row in self._netsuite.rows("customer")}
        self._jobs = self._grouped("job", "customer")
        self._contacts = self._grouped("contact", "company")
        self._relationships = self._grouped("customersubsidiaryrelationship", "entity")
        self._parents = {row["parent"] for row in self._customers.values()}
        self._unedited = list(self._customers)
        random.shuffle(self._unedited)
        self._companies = invent(random, {row["altname"] for row in self._customers.values()})
        tables = ("customer", "customersubsidiaryrelationship", "customeraddressbookentityaddress")
        self._ids = Ids(*map(self._netsuite.next_id, tables))

    def _grouped(self, table: str, column: str) -> defaultdict[int, list[Row]]:
        groups: defaultdict[int, list[Row]] = defaultdict(list)
        for row in self._netsuite.rows(table):
            groups[row[column]].append(row)
        return groups

    def _pick(self, fits: Callable[[Row], Any], *, active: bool = True) -> Row:
        """Pick an unedited customer and mark it as edited.

        Raises:
            NoCandidateError: No unedited customer fits.
        """
        for index, number in enumerate(self._unedited):
            row = self._customers[number]
            if row["isinactive"] is not active and fits(row):
                del self._unedited[index]
                return row
        raise NoCandidateError

    def _pick_child(self, children: defaultdict[int, list[Row]], fits: Callable[[Row], Any]) -> Row:
        """Pick a project or contact of an unedited customer and mark the customer as edited."""
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
        factory = self._factory()
        return self._insert_all(factory, "customer", factory.customer(next(self._companies), stage, factory.now))

    def _factory(self) -> RecordFactory:
        now = self._clock.now().replace(microsecond=0)
        return RecordFactory(self._random, now, self._ids)

    def _insert_all(self, factory: RecordFactory, table: str, row: Row) -> Records:
        for name, rows in factory.tables.items():
            self._netsuite.insert(name, rows)
        return [(table, row["id"])]

    def _primary_subsidiary(self, customer: Row) -> int:
        known = self._relationships[customer["id"]]
        return next((int(each["subsidiary"]) for each in known if each["isprimarysub"]), 1)
