"""Activate and deactivate workflows, or only their real-time updates, without a restart.

`millpond activate | deactivate` and the jobs of the same names  ->  <warehouse>/switches.json  ->  runs read it
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from pydantic import Field

from assets.delivery.errors import SyncError
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.spec.switches import Override, State, Switches
from assets.delivery.spec.workflow import Workflow
from assets.failures import dagster_failure, refusals
from assets.result_texts import did_you_mean
from orchestration.account_partitions import account_of, partitions_of
from orchestration.authorization import approver_of
from orchestration.automation.groups import ACTIVATE, DEACTIVATE
from orchestration.configuration.settings import MillpondSettings
from resources.clock import WallClock, utc_now
from resources.warehouse.warehouse import Warehouse

RELOAD = "its file has `active: false`: schedules include it within a minute, the UI after a reload of the definitions"
OPS = {ACTIVATE: "activate", DEACTIVATE: "deactivate"}  # an op must not share its job's name


class ActivationError(Exception):
    """The workflow cannot be activated; the text has the reason and a fix."""


@dataclass(frozen=True)
class Activation:
    """An operator's decision about one workflow.

    Attributes:
        realtime: Whether only its real-time updates are.
        reason: A note for the ledger of switches.
    """

    workflow: str
    on: bool
    realtime: bool = False
    reason: str = ""
    decided_by: str = ""


def set_activation(
    warehouse: Warehouse, workflows: Sequence[Workflow], activation: Activation
) -> tuple[State, list[str]]:
    """Store the decision, in the ledger first, if there is one yet.

    Returns:
        The workflow's new state, and what the operator should know: active workflows that need it, or a reload.

    Raises:
        ActivationError: There is no such workflow, or a workflow that it needs is not active.
    """
    switches, known = Switches(warehouse.folder), {each.name: each for each in workflows}
    name, workflow = activation.workflow, known.get(activation.workflow)
    if workflow is None:
        raise ActivationError(f"no usable workflow {name}; {did_you_mean(name, known)}known are {', '.join(known)}")
    active = {other for other, each in known.items() if switches.state(each).active}
    reason, approver = activation.reason, activation.decided_by
    if activation.realtime:
        _record(warehouse, switches.next_override(name, realtime=activation.on), activation)
        switches.override(name, realtime=activation.on, reason=reason, decided_by=approver)
        return switches.state(workflow), []
    missing = [need for need in workflow.spec.upstream if need not in active]
    if activation.on and missing:
        raise ActivationError(f"{name} needs {', '.join(missing)}, which is not active; activate that first")
    _record(warehouse, switches.next_override(name, active=activation.on), activation)
    switches.override(name, active=activation.on, reason=reason, decided_by=approver)
    if activation.on:
        return switches.state(workflow), [] if workflow.spec.active else [RELOAD]
    needing = [each for each in sorted(active) if name in known[each].spec.upstream]
    return switches.state(workflow), [f"{each} needs it and continues with its last results" for each in needing]


def _record(warehouse: Warehouse, override: Override, activation: Activation) -> None:
    """Record a switch in the ledger; a warehouse without tables gets it when its ledger begins."""
    if not warehouse.exists():
        return
    switched = Event(
        event=Happened.SWITCHED, at=utc_now(WallClock()), workflow=activation.workflow, by=activation.decided_by,
        details={"active": override.active, "realtime": override.realtime}, note=activation.reason,
    )  # fmt: skip
    with warehouse.writer() as con:
        record_event(con, switched)


def observation(activation: Activation, state: State, account: str) -> dg.AssetObservation:
    """Return the event that shows the new state on the page of the workflow's sync asset."""
    return dg.AssetObservation(
        asset_key=f"sync_{activation.workflow}",
        description=f"activation changed: {state.description}",
        metadata={
            "active": state.active, "realtime": state.realtime, "state": state.description, "reason": activation.reason,
            "decided_by": activation.decided_by,
        },
        partition=account or None,
    )  # fmt: skip


class ActivationConfig(dg.Config):
    """The workflow to activate or deactivate."""

    workflow: str = Field(description="The workflow's name.")
    realtime: bool = Field(default=False, description="Only its real-time updates; scheduled runs are not affected.")
    reason: str = Field(
        default="", description="Author and reason of the decision, recorded with the run and the state."
    )


def activation_jobs(workflows: Sequence[Workflow], settings: MillpondSettings) -> list[dg.JobDefinition]:
    """Return the jobs `activate_workflow` and `deactivate_workflow`."""
    return [_job(name, workflows, settings) for name in OPS]


def _job(name: str, workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    verb = OPS[name].capitalize()

    @dg.op(
        name=OPS[name],
        description=f"{verb}s a workflow, or only its real-time updates; runs check the state when they decide.",
        required_resource_keys={"warehouse"},
        out=dg.Out(dg.Nothing),
    )
    def change(context: dg.OpExecutionContext, config: ActivationConfig) -> None:
        with dagster_failure(ValueError), refusals(ActivationError, SyncError):
            approver = approver_of(context.run.tags)
            activation = Activation(config.workflow, name == ACTIVATE, config.realtime, config.reason, approver)
            state, warnings = set_activation(context.resources.warehouse, workflows, activation)
        for line in warnings:
            context.log.warning(line)
        context.log_event(observation(activation, state, account_of(context.run, settings).account))

    @dg.job(
        name=name,
        description=f"{verb} a workflow or its real-time updates, without a restart.",
        partitions_def=partitions_of(settings),
    )
    def job() -> None:
        change()

    return job
