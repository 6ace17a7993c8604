"""Rejected records are not sent again unchanged."""

import polars as pl
import pytest

from assets.delivery.diff.ledger_facts import LedgerFacts
from assets.delivery.schemas import REJECTED_SCHEMA
from assets.delivery.spec.workflow_spec import WorkflowSpec
from tests.assets.delivery.builders import actual, below, desired, option_tree
from tests.assets.delivery.diff.decisions import Rows, actions, plan_rows


def rejection(spec: WorkflowSpec, source_id: str = "1", **changes: str) -> LedgerFacts:
    """The target rejected `desired(source_id)`."""
    row = {
        "source": "customers",
        "source_id": source_id,
        "rejected_hash": f"payload of {source_id}",
        "rejected_version": spec.version,
        "rejected_code": "12",
        "rejected_reason": "no such thing",
    }
    return LedgerFacts(rejected=pl.DataFrame([row | changes], schema=REJECTED_SCHEMA))


@pytest.mark.parametrize(
    ("there", "changes", "expected"),
    [
        ([], {}, ("quarantined", "rejected_12")),
        ([], {"rejected_code": ""}, ("quarantined", "rejected")),
        ([actual(name="old")], {}, ("quarantined", "rejected_12")),
        ([actual(name="old")], {"rejected_request": "from another name"}, ("update", "source_changed")),
        ([actual()], {}, ("unchanged", "identical")),
        ([], {"rejected_hash": "other"}, ("create", "new")),
        ([], {"rejected_version": "other"}, ("create", "new")),
    ],
)
def test_a_rejected_record_is_not_sent_again_until_something_changes(
    there: Rows, changes: dict[str, str], expected: tuple[str, str]
) -> None:
    """The same values would be rejected again, and requests are limited."""
    spec = option_tree()

    assert actions(plan_rows([desired()], there, spec=spec, facts=rejection(spec, **changes))) == [expected]


def test_a_rejected_parent_blocks_its_children() -> None:
    """The plan shows what will happen: without the parent its children cannot be created."""
    spec = option_tree()

    plan = plan_rows([desired(), below("100", "1")], spec=spec, facts=rejection(spec))

    assert actions(plan) == [("quarantined", "rejected_12"), ("blocked", "parent_missing")]
