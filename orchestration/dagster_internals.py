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
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, TickData
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
)
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData, deserialize_value, serialize_value
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
    "ConfigurableClassData",
    "DagsterSqliteStorage",
    "DefaultRunLauncher",
    "ExecutionPlan",
    "ExecutionStep",
    "InstigatorState",
    "InstigatorTick",
    "KnownExecutionState",
    "PlanOrchestrationContext",
    "RetryMode",
    "SqliteEventLogStorage",
    "SqliteEventLogStorageWatchdog",
    "SqliteRunStorage",
    "SqliteScheduleStorage",
    "StepEventStatus",
    "TickData",
    "UnresolvedAssetJobDefinition",
    "WorkerStatus",
    "deserialize_value",
    "open_workspace",
    "renamed_instigator",
    "serializable_error_info_from_exc_info",
    "serialize_value",
]
