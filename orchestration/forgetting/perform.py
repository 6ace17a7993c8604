"""Forget a record: its personal values vanish from the home's files, then from the warehouse, then from free pages.

source, id  ->  forget_record()  ->  files  ->  warehouse, in one transaction, with the mark  ->  compaction, snapshot
            ->  Proof

The warehouse comes after the files, because the values to look for are read from it. Killed at any moment, the same
command finishes; what is done is not found again.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from assets.delivery.errors import SyncError
from assets.delivery.forget.erase import Decision, Erased, erase, lift, merged, survey
from assets.delivery.forget.found import found_elsewhere
from assets.delivery.forget.places import places_of, with_target_texts
from assets.delivery.forget.sections import Sections
from assets.delivery.forget.subject import Subject, read_subject
from assets.delivery.spec.workflow import Workflow
from orchestration.configuration.settings import MillpondSettings
from orchestration.forgetting.home_files import (
    BACKUP_COPIES,
    Searched,
    erase_in_files,
    files_of,
    remaining,
    search_files,
)
from orchestration.forgetting.proof import InTarget, Proof
from orchestration.forgetting.texts import Spelled
from orchestration.forgetting.unsearched import unsearched
from orchestration.ledger_sealing import keep_last, ledger_signer, seal_ledger
from orchestration.opened_warehouse import warehouse_of
from resources.failpoints import reach
from resources.scratch import remove_abandoned, remove_left
from resources.warehouse.forgotten import TABLE, TARGET_IDS
from resources.warehouse.tables import has_table, tables_of
from resources.warehouse.warehouse import Warehouse

LOCK, LOCK_TIMEOUT_S = "forget.lock", 5.0


def forget_record(
    settings: MillpondSettings, workflows: list[Workflow], source: str, source_id: str, decision: Decision
) -> Proof:
    """Erase a record's personal values everywhere.

    Args:
        settings: The settings of one account.
        workflows: Its workflows: while they run, nothing is erased.
        source: Staging table without its prefix.
        source_id: NetSuite internal id.
        decision: Who, when and why.

    Raises:
        SyncError: The record is not known, or something runs; nothing was changed.
        ChainError: The ledger's chain cannot be continued; the warehouse was not changed.
        WarehouseError: The storage cannot be read or written; the same command continues.
    """
    warehouse, home = warehouse_of(settings), _searched(settings)
    with _alone(warehouse, home.home, workflows):
        subject = _read(warehouse, source, source_id)
        spelled = Spelled(subject.texts)
        decision = replace(decision, note=spelled.replaced(decision.note))  # which may name the person
        elsewhere = found_elsewhere(_sections(warehouse), subject)  # the values are not known afterwards
        reach("forget_read")
        files = erase_in_files(home, spelled)
        reach("forget_files")
        with warehouse.writer(tuned=True) as con:
            erased = merged(erase(con, subject, ledger_signer(), decision))
            proof = _proof(con, subject, decision, erased, home)
            reach("forget_open")
        reach("forget_kept")
        keep_last(warehouse)
        seal_ledger(warehouse)
        proof.bytes_before, proof.bytes_after = warehouse.compact()
        reach("forget_compacted")
        warehouse.publish()
        remove_abandoned(warehouse.folder)
        remove_left(home.home, f"{BACKUP_COPIES}*")
        proof.files, proof.left = files, remaining(home, spelled)
    proof.elsewhere, proof.not_searched = elsewhere, [*unsearched(settings)]
    return proof


def plan_forgetting(settings: MillpondSettings, source: str, source_id: str, decision: Decision) -> Proof:
    """Return what `forget_record` would erase; nothing is changed.

    Raises:
        SyncError: The record is not known.
    """
    warehouse, home = warehouse_of(settings), _searched(settings)
    subject = _read(warehouse, source, source_id)
    proof = _survey(warehouse, subject, decision, home)
    proof.not_searched = [*unsearched(settings)]
    proof.files = search_files(home, Spelled(subject.texts))
    return proof


def survey_record(
    warehouse: Warehouse, settings: MillpondSettings, source: str, source_id: str, decision: Decision
) -> Proof:
    """Return what would be erased from the warehouse.

    Raises:
        SyncError: The record is not known.
    """
    proof = _survey(warehouse, _read(warehouse, source, source_id), decision, _searched(settings))
    proof.not_searched = [*unsearched(settings)]
    return proof


def _survey(warehouse: Warehouse, subject: Subject, decision: Decision, home: Searched) -> Proof:
    """Search table by table: runs go on meanwhile, and the counts of each table are of its own moment."""
    with warehouse.kept_open():
        sections = _sections(warehouse)
        erased = merged(survey(sections, subject))
        with sections() as con:
            proof = _proof(con, subject, decision, erased, home)
        proof.elsewhere, proof.is_dry_run = found_elsewhere(sections, subject), True
    return proof


def _read(warehouse: Warehouse, source: str, source_id: str) -> Subject:
    """Return the record, with the values to look for; SyncError if it is not known."""
    sections = _sections(warehouse)
    with warehouse.kept_open():
        with sections() as con:
            subject = read_subject(con, source, source_id)
        return with_target_texts(sections, subject)


def _sections(warehouse: Warehouse) -> Sections:
    return partial(warehouse.writer, transaction=False)


def _searched(settings: MillpondSettings) -> Searched:
    return Searched(settings.home.absolute(), settings.account)


def lift_forgetting(settings: MillpondSettings, source: str, source_id: str, decision: Decision) -> bool:
    """Let the next reading store a record's values again; return whether it was forgotten."""
    warehouse = warehouse_of(settings)
    with warehouse.writer() as con:
        done = has_table(con, TABLE) and lift(con, source, source_id, decision)
    seal_ledger(warehouse)
    return done


def _proof(
    con: duckdb.DuckDBPyConnection, subject: Subject, decision: Decision, erased: list[Erased], home: Searched
) -> Proof:
    marks = [] if not has_table(con, TABLE) else con.execute(
        f"select forgotten_at, decided_by from {TABLE} where source = ? and source_id = ? and returned_at is null",
        [subject.source, subject.source_id],
    ).fetchall()  # fmt: skip
    at, by = marks[0] if marks else ("", decision.by)
    return Proof(
        subject.source, subject.source_id, is_dry_run=False, forgotten_at=_seconds(at), decided_by=by,
        reason=decision.note, erased=erased,
        searched={"tables": len({each.table for each in places_of(con, subject)}), "files": len([*files_of(home)])},
        in_targets=list(_in_targets(con, subject)),
    )  # fmt: skip


def _seconds(moment: datetime | str) -> str:
    return moment if isinstance(moment, str) else moment.isoformat(" ", "seconds")


def _in_targets(con: duckdb.DuckDBPyConnection, subject: Subject) -> Iterator[InTarget]:
    """Yield the target records of the record, as far as the last reading of the target shows them."""
    if not has_table(con, "sync_links"):
        return
    urls = dict(con.execute("select workflow, template from sync_record_urls").fetchall())
    for table in sorted(each for each in tables_of(con) if each.startswith("target_") and each != "target_links"):
        workflow = table.removeprefix("target_")
        values = {"workflow": workflow, "source": subject.source, "source_id": subject.source_id}
        rows = con.execute(f'select target_id from "{table}" where target_id in ({TARGET_IDS})', values).fetchall()
        for (target_id,) in rows:
            template = urls.get(workflow)
            yield InTarget(workflow, target_id, template.replace("{id}", target_id) if template else None)


@contextmanager
def _alone(warehouse: Warehouse, home: Path, workflows: list[Workflow]) -> Iterator[None]:
    """Hold every lock under which values are read, made or sent; what began before ends first.

    Raises:
        SyncError: A run holds one of them.
    """
    names = {
        name
        for each in workflows
        for name in (each.mart, each.target_state, f"plan_{each.name}", each.spec.connection_name)
    }
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(home / LOCK, LOCK_TIMEOUT_S, mode=0o600))
            for name in sorted(names):
                stack.enter_context(warehouse.lock(name, 0))
        except (Timeout, TimeoutError) as error:
            raise SyncError("a run is reading, planning or sending; repeat the command when it has ended") from error
        yield
