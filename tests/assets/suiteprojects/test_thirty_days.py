"""A month of changes in NetSuite, some without a date, and manual edits in SuiteProjects Pro; then both agree."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.simulation.day import manual_edits, simulate_day
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.account import Account, shipped

pytestmark = pytest.mark.long

DAYS, DAYS_PER_RUN, CUSTOMERS = 30, 6, 60
ACTIVE = ("customer_department", "customers", "projects", "contacts")
Rows = dict[str, dict[str, Any]]


def reorganize(sandbox: Sandbox, number: int) -> None:
    """Rename, move and deactivate departments, which simulate_day does not do."""
    random, netsuite = Random(f"departments {number}"), sandbox.netsuite
    rows = {row["id"]: row for row in netsuite.rows("department")}

    def path(row: dict[str, Any]) -> str:
        return f"{path(rows[row['parent']])} : {row['name']}" if row["parent"] else row["name"]

    leaves = [key for key in rows if key not in {row["parent"] for row in rows.values()}]
    moved, renamed = random.sample(leaves, 2)
    rows[moved]["parent"] = random.choice([None, *(key for key in rows if key not in {moved, renamed} and key < moved)])
    rows[renamed]["name"] = f"{rows[renamed]['name'].partition(' no. ')[0]} no. {number}"
    rows[random.choice(leaves)]["isinactive"] = number % 2 == 0
    for key, row in rows.items():
        changes = {name: row[name] for name in ("parent", "name", "isinactive")}
        netsuite.update("department", key, **changes, fullname=path(row))


def silent_edits(sandbox: Sandbox, number: int) -> None:
    """Change a customer, a project and a contact without a save: no date moves."""
    random, netsuite = Random(f"silent {number}"), sandbox.netsuite
    for table, name in (("customer", "entityid"), ("job", "companyname"), ("contact", "phone")):
        row = random.choice(netsuite.rows(table))
        value = f"{(row[name] or '').partition(' no. ')[0][:20]} no. {number}"
        netsuite.update(table, row["id"], moves_date=False, **{name: value})


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Return an account after thirty days with a run before them and one on every sixth evening."""
    folder: Path = tmp_path_factory.mktemp("month")
    sandbox = Sandbox(folder / "sandbox")
    seed(sandbox, customers=CUSTOMERS, seed=11)
    sandbox.switches.set("netsuite", NetSuiteSwitches, merge_moves_dates=False)
    workflows = {each.name: each for each in (shipped(f"suiteprojects__{name}") for name in ACTIVE)}
    for each in workflows.values():  # a month of edits of fifty customers exceeds the guards
        loose = {
            name: {"percent": 100, "rows": 1000}
            for name in ("deactivate", "update", "clear_values", "reparent", "key_change")
        }
        each.spec.__dict__["guards"] = each.spec.guards.model_validate(loose)
    with Account(sandbox, Warehouse(folder / "warehouse"), workflows) as account:
        account.run()
        for number in range(1, DAYS + 1):
            simulate_day(sandbox, seed=number)
            manual_edits(sandbox, seed=number)
            silent_edits(sandbox, number)
            if number % DAYS_PER_RUN == 0:
                reorganize(sandbox, number)
                account.run()
        yield account


def expected(sandbox: Sandbox) -> dict[str, Rows]:
    """Return the active records that must exist, computed from NetSuite's tables alone."""
    tables = {name: {str(row["id"]): row for row in sandbox.netsuite.rows(name)}
              for name in ("customer", "job", "contact", "department", "currency")}  # fmt: skip
    currencies = {key: row["symbol"] for key, row in tables["currency"].items()}
    customers = {
        key: {
            "name": row["entityid"],
            "type": {"Customer": "C", "Prospect": "P"}[row["searchstage"]],
            "currency": currencies.get(str(row["currency"])),
            "department": str(row["custentity_department"]) if row["custentity_department"] else None,
        }
        for key, row in tables["customer"].items()
        if row["searchstage"] != "Lead" and not row["isinactive"] and row["custentity_oa_export_to_openair"]
    }
    projects = {
        key: {"name": row["companyname"], "customer": str(row["customer"])}
        for key, row in tables["job"].items()
        if not row["isinactive"] and row["custentity_oa_export_to_openair"] and str(row["customer"]) in customers
    }
    contacts = {
        key: {"customer": str(row["company"]), "addr_phone": row["phone"]}
        for key, row in tables["contact"].items()
        if not row["isinactive"] and str(row["company"]) in customers
    }
    departments = {
        f"Customer Department {key}": {
            "name": row["name"], "parent": f"Customer Department {row['parent']}" if row["parent"] else None,
        }
        for key, row in tables["department"].items()
        if not row["isinactive"]
    }  # fmt: skip
    return {"Customer": customers, "Project": projects, "Contact": contacts, "HierarchyNode": departments}


def actual(account: Account) -> dict[str, Rows]:
    """Return the active records, as the other client reads them, in the same form."""
    records = {name: account.other.read(name) for name in ("Customer", "Project", "Contact", "HierarchyNode")}
    nodes = {row["id"]: row for row in records["HierarchyNode"] if row.get("isanode")}
    keys = {row["id"]: row["externalid"] for row in records["Customer"]}

    def department(row: dict[str, str]) -> str | None:
        node = nodes.get(row.get("hierarchy_node_ids", ""))
        return node["externalid"].rpartition(" ")[2] if node else None

    return {
        "Customer": {
            row["externalid"]: {
                **{name: row.get(name) for name in ("name", "type", "currency")}, "department": department(row),
            }
            for row in records["Customer"] if row.get("active")
        },
        "Project": {
            row["externalid"]: {"name": row["name"], "customer": keys[row["customerid"]]}
            for row in records["Project"] if row.get("active")
        },
        "Contact": {
            row["externalid"]: {"customer": keys[row["customerid"]], "addr_phone": row.get("addr_phone")}
            for row in records["Contact"] if row.get("active")
        },
        "HierarchyNode": {
            row["externalid"]: {"name": row["name"], "parent": nodes.get(row["parentid"], {}).get("externalid")}
            for row in nodes.values()
        },
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["Customer", "Project", "Contact", "HierarchyNode"])
def test_after_a_month_the_target_equals_netsuite(month: Account, kind: str) -> None:
    """Every active record has its values, its parent and its node; excluded records are not compared."""
    desired, existing = expected(month.sandbox)[kind], actual(month)[kind]

    assert len(desired) > 1
    assert {key: existing.get(key) for key in desired} == desired


def test_nothing_is_duplicated(month: Account) -> None:
    """Each key occurs once per type, and there is one hierarchy."""
    for kind in ("Customer", "Project", "Contact", "Hierarchy"):
        keys = [row["externalid"] for row in month.other.read(kind)]
        assert len(keys) == len(set(keys)), kind
    assert len(month.other.read("Hierarchy")) == 1
    assert month.other.read("HierarchyNode", deleted=True) == [] or not [
        row for row in month.other.read("HierarchyNode", deleted=True) if row.get("isanode")
    ]


def test_the_ledger_has_every_decision_and_link(month: Account) -> None:
    """One open decision per record, a link for each target record, and no attempt without an outcome."""
    duplicates = month.warehouse.read(
        "select workflow, source_id from sync_decisions where to_run is null group by all having count(*) > 1"
    )
    open_attempts = month.warehouse.read(
        "select attempt_id from sync_attempts group by attempt_id having count(*) filter (state <> 'intent') = 0"
    )
    assert (duplicates.height, open_attempts.height) == (0, 0)
    for name, kind in (("customers", "Customer"), ("projects", "Project"), ("contacts", "Contact")):
        links = month.warehouse.read(
            "select source_id, target_id from sync_links where workflow = ?", [f"suiteprojects__{name}"]
        )
        existing = {row["externalid"]: row["id"] for row in month.other.read(kind)}
        assert dict(links.iter_rows()).items() >= existing.items(), kind


def test_one_more_run_has_nothing_to_send(month: Account) -> None:
    """Nothing is sent repeatedly."""
    writes = month.sandbox.suiteprojects.write_calls()

    month.run()

    assert month.sandbox.suiteprojects.write_calls() == writes
