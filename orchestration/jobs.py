"""Groups of workflows, and the jobs that run them.

groups.yaml  ->  Group  ->  job <group> (everything up to the targets), job <group>__plan (stops before sending)
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import dagster as dg
import yaml
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported
from pydantic import Field, ValidationError, model_validator

from assets.delivery.importing import LAYERS as IMPORTING
from assets.delivery.importing import table_of
from assets.delivery.layers import MODE_TAG
from assets.delivery.picking import Mode
from assets.delivery.planning import Workflow
from assets.delivery.spec import Strict, WorkflowFileError, located
from assets.warehouse.snapshot import SNAPSHOT

ALL = "all"
GROUPS_ASSET = "groups_yaml"  # says what is wrong with groups.yaml; there is none while nothing is
LAYERS = ("netsuite", "warehouse", "history")  # asset groups that hold NetSuite's tables
MODES = {
    Mode.IMPORT: "Create what is selected and not there yet, with its ancestors; change nothing.",
    Mode.UPDATE: "Bring what was imported up to date; create nothing.",
}


class Timing(Strict):
    """When a group runs by itself."""

    cron: str
    timezone: str = "UTC"
    on: bool = False

    @model_validator(mode="after")
    def _dagster_takes_it(self) -> Self:
        try:
            dg.ScheduleDefinition(
                name="probe", job_name="probe", cron_schedule=self.cron, execution_timezone=self.timezone
            )
        except dg.DagsterInvalidDefinitionError as error:
            like = "`0 5 * * 1-5` for cron and `Europe/Stockholm` for timezone"
            raise ValueError(
                f"cron `{self.cron}` in timezone `{self.timezone}` cannot be used; write like {like}"
            ) from error
        return self


class Watching(Strict):
    """How often NetSuite is asked whether anything changed."""

    every_s: int = Field(300, ge=30)
    on: bool = False


class Group(Strict):
    """Workflows that run together."""

    workflows: list[str]
    mode: Mode = Field(Mode.SYNC, description="`import` only creates, `update` only changes; `sync` does both.")
    schedule: Timing | None = None
    sensor: Watching | None = None


class _GroupFile(Strict):
    # the name becomes a job's; two underscores set `__plan` apart
    groups: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$")], Group]


def load_groups(folder: Path, known: Sequence[str]) -> tuple[dict[str, Group], list[str]]:
    """The groups of groups.yaml, `all`, and each workflow by its own name; and what is wrong with groups.yaml.

    Args:
        folder: Of the workflow files.
        known: Names of the workflows, also of those whose file cannot be used.

    Returns:
        Groups by name, as far as they can be used, and `file:line: field: what is wrong` for the rest.
    """
    path = folder / "groups.yaml"
    groups = {ALL: Group(workflows=list(known)), **{name: Group(workflows=[name]) for name in known}}
    if not path.exists():
        return groups, []
    try:
        given, tree = _read_groups(path)
    except WorkflowFileError as error:
        return groups, str(error).splitlines()
    problems = []
    for name, group in given.groups.items():
        if name in groups:
            text = "`all` and the workflows' names are groups already; take another name"
            problems.append(located(path, tree, ("groups", name), text))
            continue
        groups[name] = group
        for number, workflow in enumerate(group.workflows):
            if workflow not in known:
                text = f"no workflow `{workflow}`; there are {', '.join(known)}. The group runs without it"
                problems.append(located(path, tree, ("groups", name, "workflows", number), text))
    return groups, problems


def _read_groups(path: Path) -> tuple[_GroupFile, Any]:
    tree: Any = None
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        # `on` is a Boolean in YAML 1.1, and a key here: read the keys as text
        return _GroupFile.model_validate(_with_on(yaml.safe_load(text))), tree
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowFileError(f"{path}: cannot be read as UTF-8 text ({type(error).__name__})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise WorkflowFileError(f"{path}{line}: {problem}; check quotes, brackets and indentation") from error
    except ValidationError as error:
        lines = [located(path, tree, each["loc"], each["msg"]) for each in error.errors()]
        raise WorkflowFileError("\n".join(lines)) from error


def _with_on(content: object) -> object:
    if isinstance(content, dict):
        return {("on" if key is True else key): _with_on(value) for key, value in content.items()}
    return content


def group_jobs(
    groups: Mapping[str, Group],
    workflows: Sequence[Workflow],
    broken: Mapping[str, str],
    also: Sequence[str] = (),
    switched: Collection[str] = (),
) -> list[UnresolvedAssetJobDefinition]:
    """Two jobs for each group that has a workflow which is switched on, or one whose file cannot be used.

    `all` reads every table as well, for the analysts. No job hides what is broken: a run that left a workflow out
    would look as if all was well.

    Args:
        groups: By name.
        workflows: Those that can be used.
        broken: The assets that stand in for the others, by workflow.
        also: Assets that belong to every group of groups.yaml and to `all`.
        switched: Workflows that a person ever switched: they are in the jobs whatever their file says, and a run asks
            whether they are on when it comes to them.
    """
    active = {each.name: each for each in workflows if each.spec.active or each.name in switched}
    single = {*active, *broken}
    jobs = []
    for name, group in groups.items():
        members = [active[each] for each in group.workflows if each in active]
        unusable = [broken[each] for each in group.workflows if each in broken]
        if not members and not unusable:
            continue
        everything: dg.AssetSelection = dg.AssetSelection.groups(*LAYERS) if name == ALL else dg.AssetSelection.assets()
        everything |= dg.AssetSelection.assets(*unusable, *(() if name in single else also))
        everything |= dg.AssetSelection.assets(*(name for each in members for name in shown_beside(each)))
        # what a workflow needs of others it takes from their last run; they are not run for its sake
        tables = dict.fromkeys(record.table for each in members for record in each.spec.records)
        everything |= dg.AssetSelection.assets(*tables).upstream()
        everything |= dg.AssetSelection.assets(*(each.mart for each in members), *(each.twin for each in members))
        plans = _with_history(dg.AssetSelection.assets(*(each.plan for each in members)) | everything)
        syncs = dg.AssetSelection.assets(*(each.sync for each in members)) | plans
        snapshot = dg.AssetSelection.assets(SNAPSHOT)
        about, tags = ", ".join(group.workflows), {MODE_TAG: group.mode.value}
        jobs.append(
            dg.define_asset_job(name, syncs | snapshot, description=f"Read, plan and send: {about}.", tags=tags)
        )
        jobs.append(dg.define_asset_job(f"{name}__plan", plans, description=f"Read and plan only: {about}.", tags=tags))
        if name in active and active[name].spec.imports:
            jobs += [
                dg.define_asset_job(
                    f"{name}__{mode.value}", syncs | snapshot, description=text, tags={MODE_TAG: mode.value}
                )
                for mode, text in MODES.items()
            ]
    return jobs


def shown_beside(workflow: Workflow) -> list[str]:
    """The assets that a workflow with `imports` has beside its own four."""
    return [table_of(layer, workflow) for layer in IMPORTING] if workflow.spec.imports else []


def _with_history(selection: dg.AssetSelection) -> dg.AssetSelection:
    """The versions of every staging table that is brought up to date."""
    return selection | (selection.downstream(depth=1) & dg.AssetSelection.groups("history"))
