"""The user event script of `resources/netsuite/suitescript`: after each save it posts the record's type and id.

deploy()  ->  user_event.json  ->  RecordStore.insert, update, delete  ->  a signed POST  ->  `millpond webhook`

As in NetSuite, an error here never fails the save. The timeout is two seconds.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from resources.netsuite.webhook_signature import signed_headers

FILE = "user_event.json"
TIMEOUT_S = 2.0
TABLES = frozenset({"customer", "job", "contact"})  # tables of the record types with the script


@dataclass(frozen=True)
class Deployment:
    """The script's settings: its URL, its signing secret, and the values that it posts."""

    url: str
    secret: str
    account: str
    context: str = "USERINTERFACE"


class UserEvent:
    """The script of one sandbox folder, deployed or not."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def deploy(self, deployment: Deployment | None) -> None:
        """Deploy the script with these settings, or remove it."""
        if deployment is None:
            self._path.unlink(missing_ok=True)
            return
        self._path.touch(mode=0o600)
        self._path.write_text(json.dumps(asdict(deployment)))

    def is_deployed(self, table: str) -> bool:
        """Return whether a save in this table is posted."""
        return table in TABLES and self._path.exists()

    def after_submit(self, record_type: str, record_id: int, event: str) -> int | None:
        """Post a saved record; return the response's status, or None without a response."""
        deployment = Deployment(**json.loads(self._path.read_text()))
        content = {
            "account": deployment.account,
            "type": record_type,
            "id": str(record_id),
            "event": event,
            "context": deployment.context,
        }
        body = json.dumps(content).encode()
        headers = signed_headers(deployment.secret, body)
        try:
            return httpx.post(deployment.url, content=body, headers=headers, timeout=TIMEOUT_S).status_code
        except httpx.HTTPError:
            return None
