"""The job `forget_record`: `millpond forget` in the Dagster UI and in the console.

config {source, source_id, reason}  ->  forget_record()  ->  the proof, as counts in the run's metadata
"""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from assets.delivery.chain.checkpoints import ChainError
from assets.delivery.component.asset_spec import POOL
from assets.delivery.errors import MappingError, SyncError
from assets.delivery.forget.erase import Decision
from assets.delivery.spec.workflow import Workflow
from assets.failures import refusals
from orchestration.account_partitions import account_of
from orchestration.authorization import approver_of
from orchestration.automation.groups import FORGET_RECORD
from orchestration.configuration.settings import MillpondSettings
from orchestration.forgetting.perform import forget_record
from orchestration.opened_warehouse import warehouse_clock
from orchestration.operator_jobs.decision_job import job_of
from resources.clock import utc_now

FORGET_OP = "forget"  # an op must not share its job's name


class Forget(dg.Config):
    """The record to forget."""

    source: str = Field(description="Record type, such as contacts.")
    source_id: str = Field(description="NetSuite id of the record.")
    reason: str = Field(description="Author and reason of the decision, recorded with the run and the record.")


def forget_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job that erases the personal values of one record."""

    @dg.op(
        name=FORGET_OP,
        description="Erases the personal values of one record from every table and file; this cannot be undone.",
        pool=POOL,
        out=dg.Out(dg.Nothing),
    )
    def forget_op(context: dg.OpExecutionContext, config: Forget) -> None:
        account = account_of(context.run, settings)
        with refusals(SyncError, MappingError, ChainError):
            decision = Decision(approver_of(context.run.tags), utc_now(warehouse_clock(account)), config.reason.strip())
            proof = forget_record(account, list(workflows), config.source, config.source_id, decision)
        for line in proof.lines():
            context.log.info(line)
        context.add_output_metadata({"proof": dg.MetadataValue.json(proof.document())})

    return job_of(
        forget_op, FORGET_RECORD, "Erase the personal values of one record everywhere, and prove it.", settings
    )
