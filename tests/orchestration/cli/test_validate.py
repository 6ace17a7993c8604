"""Workflow files with mistakes: file, line, field and mend, wherever one looks; what is not broken goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from orchestration.automation.jobs import GROUPS_ASSET
from orchestration.cli.validate import validate_folder
from orchestration.definitions import definitions
from tests.orchestration.bad_day import OF_PRECORO, OF_SUITEPROJECTS, failures, held
from tests.orchestration.conftest import Home, edited_workflows

GROUPS = "groups:\n  customers:\n    workflows: [suiteprojects__customers, precoro__options]\n"


def instead(before: str, after: str) -> Callable[[str], str]:
    """An edit: one text for another that stands there once."""

    def edit(text: str) -> str:
        assert text.count(before) == 1, before
        return text.replace(before, after)

    return edit


def line_of(file: Path, text: str) -> int:
    """The line on which a text stands for the first time."""
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line)


def validated(folder: Path) -> tuple[int, str]:
    """What `millpond validate` answers and prints."""
    printed = StringIO()
    code = validate_folder(folder, Console(file=printed, width=200))
    return code, printed.getvalue()


@dataclass(frozen=True)
class Mistake:
    """One edit of a good file; `line` is a text on the line that must be named, `told` begins after it."""

    before: str
    after: str
    line: str
    told: str


NAME = "coalesce(company_name, alt_name, concat_ws(' ', first_name, last_name))"
FLAG = "require_flag: custentity_oa_export_to_openair"

MISTAKES = {
    "bad YAML": Mistake(
        "target: suite", "target: [suite", "active: true", "expected ',' or ']', but got ':'; check quotes"
    ),
    "unknown key": Mistake("  active: true\n", "  actve: true\n", "actve", "actve: no such key here"),
    "unknown target": Mistake("suiteprojects.Customer", "suiteprojects.Custmer", "Custmer", "target: no target `suite"),
    "unknown source": Mistake(
        "source: customers", "source: custmers", "source: custmers", "source: no source `custmers`; there are customers"
    ),
    "unknown column": Mistake(
        "from: currency_code", "from: curency", "curency", "fields.6.from: no column `curency`; did you mean currency_"
    ),
    "unknown flag": Mistake(FLAG, "require_flag: export", "flag: export", "select.require_flag: no column `export`"),
    "unknown field": Mistake(
        "field: addr_city", "field: addr_town", "addr_town", "fields.13.field: the target has no field `addr_town`"
    ),
    "bad SQL": Mistake(NAME, "coalesce(company_name", "coalesce", "fields.3.sql: `coalesce(company_name`: "),
    "unknown function": Mistake(NAME, "kolaesce(company_name)", "kolaesce", "fields.3.sql: `kolaesce(company_name)`: "),
    "unknown column in SQL": Mistake(
        NAME, "upper(companyname)", "companyname", "fields.3.sql: no column `companyname`; did you mean company_name"
    ),
    "two origins": Mistake(
        "{field: active, value: true}", "{field: active, value: true, from: stage}", "field: active", "fields.5: give"
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_file_line_field_and_mend(tmp_path: Path, mistake: Mistake) -> None:
    """The other workflow is as good as ever."""
    edit = instead(mistake.before, mistake.after)
    with edited_workflows(tmp_path / "own", **{OF_SUITEPROJECTS: edit}) as folder:
        code, printed = validated(folder)

    file = folder / OF_SUITEPROJECTS / "defs.yaml"
    assert f"✗ {file}:{line_of(file, mistake.line)}: {mistake.told}" in printed
    assert f"✓ {OF_PRECORO}" in printed
    assert code == 1


def test_a_condition_must_be_one(tmp_path: Path) -> None:
    """What is neither true nor false would select nothing, or everything."""
    edit = instead("      select: {subsidiary: 2}", "      select: {subsidiary: 2, where: project_name}")
    with edited_workflows(tmp_path / "own", **{OF_PRECORO: edit}) as folder:
        code, printed = validated(folder)

    assert code == 1
    assert "records.1.select.where: `project_name` is String, not a condition" in printed


def test_a_folder_that_cannot_name_an_asset_is_told(tmp_path: Path) -> None:
    """Dagster takes letters, digits and underscores; the rest of the code location must not fall with it."""
    with edited_workflows(tmp_path / "own") as folder:
        (folder / OF_PRECORO).rename(folder / "precoro-options")

        code, printed = validated(folder)
        names = {spec.key.to_user_string() for spec in definitions().resolve_all_asset_specs()}

    assert code == 1
    assert "precoro-options/defs.yaml: the folder names the workflow: use letters" in printed
    assert {f"sync_{OF_SUITEPROJECTS}", "mart_precoro_options"} <= names


def test_a_broken_workflow_does_not_stop_the_other(seeded: Home, tmp_path: Path) -> None:
    """The broken one says so in its description and in the run, also in its group's; mended, the next run sends it."""
    edit = instead("from: currency_code", "from: curency_code")
    groups = GROUPS.replace("precoro__options", "precoro__optons, precoro__options")
    with edited_workflows(tmp_path / "own", groups, **{OF_SUITEPROJECTS: edit}) as folder:
        file = folder / OF_SUITEPROJECTS / "defs.yaml"
        _, printed = validated(folder)
        problem = next(each for each in printed.splitlines() if "curency_code" in each).removeprefix("✗ ")
        in_groups = next(each for each in printed.splitlines() if "precoro__optons" in each).removeprefix("✗ ")
        asset = definitions().resolve_asset_graph().get(dg.AssetKey(f"mart_{OF_SUITEPROJECTS}"))
        told = failures(seeded.run("customers"))

        assert in_groups.startswith(f"{folder / 'groups.yaml'}:3: groups.customers.workflows.1: no workflow")
        assert problem in (asset.description or "")
        assert told == {f"mart_{OF_SUITEPROJECTS}": problem, GROUPS_ASSET: in_groups}
        found = held(seeded)
        assert found[OF_SUITEPROJECTS] == []
        assert len(found[OF_PRECORO]) > 3

        file.write_text(file.read_text().replace("curency_code", "currency_code"))
        (folder / "groups.yaml").write_text(GROUPS)
        assert validated(folder)[0] == 0
        assert seeded.run("customers").success
        assert len(held(seeded)[OF_SUITEPROJECTS]) > 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("groups:\n  customers: {workflows: [precoro__options}\n", ":2: "),
        (
            "groups:\n  customers:\n    workfows: [precoro__options]\n",
            ":3: groups.customers.workfows: no such key here",
        ),
        (GROUPS + "    schedule: {cron: every day}\n", ":4: groups.customers.schedule: cron `every day`"),
        (GROUPS.replace("customers:", "all:"), ":2: groups.all: "),
        (GROUPS.replace("customers:", "my group:"), ":2: groups.my group"),
        ("", ":1: "),
    ],
    ids=["YAML", "key", "cron", "taken", "name", "empty"],
)
def test_a_groups_file_that_cannot_be_used_stops_nobody(tmp_path: Path, text: str, told: str) -> None:
    """Every workflow still has its own job, and `all` says what is wrong."""
    with edited_workflows(tmp_path / "own", text) as folder:
        code, printed = validated(folder)
        jobs = {job.name: job for job in definitions().resolve_all_job_defs()}

    assert code == 1
    assert f"✗ {folder / 'groups.yaml'}{told}" in printed
    assert {"all", OF_SUITEPROJECTS, OF_PRECORO} <= jobs.keys()
    assert GROUPS_ASSET in jobs["all"].graph.node_dict
    assert GROUPS_ASSET not in jobs[OF_PRECORO].graph.node_dict
