"""Plays the user event of `resources/netsuite/suitescript`: after a save it posts which record that was.

register()  ->  user_event.json  ->  Holdings.insert, update, delete  ->  a signed post  ->  `millpond webhook`

As in NetSuite, what goes wrong here never fails the save; unlike there, somebody waits for the answer two seconds only.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from resources.netsuite.webhook_signature import signed

FILE = "user_event.json"
TIMEOUT_S = 2.0
DEPLOYED = frozenset({"customer", "job", "contact"})  # tables on whose records the script is deployed


@dataclass(frozen=True)
class Deployment:
    """Where the script posts, signed with what."""

    url: str
    secret: str
    account: str
    context: str = "USERINTERFACE"


class UserEvent:
    """The script as it is deployed in one sandbox, or not at all."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def register(self, deployment: Deployment | None) -> None:
        """Deploy the script, or take it away."""
        if deployment is None:
            self._path.unlink(missing_ok=True)
            return
        self._path.touch(mode=0o600)
        self._path.write_text(json.dumps(asdict(deployment)))

    def is_deployed(self, table: str) -> bool:
        """Whether a save of this table's records is told."""
        return table in DEPLOYED and self._path.exists()

    def after_submit(self, record_type: str, record_id: int, event: str) -> int | None:
        """Post what was saved; the answer's status, None when there was none."""
        at = Deployment(**json.loads(self._path.read_text()))
        said = {"type": record_type, "id": str(record_id), "event": event, "context": at.context}
        body = json.dumps({"account": at.account, **said}).encode()
        try:
            return httpx.post(at.url, content=body, headers=signed(at.secret, body), timeout=TIMEOUT_S).status_code
        except httpx.HTTPError:
            return None
