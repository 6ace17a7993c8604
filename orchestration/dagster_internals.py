"""Every private name of Dagster that production code uses, so that an upgrade of Dagster is checked in one place."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.stats import StepEventStatus
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, TickData
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
)
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._core.workspace.context import WorkspaceRequestContext
from dagster._core.workspace.permissions import PermissionResult
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


class _LimitedContext(WorkspaceRequestContext):
    """The context of a request whose user has a part of the permissions; the UI shows the others as disabled."""

    allowed: Collection[str] = ()

    @property
    def permissions(self) -> Mapping[str, PermissionResult]:
        """The permissions of the whole workspace."""
        return self._limited(super().permissions)

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:
        """Return the permissions of one code location."""
        return self._limited(super().permissions_for_location(location_name=location_name))

    def _limited(self, given: Mapping[str, PermissionResult]) -> Mapping[str, PermissionResult]:
        denied = PermissionResult(enabled=False, disabled_reason="your role does not allow this")
        return {name: result if str(name) in self.allowed else denied for name, result in given.items()}


def limited_context(process: Any, source: object, allowed: Collection[str]) -> WorkspaceRequestContext:
    """Return the context of one request, with no more than these permissions."""
    context = _LimitedContext(
        instance=process.instance,
        current_workspace=process.get_current_workspace(),
        process_context=process,
        version=process.version,
        source=source,
        read_only=process.read_only,
    )
    context.allowed = allowed
    return context


def before_storing(
    instance: dg.DagsterInstance,
    run: Callable[[dg.DagsterRun], dg.DagsterRun],
    backfill: Callable[[PartitionBackfill], PartitionBackfill],
) -> None:
    """Pass every run and backfill that this process stores through a function, which may refuse it."""
    storage = instance.run_storage
    add_run, add_backfill = storage.add_run, storage.add_backfill
    storage.add_run = lambda dagster_run: add_run(run(dagster_run))  # type: ignore[method-assign]
    storage.add_backfill = lambda partition_backfill: add_backfill(backfill(partition_backfill))  # type: ignore[method-assign]


def capture_nothing(instance: dg.DagsterInstance) -> None:
    """Let runs of this process print on its terminal, not into a file that child processes copy there.

    Ctrl-C would end these processes as well, each with a traceback.
    """
    instance._compute_log_manager = NoOpComputeLogManager()  # noqa: SLF001


def renamed_instigator(state: InstigatorState, name: str) -> InstigatorState:
    """Return the state of a schedule or sensor, on or off and with its cursor, under another name."""
    origin = state.origin._replace(instigator_name=name)
    return InstigatorState(origin, state.instigator_type, state.status, state.instigator_data)


__all__ = [
    "DAEMON_MODULE",
    "INDEX_SHARD_NAME",
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
    "PartitionBackfill",
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
    "before_storing",
    "capture_nothing",
    "deserialize_value",
    "limited_context",
    "open_workspace",
    "renamed_instigator",
    "serializable_error_info_from_exc_info",
    "serialize_value",
]
