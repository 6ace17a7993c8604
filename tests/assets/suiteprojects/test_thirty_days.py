"""A month: NetSuite changes, people edit SuiteProjects Pro, and in the end both say the same."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from resources.sandbox.generator.seed import seed
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.simulation.day import day, hand_edits
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.account import Account, shipped

pytestmark = pytest.mark.long

DAYS, EVERY, CUSTOMERS = 30, 6, 60
ON = ("customer_department", "customers", "projects", "contacts")
Rows = dict[str, dict[str, Any]]


def reorganised(sandbox: Sandbox, number: int) -> None:
    """Departments are renamed, moved, switched off and added: what a day in NetSuite leaves alone."""
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


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Thirty days with a run on every sixth evening, one before and one after them."""
    folder: Path = tmp_path_factory.mktemp("month")
    sandbox = Sandbox(folder / "sandbox")
    seed(sandbox, customers=CUSTOMERS, seed=11)
    workflows = {each.name: each for each in (shipped(f"suiteprojects__{name}") for name in ON)}
    for each in workflows.values():  # a month of edits on fifty customers is more than a guard lets through
        loose = {
            name: {"percent": 100, "rows": 1000} for name in ("deactivate", "update", "blank", "reparent", "rekey")
        }
        each.spec.__dict__["guards"] = each.spec.guards.model_validate(loose)
    with Account(sandbox, Warehouse(folder / "warehouse"), workflows) as account:
        account.run()
        for number in range(1, DAYS + 1):
            day(sandbox, seed=number)
            hand_edits(sandbox, seed=number)
            if number % EVERY == 0:
                reorganised(sandbox, number)
                account.run()
        yield account


def wanted(sandbox: Sandbox) -> dict[str, Rows]:
    """What must be there and switched on, computed from NetSuite's tables alone."""
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
            "name": row["name"], "above": f"Customer Department {row['parent']}" if row["parent"] else None,
        }
        for key, row in tables["department"].items()
        if not row["isinactive"]
    }  # fmt: skip
    return {"Customer": customers, "Project": projects, "Contact": contacts, "HierarchyNode": departments}


def shown(account: Account) -> dict[str, Rows]:
    """What the other client reads, in the same words."""
    held = {name: account.other.read(name) for name in ("Customer", "Project", "Contact", "HierarchyNode")}
    nodes = {row["id"]: row for row in held["HierarchyNode"] if row.get("isanode")}
    keys = {row["id"]: row["externalid"] for row in held["Customer"]}

    def department(row: dict[str, str]) -> str | None:
        node = nodes.get(row.get("hierarchy_node_ids", ""))
        return node["externalid"].rpartition(" ")[2] if node else None

    return {
        "Customer": {
            row["externalid"]: {
                **{name: row.get(name) for name in ("name", "type", "currency")}, "department": department(row),
            }
            for row in held["Customer"] if row.get("active")
        },
        "Project": {
            row["externalid"]: {"name": row["name"], "customer": keys[row["customerid"]]}
            for row in held["Project"] if row.get("active")
        },
        "Contact": {
            row["externalid"]: {"customer": keys[row["customerid"]], "addr_phone": row.get("addr_phone")}
            for row in held["Contact"] if row.get("active")
        },
        "HierarchyNode": {
            row["externalid"]: {"name": row["name"], "above": nodes.get(row["parentid"], {}).get("externalid")}
            for row in nodes.values()
        },
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["Customer", "Project", "Contact", "HierarchyNode"])
def test_after_a_month_the_target_is_what_netsuite_says(month: Account, kind: str) -> None:
    """Every live record with its values, its parent and its place; what left the selection stayed as it was."""
    desired, there = wanted(month.sandbox)[kind], shown(month)[kind]

    assert len(desired) > 1
    assert {key: there.get(key) for key in desired} == desired


def test_nothing_is_twice(month: Account) -> None:
    """Each key once per type, and one hierarchy."""
    for kind in ("Customer", "Project", "Contact", "Hierarchy"):
        keys = [row["externalid"] for row in month.other.read(kind)]
        assert len(keys) == len(set(keys)), kind
    assert len(month.other.read("Hierarchy")) == 1
    assert month.other.read("HierarchyNode", deleted=True) == [] or not [
        row for row in month.other.read("HierarchyNode", deleted=True) if row.get("isanode")
    ]


def test_the_ledger_knows_every_record_and_where_it_is(month: Account) -> None:
    """One open decision each, a link for each record there, and no attempt without an end."""
    twice = month.warehouse.read(
        "select workflow, source_id from sync_decisions where to_run is null group by all having count(*) > 1"
    )
    open_attempts = month.warehouse.read(
        "select attempt_id from sync_attempts group by attempt_id having count(*) filter (state <> 'intent') = 0"
    )
    assert (twice.height, open_attempts.height) == (0, 0)
    for name, kind in (("customers", "Customer"), ("projects", "Project"), ("contacts", "Contact")):
        links = month.warehouse.read(
            "select source_id, target_id from sync_links where workflow = ?", [f"suiteprojects__{name}"]
        )
        there = {row["externalid"]: row["id"] for row in month.other.read(kind)}
        assert dict(links.iter_rows()).items() >= there.items(), kind


def test_one_more_run_has_nothing_to_send(month: Account) -> None:
    """All of it is settled: nothing is sent again and again."""
    writes = month.sandbox.suiteprojects.write_calls()

    month.run()

    assert month.sandbox.suiteprojects.write_calls() == writes
