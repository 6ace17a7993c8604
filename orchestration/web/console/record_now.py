"""The next run's decision on one record, read again from NetSuite and the targets; nothing is sent.

record  ->  record_now()  ->  RecordNow: a preview per workflow
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.exceptions import HTTPException

from assets.delivery.audit.explain import workflows_of
from assets.delivery.audit.find import Record
from assets.delivery.audit.preview import Preview
from assets.delivery.errors import MappingError, SyncError
from orchestration.configuration.settings_error import SettingsError
from orchestration.connections import open_connections
from orchestration.record_preview import Unplanned, preview_everywhere
from orchestration.web.console.records import known_record
from orchestration.web.console.site import Account
from resources.errors import IntegrationError

WAIT_S = 20.0  # for a run that writes: someone waits for the page


@dataclass(frozen=True)
class RecordNow:
    """The page; `hides` leaves values and names out."""

    record: Record
    previews: Sequence[Preview]
    without: Sequence[Unplanned]
    read_at: datetime
    hides: bool


def record_now(account: Account, source: str, source_id: str) -> RecordNow | None:
    """Return what would happen to a record now; None if it was never read.

    Raises:
        HTTPException: NetSuite, a target or the warehouse cannot be read now.
    """
    record = known_record(account, source, source_id)
    if record is None:
        return None
    try:
        with open_connections(account.settings) as connections:
            connections.warehouse.lock_timeout_s = WAIT_S
            names = workflows_of(connections.warehouse, source)
            chosen = [connections.workflows[name] for name in names if name in connections.workflows]
            made, without = preview_everywhere(connections, chosen, record)
            return RecordNow(record, made, without, connections.now, account.live.hides_personal)
    except (SyncError, MappingError, IntegrationError, SettingsError) as error:
        raise HTTPException(409, str(error)) from error
    except TimeoutError:
        raise HTTPException(409, "A run is writing; try again when it has ended.") from None
