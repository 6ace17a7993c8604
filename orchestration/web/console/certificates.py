"""The page of the certificates: through which time each workflow is proven, by what, and what is left out.

sync_certificates  ->  certificates()  ->  a Proof per workflow
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assets.delivery.ledger.certificates import Certificate, newest_certificates
from orchestration.web.console.site import Account, Reading
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Proof:
    """One workflow's newest certificate, with evidence and exceptions as objects."""

    row: Certificate
    evidence: Mapping[str, Any]
    exceptions: Sequence[Mapping[str, Any]]


def certificates(account: Account) -> tuple[Sequence[Proof], Reading]:
    """Return the newest certificate of each workflow, and the time of the data."""
    if not account.live.exists():
        return [], Reading(utc_now(account.clock), is_empty=True)

    def query(warehouse: Warehouse) -> list[Proof]:
        with warehouse.writer(transaction=False) as con:
            found = newest_certificates(con).values()
        return [Proof(each, json.loads(each.evidence), json.loads(each.exceptions)) for each in found]

    return account.read(query)
