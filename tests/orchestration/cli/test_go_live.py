"""`millpond go-live`: each check says what is missing; nothing is switched on before all of them pass."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.delivery.ledger.tables import ensure_ledger
from orchestration.cli import go_live as command
from orchestration.connections import Connections, open_connections
from resources.diagnostics import Finding
from resources.warehouse.tables import replace_table
from tests.assets.delivery.builders import actual, desired, mart, target_state
from tests.orchestration.cli.test_main import run_command
from tests.orchestration.conftest import Home, edited_workflows

CUSTOMERS = "suiteprojects__customers"


@pytest.fixture
def opened(home: Home) -> Iterator[Connections]:
    """The connections of an empty home."""
    assert home.folder.exists()
    with open_connections() as made:
        yield made


def found(check: command.Check, connections: Connections) -> Finding:
    """Return the finding of a check about the customers."""
    (finding,) = check(connections, [connections.workflow(CUSTOMERS)])
    return finding


def test_creates_and_updates_need_a_limit(opened: Connections, tmp_path: Path) -> None:
    """Without a person nothing else would stop a wrong file."""
    missing = found(command._guards, opened)
    limited = "guards:\n    create: {rows: 500}\n    update: {rows: 500}\n"
    with (
        edited_workflows(tmp_path / "w", **{CUSTOMERS: lambda text: text.replace("guards:\n", limited)}),
        open_connections() as connections,
    ):
        present = found(command._guards, connections)

    assert (missing.passed, present.passed) == (False, True)
    assert "create and update have no limit" in missing.found
    assert not next(command._guards(opened, [])).passed


def test_a_record_that_may_exist_must_not_be_created_again(opened: Connections) -> None:
    """Before the first plan nothing is known; afterwards the doubtful ones are counted."""
    assert "never planned" in found(command._matched, opened).found
    with opened.warehouse.writer() as con:
        ensure_ledger(con)
        workflow = opened.workflow(CUSTOMERS)
        rows = [desired("1", name="Acme"), desired("2", name="Other")]
        replace_table(con, workflow.mart, mart(*rows))
        replace_table(con, workflow.target_state, target_state(actual("900", None, name="ACME")))
        con.execute(
            f"create table {workflow.plan} as select source, source_id, 'create' as action, 'new' as reason,"
            f" null::varchar as target_id, null::varchar as matched_by, 'p' as plan_id from {workflow.mart}"
        )
    doubtful = found(command._matched, opened)
    with opened.warehouse.writer() as con:
        con.execute(f"update {workflow.target_state} set name = 'Nothing alike'")

    assert "1 record would be created" in doubtful.found
    assert f"millpond match {CUSTOMERS}" in doubtful.fix
    assert found(command._matched, opened).passed


@pytest.mark.parametrize(
    ("state", "decided_by", "sent_by", "passed"),
    [("sent", "ada", "run", True), ("sent", None, "run", False), ("rejected", "ada", None, False)],
)
def test_a_person_has_seen_the_first_plan(
    opened: Connections, state: str, decided_by: str | None, sent_by: str | None, *, passed: bool
) -> None:
    """One that a run sent by itself, or that was rejected, does not count."""
    assert not found(command._reviewed, opened).passed
    with opened.warehouse.writer() as con:
        ensure_ledger(con)
        con.execute(
            "insert into sync_plans by name select 'p' as plan_id, ? as workflow, 'sync' as kind, ? as state,"
            " ? as decided_by, ? as sent_by, 1 as position",
            [CUSTOMERS, state, decided_by, sent_by],
        )

    assert found(command._reviewed, opened).passed == passed


@pytest.mark.parametrize("is_ready", [False, True])
def test_nothing_is_switched_on_before_every_check_passes(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, is_ready: bool
) -> None:
    """With the fix of what is missing; `--check` changes nothing at all."""
    finding = Finding("millpond", "test", "ready" if is_ready else "not ready", "" if is_ready else "do this first")
    monkeypatch.setattr(command, "CHECKS", [lambda *_: iter([finding])])
    assert home.folder.exists()
    with edited_workflows(tmp_path / "w") as workflows:
        file = workflows / "groups.yaml"
        before = file.read_text()
        checked = run_command(capsys, "go-live", "--check")
        assert (checked.code, file.read_text()) == (0 if is_ready else 1, before)
        done = run_command(capsys, "go-live", "customers")
        after = file.read_text()
        unknown = run_command(capsys, "go-live", "nothing")

    assert done.code == (0 if is_ready else 1)
    assert (after != before) == is_ready
    assert ("customers_schedule is on" in "\n".join(done.lines)) == is_ready
    assert unknown.code == 2
    assert run_command(capsys, "go-live").code == 2
