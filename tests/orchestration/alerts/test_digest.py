"""Each steward gets the records that cannot be sent, by cause, and no message when there are none."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from assets.delivery.audit.record_links import RecordLinks
from assets.delivery.spec.policies import Select
from assets.delivery.spec.workflow import Workflow
from assets.precoro.target import OptionTarget
from orchestration.alerts.digest import MAX_RECORDS, Digest, digests, notice_of, send
from resources.clock import utc_now
from resources.notifiers.mail import Mail
from resources.notifiers.notice import Receiver
from resources.notifiers.web import Slack
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, option_tree, project
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.resources.notifiers.servers import http_server, smtp_server

ADA, BOB = "ada@example.com", "bob@example.com"
LINKS = RecordLinks("1234567_SB1")
NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)
TOO_LONG = "x" * 300


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[WorkflowRunner]:
    """Return a workflow with two stewards."""
    sandbox = Sandbox(tmp_path / "sandbox")
    with open_precoro(sandbox=sandbox.folder) as client:
        warehouse = Warehouse(tmp_path / "warehouse")
        spec = option_tree(stewards=[ADA, BOB])
        yield WorkflowRunner(warehouse, OptionTarget(client, 5144), sandbox.clock, spec)


def found(runner: WorkflowRunner, *, active: bool = True, hides: bool = False, **spec: Any) -> list[Digest]:
    """Return the digests as of the last run."""
    workflow = Workflow(runner.name, option_tree(**{"stewards": [ADA, BOB], **spec}))
    warehouse = Warehouse(runner.warehouse.folder, hides_personal=hides)
    names = [workflow.name] if active else []
    return digests(warehouse, {workflow.name: workflow}, names, LINKS, utc_now(runner.clock))


def test_each_steward_gets_the_causes_with_the_records_to_correct(runner: WorkflowRunner) -> None:
    """A project that waits for its customer is counted where the customer is named."""
    runner.stage(customer("1"), customer("2", company_name=TOO_LONG), below=(project("100", customer_id="2"),))
    runner.run()

    ada, bob = found(runner)

    assert (ada.steward, bob.steward, ada.causes) == (ADA, BOB, bob.causes)
    assert ada.records == 2
    own, below = ada.causes
    assert own.text == "1 customer quarantined: name is longer than 256 characters, the target's limit"
    assert own.task.startswith("NetSuite: ")
    address = "https://1234567-sb1.app.netsuite.com/app/common/entity/custjob.nl?id=2"
    assert own.lines == [f"customer 2 {TOO_LONG} {address}"]
    assert (
        below.text
        == "1 project blocked: its customer needs a correction (name is longer than 256 characters, the target's limit)"
    )
    assert below.lines == own.lines


@pytest.mark.long
def test_records_below_one_that_is_not_selected_are_left_out(runner: WorkflowRunner) -> None:
    """Selecting it is a decision on the workflow, not a correction in NetSuite."""
    top, below = runner.spec.records
    marked = top.model_copy(update={"select": Select(require_flag="custentity_export")})
    runner.spec = runner.spec.model_copy(update={"records": [marked, below]})
    runner.stage(customer("4", custentity_export="F"), below=(project("102", customer_id="4"),))

    assert runner.run()["102"] == ("blocked", "parent_missing")
    assert found(runner) == []


def test_nothing_is_sent_when_there_is_nothing(runner: WorkflowRunner) -> None:
    """Before the first run, after a clean one, and for a workflow that is off or has no stewards."""
    assert found(runner) == []
    runner.stage(customer("1")).run()
    assert found(runner) == []
    runner.stage(customer("1"), customer("2", company_name=TOO_LONG)).run()
    assert found(runner, active=False) == []
    assert found(runner, stewards=[]) == []
    with http_server() as posted:
        assert send([], {"slack": Slack(posted.url, "127.0.0.1")}, NOW) == []
        assert posted.got == []


def test_a_warehouse_that_hides_personal_values_names_ids_only(runner: WorkflowRunner) -> None:
    """The link leads whoever may see the record to it."""
    runner.stage(customer("2", company_name=TOO_LONG)).run()

    assert TOO_LONG not in repr(found(runner, hides=True))
    assert "customer 2 https://" in repr(found(runner, hides=True))
    assert notice_of(found(runner)[0], NOW).title == "Millpond: 1 record cannot be sent"


@pytest.mark.long
def test_long_lists_are_cut_with_their_number(runner: WorkflowRunner) -> None:
    """The console has the others."""
    runner.stage(*(customer(str(number), company_name=TOO_LONG + str(number)) for number in range(1, 14))).run()

    lines = found(runner)[0].causes[0].lines
    assert len(lines) == MAX_RECORDS + 1
    assert lines[-1] == "… and 3 more"


def test_each_digest_goes_to_its_steward_by_mail(runner: WorkflowRunner) -> None:
    """Not to the receivers of alerts, and a steward whose mail is refused does not keep the others from theirs."""
    runner.stage(customer("2", company_name=TOO_LONG)).run()
    with smtp_server() as box:
        mail = Mail("127.0.0.1", "millpond@example.com", ("ops@example.com",), box.port, "none")
        assert send(found(runner), {"mail": mail}, NOW) == []

    assert box.recipients == [ADA, BOB]
    assert "1 customer quarantined" in str(box.mails[0].get_payload())


def test_without_mail_one_message_for_each_steward_goes_to_slack(runner: WorkflowRunner) -> None:
    """Without either, the error names the setting."""
    runner.stage(customer("2", company_name=TOO_LONG)).run()
    with http_server() as posted:
        slack: dict[str, Receiver] = {"slack": Slack(posted.url, "127.0.0.1")}
        assert send(found(runner), slack, NOW) == []

    assert len(posted.got) == 2
    for steward, each in zip((ADA, BOB), posted.got, strict=True):
        assert f"cannot be sent (for {steward})*" in json.loads(each[1])["text"]  # a channel has many readers
    (problem,) = send(found(runner), {}, NOW)
    assert "MILLPOND_ALERT_MAIL_HOST" in problem


def test_an_error_names_no_address(runner: WorkflowRunner) -> None:
    """Its text goes into logs."""
    runner.stage(customer("2", company_name=TOO_LONG)).run()
    mail = Mail("127.0.0.1", "millpond@example.com", ("ops@example.com",), 1, "none")

    problems = send(found(runner), {"mail": mail}, NOW)

    assert len(problems) == 2
    assert problems[1].startswith("the digest of steward 2 of 2 was not sent: mail: ConnectionRefusedError")
    assert "@" not in "".join(problems)


@pytest.mark.long
def test_the_same_digest_of_a_week_is_the_same_message(runner: WorkflowRunner) -> None:
    """A run that is repeated sends it again with the same id, which mail programs show once."""
    runner.stage(customer("2", company_name=TOO_LONG)).run()
    (ada, bob) = found(runner)
    later = NOW.replace(day=18)

    assert notice_of(ada, NOW).notice_id == notice_of(ada, later).notice_id
    assert notice_of(ada, NOW).notice_id != notice_of(bob, NOW).notice_id
    assert notice_of(ada, NOW).notice_id != notice_of(ada, NOW.replace(day=25)).notice_id


@pytest.mark.parametrize(
    "address", ["ada", "ada@example", "ada@example.com, bob@example.com", "@example.com", "a\u202eb@example.com"]
)
def test_a_steward_is_an_address(address: str) -> None:
    """The file's error shows what to write."""
    with pytest.raises(ValidationError, match=r"not an e-mail address; use one such as ada@example\.com"):
        option_tree(stewards=[address])


def test_stewards_are_no_part_of_a_files_fingerprint() -> None:
    """Naming another one makes no plan stale, and no record is sent for it."""
    assert option_tree(stewards=[ADA]).version == option_tree().version
