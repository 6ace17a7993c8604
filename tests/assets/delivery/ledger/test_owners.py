"""The ledger knows whose a target record is, also where no listing shows it."""

import pytest

from assets.delivery.ledger.owners import Owners
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import SourceKey
from assets.delivery.spec.workflow import Workflow
from resources.clock import WallClock, utc_now
from resources.warehouse.bindings import bind
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import option_tree

LINKS = [
    ("flow", "precoro.Option", "customers", "1", "901"),
    ("flow", "precoro.Option", "customers", "2", None),
    ("sister", "precoro.Option", "customers", "1", "902"),  # another workflow of the same account
    ("foreign", "precoro.Option", "customers", "1", "903"),  # of another account: its 903 is another record
    ("suite", "suiteprojects.Customer", "customers", "1", "904"),
    ("sister", "precoro.Option", "customers", "9", "901"),  # two workflows share a record
]
ACCOUNTS = [("flow", "a"), ("sister", "a"), ("foreign", "b")]


@pytest.fixture
def owners(warehouse: Warehouse) -> Owners:
    """Return the owners of what `flow` may be answered with."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        con.executemany(
            "insert into sync_links (workflow, target, source, source_id, target_id) values (?, ?, ?, ?, ?)", LINKS
        )
        for workflow, url in ACCOUNTS:
            bind(con, workflow, {"url": url}, utc_now(WallClock()), "run")
        return Owners.read(con, Workflow("flow", option_tree()))


@pytest.mark.parametrize(("record", "others"), [("1", {"902"}), ("2", {"901", "902"}), ("9", {"901", "902"})])
def test_a_record_of_another_one_is_known_by_its_link(owners: Owners, record: str, others: set[str]) -> None:
    """Its own one may be answered to it again; a number of another account or type of record is another one."""
    key = SourceKey("customers", record)
    assert {each for each in ("901", "902", "903", "904", "905") if owners.are_others(key, each)} == others


def test_nothing_belongs_to_others_without_links() -> None:
    """A first run creates whatever it is answered with."""
    assert not Owners("flow").are_others(SourceKey("customers", "1"), "901")
