"""Fill an empty simulated NetSuite account with plausible records, the same for the same seed.

seed(sandbox, customers=5000, companies=Path("companies.csv.gz"), seed=1)  ->  SeedReport
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from resources.sandbox.generator import reference_data
from resources.sandbox.generator.companies import Company, companies
from resources.sandbox.generator.geography import country_code
from resources.sandbox.generator.records import NAME_LIMIT, RecordFactory, Row, currency_of
from resources.sandbox.sandbox import Sandbox

YEARS = 6
STAGES, SHARES = ("Customer", "Lead", "Prospect"), (55, 20, 25)
SUB_CUSTOMER_SHARE = 0.06
# number of contacts, and of projects, per customer: 0.3 on average
CHILD_COUNTS, CHILD_WEIGHTS = (0, 1, 2, 3), (78, 15, 6, 1)
SUB_PROJECT_SHARE = 0.11
DEEPER_SHARE = 0.15


@dataclass(frozen=True)
class SeedReport:
    """The generated records.

    Attributes:
        rows: Rows by table.
        stages: Number of customers by stage.
        long_names: Ids of customers whose name is deliberately longer than NetSuite itself allows.
    """

    rows: dict[str, int]
    stages: dict[str, int]
    long_names: list[int]


def seed(sandbox: Sandbox, *, customers: int, companies: Path | None = None, seed: int = 1) -> SeedReport:
    """Insert reference data, customers, projects and contacts into the simulated NetSuite account.

    Args:
        sandbox: An empty sandbox; records are dated in the six years before its clock's time.
        customers: Number of leads, prospects and customers together.
        companies: A CSV of companies, plain or .gz (see `companies.COLUMNS`); missing companies are invented.
        seed: The same seed gives the same rows.

    Raises:
        ValueError: The sandbox already has customers, or the file has no column `name`.
    """
    if sandbox.netsuite.rows("customer"):
        raise ValueError("the sandbox already has customers; seed a new folder")
    now = sandbox.clock.now().replace(minute=0, second=0, microsecond=0)
    generator = _Generator(Random(f"seed {seed}"), now, companies, customers)
    tables = reference_data.reference_tables(now - timedelta(days=366 * YEARS)) | generator.tables()
    tables["currency"] += generator.new_currencies
    with sandbox.netsuite.store.write():  # an interrupted one leaves the sandbox empty
        for table, rows in tables.items():
            sandbox.netsuite.insert(table, rows)
    created = tables["customer"]
    return SeedReport(
        rows={table: len(rows) for table, rows in tables.items()},
        stages=dict(Counter(row["searchstage"] for row in created)),
        long_names=[row["id"] for row in created if len(row["companyname"] or "") > NAME_LIMIT],
    )


class _Generator:
    """One run of the generator; ids and creation dates increase together."""

    def __init__(self, random: Random, now: datetime, path: Path | None, count: int) -> None:
        self._random = random
        self._now = now
        self._companies = companies(random, path, count)
        known = reference_data.CURRENCY_IDS
        symbols = {currency_of(each) for each in self._companies} - known.keys()
        added = {symbol: number for number, symbol in enumerate(sorted(symbols), len(known) + 1)}
        self.new_currencies = [reference_data.currency_row(number, symbol, now) for symbol, number in added.items()]
        self._factory = RecordFactory(random, now, currency_ids=known | added)
        self._long = self._long_named(count)
        self._heads: list[int] = []

    def tables(self) -> dict[str, list[Row]]:
        """Return all rows by table."""
        count = len(self._companies)
        span = timedelta(days=365 * YEARS)
        for number, company in enumerate(self._companies):
            share = (number + self._random.random()) / count
            created = (self._now - span * (1 - share)).replace(microsecond=0)
            self._customer_with_children(number, company, created)
        return dict(self._factory.tables)

    def _customer_with_children(self, number: int, company: Company, created: datetime) -> None:
        """Create one customer with its contacts and projects, in the order of their ids."""
        stage = self._random.choices(STAGES, SHARES)[0]
        customer = self._factory.customer(
            company, stage, created, parent=self._parent(stage), long_name=number in self._long
        )
        if stage == "Customer" and customer["parent"] is None:
            self._heads.append(customer["id"])
        subsidiary = reference_data.subsidiary_of(country_code(company.country))
        for _ in range(self._child_count()):
            self._factory.contact(customer, subsidiary, self._later(created))
        for _ in range(self._child_count() if stage == "Customer" else 0):
            self._projects(customer, self._later(created))

    def _parent(self, stage: str) -> int | None:
        if stage != "Customer" or not self._heads or self._random.random() >= SUB_CUSTOMER_SHARE:
            return None
        return self._random.choice(self._heads)

    def _projects(self, customer: Row, created: datetime) -> None:
        """Create a project, sometimes with a chain of sub-projects.

        The account's first project always has a chain of three, so that the smallest sandbox has one.
        """
        first = not self._factory.tables["job"]
        project = self._factory.project(customer, created)
        depth = 2 if first else 0
        if not depth and self._random.random() < SUB_PROJECT_SHARE:
            depth = 1
            while self._random.random() < DEEPER_SHARE:
                depth += 1
        for _ in range(depth):
            created = self._later(created)
            project = self._factory.project(customer, created, parent=project["id"])

    def _child_count(self) -> int:
        return self._random.choices(CHILD_COUNTS, CHILD_WEIGHTS)[0]

    def _later(self, created: datetime) -> datetime:
        return (created + (self._now - created) * self._random.random() * 0.5).replace(microsecond=0)

    def _long_named(self, count: int) -> set[int]:
        """Choose at most five companies for names that are too long, real ones first, to exercise validation."""
        number_of_names = min(5, count // 10)
        real = [number for number, each in enumerate(self._companies) if len(each.name) > NAME_LIMIT]
        chosen = self._random.sample(real, min(number_of_names, len(real)))
        rest = sorted(set(range(count)) - set(chosen))
        chosen += self._random.sample(rest, number_of_names - len(chosen))
        return set(chosen)
