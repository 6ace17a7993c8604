"""Every private name of Dagster that production code uses, so that an upgrade of Dagster is checked in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.stats import StepEventStatus
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.scheduler.instigation import InstigatorState
from dagster._serdes import serialize_value
from dagster._utils.error import serializable_error_info_from_exc_info

DAEMON_MODULE = "dagster._daemon"  # `python -m`: the command `dagster-daemon` may not be on PATH
PARTITION_TAG = "dagster/partition"
MAX_RETRIES_TAG = "dagster/max_retries"
RETRY_STRATEGY_TAG = "dagster/retry_strategy"


@contextmanager
def open_workspace(instance: dg.DagsterInstance, file: Path, *, read_only: bool) -> Iterator[Any]:
    """Open the process context that Dagster's webserver serves; the imports are late because only it needs them."""
    from dagster._cli.workspace.cli_target import workspace_opts_to_load_target
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster_shared.cli import WorkspaceOpts

    target = workspace_opts_to_load_target(WorkspaceOpts(workspace=(str(file),)))
    with WorkspaceProcessContext(instance, read_only=read_only, workspace_load_target=target) as context:
        yield context


def renamed_instigator(state: InstigatorState, name: str) -> InstigatorState:
    """Return the state of a schedule or sensor, on or off and with its cursor, under another name."""
    origin = state.origin._replace(instigator_name=name)
    return InstigatorState(origin, state.instigator_type, state.status, state.instigator_data)


__all__ = [
    "DAEMON_MODULE",
    "MAX_RETRIES_TAG",
    "PARTITION_TAG",
    "RETRY_STRATEGY_TAG",
    "CheckRunHealthResult",
    "DefaultRunLauncher",
    "ExecutionPlan",
    "ExecutionStep",
    "InstigatorState",
    "KnownExecutionState",
    "PlanOrchestrationContext",
    "RetryMode",
    "StepEventStatus",
    "UnresolvedAssetJobDefinition",
    "WorkerStatus",
    "open_workspace",
    "renamed_instigator",
    "serializable_error_info_from_exc_info",
    "serialize_value",
]
