"""A new record that differs from another one in case, spaces or Unicode form only waits for a person."""

import unicodedata

import polars as pl
import pytest

from assets.delivery.diff.ledger_facts import LedgerFacts
from assets.delivery.diff.near_duplicates import folded, near_duplicates
from assets.delivery.schemas import KEY, MANUAL_LINK_SCHEMA, NEAR_SCHEMA
from assets.delivery.spec.policies import MatchRule
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import actual, customer, desired, option_tree, suite_customers
from tests.assets.delivery.diff.decisions import actions, plan_rows
from tests.assets.delivery.run_workflow import WorkflowRunner

DECOMPOSED = unicodedata.normalize("NFD", "Åre")
ALIKE = ["T-5030 ", " T-5030", "t-5030", "T-5030\u00a0", "T\u200b-5030", "\uff34-5030", "T-\uff15\uff10\uff13\uff10"]


def near(rule: MatchRule, mine: list[str | None], theirs: list[str | None]) -> dict[str, str]:
    """Return what each new record is nearly the same as, by its number."""
    new = pl.DataFrame({"source": "customers", "source_id": [str(each) for each in range(len(mine))], "name": mine})
    there = pl.DataFrame({"target_id": [str(900 + each) for each in range(len(theirs))], "name": theirs})
    schema = {"name": pl.String}
    found = near_duplicates(new.cast(schema), there.cast(schema), [rule])  # type: ignore[arg-type]
    return dict(found.select("source_id", "near").iter_rows())


@pytest.mark.parametrize("name", ALIKE)
def test_a_name_that_a_person_would_take_for_the_same_is_found(name: str) -> None:
    """In the target as well as among new records; both of these wait."""
    exact = MatchRule(field="name")
    assert near(exact, [name], ["T-5030", "T-5031"]) == {"0": "name of target 900"}
    assert near(exact, [name, "T-5030"], []) == {"0": "name of NetSuite 1", "1": "name of NetSuite 0"}


@pytest.mark.parametrize(
    ("rule", "mine", "theirs"),
    [
        (MatchRule(field="name"), ["T-5030"], ["T-5030"]),  # the rule decides
        (MatchRule(field="name", ignore_case=True), ["t-5030"], ["T-5030"]),
        (MatchRule(field="name"), ["Smith", "Smith"], []),  # two people
        (MatchRule(field="name"), ["T-5030"], ["T-503", "T5030", None]),
        (MatchRule(field="name"), [None, " "], [None, ""]),
    ],
)
def test_other_names_and_those_that_a_rule_decides_about_are_left_alone(
    rule: MatchRule, mine: list[str | None], theirs: list[str | None]
) -> None:
    """A blank is no name, and a rule that ignores case has decided about case."""
    assert near(rule, mine, theirs) == {}


def test_both_unicode_forms_of_a_name_are_one() -> None:
    """NFC and NFD look the same."""
    names = pl.DataFrame({"name": ["Åre", DECOMPOSED, "ÅRE  ", None, " "]})
    assert names.select(folded(pl.col("name"))).to_series().to_list() == ["åre", "åre", "åre", None, None]


def test_a_person_decides_about_a_near_duplicate() -> None:
    """It is ambiguous with what it resembles; a decision, or a match, ends that."""
    claims = pl.DataFrame([("customers", "1", "name of target 905")], schema=NEAR_SCHEMA, orient="row")
    spec, other = option_tree(match=["external_id", "name"]), actual("905", None, name="COMPANY 1")

    (row,) = plan_rows([desired()], [other], spec=spec, facts=LedgerFacts(near=claims))
    assert (row["action"], row["reason_code"]) == ("ambiguous", "near_duplicate")
    assert row["reason"].startswith("differs in case, spaces or Unicode form only from name of target 905; choose it")
    for target_id, expected in ((None, ("create", "new")), ("905", ("adopt", "matched"))):
        decided = pl.DataFrame([("customers", "1", target_id)], schema=MANUAL_LINK_SCHEMA, orient="row")
        facts = LedgerFacts(near=claims, manual_links=decided)
        assert actions(plan_rows([desired()], [other], spec=spec, facts=facts)) == [expected]
    assert actions(plan_rows([desired()], [actual()], spec=spec, facts=LedgerFacts(near=claims))) == [
        ("unchanged", "identical")
    ]
    assert set(KEY) < set(NEAR_SCHEMA)


@pytest.mark.long
def test_a_space_at_the_end_of_a_nickname_makes_no_second_record(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Neither beside one of another system, nor beside one of ours; the plan says so."""
    sandbox.suiteprojects.add("Customer", name="T-5030")
    suiteprojects.spec = suite_customers()

    decided = suiteprojects.stage(
        customer("1", entity_number="T-5030 "), customer("2", entity_number="C2"), customer("3", entity_number="c2 ")
    ).run()
    assert {key: code for key, (_, code) in decided.items()} == dict.fromkeys("123", "near_duplicate")
    decided = suiteprojects.stage(customer("2", entity_number="C2"), customer("3", entity_number="X")).run()
    assert decided == {"2": ("create", "new"), "3": ("create", "new")}
    decided = suiteprojects.stage(customer("2", entity_number="C2"), customer("4", entity_number="C2 ")).run()

    assert decided["4"] == ("ambiguous", "near_duplicate")
    assert len(sandbox.suiteprojects.rows("Customer")) == 3
