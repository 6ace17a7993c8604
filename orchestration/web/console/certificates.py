"""The page of the certificates: through which time each workflow is proven, by what, and what is left out.

sync_certificates  ->  certificates()  ->  a Proof per workflow
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assets.delivery.ledger.certificates import (
    Certificate,
    confirmed_since,
    confirmed_text,
    file_text,
    newest_certificates,
)
from orchestration.web.console.site import Account, Reading, Site
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Proof:
    """One workflow's newest certificate, with evidence and exceptions as objects.

    Attributes:
        confirmed: What was sent and confirmed after it, in words; blank if nothing was.
        changed: That the workflow file has changed since; blank if it has not.
    """

    row: Certificate
    evidence: Mapping[str, Any]
    exceptions: Sequence[Mapping[str, Any]]
    confirmed: str
    changed: str


def certificates(site: Site, account: Account) -> tuple[Sequence[Proof], Reading]:
    """Return the newest certificate of each workflow, and the time of the data."""
    if not account.live.exists():
        return [], Reading(utc_now(account.clock), is_empty=True)

    def query(warehouse: Warehouse) -> list[Proof]:
        with warehouse.writer(transaction=False) as con:
            found = newest_certificates(con).values()
            since = confirmed_since(con, found)
        return [_proof(each, since.get(each.workflow, 0), versions.get(each.workflow)) for each in found]

    versions = {name: each.spec.version for name, each in site.workflows.items()}
    return account.read(query)


def _proof(row: Certificate, since: int, version: str | None) -> Proof:
    evidence, exceptions = json.loads(row.evidence), json.loads(row.exceptions)
    return Proof(row, evidence, exceptions, confirmed_text(since), file_text(row, version))
