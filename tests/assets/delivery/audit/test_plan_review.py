"""A review has everything that a plan would write, and what it holds back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from assets.delivery.audit.plan_review import PlanReview, newest_plans, review_plan
from assets.delivery.chain.checkpoints import last_checkpoint
from assets.delivery.chain.seal import seal
from assets.delivery.ledger.shadows import Shadow, begin_shadow
from assets.delivery.schemas import PARENT
from assets.precoro.target import OptionTarget
from orchestration.cli.plan_output import print_reviews, write_files
from orchestration.key_check import check_keys
from resources.clock import utc_now
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.signing import Signer
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.run_workflow import WorkflowRunner

KEY, OTHER_KEY = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WorkflowRunner, str]]:
    """Deliver two customers, edit them, and make an encrypted plan; return its id as well."""
    folder = tmp_path_factory.mktemp("reviewed")
    sandbox = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=sandbox.folder) as client:
        warehouse = Warehouse(folder / "warehouse", encryption_key=KEY)
        runner = WorkflowRunner(warehouse, OptionTarget(client, 5144), sandbox.clock)
        runner.stage(customer("1", company_name="Acme"), customer("2", company_name="Beta")).run()
        runner.stage(
            customer("1", company_name="Acme & Co"),
            customer("2", company_name="Beta", is_inactive=True),
            customer("3", company_name="Gamma"),
            customer("4", company_name=None),
        )
        yield runner, runner.plan("a plan").plan_id


def review(edited: tuple[WorkflowRunner, str], *, key: str = KEY, hides: bool = False) -> PlanReview:
    """Return the review of the plan, as an installation with this key and setting shows it."""
    runner, plan_id = edited
    warehouse = Warehouse(runner.warehouse.folder, encryption_key=key, hides_personal=hides)
    found = review_plan(warehouse, runner.workflow, {"flow": runner.workflow}, {"flow": plan_id}, utc_now(runner.clock))
    assert found is not None
    return found


def test_creates_changes_and_deactivations_are_named(edited: tuple[WorkflowRunner, str]) -> None:
    """In this order, with the values of each field; a new record has no values before."""
    found = review(edited)

    assert [(each.action, each.source_id, each.name) for each in found.writes] == [
        ("create", "3", "Gamma"), ("update", "1", "Acme & Co"), ("deactivate", "2", "Beta"),
    ]  # fmt: skip
    create, update, _ = found.writes
    assert ("name", None, "Gamma") in [(each.field, each.before, each.after) for each in create.fields]
    assert [(each.field, each.before, each.after) for each in update.fields] == [("name", "Acme", "Acme & Co")]
    assert found.held["source_id"].to_list() == ["4"]
    assert found.is_new_to_hold.height == 1


def test_personal_data_is_hidden_if_the_settings_say_so(edited: tuple[WorkflowRunner, str]) -> None:
    """Neither names nor values, in whatever form the review is handed on."""
    found = review(edited, hides=True)

    assert found.is_hidden
    assert not any(name in str(found.as_dict()) for name in ("Acme", "Beta", "Gamma"))
    assert [each.field for each in found.writes[1].fields] == ["name"]


def test_an_encrypted_plan_has_no_values_without_its_key(edited: tuple[WorkflowRunner, str]) -> None:
    """The names of its fields are readable, those of the records are NetSuite's."""
    found = review(edited, key="")

    assert found.is_hidden
    assert (found.writes[1].name, found.writes[1].fields[0].after) == ("Acme & Co", None)
    assert found.writes[0].fields == []


@pytest.mark.parametrize(
    ("key", "fix"),
    [("", "set MILLPOND_ENCRYPTION_KEY to the key"), (OTHER_KEY, "set the key")],
    ids=["no key", "another key"],
)
def test_a_plan_that_cannot_be_decrypted_is_not_said_to_be_sent(
    edited: tuple[WorkflowRunner, str], key: str, fix: str
) -> None:
    """The old key was removed too early: no command sends the plan, and the reason names a record and what to set."""
    command, text = review(edited, key=key).how_to_send

    assert (command, text.startswith("cannot be sent: customers "), fix in text) == ("", True, True)


def test_a_moved_record_is_shown_with_the_names_of_both_parents(
    precoro: WorkflowRunner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the terminal, on the page and in the table: also a parent that the same run creates."""
    parents = (customer("1", company_name="EMEA"), customer("2", company_name="Nordics"))
    precoro.stage(*parents, below=(project("100"), project("101"))).run()
    moved = (project("100", customer_id="2"), project("101", customer_id="3"))
    precoro.stage(*parents, customer("3", company_name="Baltics"), below=moved)
    plan_id = precoro.plan("moved").plan_id
    workflows = {"flow": precoro.workflow}

    found = review_plan(precoro.warehouse, precoro.workflow, workflows, {"flow": plan_id}, utc_now(precoro.clock))
    assert found is not None
    write_files([found], tmp_path / "plan.html", tmp_path / "plan.csv")
    print_reviews([found])

    old, new = (
        str(precoro.warehouse.read(f"select target_id from sync_links where source_id = '{key}'").item())
        for key in "12"
    )
    printed, page, table = (
        capsys.readouterr().out,
        (tmp_path / "plan.html").read_text(),
        (tmp_path / "plan.csv").read_text(),
    )
    assert f"{PARENT}: EMEA ({old}) → Nordics ({new})" in printed
    assert f"{PARENT}: EMEA ({old}) → Baltics" in printed
    assert f'<span class="was">EMEA ({old})</span> → Nordics ({new})' in page
    assert f"{PARENT},{old},{new},EMEA,Nordics," in table
    assert f"{PARENT},{old},,EMEA,Baltics," in table


def test_a_plan_whose_records_a_newer_one_replaced_is_not_shown_as_empty(
    edited: tuple[WorkflowRunner, str], tmp_path: Path
) -> None:
    """Nor does a file for reviewers offer a command that no longer sends it."""
    runner, plan_id = edited
    found = review(edited)
    assert found.how_to_send[0] == f"millpond apply {plan_id}"
    expired = replace(found, plan={**found.plan, "state": "expired"})
    write_files([expired], tmp_path / "plan.html", None)
    page = (tmp_path / "plan.html").read_text()
    assert "cannot be sent: it is expired" in page
    assert "millpond apply" not in page
    with runner.warehouse.writer() as con:
        con.execute(f"create table kept as from plan_{runner.name}")
        con.execute(f"delete from plan_{runner.name} where plan_id = ?", [plan_id])
    gone = review_plan(
        runner.warehouse, runner.workflow, {"flow": runner.workflow}, {"flow": plan_id}, utc_now(runner.clock)
    )
    with runner.warehouse.writer() as con:
        con.execute(f"insert into plan_{runner.name} from kept")
        con.execute("drop table kept")

    assert gone is None


def test_a_plan_in_shadow_mode_names_no_command_that_sends_it(edited: tuple[WorkflowRunner, str]) -> None:
    """It would be refused; the review names what ends the shadow mode instead."""
    runner, plan_id = edited
    assert review(edited).how_to_send[0] == f"millpond apply {plan_id}"
    now = utc_now(runner.clock)
    with runner.warehouse.writer() as con:
        begin_shadow(con, Shadow("flow", 0, "the connector", None, "ada", now))
    command, text = review(edited).how_to_send
    with runner.warehouse.writer() as con:
        con.execute("delete from sync_shadow_periods")  # its end would close the plan, which other tests review

    assert (command, "`millpond shadow stop flow`" in text) == ("", True)
    assert review(edited).how_to_send[0] == f"millpond apply {plan_id}"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (KEY, []),
        (f"{OTHER_KEY},{KEY}", [(True, "an older key is still needed for 1 plan", "")]),
        (f"{KEY},{OTHER_KEY}", [(True, "no plan that waits needs an older key", "")]),
        (
            OTHER_KEY,
            [
                (False, "1 plan cannot be sent: customers 1: encrypted with another", "or `millpond reject`"),
                (False, "the ledger's last checkpoint is signed with the key", "set MILLPOND_LEDGER_KEY to it"),
            ],
        ),
        (
            "",
            [
                (False, "1 plan cannot be sent: customers 1: encrypted, but no key is set", "or `millpond reject`"),
                (False, "the ledger's last checkpoint is signed with the key", "set MILLPOND_LEDGER_KEY to it"),
            ],
        ),
    ],
    ids=["current", "older", "newer", "another", "none"],
)
def test_the_doctor_says_which_keys_are_still_needed(
    edited: tuple[WorkflowRunner, str], monkeypatch: pytest.MonkeyPatch, key: str, expected: list[tuple[bool, str, str]]
) -> None:
    """An old key is removed once nothing needs it; one that was removed too early is named."""
    runner, _ = edited
    with runner.warehouse.writer() as con:
        if last_checkpoint(con) is None:
            seal(con, Signer(KEY), utc_now(runner.clock), {})
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", key)
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", key)

    with runner.warehouse.writer(transaction=False) as con:
        found = list(check_keys(con))
    assert len(found) == len(expected)
    for each, (passed, begins, fix) in zip(found, expected, strict=True):
        assert (each.passed, each.found.startswith(begins), fix in each.fix) == (passed, True, True), each


def test_a_run_that_fails_before_the_first_plan_made_none(tmp_path: Path) -> None:
    """Nothing was ever planned in its home."""
    with Warehouse(tmp_path).writer() as con:
        assert newest_plans(con, "run") == {}
