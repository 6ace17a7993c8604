"""Build one plausible row of the ledger each, with the given fields changed."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from assets.delivery.ledger.attempts import Attempt

MOMENT = datetime(2026, 11, 16, 6, 0)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC


def decided(**actions: tuple[str, str | None]) -> pl.DataFrame:
    """Return decisions as write_decisions takes them.

    Args:
        actions: Action and target id, by source id with an underscore before it.
    """
    rows = [("customers", key[1:], action, "code", "reason", target) for key, (action, target) in actions.items()]
    names = ["source", "source_id", "action", "reason_code", "reason", "target_id"]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def attempt(state: str, *, seconds: int = 0, **changes: Any) -> Attempt:
    """Return an attempt to create customer 1, seen some seconds after MOMENT."""
    row = Attempt(
        attempt_id="a1",
        state=state,
        run_id="r1",
        workflow="flow",
        source="customers",
        source_id="1",
        action="create",
        target_id=None,
        payload_hash="payload",
        workflow_version="version",
        request_hash="request",
        code="12",
        reason="too odd",
        image=None,
        seen_at=MOMENT + timedelta(seconds=seconds),
    )
    return row._replace(**changes)
