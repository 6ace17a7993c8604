"""Projects get the template and the stage that NetSuite names."""

from typing import Any

import polars as pl
import pytest

from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.warehouse.tables import replace_table
from tests.assets.suiteprojects.account import Account, shipped, switched_on
from tests.assets.suiteprojects.staged import customer, project, stage, tree

CUSTOMERS, PROJECTS = "suiteprojects__customers", "suiteprojects__projects"
FIELDS = ("custentity_oa_project_template", "custentity_oa_project_stage")
LISTS = {
    "customrecord_oa_project_templates": {"1": "Roll-out", "2": "Twice", "3": "Missing"},
    "customrecord_oa_project_stages": {"1": "Sold", "2": "Running", "3": "Unknown"},
}


def run(account: Account, *projects: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Stage a customer with these projects, sync both, and return the decisions about the projects."""
    stage(account.warehouse, departments=tree("department_id"), customers=[customer("10")], projects=list(projects))
    with account.warehouse.writer() as con:
        for name in FIELDS:
            con.execute(f"alter table stg_netsuite__projects add column {name} varchar")
        for row in projects:
            for name in FIELDS:
                values = [row.get(f"_{name}"), row["project_id"]]
                con.execute(f"update stg_netsuite__projects set {name} = ? where project_id = ?", values)
        for name, records in LISTS.items():
            rows = [{"record_id": key, "record_name": text, "is_deleted": False} for key, text in records.items()]
            replace_table(con, f"stg_netsuite__{name}", pl.DataFrame(rows))
    account.runs += 1
    for name in (CUSTOMERS, PROJECTS):
        account.deliver(name)
    return account.decisions(PROJECTS)


def named(key: str, template: str | None = None, stage_id: str | None = None, **changed: Any) -> dict[str, Any]:
    """Return a project that names a template and a stage in NetSuite."""
    return project(key, "10", currency_code="USD", **changed) | {f"_{FIELDS[0]}": template, f"_{FIELDS[1]}": stage_id}


@pytest.fixture
def with_lists(account: Account) -> Account:
    """Return an account with both rows active, two stages and three templates, two of them with the same name."""

    def without_hierarchies(given: dict[str, Any]) -> None:
        given["fields"] = [row for row in given["fields"] if not row["field"].startswith("hierarchy:")]

    account.workflows = {CUSTOMERS: shipped(CUSTOMERS, without_hierarchies)}
    account.use(shipped(PROJECTS, switched_on("template_project_id", "project_stageid")))
    spp = account.sandbox.suiteprojects
    owner = str(spp.add("Customer", name="Templates"))
    for name, notes in (("Roll-out", "the usual one"), ("Twice", "the first one"), ("Twice", "the second one")):
        spp.add("Project", name=name, customerid=owner, notes=notes, budget_time="80")
    for name in ("Sold", "Running"):
        spp.add("Projectstage", name=name)
    return account


@pytest.mark.parametrize("returned", [True, False])
def test_a_project_is_created_from_the_template_that_netsuite_names(with_lists: Account, returned: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """The template is copied once; an unknown name creates a plain project, and the first of several is used."""
    with_lists.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, template_in_responses=returned)
    projects = [named("1", "1"), named("2", "2"), named("3", "3"), named("4")]

    run(with_lists, *projects)
    with_lists.other.write("Modify", "Project", id=with_lists.records("Project")["1"]["id"], notes="edited")
    again = run(with_lists, named("1", "2"), *projects[1:])

    records = with_lists.records("Project")
    assert {key: (row.get("notes"), row.get("budget_time")) for key, row in records.items()} == {
        "1": ("edited", "80"),
        "2": ("the first one", "80"),
        "3": (None, None),
        "4": (None, None),
    }
    assert {action for action, _ in again.values()} == {"unchanged"}


@pytest.mark.long
def test_a_stage_is_matched_by_name_and_a_blank_one_changes_nothing(with_lists: Account) -> None:
    """A blank leaves the stage unchanged; an unknown name is an error of that project alone."""
    stages = {row["name"]: row["id"] for row in with_lists.sandbox.suiteprojects.rows("Projectstage")}

    run(with_lists, named("1", None, "1"), named("2"), named("3", None, "3"))
    edited = with_lists.records("Project")["2"]["id"]
    with_lists.other.write("Modify", "Project", id=edited, project_stageid=stages["Sold"])
    blanked = run(with_lists, named("1"), named("2"), named("3", None, "3"))
    kept = {key: row.get("project_stageid") for key, row in with_lists.records("Project").items()}
    run(with_lists, named("1", None, "2"), named("2", None, "2"), named("3", None, "2"))

    assert blanked["1"][0] == blanked["2"][0] == "unchanged"
    assert blanked["3"][0] == "quarantined"
    assert "project_stageid" in blanked["3"][1]
    assert kept == {"1": stages["Sold"], "2": stages["Sold"]}
    assert {row["project_stageid"] for row in with_lists.records("Project").values()} == {stages["Running"]}


@pytest.mark.long
def test_a_stage_may_be_written_only_once(with_lists: Account) -> None:
    """`on: create`, as in Oracle's connector: later the project's people change it."""

    def once(given: dict[str, Any]) -> None:
        switched_on("project_stageid")(given)
        for row in given["fields"]:
            if row["field"] == "project_stageid":
                row["on"] = "create"

    with_lists.use(shipped(PROJECTS, once))
    stages = {row["name"]: row["id"] for row in with_lists.sandbox.suiteprojects.rows("Projectstage")}

    run(with_lists, named("1", None, "1"))
    again = run(with_lists, named("1", None, "2"))

    assert again["1"][0] == "unchanged"
    assert with_lists.records("Project")["1"]["project_stageid"] == stages["Sold"]
