"""The accounts have what the user's workflow files name: custom fields on both sides, and the option's field."""

from pathlib import Path
from shutil import copytree

import pytest

from assets.delivery.spec.workflow import Workflow
from orchestration.simulation.accounts import missing_tables
from orchestration.simulation.options import Options
from orchestration.simulation.simulation import Simulation
from orchestration.simulation.world import usable_workflows
from tests.assets.delivery.builders import one_source
from tests.orchestration.simulation.installation import PRECORO, SUITEPROJECTS, WORKFLOWS


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Workflow files of an account with fields of its own."""
    copytree(WORKFLOWS, tmp_path / "files")
    return tmp_path / "files"


def edit(files: Path, workflow: str, before: str, after: str) -> None:
    """Replace a text of a workflow file."""
    file = files / workflow / "defs.yaml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def filled(files: Path, *only: str) -> Simulation:
    """Return a simulation whose account is filled."""
    simulation = Simulation(Options(files, days=1, customers=30, only=only), files.parent / "simulation")
    simulation.world.fill()
    return simulation


def test_a_custom_field_of_both_accounts_exists_with_values(files: Path) -> None:
    """A rehearsal in which they were blank would show nothing of the row that maps them."""
    row = "    - {field: currency,"
    edit(files, SUITEPROJECTS, row, f"    - {{field: tier__c, from: custentity_tier}}\n{row}")

    sandbox = filled(files, SUITEPROJECTS).world.sandbox

    values = {row["custentity_tier"] for row in sandbox.netsuite.rows("customer")}
    assert None in values
    assert len(values) > 3
    assert ("customer", "tier") in {
        (row.get("association"), row.get("name")) for row in sandbox.suiteprojects.rows("CustField")
    }


def test_a_flag_of_the_account_is_mostly_checked(files: Path) -> None:
    """Else nothing would be selected."""
    edit(files, SUITEPROJECTS, "custentity_oa_export_to_openair", "custentity_to_projects")

    rows = filled(files, SUITEPROJECTS).world.sandbox.netsuite.rows("customer")

    checked = sum(bool(row["custentity_to_projects"]) for row in rows)
    assert len(rows) / 2 < checked < len(rows)


@pytest.mark.parametrize(("name", "column"), [("Cost carriers", "name"), ("8123", "field_id")])
def test_the_field_of_the_options_exists(files: Path, name: str, column: str) -> None:
    """By name, or by the id that it has in the user's company."""
    edit(files, PRECORO, "item_custom_field: Customers/Projects", f"item_custom_field: {name}")

    simulation = filled(files, PRECORO)

    with simulation.world.sandbox.precoro.store.read() as con:
        rows = con.execute(f"select field_id from fields where cast({column} as text) = ?", (name,)).fetchall()
    (workflow,) = simulation.world.workflows
    assert len(rows) == 1
    assert simulation.targets.records(workflow) == {}
    simulation.world.sandbox.precoro.add_option("a", field_id=rows[0]["field_id"])
    assert len(simulation.targets.records(workflow)) == 1


def test_a_table_that_the_stand_in_lacks_is_named() -> None:
    """Before the first day, with what to do."""
    fields = [{"field": "externalId", "from": "record_id"}, {"field": "name", "from": "record_name"}]
    spec = one_source(source="customrecord_sites", fields=fields)

    (line,) = missing_tables([Workflow("sites", spec)])

    assert line.startswith("sites: the simulated NetSuite has no customrecord_sites")
    assert not missing_tables([Workflow("lines", one_source(source="customrecord_service_line", fields=fields))])


def test_workflows_that_others_need_come_first(files: Path) -> None:
    """A contact refers to its customer, and that to its department."""
    names = [each.name for each in usable_workflows(files, ["suiteprojects__contacts"])]

    assert names[-1] == "suiteprojects__contacts"
    assert names.index("suiteprojects__customer_department") < names.index(SUITEPROJECTS)
    assert PRECORO not in names
