"""Groups of workflows, and the jobs that run them.

groups.yaml  ->  Group  ->  job <group> (everything up to the targets), job <group>__plan (stops before sending)
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Self

import dagster as dg
import yaml
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported
from pydantic import Field, ValidationError, model_validator

from assets.delivery.spec import Strict, WorkflowFileError
from assets.delivery.sync import Workflow
from assets.warehouse.snapshot import SNAPSHOT

ALL = "all"
LAYERS = ("netsuite", "warehouse")  # asset groups that hold NetSuite's tables


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
    schedule: Timing | None = None
    sensor: Watching | None = None


class _GroupFile(Strict):
    # the name becomes a job's; two underscores set `__plan` apart
    groups: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$")], Group]


def load_groups(folder: Path, workflows: Iterable[Workflow]) -> dict[str, Group]:
    """The groups of groups.yaml, `all`, and each workflow by its own name.

    Raises:
        WorkflowFileError: The file cannot be used or names a workflow that does not exist.
    """
    path = folder / "groups.yaml"
    known = [workflow.name for workflow in workflows]
    groups = {ALL: Group(workflows=known), **{name: Group(workflows=[name]) for name in known}}
    if not path.exists():
        return groups
    try:
        # `on` is a Boolean in YAML 1.1, and a key here: read the keys as text
        given = _GroupFile.model_validate(_with_on(yaml.safe_load(path.read_text(encoding="utf-8"))))
    except yaml.YAMLError as error:
        raise WorkflowFileError(f"{path}: {error}") from error
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise WorkflowFileError("\n".join(lines).replace("Value error, ", "")) from error
    there = {each.name for each in folder.iterdir() if (each / "defs.yaml").exists()}
    for name, group in given.groups.items():
        if name in there:
            raise WorkflowFileError(f"{path}: group {name}: a workflow is called so; take another name")
        unknown = set(group.workflows) - there
        if unknown:
            raise WorkflowFileError(f"{path}: group {name}: no workflow {', '.join(sorted(unknown))} in {folder}")
    return groups | given.groups


def _with_on(content: object) -> object:
    if isinstance(content, dict):
        return {("on" if key is True else key): _with_on(value) for key, value in content.items()}
    return content


def group_jobs(
    groups: dict[str, Group], workflows: Sequence[Workflow], broken: Sequence[str] = ()
) -> list[UnresolvedAssetJobDefinition]:
    """Two jobs for each group that has a workflow which is switched on.

    `all` reads every table as well, for the analysts, and does not hide what is broken: `broken` are the assets that
    stand in for files that cannot be used.
    """
    active = {workflow.name: workflow for workflow in workflows if workflow.spec.active}
    jobs = []
    for name, group in groups.items():
        members = [active[each] for each in group.workflows if each in active]
        if not members:
            continue
        everything: dg.AssetSelection = dg.AssetSelection.groups(*LAYERS) if name == ALL else dg.AssetSelection.assets()
        if name == ALL and broken:
            everything |= dg.AssetSelection.assets(*broken)
        syncs = dg.AssetSelection.assets(*(each.sync for each in members)).upstream() | everything
        plans = dg.AssetSelection.assets(*(each.plan for each in members)).upstream() | everything
        snapshot = dg.AssetSelection.assets(SNAPSHOT)
        about = ", ".join(each.name for each in members)
        jobs.append(dg.define_asset_job(name, syncs | snapshot, description=f"Read, plan and send: {about}."))
        jobs.append(dg.define_asset_job(f"{name}__plan", plans, description=f"Read and plan only: {about}."))
    return jobs
