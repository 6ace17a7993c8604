"""Every source record finds its own target record, and no other."""

import polars as pl
import pytest

from assets.delivery.diff.ledger_facts import LedgerFacts
from assets.delivery.schemas import MANUAL_LINK_SCHEMA
from tests.assets.delivery.builders import actual, below, desired, link, one_source, option_tree
from tests.assets.delivery.diff.decisions import RETIRE, SKIP, actions, changes, plan_rows


def test_a_record_without_a_key_is_adopted_by_the_workflows_rule() -> None:
    """It was created manually before the first run; a second one would be a duplicate."""
    spec = one_source(match=["name"])

    row = plan_rows([desired()], [actual(external_id=None, name="Company 1")], spec=spec)[0]

    assert (row["action"], row["reason_code"], row["target_id"], row["matched_by"]) == (
        "adopt", "matched", "901", "name",
    )  # fmt: skip
    assert changes(row) == {"externalId": (None, "1")}


@pytest.mark.parametrize(("ignore_case", "expected"), [(True, "adopt"), (False, "create")])
def test_case_matters_unless_the_rule_ignores_it(ignore_case: bool, expected: str) -> None:  # noqa: FBT001
    """ACME and Acme are one company to people, two values to a system."""
    spec = one_source(match=[{"field": "name", "ignore_case": ignore_case}])

    plan = plan_rows([desired(name="Müller")], [actual(external_id=None, name="MÜLLER")], spec=spec)

    assert plan[0]["action"] == expected


def test_rules_are_tried_in_order() -> None:
    """The first one that finds a single record decides."""
    spec = one_source(match=["name", "enable"])
    there = [actual("901", None, name="other"), actual("902", None, name="Company 1", enable=None)]

    assert plan_rows([desired()], there, spec=spec)[0]["target_id"] == "902"


def test_several_candidates_are_ambiguous() -> None:
    """Two companies have the same name, in the target or in NetSuite."""
    spec = one_source(match=["name"])
    two_targets = [actual("901", None, name="Same"), actual("902", None, name="Same")]

    in_target = plan_rows([desired(name="Same")], two_targets, spec=spec)
    in_netsuite = plan_rows([desired("1", name="Same"), desired("2", name="Same")], two_targets[:1], spec=spec)

    assert actions(in_target) == [("ambiguous", "several_candidates")]
    assert actions(in_netsuite) == [("ambiguous", "several_candidates")] * 2
    reason = "2 records share the same name ({}); choose one with `millpond link`"
    assert in_target[0]["reason"] == reason.format("target 901, 902")
    assert in_netsuite[0]["reason"] == reason.format("target 901; NetSuite 1, 2")


def test_two_source_records_with_one_key_are_ambiguous_before_either_is_created() -> None:
    """Both would be created under one key, and no later run could distinguish them."""
    assert actions(plan_rows([desired("1"), desired("2", externalId="1")])) == [("ambiguous", "several_candidates")] * 2


def test_a_skipped_record_does_not_compete_for_a_key() -> None:
    """Only records to deliver or to retire compete for a target record."""
    plan = plan_rows([desired("1"), desired("2", externalId="1", **SKIP)], [actual()])

    assert actions(plan) == [("unchanged", "identical"), ("skipped", "stage_lead")]
    assert [row["target_id"] for row in plan] == ["901", None]


def test_a_skipped_record_has_its_target_record() -> None:
    """`millpond explain` shows it, and the record's children need their parent."""
    row = plan_rows([desired(**SKIP)], [actual(name="other")])[0]

    assert (row["target_id"], row["matched_by"], row["changes"]) == ("901", "external_id", [])


def test_a_record_with_the_key_of_another_system_is_never_written() -> None:
    """Neither a rule nor a link finds it: whoever changed the key has taken it over."""
    spec = one_source(match=["name"])
    foreign = actual(external_id="crm-7", name="Company 1")

    by_rule = plan_rows([desired()], [foreign], spec=spec)
    by_link = plan_rows([desired()], [foreign], [link()], spec=spec)

    assert actions(by_rule) == [("create", "new")]
    assert actions(by_link) == [("ambiguous", "several_candidates")]
    assert by_link[0]["target_id"] is None


def test_a_linked_record_that_was_taken_over_is_not_deactivated() -> None:
    """It is no longer ours."""
    plan = plan_rows([desired(**RETIRE)], [actual(external_id="crm-7")], [link()])

    assert actions(plan) == [("skipped", "deleted")]


def test_a_linked_record_that_lost_its_key_gets_it_back() -> None:
    """Someone cleared the field manually; the link still identifies the record."""
    row = plan_rows([desired()], [actual(external_id=None, name="Company 1")], [link()])[0]

    assert (row["matched_by"], changes(row)) == ("link", {"externalId": (None, "1")})


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"901": "2", "902": "1"}, ["ambiguous", "ambiguous", "unchanged"]),  # swapped
        ({"901": "2", "902": "2"}, ["ambiguous", "ambiguous", "unchanged"]),  # copied
        ({"901": "2", "902": None}, ["ambiguous", "ambiguous", "unchanged"]),  # moved
        ({"901": "2", "902": None, "904": "1"}, ["update", "ambiguous", "unchanged"]),
        ({"901": None, "904": "1"}, ["update", "unchanged", "unchanged"]),  # moved to a record that was not ours
        ({"901": "3", "903": None}, ["ambiguous", "unchanged", "ambiguous"]),
    ],
)
def test_no_record_gets_anothers_values_and_none_a_duplicate_after_keys_were_moved(
    keys: dict[str, str | None], expected: list[str]
) -> None:
    """Someone swapped, copied or moved the keys of confirmed records in the target; a person decides."""
    carried = {"901": "1", "902": "2", "903": "3"} | keys
    there = [actual(each, key, name=f"Company {int(each) - 900}") for each, key in carried.items()]
    confirmed = [link(str(each), f"90{each}") for each in (1, 2, 3)]

    plan = plan_rows([desired("1"), desired("2"), desired("3")], there, confirmed)

    assert [row["action"] for row in plan] == expected


def test_a_record_whose_key_was_put_on_another_one_is_not_retired_there() -> None:
    """The record that carries its key is that of another source record."""
    there = [actual(external_id="2")]

    assert (
        actions(plan_rows([desired(), desired("2", **RETIRE)], there, [link()]))
        == [("ambiguous", "several_candidates")] * 2
    )


def test_a_person_may_give_a_record_to_another_source_record() -> None:
    """By its key in the target and a manual link; the former source record then has none."""
    facts = LedgerFacts(manual_links=pl.DataFrame([["customers", "2", "901"]], MANUAL_LINK_SCHEMA, orient="row"))

    plan = plan_rows([desired(), desired("2")], [actual(external_id="2")], [link()], facts=facts)

    assert [(row["action"], row["target_id"]) for row in plan] == [("create", None), ("unchanged", "901")]


def test_a_record_linked_to_another_source_record_is_not_adopted() -> None:
    """Its source record is out of scope at the moment; the target record is not free."""
    spec = one_source(match=["name"])
    without_key = actual(external_id=None, name="Same")

    plan = plan_rows([desired("1", name="Same", **SKIP), desired("2", name="Same")], [without_key], [link()], spec=spec)

    assert actions(plan) == [("quarantined", "stage_lead"), ("create", "new")]


def test_retiring_never_adopts() -> None:
    """A deleted customer has no claim on a record that a person created."""
    spec = one_source(match=["name"])
    there = [actual(external_id=None, name="Company 1")]

    assert actions(plan_rows([desired(**RETIRE)], there, spec=spec)) == [("skipped", "deleted")]


def test_retiring_with_the_parent_never_adopts() -> None:
    """An active child matches a record of others by name, then its parent retires it."""
    spec = option_tree(match=["name"])
    there = [actual(), actual("902", None, name="Same")]

    plan = plan_rows([desired(**RETIRE), below("100", "1", name="Same")], there, spec=spec)

    assert actions(plan) == [("deactivate", "deleted"), ("skipped", "parent_inactive")]
