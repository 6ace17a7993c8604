"""Groups of workflows, and the jobs that run them.

groups.yaml  ->  Group  ->  job <group> (everything up to the targets), job <group>__plan (stops before sending)
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
import yaml
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported
from pydantic import Field, ValidationError

from assets.delivery.component.asset_spec import MODE_TAG
from assets.delivery.imports.candidates import LAYERS as IMPORTING
from assets.delivery.imports.candidates import table_of
from assets.delivery.plan.mode import Mode
from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.base import Strict
from assets.delivery.spec.loader import PlainLoader, WorkflowFileError, located
from assets.warehouse.snapshot import SNAPSHOT
from orchestration.automation.schedule_spec import Timing

ALL = "all"
EVERY_WORKFLOW = "All"  # in `workflows: [All]`
RECONCILE, TIDY = "reconcile", "tidy"
RECONCILED = "reconciled"  # the check of a sink that the nightly job makes
OWN_JOBS = ("release_plan", "switch_workflow", "realtime", RECONCILE, TIDY)
GROUPS_ASSET = "groups_yaml"  # says what is wrong with groups.yaml; there is none while nothing is
# of a run that is started again after its process died: what it had read of a target is old
FROM_THE_START = {"dagster/retry_strategy": "ALL_STEPS"}
LAYERS = ("netsuite", "warehouse", "history")  # asset groups that hold NetSuite's tables
MODES = {
    Mode.IMPORT: "Create what is selected and not there yet, with its ancestors; change nothing.",
    Mode.UPDATE: "Bring what was imported up to date; create nothing.",
}


class Watching(Strict):
    """How often NetSuite is asked whether anything changed."""

    every_s: int = Field(300, ge=30)
    on: bool = False


class Group(Strict):
    """Workflows that run together."""

    workflows: list[str]
    mode: Mode = Field(Mode.SYNC, description="`import` only creates, `update` only changes; `sync` does both.")
    schedule: Timing | None = None
    schedules: list[Timing] = Field([], description="Several of them: other days at other hours.")
    sensor: Watching | None = None
    fresh_h: float | None = Field(
        None, gt=0, description="Hours after which what these workflows deliver is too old: the UI and alerts say so."
    )

    @property
    def timings(self) -> list[Timing]:
        """All of them."""
        return [*([self.schedule] if self.schedule else []), *self.schedules]


class _GroupFile(Strict):
    reconcile: Timing | None = None
    tidy: Timing | None = None
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
        if name in groups or name in OWN_JOBS:
            text = f"`all`, the workflows' names and {', '.join(OWN_JOBS)} are there already; take another name"
            problems.append(located(path, tree, ("groups", name), text))
            continue
        if EVERY_WORKFLOW in group.workflows:
            groups[name] = group.model_copy(update={"workflows": list(known)})
            continue
        groups[name] = group
        for number, workflow in enumerate(group.workflows):
            if workflow not in known:
                text = f"no workflow `{workflow}`; there are {', '.join(known)}. The group runs without it"
                problems.append(located(path, tree, ("groups", name, "workflows", number), text))
    return groups, problems


def load_nightly(folder: Path) -> dict[str, Timing]:
    """When the jobs of the house run, by name; none while groups.yaml is not there or cannot be used."""
    path = folder / "groups.yaml"
    try:
        given, _ = _read_groups(path) if path.exists() else (None, None)
    except WorkflowFileError:
        return {}  # `load_groups` tells it
    found = {} if given is None else {RECONCILE: given.reconcile, TIDY: given.tidy}
    return {name: timing for name, timing in found.items() if timing}


def fresh_hours(groups: Mapping[str, Group]) -> dict[str, float]:
    """For each workflow the strictest `fresh_h` of its groups."""
    found: dict[str, float] = {}
    for group in groups.values():
        for workflow in group.workflows if group.fresh_h else ():
            found[workflow] = min(group.fresh_h or 0, found.get(workflow, float("inf")))
    return found


def _read_groups(path: Path) -> tuple[_GroupFile, Any]:
    tree: Any = None
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=PlainLoader)
        return _GroupFile.model_validate(yaml.load(text, Loader=PlainLoader)), tree  # noqa: S506 - a safe loader
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
    nightly = dg.AssetSelection.checks(
        *(dg.AssetCheckKey(dg.AssetKey(each.sync), RECONCILED) for each in active.values() if each.spec.active)
    )
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
        everything |= dg.AssetSelection.assets(
            *(each.mart for each in members), *(each.target_state for each in members)
        )
        plans = _with_history(dg.AssetSelection.assets(*(each.plan for each in members)) | everything)
        syncs = (dg.AssetSelection.assets(*(each.sync for each in members)) | plans) - nightly
        snapshot = dg.AssetSelection.assets(SNAPSHOT)
        about, tags = ", ".join(group.workflows), {MODE_TAG: group.mode.value, **FROM_THE_START}
        jobs.append(
            dg.define_asset_job(name, syncs | snapshot, description=f"Read, plan and send: {about}.", tags=tags)
        )
        jobs.append(dg.define_asset_job(f"{name}__plan", plans, description=f"Read and plan only: {about}.", tags=tags))
        if name in active and active[name].spec.imports:
            jobs += [
                dg.define_asset_job(
                    f"{name}__{mode.value}",
                    syncs | snapshot,
                    description=text,
                    tags={MODE_TAG: mode.value, **FROM_THE_START},
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
