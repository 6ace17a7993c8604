"""Fill an empty NetSuite stand-in with plausible records, the same for the same seed.

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
from resources.sandbox.generator.records import NAME_LIMIT, RecordMaker, Row, currency_of
from resources.sandbox.sandbox import Sandbox

YEARS = 6
STAGES, SHARES = ("Customer", "Lead", "Prospect"), (55, 20, 25)
SUB_CUSTOMERS = 0.06
# how many contacts a customer has, and how many projects: 0.3 in the mean
NUMBERS, WEIGHTS = (0, 1, 2, 3), (78, 15, 6, 1)
SUB_PROJECTS = 0.11
DEEPER = 0.15


@dataclass(frozen=True)
class SeedReport:
    """What was put in.

    Attributes:
        rows: Rows by table.
        stages: Customers by stage.
        long_names: Ids of customers whose name is, on purpose, longer than NetSuite itself would take.
    """

    rows: dict[str, int]
    stages: dict[str, int]
    long_names: list[int]


def seed(sandbox: Sandbox, *, customers: int, companies: Path | None = None, seed: int = 1) -> SeedReport:
    """Put lists, customers, projects and contacts into the NetSuite stand-in.

    Args:
        sandbox: An empty sandbox; records are dated in the years before its clock's hour.
        customers: Rows of `customer`: leads, prospects and customers together.
        companies: A CSV of companies, plain or .gz (see `companies.COLUMNS`); without one, or when it ends,
            companies are invented.
        seed: The same seed gives the same rows.

    Raises:
        ValueError: The sandbox holds customers already, or the file is no list of companies.
    """
    if sandbox.netsuite.rows("customer"):
        raise ValueError("the sandbox holds customers already; seed a new folder")
    now = sandbox.clock.now().replace(minute=0, second=0, microsecond=0)
    filling = _Filling(Random(f"seed {seed}"), now, companies, customers)
    tables = reference_data.set_up(now - timedelta(days=366 * YEARS)) | filling.made()
    tables["currency"] += filling.new_currencies
    for table, rows in tables.items():
        sandbox.netsuite.insert(table, rows)
    made = tables["customer"]
    return SeedReport(
        rows={table: len(rows) for table, rows in tables.items()},
        stages=dict(Counter(row["searchstage"] for row in made)),
        long_names=[row["id"] for row in made if len(row["companyname"] or "") > NAME_LIMIT],
    )


class _Filling:
    """One run of the generator; ids and creation dates ascend together."""

    def __init__(self, random: Random, now: datetime, path: Path | None, count: int) -> None:
        self._random = random
        self._now = now
        self._companies = companies(random, path, count)
        known = reference_data.CURRENCY_IDS
        found = {currency_of(each) for each in self._companies} - known.keys()
        brought = {symbol: number for number, symbol in enumerate(sorted(found), len(known) + 1)}
        self.new_currencies = [reference_data.currency_row(number, symbol, now) for symbol, number in brought.items()]
        self._maker = RecordMaker(random, now, currency_ids=known | brought)
        self._long = self._chosen_long(count)
        self._heads: list[int] = []

    def made(self) -> dict[str, list[Row]]:
        """Every row, by table."""
        count = len(self._companies)
        span = timedelta(days=365 * YEARS)
        for number, company in enumerate(self._companies):
            share = (number + self._random.random()) / count
            created = (self._now - span * (1 - share)).replace(microsecond=0)
            self._family(number, company, created)
        return dict(self._maker.tables)

    def _family(self, number: int, company: Company, created: datetime) -> None:
        """One customer with its contacts and projects, in the order of their ids."""
        stage = self._random.choices(STAGES, SHARES)[0]
        customer = self._maker.customer(
            company, stage, created, parent=self._parent(stage), long_name=number in self._long
        )
        if stage == "Customer" and customer["parent"] is None:
            self._heads.append(customer["id"])
        subsidiary = reference_data.subsidiary_of(country_code(company.country))
        for _ in range(self._few()):
            self._maker.contact(customer, subsidiary, self._later(created))
        for _ in range(self._few() if stage == "Customer" else 0):
            self._projects(customer, self._later(created))

    def _parent(self, stage: str) -> int | None:
        if stage != "Customer" or not self._heads or self._random.random() >= SUB_CUSTOMERS:
            return None
        return self._random.choice(self._heads)

    def _projects(self, customer: Row, created: datetime) -> None:
        """A project, sometimes with a sub-project, which sometimes has one of its own, and so on.

        The account's first project always heads a chain of three, so that the smallest sandbox has one.
        """
        first = not self._maker.tables["job"]
        project = self._maker.project(customer, created)
        depth = 2 if first else 0
        if not depth and self._random.random() < SUB_PROJECTS:
            depth = 1
            while self._random.random() < DEEPER:
                depth += 1
        for _ in range(depth):
            created = self._later(created)
            project = self._maker.project(customer, created, parent=project["id"])

    def _few(self) -> int:
        return self._random.choices(NUMBERS, WEIGHTS)[0]

    def _later(self, created: datetime) -> datetime:
        return (created + (self._now - created) * self._random.random() * 0.5).replace(microsecond=0)

    def _chosen_long(self, count: int) -> set[int]:
        """A handful of names that are too long, real ones first: validation needs something to refuse."""
        wanted = min(5, count // 10)
        really = [number for number, each in enumerate(self._companies) if len(each.name) > NAME_LIMIT]
        chosen = self._random.sample(really, min(wanted, len(really)))
        rest = sorted(set(range(count)) - set(chosen))
        chosen += self._random.sample(rest, wanted - len(chosen))
        return set(chosen)
