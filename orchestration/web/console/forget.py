"""The page of forgetting: the records that are forgotten, with their proofs, and what would be erased of another one.

sync_forgotten, sync_events  ->  forgotten_records()          a record  ->  survey(), which the page loads afterwards
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assets.delivery.errors import MappingError, SyncError
from assets.delivery.forget.erase import Decision
from assets.delivery.ledger.events import details_of, key_of
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
class Survey:
    """Values that would be erased of a record, or the reason why they are not known."""

    source: str
    source_id: str
    proof: Proof | None
    problem: str = ""


def forgotten_records(account: Account) -> tuple[Sequence[ForgottenRecord], Reading]:
    """Return the records that were forgotten, the newest first, and the time of the data.

    Raises:
        BusyError: A run is writing.
    """
    if not account.live.exists():
        return [], Reading(utc_now(account.clock), is_empty=True)
    return account.read(_forgotten, is_private=True)


def survey(account: Account, source: str, source_id: str) -> tuple[Survey, Reading]:
    """Return what would be erased, and the time of the data; files are searched only by the run that erases.

    It looks at every text in the warehouse, so that a page loads it afterwards.

    Raises:
        BusyError: A run is writing.
    """
    if not account.live.exists():
        return Survey(source, source_id, None), Reading(utc_now(account.clock), is_empty=True)

    def query(warehouse: Warehouse) -> Survey:
        decision = Decision("", utc_now(WallClock()))
        try:
            return Survey(source, source_id, survey_record(warehouse, account.settings, source, source_id, decision))
        except (SyncError, MappingError) as error:
            return Survey(source, source_id, None, str(error))

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
        ForgottenRecord(name, key, at, by, state, details_of(details.get(key_of(name, key))).get("erased", {}))
        for name, key, at, by, state in rows
    ]
