"""Decide on a few rows and read the plan; dispositions that a mart gives to records."""

from typing import Any

from assets.delivery.diff.decide import decide
from assets.delivery.diff.ledger_facts import NO_FACTS, LedgerFacts
from assets.delivery.diff.records import Records
from assets.delivery.schemas import PLAN_COLUMNS
from assets.delivery.spec.workflow_spec import WorkflowSpec
from tests.assets.delivery.builders import OPTIONS, links, mart, option_tree, target_state

Rows = list[dict[str, Any]]

INACTIVE: dict[str, Any] = {"is_active": False, "enable": "0"}
RETIRE = {"disposition": "retire", "reason_code": "deleted", "reason": "deleted in NetSuite"}
SKIP = {"disposition": "skip", "reason_code": "stage_lead", "reason": "leads are not selected"}
BLOCK = {"disposition": "block", "reason_code": "not_read", "reason": "name: nodes has not run"}
QUARANTINE = {"disposition": "quarantine", "reason_code": "too_long", "reason": "name is too long"}


def plan_rows(
    desired: Rows,
    actual: Rows | None = None,
    linked: Rows | None = None,
    *,
    spec: WorkflowSpec | None = None,
    facts: LedgerFacts = NO_FACTS,
) -> Rows:
    """Return the plan as rows."""
    records = Records(mart(*desired), target_state(*(actual or [])), links(*(linked or [])))
    plan = decide(spec or option_tree(), OPTIONS, records, facts)
    assert plan.columns == PLAN_COLUMNS
    return plan.to_dicts()


def actions(plan: Rows) -> list[tuple[str, str]]:
    """Return action and reason code of each row."""
    return [(row["action"], row["reason_code"]) for row in plan]


def changes(row: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    """Return field to (before, after) of one row."""
    return {change["field"]: (change["before"], change["after"]) for change in row["changes"]}
