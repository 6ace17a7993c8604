"""A project is made after the template that NetSuite names, and has the stage that NetSuite names."""

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
    "customrecord_oa_project_templates": {"1": "Roll-out", "2": "Twice", "3": "Nowhere"},
    "customrecord_oa_project_stages": {"1": "Sold", "2": "Running", "3": "Unheard of"},
}


def run(account: Account, *projects: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Stage a customer with these projects and deliver both; what was decided for the projects."""
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
    return account.decided(PROJECTS)


def named(key: str, template: str | None = None, stage_id: str | None = None, **changed: Any) -> dict[str, Any]:
    """A project that names a template and a stage in NetSuite."""
    return project(key, "10", currency_code="USD", **changed) | {f"_{FIELDS[0]}": template, f"_{FIELDS[1]}": stage_id}


@pytest.fixture
def using(account: Account) -> Account:
    """Both rows of the shipped file are switched on; two stages and three templates are there, two of one name."""

    def without_hierarchies(given: dict[str, Any]) -> None:
        given["fields"] = [row for row in given["fields"] if not row["field"].startswith("hierarchy:")]

    account.workflows = {CUSTOMERS: shipped(CUSTOMERS, without_hierarchies)}
    account.use(shipped(PROJECTS, switched_on("template_project_id", "project_stageid")))
    spp = account.sandbox.suiteprojects
    owner = str(spp.add("Customer", name="Templates"))
    for name, notes in (("Roll-out", "as always"), ("Twice", "the first one"), ("Twice", "the second one")):
        spp.add("Project", name=name, customerid=owner, notes=notes, budget_time="80")
    for name in ("Sold", "Running"):
        spp.add("Projectstage", name=name)
    return account


@pytest.mark.parametrize("shown", [True, False])
def test_a_project_is_made_after_the_template_that_netsuite_names(using: Account, shown: bool) -> None:  # noqa: FBT001
    """Copied once; a name that is not there makes a plain project, of several the first is taken."""
    using.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, template_shown=shown)
    wanted = [named("1", "1"), named("2", "2"), named("3", "3"), named("4")]

    run(using, *wanted)
    using.other.write("Modify", "Project", id=using.held("Project")["1"]["id"], notes="made our own")
    again = run(using, named("1", "2"), *wanted[1:])

    made = using.held("Project")
    assert {key: (row.get("notes"), row.get("budget_time")) for key, row in made.items()} == {
        "1": ("made our own", "80"),
        "2": ("the first one", "80"),
        "3": (None, None),
        "4": (None, None),
    }
    assert {action for action, _ in again.values()} == {"unchanged"}


def test_a_stage_is_found_by_its_name_and_an_empty_one_changes_nothing(using: Account) -> None:
    """Empty leaves the stage as it is there, one that is not there is an error of that project alone."""
    stages = {row["name"]: row["id"] for row in using.sandbox.suiteprojects.rows("Projectstage")}

    run(using, named("1", None, "1"), named("2"), named("3", None, "3"))
    by_hand = using.held("Project")["2"]["id"]
    using.other.write("Modify", "Project", id=by_hand, project_stageid=stages["Sold"])
    emptied = run(using, named("1"), named("2"), named("3", None, "3"))
    kept = {key: row.get("project_stageid") for key, row in using.held("Project").items()}
    run(using, named("1", None, "2"), named("2", None, "2"), named("3", None, "2"))

    assert emptied["1"][0] == emptied["2"][0] == "unchanged"
    assert emptied["3"][0] == "quarantined"
    assert "project_stageid" in emptied["3"][1]
    assert kept == {"1": stages["Sold"], "2": stages["Sold"]}
    assert {row["project_stageid"] for row in using.held("Project").values()} == {stages["Running"]}


def test_a_stage_may_be_written_once_only(using: Account) -> None:
    """`on: create`, as Oracle's connector offers it too: later the project's people move it on."""

    def once(given: dict[str, Any]) -> None:
        switched_on("project_stageid")(given)
        for row in given["fields"]:
            if row["field"] == "project_stageid":
                row["on"] = "create"

    using.use(shipped(PROJECTS, once))
    stages = {row["name"]: row["id"] for row in using.sandbox.suiteprojects.rows("Projectstage")}

    run(using, named("1", None, "1"))
    again = run(using, named("1", None, "2"))

    assert again["1"][0] == "unchanged"
    assert using.held("Project")["1"]["project_stageid"] == stages["Sold"]
