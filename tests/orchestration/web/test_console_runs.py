"""The console's page of a run: what it sent, in the order of a review, and what of it can be undone."""

import pytest

from assets.delivery.ledger.tables import ensure_ledger
from orchestration.configuration.settings import MillpondSettings
from orchestration.web.console import dagster_jobs, runs
from orchestration.web.console.site import Account
from tests.orchestration.conftest import Home

# attempt, state, place in the ledger, record, reason, former values
ATTEMPTS = [
    ("a", "intent", 1, "10", None, "[]"), ("a", "confirmed", 4, "10", None, None),
    ("b", "intent", 2, "20", None, "[]"), ("b", "rejected", 5, "20", "too long", None),
    ("c", "intent", 3, "30", None, "[]"), ("c", "unknown", 6, "30", "no answer", None),
    ("c", "found", 7, "30", None, None), ("d", "intent", 8, "40", None, "[]"),
]  # fmt: skip


@pytest.fixture
def account(home: Home) -> Account:
    """A home with a run that sent four records, of which one was rejected and one has no outcome."""
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        con.execute(
            "insert into sync_runs by name select 'r' as run_id, 'flow' as workflow, 'finished' as state, 1 as position"
        )
        for run_id in ("r", "other"):
            con.executemany(
                "insert into sync_attempts by name select ? as run_id, ? as attempt_id, ? as state, ? as position,"
                " ? as source_id, ? as reason, ? as image, 'flow' as workflow, 'things' as source, 'update' as action",
                [(run_id, *row) for row in ATTEMPTS] if run_id == "r" else [(run_id, "z", "intent", 9, "50", "", "[]")],
            )
    return Account.of(MillpondSettings())


def test_what_has_no_good_end_comes_first_and_each_record_has_its_last_answer(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every page; the number of all records stays the same."""
    monkeypatch.setattr(runs, "PER_PAGE", 3)

    pages = [runs.run_page(account, "r", number)[0] for number in (1, 2)]

    shown = [[(each["source_id"], each["answer"], each["reason"]) for each in page.sent] for page in pages if page]
    assert shown == [
        [("20", "rejected", "too long"), ("40", "intent", None), ("10", "confirmed", None)],
        [("30", "found", None)],
    ]
    assert [page.total for page in pages if page] == [4, 4]


@pytest.mark.parametrize(("plan_id", "words"), [(None, ["create", "skipped"]), ("p", ["created", "skipped"])])
def test_a_run_that_only_planned_created_nothing(account: Account, plan_id: str | None, words: list[str]) -> None:
    """Its page says what would be done, as the summary of the command does."""
    with account.live.writer() as con:
        con.execute("update sync_runs set created = 3, skipped = 2, plan_id = ?", [plan_id])

    page = runs.run_page(account, "r", 1)[0]

    assert page is not None
    assert page.workflows[0]["counts"] == list(zip(words, (3, 2), strict=True))


@pytest.mark.parametrize(("plan_id", "run_id", "sent"), [("p", "r", True), (None, "r", False), ("p", "x", False)])
def test_only_a_run_that_sent_a_plan_has_a_page_of_it(
    account: Account, plan_id: str | None, run_id: str, *, sent: bool
) -> None:
    """An approval that was refused, such as the second of two, made no run."""
    with account.live.writer() as con:
        con.execute("update sync_runs set plan_id = ?", [plan_id])

    assert runs.has_sent(account, run_id) is sent


def test_numbers_of_a_job_are_written_as_on_other_pages() -> None:
    """Texts, such as an id, stay as they are."""
    entries = [{"label": "skipped", "intValue": 5658}, {"label": "plan", "text": "5658"}, {"label": "none"}]

    assert dagster_jobs._facts({"metadataEntries": entries}) == {"skipped": "5,658", "plan": "5658"}


def test_what_can_be_undone_is_counted_again_after_a_change(account: Account) -> None:
    """It is kept for as long as the warehouse stays as it is."""
    before = runs.run_page(account, "r", 1)[0]
    with account.live.writer() as con:
        con.execute("update sync_attempts set image = null where attempt_id = 'a'")
    after = runs.run_page(account, "r", 1)[0]

    assert before is not None
    assert after is not None
    assert (before.can_undo, after.can_undo) == (2, 1)
