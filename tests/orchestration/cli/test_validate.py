"""Invalid workflow files: file, line, field and fix in every place; valid workflows are not affected."""

from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import dagster as dg
import pytest

from assets.delivery.spec.overlaps import overlaps
from assets.delivery.spec.workflow import Workflow
from orchestration.automation.jobs import GROUPS_ASSET
from orchestration.cli.validate import _part, validate
from orchestration.configuration.settings import ROOT
from orchestration.definitions import definitions
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from tests.assets.delivery.builders import one_source
from tests.orchestration.conftest import Home, edited_workflows
from tests.orchestration.home_state import CUSTOMERS, OPTIONS, failures, target_records

GROUPS = "groups:\n  customers:\n    workflows: [suiteprojects__customers, precoro__options]\n"


def replace(before: str, after: str) -> Callable[[str], str]:
    """Return an edit that replaces a text that occurs once."""

    def edit(text: str) -> str:
        assert text.count(before) == 1, before
        return text.replace(before, after)

    return edit


def line_of(file: Path, text: str) -> int:
    """Return the first line that contains a text."""
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line)


def validated(folder: Path) -> tuple[int, str]:
    """Return the exit code and the output of `millpond validate`."""
    with redirect_stdout(StringIO()) as printed:
        code = validate(folder)
    return code, printed.getvalue()


@dataclass(frozen=True)
class Mistake:
    """One edit of a valid file; `line` is a text on the reported line, and `problem` the start of the problem."""

    before: str
    after: str
    line: str
    problem: str


NAME = (
    "case when is_person then coalesce(nullif(concat_ws(' ', first_name, last_name), ''), alt_name, company_name)"
    " else coalesce(company_name, alt_name, concat_ws(' ', first_name, last_name)) end"
)
FLAG = "require_flag: custentity_oa_export_to_openair"

MISTAKES = {
    "bad YAML": Mistake(
        "target: suite", "target: [suite", "active: true", "expected ',' or ']', but got ':'; check quotes"
    ),
    "unknown key": Mistake(
        "  active: true\n", "  actve: true\n", "actve", "actve: unknown key; did you mean `active`?"
    ),
    "unknown target": Mistake("suiteprojects.Customer", "suiteprojects.Custmer", "Custmer", "target: no target `suite"),
    "unknown source": Mistake(
        "source: customers",
        "source: custmers",
        "source: custmers",
        "source: no source `custmers`; did you mean customers",
    ),
    "unknown column": Mistake(
        "from: currency_code", "from: curency", "curency", "fields.6.from: no column `curency`; did you mean currency_"
    ),
    "unknown flag": Mistake(FLAG, "require_flag: export", "flag: export", "select.require_flag: no column `export`"),
    "unknown field": Mistake(
        "field: addr_city",
        "field: addr_town",
        "addr_town",
        "fields.13.field: the target has no field `addr_town`; `millpond fields suiteprojects.Customer` lists",
    ),
    "bad SQL": Mistake(NAME, "coalesce(company_name", "coalesce", "fields.3.sql: `coalesce(company_name`: "),
    "file in SQL": Mistake(
        NAME, "(select name from read_parquet('/nope'))", "/nope", "fields.3.sql: `(select name from read_parquet"
    ),
    "deep SQL": Mistake(NAME, "(" * 5000, "((((", "fields.3.sql: `(((("),
    "deep YAML": Mistake("active: true", f"active: {'[' * 5000}{']' * 5000}", "active: [", "nested too deeply"),
    "unknown function": Mistake(NAME, "kolaesce(company_name)", "kolaesce", "fields.3.sql: `kolaesce(company_name)`: "),
    "unknown column in SQL": Mistake(
        NAME, "upper(companyname)", "companyname", "fields.3.sql: no column `companyname`; did you mean company_name"
    ),
    "two origins": Mistake(
        "{field: active, value: true}", "{field: active, value: true, from: stage}", "field: active", "fields.5: give"
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_with_file_line_field_and_fix(tmp_path: Path, mistake: Mistake) -> None:
    """The other workflows stay valid."""
    edit = replace(mistake.before, mistake.after)
    with edited_workflows(tmp_path / "own", **{CUSTOMERS: edit}) as folder:
        code, printed = validated(folder)

    file = folder / CUSTOMERS / "defs.yaml"
    assert f"✗ {file}:{line_of(file, mistake.line)}: {mistake.problem}" in printed
    assert f"✓ {OPTIONS}" in printed
    assert code == 1


def test_a_filter_must_be_a_condition(tmp_path: Path) -> None:
    """Any other expression would select nothing, or everything."""
    edit = replace("      select: {subsidiary: 2}", "      select: {subsidiary: 2, where: project_name}")
    with edited_workflows(tmp_path / "own", **{OPTIONS: edit}) as folder:
        code, printed = validated(folder)

    assert code == 1
    assert "records.1.select.where: `project_name` is String, not a condition" in printed


def test_a_folder_name_must_be_an_asset_name(tmp_path: Path) -> None:
    """Dagster allows letters, digits and underscores; the rest of the code location still loads."""
    with edited_workflows(tmp_path / "own") as folder:
        (folder / OPTIONS).rename(folder / "precoro-options")

        code, printed = validated(folder)
        names = {spec.key.to_user_string() for spec in definitions().resolve_all_asset_specs()}

    assert code == 1
    assert "precoro-options/defs.yaml: the folder names the workflow: use letters" in printed
    assert {f"sync_{CUSTOMERS}", "mart_precoro_options"} <= names


@pytest.mark.long
def test_a_broken_workflow_does_not_affect_the_others(seeded: Home, tmp_path: Path) -> None:
    """Its asset fails in its description and in every run of its groups; once fixed, the next run sends it."""
    misspell = replace("from: currency_code", "from: curency_code")
    departments = "reference: suiteprojects__customer_department, on_unmapped: blank"  # they never run here
    edit = replace(departments, f"{departments}, active: false")
    groups = GROUPS.replace("precoro__options", "precoro__optons, precoro__options")
    with edited_workflows(tmp_path / "own", groups, **{CUSTOMERS: lambda text: edit(misspell(text))}) as folder:
        file = folder / CUSTOMERS / "defs.yaml"
        _, printed = validated(folder)
        problem = next(each for each in printed.splitlines() if "curency_code" in each).removeprefix("✗ ")
        in_groups = next(each for each in printed.splitlines() if "precoro__optons" in each).removeprefix("✗ ")
        asset = definitions().resolve_asset_graph().get(dg.AssetKey(f"mart_{CUSTOMERS}"))
        failed = failures(seeded.run("customers"))

        assert in_groups.startswith(f"{folder / 'groups.yaml'}:3: groups.customers.workflows.1: no workflow")
        assert problem in (asset.description or "")
        assert failed == {f"mart_{CUSTOMERS}": problem, GROUPS_ASSET: in_groups}
        found = target_records(seeded)
        assert found[CUSTOMERS] == []
        assert len(found[OPTIONS]) > 3

        file.write_text(file.read_text().replace("curency_code", "currency_code"))
        (folder / "groups.yaml").write_text(GROUPS)
        assert validated(folder)[0] == 0
        assert seeded.run("customers").success
        assert len(target_records(seeded)[CUSTOMERS]) > 3


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("groups:\n  customers: {workflows: [precoro__options}\n", ":2: "),
        (
            "groups:\n  customers:\n    workfows: [precoro__options]\n",
            ":3: groups.customers.workfows: unknown key; did you mean `workflows`?",
        ),
        (GROUPS + "    schedule: {cron: every day}\n", ":4: groups.customers.schedule: cron `every day`"),
        (GROUPS.replace("customers:", "all:"), ":2: groups.all: "),
        (GROUPS.replace("customers:", "my group:"), ":2: groups.my group"),
        ("", ":1: "),
    ],
    ids=["YAML", "key", "cron", "taken", "name", "empty"],
)
def test_an_invalid_groups_file_does_not_affect_the_workflows(tmp_path: Path, text: str, problem: str) -> None:
    """Every workflow still has its own job, and `all` fails with the problems."""
    with edited_workflows(tmp_path / "own", text) as folder:
        code, printed = validated(folder)
        jobs = {job.name: job for job in definitions().resolve_all_job_defs()}

    assert code == 1
    assert f"✗ {folder / 'groups.yaml'}{problem}" in printed
    assert {"all", CUSTOMERS, OPTIONS} <= jobs.keys()
    assert GROUPS_ASSET in jobs["all"].graph.node_dict
    assert GROUPS_ASSET not in jobs[OPTIONS].graph.node_dict


def test_workflows_that_may_want_the_same_records_are_named(tmp_path: Path) -> None:
    """Two subsidiaries on one Precoro field: a customer of both would be written by both in turn."""
    with edited_workflows(tmp_path / "workflows", None) as folder:
        text = (folder / OPTIONS / "defs.yaml").read_text()
        second = folder / "precoro__second"
        second.mkdir()

        def output(edit: Callable[[str], str]) -> str:
            (second / "defs.yaml").write_text(edit(text))
            return " ".join(validated(folder)[1].split())

        other_subsidiary = output(lambda given: given.replace("subsidiary: 2", "subsidiary: 3"))
        elsewhere = output(
            lambda given: given.replace("target: precoro.Option", "target: precoro.Option\n  connection: uk")
        )
        other_field = output(
            lambda given: given.replace("item_custom_field: Customers/Projects", "item_custom_field: Suppliers")
        )
        primary = "subsidiary_scope: primary, subsidiary: "
        (folder / OPTIONS / "defs.yaml").write_text(text.replace("subsidiary: 2", f"{primary}2"))
        disjoint = output(lambda given: given.replace("subsidiary: 2", f"{primary}3"))

    assert (
        f"{OPTIONS} and precoro__second both write to precoro.Option and may want the same customers"
        in other_subsidiary
    )
    assert not any("may want the same" in each for each in (elsewhere, other_field, disjoint))


@pytest.mark.parametrize(
    ("target", "one", "other", "same"),
    [
        (
            "precoro.Option",
            {"item_custom_field": "5144"},
            {"item_custom_field": "Client"},
            "if 5144 and Client are the",
        ),
        (
            "precoro.Option",
            {"item_custom_field": "5144"},
            {"item_custom_field": " 5144"},
            "both write to precoro.Option",
        ),
        ("precoro.Option", {"item_custom_field": "Client"}, {"item_custom_field": "Supplier"}, ""),
        ("precoro.Option", {"item_custom_field": "5144"}, {"item_custom_field": "5145"}, ""),
        ("suiteprojects.HierarchyNode", {"hierarchy": "D"}, {"hierarchy": "D", "type": "customer"}, "both write to"),
        ("suiteprojects.HierarchyNode", {"hierarchy": "D"}, {"hierarchy": "D", "type": "project"}, ""),
    ],
)
def test_one_part_of_an_account_may_be_named_in_two_ways(
    target: str, one: dict[str, str], other: dict[str, str], same: str
) -> None:
    """By its id and by its name, with blanks, and by leaving a default out."""
    flows = [Workflow(name, one_source(target=target, options=each)) for name, each in (("a", one), ("b", other))]

    found = [*overlaps(flows, _part)]

    assert [same in text for text in found] == [True] * bool(same)
    off = Workflow("b", one_source(target=target, options=other, active=False))
    assert not [*overlaps([flows[0], off], _part)]


def test_mapped_columns_are_looked_up_in_the_account(seeded: Home) -> None:
    """Standard and custom ones; the plan stops at the mart, now and if the columns disappear later."""
    folder = ROOT / "orchestration" / "workflows"
    assert validated(folder)[0] == 0

    hidden = ["customer.email", "customer.custentity_oa_export_to_openair", "customer.comments", "contact.fax"]
    seeded.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_columns=hidden)
    code, printed = validated(folder)

    assert code == 1
    assert [line for line in printed.splitlines() if line.startswith("✗")] == [
        f"✗ {workflow}: NetSuite shows no {name} of {table} to this role; give the role access to it, correct its name,"
        " or remove the row"
        for workflow, name, table in (
            (CUSTOMERS, "custentity_oa_export_to_openair", "customer"),
            (CUSTOMERS, "email", "customer"),
            ("suiteprojects__contacts", "fax", "contact"),
        )
    ]


@pytest.mark.long
def test_a_standard_column_that_disappears_stops_the_plan(seeded: Home) -> None:
    """Its last values, or blanks, would be sent for ever."""
    assert seeded.run(f"{CUSTOMERS}__plan").success

    seeded.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_columns=["customer.email"])
    seeded.sandbox.clock.advance(86_400)  # the account's columns are checked again after some hours
    failed = failures(seeded.run(f"{CUSTOMERS}__plan"))

    assert list(failed) == [f"mart_{CUSTOMERS}"]
    assert "NetSuite shows no email of customers to this role" in failed[f"mart_{CUSTOMERS}"]


def test_an_account_that_cannot_be_asked_changes_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The files can be checked on any machine; the line says what was not checked."""
    assert home
    folder = ROOT / "orchestration" / "workflows"
    assert "!" not in validated(folder)[1]

    for name, value in {
        "MILLPOND_MODE": "live",
        "NETSUITE_ACCOUNT": "1",
        "NETSUITE_BASE_URL": "http://[::1]:9",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("CLIENT_ID", "CERTIFICATE_ID"):
        monkeypatch.setenv(f"NETSUITE_{name}", "x")
    monkeypatch.setenv("NETSUITE_PRIVATE_KEY_FILE", str(tmp_path / "none.pem"))
    code, printed = validated(folder)

    assert code == 0
    assert "! the columns were not checked in NetSuite: netsuite: sign in: NETSUITE_PRIVATE_KEY_FILE" in printed


def test_a_mistake_is_reported_once_not_in_every_file_that_needs_it(tmp_path: Path) -> None:
    """Those say where to look: a list of all other workflows would hide the one problem to correct."""
    edit = replace("{field: notes, value:", "{field: notes, valuse:")
    with edited_workflows(tmp_path / "workflows", **{CUSTOMERS: edit}) as folder:
        code, printed = validated(folder)

    problems = [line for line in printed.splitlines() if line.startswith("✗ ")]
    assert code == 1
    assert [line.rpartition(": ")[2] for line in problems] == [
        "unknown key; did you mean `value`?",
        *[f"{CUSTOMERS} has a problem of its own; correct that first"] * 2,
    ]
