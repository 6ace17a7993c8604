"""What a target silently makes of values is learned, and not fought against."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.delivery.ledger.normalization import classify, differences, shown_hash, shown_hashes
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.run_workflow import Flow


@pytest.mark.parametrize(
    ("sent", "shown", "kind"),
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
        ("12.6", "12", "cut"),  # a number that lost more than rounding takes
        ("12.6", "11", "other"),
        ("NaN", "Infinity", "other"),
        ("a long name", "a long", "cut"),
        ("a", None, "emptied"),
        ("a", "b", "other"),
        (None, "set by the target", "other"),
        ("2", "20", "other"),
    ],
)
def test_what_became_of_a_value_has_a_name(sent: str | None, shown: str | None, kind: str | None) -> None:
    """By the two texts alone."""
    assert classify(sent, shown) == kind


def test_a_field_that_is_not_shown_is_no_difference() -> None:
    """Some answers have the id alone."""
    assert differences({"a": "1", "b": " 2"}, {"b": "2"}, ["a", "b"]) == {"b": "trimmed"}


def test_the_fingerprint_does_not_know_blank_from_absent() -> None:
    """The target does not either; the order does not matter."""
    assert shown_hash({"a": "1", "b": None}, ["a", "b"]) == shown_hash({"b": "", "a": "1"}, ["b", "a"])
    assert shown_hash({"a": "1", "b": "2"}, ["a", "b"]) != shown_hash({"a": "2", "b": "1"}, ["a", "b"])


@given(rows=st.lists(st.fixed_dictionaries({name: st.none() | st.text(max_size=4) for name in ("a", "b{}", "c")})))
def test_the_fingerprint_of_many_is_that_of_each(rows: list[dict[str, str | None]]) -> None:
    """A plan compares thousands with what one answer showed."""
    names = ["c", "a", "b{}"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String)).select(pl.all().name.prefix("twin."))
    assert shown_hashes(frame, names, "twin.") == [shown_hash(row, names) for row in rows]


RATE = {"field": "rate", "value": "12.345"}
# what is sent, what the target does, and how the ledger calls it
QUIRKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "trimmed": ("company", "  Acme ", {"trims_text": True}),
    "case": ("company", "Acme", {"text_case": "upper"}),
    "cut": ("company", "Acme Worldwide", {"strict_lengths": {"Customer.company": 5}, "long_values": "cut"}),
    "rounded": ("rate", "Acme", {"number_decimals": 2}),
}


def peculiar(flow: Flow, sandbox: Sandbox, kind: str, **more: Any) -> Flow:
    """A target with one peculiarity, and a customer that meets it."""
    _, name, switches = QUIRKS[kind]
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, **switches, **more)
    flow.spec = suite_customers(*([RATE] if kind == "rounded" else []), canary=[])
    return flow.stage(customer("1", company_name=name))


@pytest.mark.parametrize("kind", QUIRKS)
def test_a_value_that_the_target_keeps_otherwise_is_sent_once(suiteprojects: Flow, sandbox: Sandbox, kind: str) -> None:
    """Without a memory each run would send it again, for ever, and call it an edit by hand."""
    flow, field = peculiar(suiteprojects, sandbox, kind), QUIRKS[kind][0]

    assert flow.run() == {"1": ("create", "new")}

    quirks = flow.table("sync_quirks").select("workflow", "field", "kind", "records", "first_run").rows()
    assert quirks == [("flow", field, kind, 1, "run 0")]
    writes = sandbox.suiteprojects.write_calls()
    for _ in range(3):
        assert flow.run() == {"1": ("unchanged", "kept_so")}
    assert sandbox.suiteprojects.write_calls() == writes
    assert flow.table("sync_quirks")["records"].to_list() == [1]


@pytest.mark.parametrize("more", [{"echo_values": "sent"}, {"write_echo": "id"}])
@pytest.mark.parametrize("kind", QUIRKS)
def test_when_the_answer_does_not_tell_it_is_restored_at_most_once(
    suiteprojects: Flow, sandbox: Sandbox, kind: str, more: dict[str, Any]
) -> None:
    """It looks like an edit by hand; when putting it back changes nothing, it is not."""
    flow = peculiar(suiteprojects, sandbox, kind, **more)
    flow.run()

    assert flow.run() == {"1": ("update", "drift")}
    writes = sandbox.suiteprojects.write_calls()
    for _ in range(3):
        assert flow.run() == {"1": ("unchanged", "kept_so")}
    assert sandbox.suiteprojects.write_calls() == writes


@pytest.mark.parametrize("kind", ["trimmed", "cut"])
def test_a_new_value_is_sent_all_the_same(suiteprojects: Flow, sandbox: Sandbox, kind: str) -> None:
    """The memory is of this value, not of the field; the count goes on."""
    flow = peculiar(suiteprojects, sandbox, kind)
    flow.run()

    flow.stage(customer("1", company_name="  New and longer "))

    assert flow.run() == {"1": ("update", "source_changed")}
    assert flow.run()["1"][0] == "unchanged"
    assert flow.table("sync_quirks")["last_run"].to_list()[0] == "run 1"


def test_an_edit_by_hand_of_a_peculiar_record_is_still_seen(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Only what the target showed right after our write counts as its own doing."""
    flow = peculiar(suiteprojects, sandbox, "trimmed")
    flow.run()
    key = next(int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.modify("Customer", key, company="by hand")

    assert flow.run() == {"1": ("update", "drift")}
    assert next(row for row in sandbox.suiteprojects.rows("Customer") if row["id"] == str(key))["company"] == "Acme"
    assert flow.run() == {"1": ("unchanged", "kept_so")}
