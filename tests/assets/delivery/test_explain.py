"""The whole story of one record can be told."""

from collections.abc import Iterator

import pytest

from assets.delivery.explain import Record, explain, find_records
from assets.precoro.target import OptionTarget
from resources.precoro.connect import open_precoro
from resources.sandbox.world import Sandbox
from resources.warehouse import Warehouse
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.flow import Flow


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A customer that was renamed, its project, and another customer whose name is a number."""
    folder = tmp_path_factory.mktemp("delivered")
    world, rest = Sandbox(folder / "sandbox"), customer("7", company_name="100")
    with open_precoro(sandbox=world.folder) as client:
        flow = Flow(Warehouse(folder / "pond"), OptionTarget(client, 5144), world.clock)
        flow.stage(customer("1", company_name="Acme"), rest, below=(project("100"),)).run()
        flow.stage(customer("1", company_name="Acme 2"), rest, below=(project("100"),)).run()
        yield flow


def target_id(flow: Flow, source_id: str) -> str:
    """The target's id of a source record."""
    return str(flow.warehouse.read("select target_id from sync_links where source_id = ?", [source_id])["target_id"][0])


@pytest.mark.parametrize("text", ["1", "C1", "Acme 2", "ACME 2"])
def test_a_record_is_found_by_id_number_and_name(delivered: Flow, text: str) -> None:
    """What people have at hand; case does not matter in a name."""
    assert find_records(delivered.warehouse, text) == [Record("customers", "1", "C1", "Acme 2")]


def test_a_record_is_found_by_the_targets_id(delivered: Flow) -> None:
    """Who sees it in the target knows only that."""
    found = find_records(delivered.warehouse, target_id(delivered, "100"))

    assert found == [Record("projects", "100", "P100", "Project 100")]


def test_an_exact_id_wins_over_a_name(delivered: Flow) -> None:
    """Company "100" is not project 100."""
    assert [record.source for record in find_records(delivered.warehouse, "100")] == ["projects"]


def test_who_is_not_there_is_not_found(delivered: Flow) -> None:
    """No guess, no error."""
    assert find_records(delivered.warehouse, "nobody") == []


def test_the_story_has_every_link_of_the_chain(delivered: Flow) -> None:
    """Seen, shaped, planned, decided, sent, linked, and what the target has now."""
    told = explain(delivered.warehouse, find_records(delivered.warehouse, "1")[0])

    assert told.seen["company_name"] == "Acme 2"
    (story,) = told.stories
    assert story.workflow == "flow"
    assert [row["name"] for row in story.shaped] == ["Acme 2"]
    assert [(row["action"], row["changes"]) for row in story.planned] == [
        ("update", [{"field": "name", "before": "Acme", "after": "Acme 2"}]),
    ]
    assert [(row["action"], row["to_run"]) for row in story.decided] == [("create", "run 1"), ("update", None)]
    assert [(row["action"], row["state"]) for row in story.attempts] == [
        ("create", "intent"), ("create", "confirmed"), ("update", "intent"), ("update", "confirmed"),
    ]  # fmt: skip
    assert [row["target_id"] for row in story.linked] == [target_id(delivered, "1")]
    assert [row["name"] for row in story.target_now] == ["Acme 2"]


def test_a_record_that_was_never_sent_has_its_reason(precoro: Flow) -> None:
    """That is what most questions are about."""
    precoro.stage(customer("1", company_name=None)).run()

    (story,) = explain(precoro.warehouse, Record("customers", "1", "C1", None)).stories

    assert [(row["action"], row["reason_code"]) for row in story.decided] == [("quarantined", "required_blank")]
    assert (list(story.attempts), list(story.linked), list(story.target_now)) == ([], [], [])


def test_before_the_first_run_there_is_a_record_and_no_story(precoro: Flow) -> None:
    """Extracted, nothing else yet."""
    precoro.stage(customer("1"))

    told = explain(precoro.warehouse, find_records(precoro.warehouse, "C1")[0])

    assert told.seen["entity_number"] == "C1"
    assert list(told.stories) == []


def test_an_empty_pond_knows_nobody(warehouse: Warehouse) -> None:
    """Not even its tables are there."""
    assert find_records(warehouse, "1") == []


def test_a_target_id_of_another_kind_of_record_is_no_error(delivered: Flow) -> None:
    """Departments have links as well; nobody asks for their story by name."""
    with delivered.warehouse.writer() as con:
        con.execute(
            "insert into sync_links (workflow, source, source_id, target_id) values ('x', 'departments', '1', '4711')"
        )

    assert find_records(delivered.warehouse, "4711") == []
