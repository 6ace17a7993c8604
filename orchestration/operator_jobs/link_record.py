"""The jobs `link_record` and `unlink_record`: `millpond link` and `millpond unlink` in the UI and in the console.

config {workflow, source, source_id, target_id, reason}  ->  sync_manual_links; the next run follows them
"""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from assets.delivery.errors import SyncError
from assets.delivery.imports.manual_links import ManualLink, delete_manual_link, save_manual_link
from assets.delivery.spec.workflow import Workflow
from assets.failures import refusals
from orchestration.authorization import approver_of
from orchestration.automation.groups import LINK_RECORD, UNLINK_RECORD
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.operator_jobs.decision_job import decision_op, job_of, observe
from resources.clock import utc_now

LINK_OP, UNLINK_OP = "link", "unlink"  # an op must not share its job's name


class Unlink(dg.Config):
    """The record whose link is removed."""

    workflow: str = Field(description="The workflow's name.")
    source: str = Field(description="Source of the record, such as customers.")
    source_id: str = Field(description="NetSuite id of the record.")
    reason: str = Field(default="", description="Author and reason of the decision, recorded with the run.")


class Link(Unlink):
    """The record to link."""

    target_id: str = Field(default="", description="The target's internal id; blank: none of the target's records.")


def link_jobs(workflows: Sequence[Workflow], settings: MillpondSettings) -> list[dg.JobDefinition]:
    """Return the jobs that link a record and remove its link."""

    @decision_op(LINK_OP, "Links a record.", workflows)
    def link_op(context: dg.OpExecutionContext, config: Link) -> None:
        connections = Connections.of(workflows, context.resources)
        with refusals(SyncError):
            _link(connections, config, approver_of(context.run.tags))
        found = f"record {config.target_id}" if config.target_id else "no record; the next run creates one"
        _observe(context, config, f"{config.source} {config.source_id}: linked to {found}", settings)

    @decision_op(UNLINK_OP, "Removes a link.", workflows)
    def unlink_op(context: dg.OpExecutionContext, config: Unlink) -> None:
        connections = Connections.of(workflows, context.resources)
        with refusals(SyncError):
            _unlink(connections, config, approver_of(context.run.tags))
        _observe(context, config, f"{config.source} {config.source_id}: the link was removed", settings)

    return [
        job_of(link_op, LINK_RECORD, "Link a NetSuite record to a record of the target.", settings),
        job_of(unlink_op, UNLINK_RECORD, "Remove the link that a person set.", settings),
    ]


def _link(connections: Connections, config: Link, approver: str) -> None:
    workflow = connections.workflow(config.workflow)
    if not all(connections.warehouse.has(name) for name in (workflow.plan, workflow.target_state)):
        raise SyncError(f"{workflow.name} was not planned yet; run `millpond plan {workflow.name}` first")
    _, clock = connections.target(workflow)
    target_id, now = config.target_id or None, utc_now(clock)
    link = ManualLink(workflow.name, config.source, config.source_id, target_id, approver, now, config.reason)
    with connections.warehouse.writer() as con:
        save_manual_link(con, link)


def _unlink(connections: Connections, config: Unlink, approver: str) -> None:
    with connections.warehouse.writer() as con:
        removed = delete_manual_link(
            con, config.workflow, config.source, config.source_id, approver, connections.now, config.reason
        )
    if not removed:
        raise SyncError(
            f"{config.source} {config.source_id} has no manual link in {config.workflow}; there is nothing to remove"
        )


def _observe(context: dg.OpExecutionContext, config: Unlink, text: str, settings: MillpondSettings) -> None:
    description = f"{text} ({config.reason})" if config.reason else text
    metadata = {"workflow": config.workflow, "source": config.source, "source_id": config.source_id}
    observe(context, settings, f"plan_{config.workflow}", description, metadata)
