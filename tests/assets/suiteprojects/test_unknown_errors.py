"""Status 1, "unknown error", on one record: it is retried before a person must check it."""

import pytest

from tests.assets.suiteprojects.staged import customer
from tests.assets.suiteprojects.test_customers_import import Importer, importer

__all__ = ["importer"]  # a fixture

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches


def fail(sandbox: Sandbox, *external_ids: str) -> None:
    """Let the service answer writes of these records with 1."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, unknown_errors=external_ids)


def test_one_unknown_error_is_tried_again_by_the_next_run(importer: Importer, sandbox: Sandbox) -> None:
    """It says nothing about the record; the others are delivered."""
    fail(sandbox, "2")

    first = importer.run(customer("1"), customer("2"), customer("3"))
    fail(sandbox)
    second = importer.run(customer("1"), customer("2"), customer("3"))

    assert first == {"1": ("create", "new"), "2": ("failed", "unknown"), "3": ("create", "new")}
    assert second["2"][0] == "create"
    assert sorted(row["externalid"] for row in importer.records()) == ["1", "2", "3"]


@pytest.mark.long
def test_two_runs_of_unknown_errors_quarantine_the_record(importer: Importer, sandbox: Sandbox) -> None:
    """It is not sent again until it changes, as any record that the service rejects."""
    fail(sandbox, "2")
    decisions = [importer.run(customer("1"), customer("2"))["2"] for _ in range(3)]
    calls = sandbox.suiteprojects.write_calls()
    importer.run(customer("1"), customer("2"))

    assert [action for action, _ in decisions] == ["failed", "quarantined", "quarantined"]
    assert sandbox.suiteprojects.write_calls() == calls
    fail(sandbox)
    assert importer.run(customer("1"), customer("2", company_name="Another"))["2"][0] == "create"


@pytest.mark.long
def test_an_update_is_tried_again_as_well(importer: Importer, sandbox: Sandbox) -> None:
    """By internal id."""
    importer.run(customer("1"), customer("2"))
    fail(sandbox, "2")
    assert importer.run(customer("1"), customer("2", company_name="Another"))["2"] == ("failed", "unknown")

    fail(sandbox)
    assert importer.run(customer("1"), customer("2", company_name="Another"))["2"][0] == "update"
    assert [row["company"] for row in importer.records()] == ["Company 1", "Another"]


@pytest.mark.long
def test_an_error_in_between_starts_anew(importer: Importer, sandbox: Sandbox) -> None:
    """Only consecutive rejections count."""
    for _ in range(2):
        fail(sandbox, "1")
        name = f"Name {sandbox.suiteprojects.calls_made()}"
        assert importer.run(customer("1", company_name=name))["1"][0] == "failed"
        fail(sandbox)
        assert importer.run(customer("1", company_name=name))["1"][0] in {"create", "update"}
