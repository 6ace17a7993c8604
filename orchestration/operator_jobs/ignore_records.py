"""The job `ignore_records`: `millpond ignore` in the Dagster UI and in the console.

config {workflow, source, source_ids or cause, until, reason}  ->  ignore_records(), count_again()  ->  sync_ignored
"""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from assets.delivery.errors import SyncError
from assets.delivery.schemas import SourceKey
from assets.delivery.spec.workflow import Workflow
from assets.failures import refusals
from assets.result_texts import counted
from orchestration.authorization import approver_of
from orchestration.automation.groups import IGNORE_RECORDS
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections
from orchestration.ledger_sealing import publish_sealed
from orchestration.operator_jobs.decision_job import decision_op, job_of, observe
from orchestration.operator_jobs.ignore import count_again, ignore_records, keys_of_cause

IGNORE_OP = "ignore"  # an op must not share its job's name


class Ignore(dg.Config):
    """The records to ignore, or to count again."""

    workflow: str = Field(description="The workflow's name.")
    source: str = Field(description="Source of the records, such as customers.")
    source_ids: list[str] = Field(
        default=[], description="NetSuite ids; empty: all records of the cause, or, without `until`, all ignored ones."
    )
    cause: dict[str, str] = Field(
        default={}, description="action, root_source, root_action and root_code, as the console's page lists them."
    )
    until: str = Field(default="", description="Last day, such as 2026-12-31; blank: count the records again at once.")
    reason: str = Field(description="Author and reason of the decision, recorded with the run and the records.")


def ignore_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job that ignores records until a date, or counts them again."""

    @decision_op(
        IGNORE_OP,
        "Leaves records that are held back out of counts, lists and alerts until a date; nothing is sent.",
        workflows,
    )
    def ignore_op(context: dg.OpExecutionContext, config: Ignore) -> None:
        connections = Connections.of(workflows, context.resources)
        with refusals(SyncError):
            text = _carry_out(connections, config, approver_of(context.run.tags))
            publish_sealed(connections.warehouse)
        metadata = {"workflow": config.workflow, "source": config.source}
        observe(context, settings, f"plan_{config.workflow}", f"{text} ({config.reason})", metadata)

    about = "Ignore records that are held back until a date, or count them again."
    return job_of(ignore_op, IGNORE_RECORDS, about, settings)


def _carry_out(connections: Connections, config: Ignore, approver: str) -> str:
    workflow = connections.workflow(config.workflow)
    keys = [SourceKey(config.source, each) for each in config.source_ids]
    if not config.until:
        count = count_again(connections, workflow, keys or None, config.reason, approver, config.source)
        return f"{counted(count, config.source)} {'is' if count == 1 else 'are'} counted again"
    keys = keys or keys_of_cause(connections, workflow, {**config.cause, "source": config.source})
    count = ignore_records(connections, workflow, keys, config.until, config.reason, approver)
    return f"{counted(count, config.source)} {'is' if count == 1 else 'are'} ignored until {config.until}"
