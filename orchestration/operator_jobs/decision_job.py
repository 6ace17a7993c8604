"""The parts that jobs of a person's decision have in common: the op, the job around it, and the event that shows it.

@decision_op(…) on a function  ->  job_of(op, …)  ->  a job that is not retried; observe()  ->  the page of an asset
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from assets.delivery.component.asset_spec import POOL
from assets.delivery.spec.workflow import Workflow
from orchestration.account_partitions import account_of, partitions_of
from orchestration.configuration.settings import MillpondSettings
from orchestration.dagster_internals import MAX_RETRIES_TAG

ONCE = {MAX_RETRIES_TAG: "0"}  # a decision is carried out once


def decision_op(
    name: str, description: str, workflows: Sequence[Workflow], *more: str
) -> Callable[[Callable[..., None]], dg.OpDefinition]:
    """Return the decorator of an op with the warehouse, the clients of these workflows, and further resources."""
    keys = {"warehouse", *(each.spec.connection_name for each in workflows), *more}
    return dg.op(name=name, description=description, required_resource_keys=keys, pool=POOL, out=dg.Out(dg.Nothing))


def job_of(op: dg.OpDefinition, name: str, description: str, settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job of one op, whose name must differ from the job's."""
    graph = dg.GraphDefinition(name=name, node_defs=[op])
    return graph.to_job(description=description, partitions_def=partitions_of(settings), tags=ONCE)


def observe(
    context: dg.OpExecutionContext,
    settings: MillpondSettings,
    asset: str,
    description: str,
    metadata: Mapping[str, Any],
) -> None:
    """Show a decision on the page of an asset."""
    partition = account_of(context.run, settings).account or None
    context.log_event(
        dg.AssetObservation(asset_key=asset, description=description, metadata=metadata, partition=partition)
    )
