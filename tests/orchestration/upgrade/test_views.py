"""Views, macros and commands answer about the upgraded home as version 0.1 did, in the words of 0.2."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pytest

from assets.delivery.spec.loader import read_workflow
from orchestration.upgrade.m0002_plain_names.names import VALUES
from orchestration.upgrade.m0002_plain_names.reasons import NOTES, REASONS
from orchestration.upgrade.m0002_plain_names.workflow_0_1 import fingerprint_0_1
from tests.orchestration.upgrade.conftest import Installation, answer_of, attributes_of

CUT_BEFORE = 160  # characters of a line that version 0.1 printed into a pipe
COLUMNS = {
    "run_costs": {"whole_seconds": "total_seconds"},
    "suspected_duplicates": {"same": "matched_on", "likeness": "matched_value"},
    "workflow_status": {"waiting": "waiting_plan", "in_target": "in_target + switched_off"},
    "why('suiteprojects__customers', '1001', 'addr_city')": {"place": "position"},
}
# columns with another meaning in 0.2: of the last delivery, without planned writes, without targets that have it
# switched off, to the first confirmation
CHANGED = {
    "workflow_status": ("state", "started_at", "finished_at"),
    "run_costs": ("written", "calls_per_written"),
    "customer_360": ("in_targets",),
    "record_freshness": ("seconds_to_target",),
}
ADDED = "switched_off"  # to each entry of `targets`
# what 0.1 had of a view that has more now
KNOWN_IN_0_1 = {
    "changes_between('2026-11-16', '2026-11-19')": "where side = 'netsuite' and source in ('customers', 'projects')"
}
VIEWS = [
    "customer_360", "customer_funnel", "data_quality", "drift", "not_in_target", "quarantine_by_cause",
    "record_freshness", "run_costs", "suspected_duplicates", "target_links", "workflow_status",
    "customers_as_of('2026-11-17')", "projects_as_of('2026-11-17')", "changes_between('2026-11-16', '2026-11-19')",
    "why('suiteprojects__customers', '1001', 'addr_city')",
    *(f"explain('{key}')" for key in ("1001", "1004", "1005", "1008", "1014", "1018", "1021", "1030", "1069", "1071")),
]  # fmt: skip


@pytest.fixture(scope="module")
def fingerprints(unpacked: Installation, upgraded_once: Installation) -> dict[str, str]:
    """Old fingerprint to new one, of every workflow file."""
    return {
        fingerprint_0_1(attributes_of(unpacked.workflows / file.parent.name / "defs.yaml")): read_workflow(file).version
        for file in upgraded_once.workflows.glob("*/defs.yaml")
    }


@pytest.fixture(scope="module")
def sides(unpacked: Installation, upgraded_once: Installation) -> Iterator[tuple[Any, Any]]:
    """Connections to the old warehouse, whose views are those of 0.1, and to the new snapshot of analysts."""
    old, new = unpacked.home / "pond" / "stage.duckdb", upgraded_once.home / "warehouse" / "analyst.duckdb"
    with duckdb.connect(str(old), read_only=True) as before, duckdb.connect(str(new), read_only=True) as after:
        for con in (before, after):
            con.execute("set TimeZone = 'UTC'")
        yield before, after


def in_new_words(value: Any, fingerprints: Mapping[str, str]) -> Any:
    """A cell in the words of 0.2."""
    if isinstance(value, str):
        for pattern, replacement in (*REASONS, *NOTES):
            value = re.sub(pattern.replace("^", "(?:^|(?<=not in the target: ))"), replacement, value)
        for old, new in fingerprints.items():
            value = value.replace(old, new)
        return {each.old: each.new for each in VALUES}.get(value, {"the target has": "target"}.get(value, value))
    if isinstance(value, list):
        return [in_new_words(each, fingerprints) for each in value]
    if isinstance(value, dict):
        return {key: in_new_words(each, fingerprints) for key, each in value.items()}
    return value


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_answers_as_before(sides: tuple[Any, Any], fingerprints: Mapping[str, str], view: str) -> None:
    """Same rows in renamed columns; nothing that an analyst knew is gone."""
    before, after = sides
    rows = before.execute(f"from {view}").fetchall()
    columns = [each[0] for each in before.description]
    compared = [number for number, name in enumerate(columns) if name not in CHANGED.get(view, ())]
    names = [COLUMNS.get(view, {}).get(columns[number], columns[number]) for number in compared]
    expected = [tuple(in_new_words(row[number], fingerprints) for number in compared) for row in rows]
    found = after.execute(f"select {', '.join(names)} from {view} {KNOWN_IN_0_1.get(view, '')}").fetchall()

    assert _sorted(_without_added(found)) == _sorted(expected)


def test_changed_columns_agree_with_the_others(sides: tuple[Any, Any]) -> None:
    """A run that wrote shows the same figures as before; one that only planned wrote nothing."""
    before, after = sides
    wrote = """
        select run_id, workflow, written, calls_per_written from run_costs
        where state not in ('planned', 'died') order by all
    """
    planned = "select distinct written from run_costs where state = 'planned'"
    wrong = """
        select customer_id from customer_360
        where in_targets <> len([t for t in coalesce(targets, []) if t.target_id is not null and not t.switched_off])
    """

    assert before.execute(wrote).fetchall() == after.execute(wrote).fetchall() != []
    assert after.execute(planned).fetchall() == [(0,)]
    assert after.execute(wrong).fetchall() == []


def _without_added(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key != ADDED}
    return [_without_added(each) for each in value] if isinstance(value, list | tuple) else value


def _sorted(rows: Sequence[Sequence[Any]]) -> list[str]:
    return sorted(repr(list(row)) for row in rows)


# words of the command line that are not stored
PRINTED = {
    "seen in NetSuite, as of": "read from NetSuite, as of",
    "├── shaped": "├── desired",
    "; still so; rule": "; current; rule",
}


@pytest.mark.usefixtures("upgraded")
def test_explain_prints_what_it_printed(
    answers: dict[str, Any], fingerprints: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Records that were delivered, blocked, rejected, undone, linked, uncertain: the same history of each."""
    for label, answer in answers["explain"].items():
        code, text = answer_of(answer["args"], capsys)

        assert code == answer["exit"], label
        lines = in_new_words_of_page(answer["stdout"], fingerprints).splitlines()
        known = list(without_changes(text.splitlines()))
        assert len(known) == len(lines), label
        for new, old in zip(known, lines, strict=True):
            assert _facts(new, old) == _facts(old, new), label


def without_changes(lines: Sequence[str]) -> Iterator[str]:
    """Leave out the branch of a record's changes, which 0.1 did not print."""
    within = -1
    for line in lines:
        depth = len(line) - len(line.lstrip(" │├└─"))
        if within >= 0 and depth > within:
            continue
        within = depth if line.endswith("── changes") else -1
        if within < 0:
            yield line


def in_new_words_of_page(text: str, fingerprints: Mapping[str, str]) -> str:
    """A printed page in the words of 0.2."""
    for old, new in {**fingerprints, **PRINTED}.items():
        text = text.replace(old, new)
    return re.sub(r"\d+ in the target: ", "", text)  # the number of fields that follow


def _facts(line: str, other: str) -> list[str]:
    """Ids, times, hashes and counts of a line, which no change of words may alter; of a cut line those of both."""
    found, others = (re.findall(r"\b[\w-]*\d[\w:.-]*\b", text) for text in (line, other))
    is_cut = max(len(line), len(other)) >= CUT_BEFORE - 1
    return found[: min(len(found), len(others)) - 1] if is_cut else found


@pytest.mark.usefixtures("upgraded")
def test_links_are_listed_as_before(answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The CSV file of all links is the same."""
    code, text = answer_of(answers["links_csv"]["args"], capsys)

    assert code == answers["links_csv"]["exit"]
    assert text.splitlines() == answers["links_csv"]["stdout"].splitlines()


@pytest.mark.usefixtures("upgraded")
def test_waiting_plans_are_listed_as_before(answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Both plans, with their writes, requests and times."""
    code, text = answer_of(answers["plans"]["args"], capsys)

    assert code == answers["plans"]["exit"]
    for fact in (
        "162189233133",
        "undo ea82ebbf",
        "d744965e9654",
        "11-19 06:34",
        "11-19 06:33",
        "1 records would be updated",
    ):
        assert fact in text
        assert fact in answers["plans"]["stdout"]


@pytest.mark.usefixtures("upgraded")
def test_candidates_are_listed_as_before(answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The records that the second company lacks."""
    code, text = answer_of(["candidates", "precoro_uk__picked", "--all"], capsys)

    assert code == answers["candidates_uk"]["exit"]
    assert re.findall(r"^(\d+) +\d+ ", text, re.MULTILINE) == re.findall(
        r"^│ (\d+) ", answers["candidates_uk"]["stdout"], re.MULTILINE
    )
