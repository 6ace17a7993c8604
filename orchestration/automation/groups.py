"""Groups of workflows, and the schedules of everything: `groups.yaml`.

groups.yaml  ->  GroupsFile: Group by name, schedules of the maintenance jobs, problems with file and line
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from assets.delivery.plan.mode import Mode
from assets.delivery.spec.base import Strict
from assets.delivery.spec.yaml_file import WorkflowFileError, YamlFile
from orchestration.automation.schedule_spec import Timing

ALL = "all"  # the group of all workflows
EVERY_WORKFLOW = "All"  # in `workflows: [All]`
PLAN_SUFFIX = "__plan"  # of the job that reads and plans only
# jobs besides those of groups, whose names no group may have
APPLY_PLAN, REJECT_PLAN = "apply_plan", "reject_plan"
ACTIVATE, DEACTIVATE = "activate_workflow", "deactivate_workflow"
UNDO_RUN, LINK_RECORD, UNLINK_RECORD, RESEND_RECORD = "undo_run", "link_record", "unlink_record", "resend_record"
IGNORE_RECORDS, FORGET_RECORD = "ignore_records", "forget_record"
OPERATOR_JOBS = (
    APPLY_PLAN, REJECT_PLAN, UNDO_RUN, LINK_RECORD, UNLINK_RECORD, RESEND_RECORD, IGNORE_RECORDS, FORGET_RECORD,
    ACTIVATE, DEACTIVATE,
)  # fmt: skip
WORKFLOW_TAG = "millpond/workflow"  # of a run that sends a plan
REALTIME, RECONCILE, MAINTENANCE, DIGEST = "realtime", "reconcile", "maintenance", "digest"
OWN_JOBS = (*OPERATOR_JOBS, REALTIME, RECONCILE, MAINTENANCE, DIGEST)


class ChangeSensor(Strict):
    """The interval at which NetSuite is polled for changes."""

    every_seconds: int = Field(300, ge=30, description="Seconds between two polls; each is one call.")
    on: bool = Field(default=False, description="Whether the sensor starts switched on.")


class Group(Strict):
    """Workflows that run together."""

    workflows: list[str] = Field(description="Workflow names; `[All]`: every active workflow.")
    mode: Mode = Field(Mode.SYNC, description="`import` only creates, `update` only changes, `sync` does both.")
    schedule: Timing | None = Field(None, description="When the group's job runs.")
    schedules: list[Timing] = Field([], description="Several schedules, such as other hours on other days.")
    sensor: ChangeSensor | None = Field(None, description="Polls NetSuite, and runs the group only after changes.")
    freshness_hours: float | None = Field(
        None, gt=0, description="Hours after which the UI and alerts report these workflows as stale."
    )

    @property
    def timings(self) -> list[Timing]:
        """Every schedule of the group."""
        return [*([self.schedule] if self.schedule else []), *self.schedules]


class Content(Strict):
    """The file groups.yaml."""

    reconcile: Timing | None = Field(None, description="When the job `reconcile` compares everything.")
    maintenance: Timing | None = Field(None, description="When the job `maintenance` removes what is old.")
    digest: Timing | None = Field(None, description="When the job `digest` writes to the stewards of the workflows.")
    # the name becomes a job's name; two underscores separate suffixes such as `__plan`
    groups: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$")], Group] = Field(
        description="The groups by name, which is a job's name."
    )


@dataclass(frozen=True)
class GroupsFile:
    """The usable content of groups.yaml.

    Attributes:
        groups: Groups by name, with `all` and one group per workflow.
        schedules: Schedules of the jobs `reconcile`, `maintenance` and `digest`, by job name.
        problems: One line `file:line: field: problem` for everything else.
    """

    groups: Mapping[str, Group]
    schedules: Mapping[str, Timing] = field(default_factory=dict)
    problems: Sequence[str] = ()

    @property
    def freshness_hours(self) -> dict[str, float]:
        """The strictest `freshness_hours` of each workflow's groups."""
        found: dict[str, float] = {}
        for group in self.groups.values():
            for workflow in group.workflows if group.freshness_hours else ():
                found[workflow] = min(group.freshness_hours or 0, found.get(workflow, float("inf")))
        return found


def load_groups(folder: Path, known: Sequence[str]) -> GroupsFile:
    """Read `groups.yaml` of a folder, which may lack it; `known` names all workflows, those with unusable files too."""
    path = folder / "groups.yaml"
    built_in = {ALL: Group(workflows=list(known)), **{name: Group(workflows=[name]) for name in known}}
    if not path.exists():
        return GroupsFile(built_in)
    try:
        content, file = _read(path)
    except WorkflowFileError as error:
        return GroupsFile(built_in, problems=str(error).splitlines())
    named, problems = {}, []
    for name, group in content.groups.items():
        if name in built_in or name in OWN_JOBS:
            text = f"the name is taken (`all`, every workflow's name and {', '.join(OWN_JOBS)}); choose another one"
            problems.append(file.line(("groups", name), text))
        else:
            named[name] = _with_all_workflows(group, known)
            problems += [file.line(("groups", name, *place), text) for place, text in _unknown(group, known)]
    schedules = {RECONCILE: content.reconcile, MAINTENANCE: content.maintenance, DIGEST: content.digest}
    return GroupsFile(
        {**built_in, **named}, {name: timing for name, timing in schedules.items() if timing}, tuple(problems)
    )


def _with_all_workflows(group: Group, known: Sequence[str]) -> Group:
    return group.model_copy(update={"workflows": list(known)}) if EVERY_WORKFLOW in group.workflows else group


def _unknown(group: Group, known: Sequence[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Workflow names without a file, with their place in the group."""
    if EVERY_WORKFLOW in group.workflows:
        return
    for number, workflow in enumerate(group.workflows):
        if workflow not in known:
            text = f"no workflow `{workflow}`; known are {', '.join(known)}. The group runs without it"
            yield ("workflows", number), text


def _read(path: Path) -> tuple[Content, YamlFile]:
    """Parse the file, and return it with the file, which knows the lines."""
    file = YamlFile.read(path)
    return file.validate(Content, file.content), file
