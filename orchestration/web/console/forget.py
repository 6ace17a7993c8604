"""The page of forgetting: a record and what would be erased, and the records that are forgotten, with their proofs.

sync_forgotten, sync_events  ->  forget_page()  ->  ForgetPage
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from assets.delivery.errors import MappingError, SyncError
from assets.delivery.forget.erase import Decision
from assets.delivery.ledger.events import key_of
from orchestration.forgetting.perform import survey_record
from orchestration.forgetting.proof import Proof
from orchestration.web.console.site import Account, Reading
from resources.clock import WallClock, utc_now
from resources.warehouse.forgotten import TABLE
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse

SHOWN = 50


@dataclass(frozen=True)
class ForgottenRecord:
    """A record that was forgotten; `erased` has the rows by table, `state` whether it still is."""

    source: str
    source_id: str
    forgotten_at: datetime
    decided_by: str
    state: str
    erased: Mapping[str, int]


@dataclass(frozen=True)
class ForgetPage:
    """The content of the page: what would be erased of the chosen record, or the problem; and the forgotten records."""

    source: str
    source_id: str
    proof: Proof | None
    problem: str
    forgotten: Sequence[ForgottenRecord]


def forget_page(account: Account, source: str, source_id: str) -> tuple[ForgetPage, Reading]:
    """Return the page, and the time of the data; files are searched only by the run that erases.

    Raises:
        BusyError: A run is writing.
    """
    nothing = ForgetPage(source, source_id, None, "", [])
    if not account.live.exists():
        return nothing, Reading(utc_now(account.clock), is_empty=True)

    def query(warehouse: Warehouse) -> ForgetPage:
        forgotten = _forgotten(warehouse)
        if not (source and source_id):
            return replace(nothing, forgotten=forgotten)
        try:
            proof = survey_record(warehouse, account.settings, source, source_id, Decision("", utc_now(WallClock())))
        except (SyncError, MappingError) as error:
            return replace(nothing, problem=str(error), forgotten=forgotten)
        return replace(nothing, proof=proof, forgotten=forgotten)

    return account.read(query, is_private=True)


def _forgotten(warehouse: Warehouse) -> list[ForgottenRecord]:
    with warehouse.writer(transaction=False) as con:
        if not (has_table(con, TABLE) and has_table(con, "sync_events")):
            return []
        details = dict(
            con.execute(
                "select subject, arg_max(details, position) from sync_events where event = 'forgotten' group by subject"
            ).fetchall()
        )
        rows = con.execute(
            f"select source, source_id, forgotten_at, coalesce(decided_by, ''), case when returned_at is not null then"
            f" 'back' when lifted_at is not null then 'lifted' else 'forgotten' end from {TABLE}"
            f" order by position desc limit {SHOWN}"
        ).fetchall()
    return [
        ForgottenRecord(name, key, at, by, state, json.loads(details.get(key_of(name, key), "{}")).get("erased", {}))
        for name, key, at, by, state in rows
    ]
