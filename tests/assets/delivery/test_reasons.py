"""Every reason code that the code gives has a text, and no text is for a code that nothing gives."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from assets.delivery.reasons import GROUPS, REASONS, REJECTED, is_documented, reason_of
from assets.delivery.send.not_taken import NOT_TAKEN
from assets.delivery.send.staleness import STALE
from assets.delivery.spec.policies import Stage
from assets.delivery.target import HELD, Action, Verdict
from orchestration.configuration.settings import ROOT

# position of the code among the arguments of what gives it to a record
GIVES = {"Case": 2, "SqlCase": 2, "Exclusion": 1, "Violation": 1, "Forbidden": 0, "_skipped": 0}
REJECTS = {"UnsendableError": 0}
# given by an expression, or as a row of a table; each is looked for in its module
ELSEWHERE = {
    "assets/delivery/plan/mode.py": {"deleted_in_target", "not_picked", "not_imported", "left_for_update"},
    "assets/delivery/mart/disposition.py": {"value_not_in_list", "not_looked_up"},
    "assets/delivery/send/outcomes.py": {"several_candidates", "quota_exhausted"},
    "assets/delivery/diff/parents.py": {"parent_inactive"},
    "assets/delivery/plan/undo_row.py": {"undo", "nothing_to_undo"},
    "assets/delivery/diff/actions.py": {"identical"},
    "assets/delivery/schemas.py": {
        "missing_without_note",
        "near_duplicate",
        "not_asked",
        "not_shown_in_target",
        "parent_missing",
    },
}
IN_PRECORO = {"already_exists", "name_missing", "name_too_long", "too_deep", "untied"}
# modules in which a code comes from a table of the same module, from the mart, or from `Forbidden`
PASSED_ON = {
    "assets/delivery/cases.py",
    "assets/delivery/diff/actions.py",
    "assets/delivery/diff/validate.py",
    "assets/delivery/mart/disposition.py",
    "assets/delivery/plan/existence_check.py",
    "assets/delivery/plan/mode.py",
    "assets/delivery/plan/undo_row.py",
}


@cache
def all_calls() -> list[tuple[str, str, list[ast.expr]]]:
    """Return module, name and arguments of the calls under assets/ that give or reject."""
    found, written = [], re.compile(rf"\b(?:{'|'.join({*GIVES, *REJECTS})})\(")
    for path in sorted((ROOT / "assets").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if written.search(text) else ():
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                found.append((str(path.relative_to(ROOT)), name, node.args))
    return found


def calls(names: dict[str, int]) -> Iterator[tuple[str, ast.expr]]:
    """Yield the module and the argument of every call of these names."""
    for module, name, arguments in all_calls():
        if name in names and len(arguments) > names[name]:
            yield module, arguments[names[name]]


def given_codes() -> set[str]:
    """Return every code that the engine gives to a record."""
    codes = {f"stage_{stage}" for stage in Stage.__args__} | {"drift_reported", "drift_adopted"} | {*STALE}
    for _, argument in calls(GIVES):
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            codes.add(argument.value.strip("'"))
    for _, argument in calls(REJECTS):
        assert isinstance(argument, ast.Constant)
        codes.add(f"{REJECTED}_{argument.value}")
    codes |= {each for found in ELSEWHERE.values() for each in found}
    codes |= {f"{REJECTED}_{each}" for each in {*IN_PRECORO, NOT_TAKEN}}
    return codes | {Verdict.UNKNOWN.value, Verdict.NOT_SENT.value, REJECTED}


def test_every_reason_code_has_a_text() -> None:
    """An operator who sees a code finds its cause and what to do, and no text outlives its code."""
    assert given_codes() == set(REASONS)


@pytest.mark.parametrize("module", sorted(ELSEWHERE))
def test_codes_in_expressions_are_still_there(module: str) -> None:
    """The list above is no invention."""
    text = (ROOT / module).read_text(encoding="utf-8")

    assert {code for code in ELSEWHERE[module] if f'"{code}"' not in text and f"'{code}'" not in text} == set()


def test_codes_of_the_option_writer_are_still_there() -> None:
    """They are rejections before sending."""
    text = Path(ROOT / "assets/precoro/option_writer.py").read_text(encoding="utf-8")

    assert {code for code in IN_PRECORO if f'"{code}"' not in text} == set()


def test_no_code_is_given_in_a_way_that_this_test_does_not_see() -> None:
    """A code from a variable is one of the tables in these modules; anywhere else it would have no text."""
    seen = (ast.Constant, ast.JoinedStr)
    unseen = {module for module, argument in calls(GIVES) if not isinstance(argument, seen)}

    assert unseen <= PASSED_ON


def test_a_reason_names_decisions_cause_and_fix() -> None:
    """In sentences, for known decisions."""
    for code, found in REASONS.items():
        assert {each.strip() for each in found.actions.split(",")} <= {each.value for each in Action}, code
        assert found.title, code
        assert found.cause.endswith("."), code
        assert found.fix.endswith("."), code


def test_what_is_held_back_is_explained_under_held_back() -> None:
    """And the decisions that wait for a person have texts of their own."""
    held = GROUPS["Held back"] | GROUPS["Rejected by the target"]

    assert {each.strip() for reason in held.values() for each in reason.actions.split(",")} >= {*HELD}


def test_what_is_deactivated_may_have_never_been_there_or_be_inactive_already() -> None:
    """Except for an undo, which is of records that a run has sent."""
    for code, found in REASONS.items():
        if is_documented("deactivate", code) and code != "undo":
            assert {each.strip() for each in found.actions.split(",")} >= {"deactivate", "skipped", "unchanged"}, code


def test_a_decision_is_documented_by_its_code_and_its_action() -> None:
    """Both count, and a number of the target's own is a rejection."""
    assert is_documented("quarantined", "rejected_915")
    assert is_documented("unchanged", "missing_without_note")
    assert not is_documented("created", "new")
    assert not is_documented("skipped", "")
    assert not is_documented("update", "identical")


def test_a_code_of_the_target_is_a_rejection() -> None:
    """The number is the target's own."""
    assert reason_of("rejected_915") == REASONS[REJECTED]
    assert reason_of("made_up") is None
