"""The job `undo_run`: `millpond undo` in the Dagster UI and in the console.

config {run, records, where, reason}  ->  undo_run()  ->  a plan per workflow, which waits like any other
"""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from assets.delivery.errors import NothingToUndoError, SyncError
from assets.delivery.spec.workflow import Workflow
from assets.failures import refusals
from orchestration.authorization import approver_of
from orchestration.automation.groups import UNDO_RUN
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.operator_jobs.decision_job import decision_op, job_of, observe
from orchestration.operator_jobs.plan_actions import undo_run
from resources.errors import IntegrationError

UNDO_OP = "undo"  # an op must not share its job's name


class Undo(dg.Config):
    """The run to undo."""

    run: str = Field(description="The run's id or its first characters.")
    records: list[str] = Field(
        default=[], description="NetSuite ids of the records to undo, `source:id` or `workflow:source:id`; empty: all."
    )
    where: str = Field(default="", description="SQL condition, such as `action = 'update'`.")
    reason: str = Field(description="Author and reason of the decision, recorded with the run.")


def undo_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job that plans the undo of a run; `apply_plan` sends that plan."""

    @decision_op(UNDO_OP, "Makes a plan that reverts a run; nothing is sent.", workflows)
    def undo_op(context: dg.OpExecutionContext, config: Undo) -> None:
        connections = Connections.of(workflows, context.resources)
        with refusals(SyncError):
            approver = approver_of(context.run.tags)
            made, problems = undo_run(connections, config.run, config.records, config.where, approver, config.reason)
            for problem in problems:
                context.log.warning(str(problem))
            for name, undone in made:
                text = f"plan {undone.plan_id} reverts run {config.run[:8]}: {config.reason}"
                metadata = {"plan": undone.plan_id, "workflow": name, "conflicts": undone.conflicts}
                observe(context, settings, f"plan_{name}", text, metadata)
            failed = [each for each in problems if not (made and isinstance(each, NothingToUndoError))]
            if failed:
                outage = next((each for each in failed if isinstance(each, IntegrationError)), None)
                raise outage or SyncError("; ".join(map(str, failed)))

    return job_of(undo_op, UNDO_RUN, "Plan the undo of a run; apply_plan sends the plan.", settings)
