"""Values that a target changes silently are recorded, and not sent again."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.delivery.ledger.normalization import classify, differences, target_hash, target_hashes
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner


@pytest.mark.parametrize(
    ("sent", "actual", "kind"),
    [
        ("a", "a", None),
        (None, "", None),
        (" a ", "a", "trimmed"),
        ("a\n", "a", "trimmed"),
        ("a  b", "a b", "spaces"),
        ("Acme", "ACME", "case"),
        ("1.25", "1.3", "rounded"),
        ("1.2", "1.20", "rounded"),
        ("12.50", "12", "rounded"),
        ("12.6", "12", "cut"),  # not a rounded number
        ("12.6", "11", "other"),
        ("NaN", "Infinity", "other"),
        ("a long name", "a long", "cut"),
        ("a", None, "emptied"),
        ("a", "b", "other"),
        (None, "set by the target", "other"),
        ("2", "20", "other"),
    ],
)
def test_a_changed_value_has_a_kind(sent: str | None, actual: str | None, kind: str | None) -> None:
    """Only the two texts decide."""
    assert classify(sent, actual) == kind


def test_a_field_missing_in_the_response_is_no_difference() -> None:
    """Some responses only have the id."""
    assert differences({"a": "1", "b": " 2"}, {"b": "2"}, ["a", "b"]) == {"b": "trimmed"}


def test_the_fingerprint_ignores_blank_or_missing_fields() -> None:
    """Targets do not distinguish them; the order of fields does not matter."""
    assert target_hash({"a": "1", "b": None}, ["a", "b"]) == target_hash({"b": "", "a": "1"}, ["b", "a"])
    assert target_hash({"a": "1", "b": "2"}, ["a", "b"]) != target_hash({"a": "2", "b": "1"}, ["a", "b"])


@given(rows=st.lists(st.fixed_dictionaries({name: st.none() | st.text(max_size=4) for name in ("a", "b{}", "c")})))
def test_fingerprints_of_a_frame_equal_those_of_its_rows(rows: list[dict[str, str | None]]) -> None:
    """A plan compares thousands of records with single responses."""
    names = ["c", "a", "b{}"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String)).select(pl.all().name.prefix("target."))
    assert target_hashes(frame, names, "target.") == [target_hash(row, names) for row in rows]


RATE = {"field": "rate", "value": "12.345"}
# by kind of change: the field, the sent name, and the switches of the target
NORMALIZATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "trimmed": ("company", "  Acme ", {"trims_text": True}),
    "case": ("company", "Acme", {"text_case": "upper"}),
    "cut": ("company", "Acme Worldwide", {"strict_lengths": {"Customer.company": 5}, "long_values": "cut"}),
    "rounded": ("rate", "Acme", {"number_decimals": 2}),
}


def normalizing(runner: WorkflowRunner, sandbox: Sandbox, kind: str, **more: Any) -> WorkflowRunner:
    """Let the target change one kind of value, and stage a customer that has it."""
    _, name, switches = NORMALIZATIONS[kind]
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, **switches, **more)
    runner.spec = suite_customers(*([RATE] if kind == "rounded" else []), canary=[])
    return runner.stage(customer("1", company_name=name))


@pytest.mark.long
@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_a_normalized_value_is_sent_once(suiteprojects: WorkflowRunner, sandbox: Sandbox, kind: str) -> None:
    """Otherwise every run would send it again as drift."""
    runner, field = normalizing(suiteprojects, sandbox, kind), NORMALIZATIONS[kind][0]

    assert runner.run() == {"1": ("create", "new")}

    found = runner.table("sync_normalizations").select("workflow", "field", "kind", "records", "first_run").rows()
    assert found == [("flow", field, kind, 1, "run 0")]
    writes = sandbox.suiteprojects.write_calls()
    for _ in range(3):
        assert runner.run() == {"1": ("unchanged", "kept_so")}
    assert sandbox.suiteprojects.write_calls() == writes
    assert runner.table("sync_normalizations")["records"].to_list() == [1]


@pytest.mark.long
@pytest.mark.parametrize("more", [{"echo_values": "sent"}, {"write_echo": "id"}])
@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_without_an_echo_a_normalized_value_is_restored_once(
    suiteprojects: WorkflowRunner, sandbox: Sandbox, kind: str, more: dict[str, Any]
) -> None:
    """It looks like a manual edit until restoring the value changes nothing."""
    runner = normalizing(suiteprojects, sandbox, kind, **more)
    runner.run()

    assert runner.run() == {"1": ("update", "drift")}
    writes = sandbox.suiteprojects.write_calls()
    for _ in range(3):
        assert runner.run() == {"1": ("unchanged", "kept_so")}
    assert sandbox.suiteprojects.write_calls() == writes


@pytest.mark.parametrize("kind", ["trimmed", "cut"])
def test_a_new_value_of_a_normalized_field_is_sent(suiteprojects: WorkflowRunner, sandbox: Sandbox, kind: str) -> None:
    """The normalization belongs to the value, not to the field; its count continues."""
    runner = normalizing(suiteprojects, sandbox, kind)
    runner.run()

    runner.stage(customer("1", company_name="  New and longer "))

    assert runner.run() == {"1": ("update", "source_changed")}
    assert runner.run()["1"][0] == "unchanged"
    assert runner.table("sync_normalizations")["last_run"].to_list()[0] == "run 1"


@pytest.mark.long
def test_a_manual_edit_of_a_normalized_record_is_drift(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Only the values right after our write count as normalized."""
    runner = normalizing(suiteprojects, sandbox, "trimmed")
    runner.run()
    key = next(int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.modify("Customer", key, company="edited")

    assert runner.run() == {"1": ("update", "drift")}
    assert next(row for row in sandbox.suiteprojects.rows("Customer") if row["id"] == str(key))["company"] == "Acme"
    assert runner.run() == {"1": ("unchanged", "kept_so")}
