"""The step that brings the tables of NetSuite's records up to date: raw, staging and history of all record types.

extract_all()  ->  raw_netsuite__*  ->  stg_netsuite__*  ->  hist_netsuite__*;  netsuite_reads names what failed

What always runs together is one step, and any of its assets can be selected alone. A table that fails yields nothing,
so Dagster skips what reads it and goes on with the rest; a second step, the check of `netsuite_reads`, then fails the
run. Without that check among its steps, the first step fails itself, and everything after it waits.
"""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import duckdb

from assets.asset_metadata import table_metadata
from assets.failures import FAILED, RETRY, failure_of, is_retried, retried
from assets.netsuite.assets import READS, RECONCILE_TAG, raw_metadata, raw_specs, reads_spec
from assets.netsuite.extract.extract_all import NotReadError, Outcome, extract_all
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from assets.warehouse.history import LAYER as HISTORY
from assets.warehouse.history import add_versions, history_check_spec
from assets.warehouse.staging import LAYER as STAGING
from assets.warehouse.staging import stage, staging_check_spec, table_spec
from resources.errors import IntegrationError
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.tables import ensure_table
from resources.warehouse.warehouse import Warehouse, WarehouseError
from sql import Statement, names, statement

STEP, CHECK_STEP = "netsuite_tables", "netsuite_reads_check"
CHECK = "every_table_is_current"
PARTITION_TAG = "dagster/partition"  # of a run: its account
HISTORY_TABLES = tuple(names(HISTORY))

Make = Callable[[duckdb.DuckDBPyConnection, Statement], dg.MaterializeResult[Any]]
Event = dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckResult


def source_tables(on_demand: Sequence[str] = ()) -> dg.AssetsDefinition:
    """Return the assets of NetSuite's tables; types `on_demand` are read only because a workflow reads them."""
    record_types = [*RECORD_TYPES, *on_demand]
    staged = [statement(STAGING, name) for name in (*names(STAGING), *(f"stg_netsuite__{each}" for each in on_demand))]
    versioned = [
        statement(HISTORY, name) for name in (*HISTORY_TABLES, *(f"hist_netsuite__{each}" for each in on_demand))
    ]

    @dg.multi_asset(
        name=STEP,
        specs=[
            *raw_specs(record_types),
            *map(table_spec, staged),
            *(table_spec(each, HISTORY) for each in versioned),
            reads_spec(record_types),
        ],
        check_specs=[*map(staging_check_spec, staged), *map(history_check_spec, versioned)],
        can_subset=True,
        pool="duckdb",
    )
    def tables(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        netsuite: dg.ResourceParam[NetSuiteClient],
        extraction: dg.ResourceParam[ExtractionSettings],
    ) -> Iterator[Any]:
        with retried(RETRY, context.op_execution_context.retry_number):
            run = SourceRun(context, warehouse)
            read = [each for each in record_types if run.wanted.intersection(record_type_of(each).raw_tables)]
            yield from run.read(netsuite, read, extraction)
            yield from run.make([(each, stage) for each in staged] + [(each, add_versions) for each in versioned])
            yield from run.end()

    return tables


def source_check() -> dg.AssetChecksDefinition:
    """Return the check that fails a run in which a table could not be brought up to date."""
    spec = dg.AssetCheckSpec(
        CHECK,
        asset=READS,
        description="Every table of the run was read, staged and versioned; a failed check names those that were not.",
    )

    @dg.multi_asset_check(name=CHECK_STEP, specs=[spec])
    def every_table_is_current(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        failed = _failed_tables(context.instance, context.run)
        text = "; ".join(f"{table}: {reason}" for table, reason in failed.items()) or "all of them"
        yield dg.AssetCheckResult(asset_key=READS, check_name=CHECK, passed=not failed, description=text)
        if failed:
            raise failure_of(failed)

    return every_table_is_current


@dataclass
class SourceRun:
    """One attempt of the step.

    Attributes:
        failed: Tables that failed, with their errors.
        behind: Tables that are not up to date: these, and those that read them.
        retries: A failed table may succeed in a few seconds.
    """

    context: dg.AssetExecutionContext
    warehouse: Warehouse
    failed: dict[str, str] = field(default_factory=dict)
    behind: set[str] = field(default_factory=set)
    retries: bool = False

    def __post_init__(self) -> None:
        """Find out what to make: what was selected and not made by an earlier attempt."""
        context, selected = self.context, {key.to_user_string() for key in self.context.selected_asset_keys}
        made = _made(context.instance, context.run.run_id) if self._attempt else {}
        self.wanted = selected - made.keys()
        steps = context.run.step_keys_to_execute or context.op_execution_context.job_def.graph.node_dict
        self._fails_later = READS in selected and CHECK_STEP in steps

    @property
    def _attempt(self) -> int:
        return self.context.op_execution_context.retry_number

    def read(
        self, netsuite: NetSuiteClient, record_types: Sequence[str], settings: ExtractionSettings
    ) -> Iterator[Event]:
        """Read record types from NetSuite, and yield their raw tables."""
        if not record_types:
            return
        run = self.context.run
        reconcile = RECONCILE_TAG in run.tags
        outcomes = extract_all(self.warehouse, netsuite, record_types, settings, run_id=run.run_id, reconcile=reconcile)
        for outcome in outcomes:
            yield from self._raw(outcome)

    def _raw(self, outcome: Outcome) -> Iterator[Event]:
        tables, report = record_type_of(outcome.name).raw_tables, outcome.report
        if report is None:
            self._note(tables, outcome.error)
            return
        for warning in report.warnings:
            self.context.log.warning(warning)
        for table in tables:
            if table in self.wanted:
                yield dg.MaterializeResult(asset_key=table, metadata=raw_metadata(report, table))

    def make(self, tables: Sequence[tuple[Statement, Make]]) -> Iterator[Event]:
        """Make the selected tables in their order, each in a transaction of its own, and yield them."""
        wanted = [(definition, make) for definition, make in tables if definition.name in self.wanted]
        results: list[dg.MaterializeResult[Any]] = []
        if not wanted:
            return
        try:
            with self.warehouse.transactions() as transaction:
                for definition, make in wanted:
                    if self.behind.intersection(definition.reads):
                        self.behind.add(definition.name)
                        continue
                    try:
                        with transaction() as con:
                            results.append(make(con, definition))
                    except Exception as error:  # noqa: BLE001 - of one table; the others are made
                        self._note([definition.name], error)
                    else:
                        self._judge(results[-1])
        except (WarehouseError, TimeoutError) as error:
            self._note([each.name for each, _ in wanted if each.name not in self.behind], error)
        for result in results:
            yield from self._events(result)

    def _judge(self, result: dg.MaterializeResult[Any]) -> None:
        """After a failed check, stop what reads the table."""
        table = _name_of(result)
        for check in result.check_results:
            if not check.passed:
                self.failed.setdefault(table, f"check {check.check_name}: {check.description}")
                self.behind.add(table)

    def _events(self, result: dg.MaterializeResult[Any]) -> Iterator[Event]:
        """Yield a table; one whose check failed exists, but is no output that other steps may use."""
        if _name_of(result) not in self.behind:
            yield result
            return
        partition = self.context.partition_key if self.context.has_partition_key else None
        yield dg.AssetMaterialization(asset_key=_name_of(result), metadata=result.metadata, partition=partition)
        yield from result.check_results

    def _note(self, tables: Sequence[str], error: Exception | None) -> None:
        """Note that tables are not up to date, and why; what only follows another failure has no error of its own."""
        self.behind.update(tables)
        if isinstance(error, NotReadError) or error is None:
            return
        is_known = isinstance(error, dg.Failure | IntegrationError | WarehouseError)
        if isinstance(error, dg.Failure):
            text = error.description or "failed"
        elif is_known or isinstance(error, TimeoutError):
            text = str(error)
        else:
            text = f"{type(error).__name__}; see the run's log in the UI"
            self.context.log.error("%s: %s", tables[0], "".join(traceback.format_exception(error)))
        self.failed[tables[0]] = text
        self.retries = self.retries or is_retried(error) or not is_known

    def end(self) -> Iterator[Event]:
        """Yield the log of reads with what failed.

        Raises:
            Failure: A table failed, and may succeed if it is tried again, or no later step would fail the run.
        """
        if self.failed and self.retries and self._attempt < RETRY.max_retries:
            raise failure_of(self.failed, allow_retries=True)
        if self.failed and not self._fails_later:
            raise failure_of(self.failed)
        if READS in self.wanted:
            definition = statement("ledger", READS)
            with self.warehouse.writer() as con:
                ensure_table(con, definition)
                metadata = table_metadata(con, READS, definition.column_comments)
            metadata[FAILED] = dg.MetadataValue.json(self.failed)
            yield dg.MaterializeResult(asset_key=READS, metadata=metadata)


def _name_of(result: dg.MaterializeResult[Any]) -> str:
    assert result.asset_key is not None
    return dg.AssetKey.from_coercible(result.asset_key).to_user_string()


def _made(instance: dg.DagsterInstance, run_id: str) -> dict[str, dg.AssetMaterialization]:
    """Return what a run has materialized so far, by name."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    made = [entry.asset_materialization for entry in entries if entry.asset_materialization]
    return {each.asset_key.to_user_string(): each for each in made}


def _failed_tables(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Mapping[str, str]:
    """Return the tables that failed in this run or, if it read none, in the account's last one that did."""
    made = _made(instance, run.run_id).get(READS)
    if made is None:
        account = run.tags.get(PARTITION_TAG)
        wanted = dg.AssetRecordsFilter(dg.AssetKey(READS), asset_partitions=[account] if account else None)
        records = instance.fetch_materializations(wanted, limit=1).records
        made = records[0].asset_materialization if records else None
    found: Any = made.metadata.get(FAILED) if made else None
    return found.value if found else {}
