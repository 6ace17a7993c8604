"""The whole story of one record can be told."""

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pytest

import sql
from assets.delivery.audit.explain import Record, explain, find_records
from assets.precoro.target import OptionTarget
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.run_workflow import Flow


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A customer that was renamed, its project, and another customer whose name is a number."""
    folder = tmp_path_factory.mktemp("delivered")
    world, rest = Sandbox(folder / "sandbox"), customer("7", company_name="100")
    with open_precoro(sandbox=world.folder) as client:
        flow = Flow(Warehouse(folder / "warehouse"), OptionTarget(client, 5144), world.clock)
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


def test_an_id_that_is_no_number_has_its_story_too(precoro: Flow) -> None:
    """The long tables are read by number, where there is one."""
    precoro.stage(customer("A-1", company_name="Acme")).run()
    record = Record("customers", "A-1", "CA-1", "Acme")

    (now,) = explain(precoro.warehouse, record).stories
    (then,) = explain(precoro.warehouse, record, precoro.clock.now().replace(tzinfo=None)).stories

    for story in (now, then):
        assert [row["action"] for row in story.decided] == ["create"]
        assert [row["state"] for row in story.attempts] == ["intent", "confirmed"]


# --- the past -------------------------------------------------------------------------------------------------------


def test_a_past_moment_knows_nothing_of_what_came_later(precoro: Flow) -> None:
    """Who asks why the target looked so on Tuesday gets Tuesday's answer."""
    precoro.stage(customer("1", company_name="Acme")).run()
    between = precoro.clock.now().replace(tzinfo=None)
    precoro.clock.sleep(3600)
    precoro.stage(customer("1", company_name="Acme 2")).run()
    record = Record("customers", "1", "C1", "Acme 2")

    then = explain(precoro.warehouse, record, between)
    now = explain(precoro.warehouse, record)

    (story,) = then.stories
    assert [(row["action"], row["to_run"], row["to_at"]) for row in story.decided] == [("create", None, None)]
    assert [(row["action"], row["state"]) for row in story.attempts] == [("create", "intent"), ("create", "confirmed")]
    assert [row["to_run"] for row in now.stories[0].decided] == ["run 1", None]
    assert (then.seen, story.shaped, story.planned, story.linked, story.target_now) == ({}, [], [], [], [])
    assert then.as_of == between


def test_before_everything_there_is_no_story(precoro: Flow) -> None:
    """Nothing had been decided."""
    precoro.stage(customer("1")).run()

    (story,) = explain(precoro.warehouse, Record("customers", "1", "C1", None), datetime(2001, 1, 1)).stories  # noqa: DTZ001 - the warehouse's timestamps are naive UTC

    assert (story.decided, story.attempts) == ([], [])


# --- for analysts ---------------------------------------------------------------------------------------------------


def published(flow: Flow, text: str) -> list[tuple[str, ...]]:
    """What `from explain(…)` says in the snapshot: source, workflow, step, what, detail."""
    flow.warehouse.publish()
    with duckdb.connect(str(flow.warehouse.snapshot), read_only=True) as con:
        return con.execute("select * exclude (happened_at) from explain(?)", [text]).fetchall()


def test_analysts_ask_the_snapshot_for_a_story(precoro: Flow) -> None:
    """In the order in which it happened, by NetSuite's id or the target's."""
    precoro.stage(customer("1", company_name="Acme"), below=(project("100"),)).run()
    precoro.stage(customer("1", company_name="Acme 2"), below=(project("100"),)).run()

    story = published(precoro, "1")

    ours = target_id(precoro, "1")
    assert story == [
        ("customers", None, "seen", "C1", "Acme 2"),
        ("customers", "flow", "sent", "create", None),
        ("customers", "flow", "answered", "confirmed", None),
        ("customers", "flow", "decided", "create", "not in the target yet"),
        ("customers", "flow", "sent", "update", None),
        ("customers", "flow", "answered", "confirmed", None),
        ("customers", "flow", "decided", "update", "differs: 1 in the target: name"),
        ("customers", "flow", "linked", ours, "external_id"),
    ]
    assert published(precoro, ours) == story
    assert published(precoro, "nobody") == []


def test_an_id_of_two_sources_tells_both_and_a_targets_id_one(precoro: Flow) -> None:
    """NetSuite numbers customers and projects alike."""
    precoro.stage(customer("1")).run()
    precoro.stage(customer("1"), below=(project("1"),))
    with precoro.warehouse.writer() as con:
        con.execute(
            "insert into sync_links (workflow, source, source_id, target_id) values ('other', 'projects', '1', '4711')"
        )

    assert {row[0] for row in published(precoro, "1")} == {"customers", "projects"}
    assert {row[0] for row in published(precoro, "4711")} == {"projects"}


def test_the_macro_says_what_it_is_and_needs_its_tables(precoro: Flow) -> None:
    """A warehouse without projects is published all the same."""
    with precoro.warehouse.writer() as con:
        con.execute("create table something (id integer)")
    precoro.warehouse.publish()
    precoro.stage(customer("1")).run()
    precoro.warehouse.publish()

    with duckdb.connect(str(precoro.warehouse.snapshot), read_only=True) as con:
        said = con.execute("select comment from duckdb_functions() where function_name = 'explain'").fetchall()
        tables = con.execute("select distinct table_name from duckdb_tables()").fetchall()

    assert said[0][0].startswith("The story of one record, step by step")
    assert set(sql.statement("analytics", "explain").reads) <= {name for (name,) in tables}
