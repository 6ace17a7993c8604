"""The parts of the accounts that the user's workflow files name, beside what every stand-in has.

fields that only the user's accounts have  ->  added to the stand-ins, NetSuite's with values, before the first day
"""

from collections.abc import Iterator, Sequence
from random import Random

from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import record_type_of
from assets.suiteprojects.record_types import KINDS
from orchestration.clients import custom_columns
from resources.sandbox.netsuite.store.tables import TABLES
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.precoro import tables as precoro_tables
from resources.sandbox.sandbox import Sandbox

BLANK_SHARE, CHECKED_SHARE, DIFFERENT = 0.2, 0.75, 9
SUFFIX = "__c"  # of custom fields in SuiteProjects Pro


def missing_tables(workflows: Sequence[Workflow]) -> list[str]:
    """Return a line for each NetSuite table that a workflow reads and that the stand-in does not have."""
    return [
        f"{workflow.name}: the simulated NetSuite has no {name}; leave the workflow out with --only, or its row"
        for workflow in workflows
        for name in workflow.spec.on_demand_sources
        if record_type_of(name).table not in TABLES
    ]


def declare_fields(sandbox: Sandbox, workflows: Sequence[Workflow]) -> list[tuple[str, str, str]]:
    """Add the custom fields that only the user's accounts have; return NetSuite's: table, name, kind."""
    added = list(_netsuite_fields(workflows))
    if added:
        declared = tuple(f"{table}.{name}:{kind}" for table, name, kind in added)
        sandbox.switches.set("netsuite", NetSuiteSwitches, custom_fields=declared)
    for association, name in sorted(set(_suiteprojects_fields(workflows))):
        existing = {(row.get("association"), row.get("name")) for row in sandbox.suiteprojects.rows("CustField")}
        if (association, name) not in existing:
            sandbox.suiteprojects.add_custom_field(association, name, maxlength="255")
    for workflow in workflows:
        if workflow.spec.system == "precoro":
            _add_option_field(sandbox, workflow)
    return added


def fill_fields(sandbox: Sandbox, added: Sequence[tuple[str, str, str]], seed: int) -> None:
    """Fill NetSuite's added fields: check boxes mostly checked, few different texts, some blank."""
    random = Random(f"{seed} custom fields")
    for table, name, kind in added:
        for row in sandbox.netsuite.rows(table):
            value: object = random.random() < CHECKED_SHARE
            if kind != "bool":
                value = None if random.random() < BLANK_SHARE else f"{name} {random.randrange(DIFFERENT)}"
            sandbox.netsuite.update(table, int(row[TABLES[table].key]), moves_date=False, **{name: value})


def _netsuite_fields(workflows: Sequence[Workflow]) -> Iterator[tuple[str, str, str]]:
    flags = {record.select.require_flag for each in workflows for record in each.spec.records}
    for source, names in sorted(custom_columns(workflows).items()):
        table = record_type_of(source).table
        for name in sorted(names):
            if table in TABLES and name not in TABLES[table].columns:
                yield table, name, "bool" if name in flags else "text"


def _suiteprojects_fields(workflows: Sequence[Workflow]) -> Iterator[tuple[str, str]]:
    for workflow in workflows:
        kind = KINDS.get(workflow.spec.target.removeprefix("suiteprojects."))
        if kind is None or not kind.record_type.association:
            continue
        for name in workflow.spec.target_fields:
            if name.endswith(SUFFIX):
                yield kind.record_type.association, name.removesuffix(SUFFIX)


def _add_option_field(sandbox: Sandbox, workflow: Workflow) -> None:
    """Add the option field that a workflow names, by id or by name, to its company."""
    name, connection = str(workflow.spec.options.get("item_custom_field") or ""), workflow.spec.connection
    company = sandbox.precoro.company(connection) if connection else sandbox.credentials["precoro"]
    with sandbox.precoro.store.write() as con:
        known = con.execute(
            "select field_id, company_id, fields.name from companies left join fields using (company_id)"
            " where companies.token = ?",
            (company["token"],),
        ).fetchall()
        if name and name not in {str(value) for row in known for value in (row["field_id"], row["name"])}:
            number = int(name) if name.isdigit() else None
            now = sandbox.clock.now()
            precoro_tables.add_field(con, known[0]["company_id"], "itemcustomfields", name, now=now, field_id=number)
