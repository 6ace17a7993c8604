"""A plan is a thing: it waits, is released or dropped, expires, and is sent once as it was approved."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from cryptography.fernet import Fernet

from assets.delivery.ledger import plans
from assets.delivery.ledger.plans import PlanError, Seal, SyncError, find, reject
from assets.precoro.target import OptionTarget
from resources import failpoints
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, one_source, option_tree, project
from tests.assets.delivery.run_workflow import Flow

ONE = {"create": {"percent": 0, "rows": 1}}
CANARY_NAME = "Zyzzyva Kanarienvogel"


@pytest.fixture
def waiting(precoro: Flow) -> tuple[Flow, str]:
    """A plan of two creates where one is allowed."""
    precoro.spec = one_source(guards=ONE)
    planned = precoro.stage(customer("1"), customer("2")).plan("planned")
    return precoro, planned.plan_id


def keys(sandbox: Sandbox) -> list[str]:
    """Our keys in the target, each as often as it is there."""
    return sorted(option["external_id"] for option in sandbox.precoro.options() if option["external_id"])


# --- waiting for a person ------------------------------------------------------------------------------------------


def test_a_tripped_guard_leaves_the_plan_waiting_and_nothing_is_sent(
    waiting: tuple[Flow, str], sandbox: Sandbox
) -> None:
    """Who runs it anyway is told which plan waits, why, and both ways out."""
    flow, plan_id = waiting

    with pytest.raises(SyncError, match=rf"plan {plan_id} waits for a person \(2 records would be created.*apply"):
        flow.send("sent")

    assert flow.states() == {plan_id: "waiting"}
    assert keys(sandbox) == []
    assert flow.warehouse.read("select * from sync_attempts").is_empty()


def test_a_released_plan_is_sent_as_it_was_made(waiting: tuple[Flow, str], sandbox: Sandbox) -> None:
    """Once, and the decisions say so."""
    flow, plan_id = waiting

    synced = flow.release(plan_id[:6], "released")

    assert (synced.counts["created"], keys(sandbox), flow.states()) == (2, ["1", "2"], {plan_id: "sent"})
    sent = flow.table("sync_plans").to_dicts()[0]
    assert (sent["sent_by"], sent["writes"]) == ("released", 2)
    with pytest.raises(SyncError, match=f"plan {plan_id} is sent"):
        flow.release(plan_id, "again")


def test_a_rejected_plan_cannot_be_sent(waiting: tuple[Flow, str], sandbox: Sandbox) -> None:
    """The reason is kept; rejecting twice is a mistake that is told."""
    flow, plan_id = waiting
    moment = flow.clock.now().replace(tzinfo=None)
    with flow.warehouse.writer() as con:
        plans.reject(con, plans.find(con, plan_id), moment, "not on a Friday")

    with pytest.raises(SyncError, match=f"plan {plan_id} is rejected"):
        flow.release(plan_id, "released")
    with flow.warehouse.writer() as con, pytest.raises(PlanError, match="is rejected already"):
        plans.reject(con, plans.find(con, plan_id), moment, "again")

    assert flow.table("sync_plans")["note"].to_list() == ["not on a Friday"]
    assert keys(sandbox) == []


def test_an_expired_plan_cannot_be_sent(waiting: tuple[Flow, str], sandbox: Sandbox) -> None:
    """What was true yesterday may not be so today."""
    flow, plan_id = waiting
    sandbox.clock.sleep(24 * 3600 + 1)

    with pytest.raises(SyncError, match=f"plan {plan_id} expired at "):
        flow.release(plan_id, "released")

    assert keys(sandbox) == []


def test_a_plan_can_be_sent_up_to_its_last_hour(waiting: tuple[Flow, str], sandbox: Sandbox) -> None:
    """The lifetime is the file's."""
    flow, plan_id = waiting
    sandbox.clock.sleep(24 * 3600 - 60)

    assert flow.release(plan_id, "released").counts["created"] == 2


def test_of_two_that_apply_at_once_one_wins(waiting: tuple[Flow, str], sandbox: Sandbox) -> None:
    """Two people read the same mail; the second is told, and nothing is made twice."""
    flow, plan_id = waiting

    def apply(run_id: str) -> str:
        with open_precoro(sandbox=sandbox.folder) as client:
            mine = Flow(flow.warehouse, OptionTarget(client, 5144), sandbox.clock, flow.spec)
            try:
                mine.release(plan_id, run_id)
            except SyncError as error:
                return str(error)
            return "sent"

    with ThreadPoolExecutor(2) as both:
        said = sorted(both.map(apply, ("one", "two")))

    assert said[1] == "sent"
    assert f"plan {plan_id} is sent" in said[0]
    assert keys(sandbox) == ["1", "2"]


@pytest.mark.parametrize(
    "edit",
    [
        "update plan_flow set payload = replace(payload, 'Company 1', 'Company X')",
        "update plan_flow set action = 'adopt' where source_id = '1'",
        "update plan_flow set target_id = '4711' where source_id = '1'",
        "delete from plan_flow where source_id = '2'",
        "insert into plan_flow select * replace ('3' as source_id) from plan_flow where source_id = '1'",
    ],
)
def test_a_plan_whose_rows_were_changed_is_refused(waiting: tuple[Flow, str], sandbox: Sandbox, edit: str) -> None:
    """What was approved is what is sent; a table can be edited by anybody who can write the file."""
    flow, plan_id = waiting
    with flow.warehouse.writer() as con:
        con.execute(edit)

    with pytest.raises(PlanError, match=f"rows of plan {plan_id} are not those that were kept"):
        flow.release(plan_id, "released")

    assert (flow.states(), keys(sandbox)) == ({plan_id: "waiting"}, [])


def test_a_waiting_plans_rows_survive_newer_plans(waiting: tuple[Flow, str], sandbox: Sandbox) -> None:
    """The next runs plan as well, also from a source that is empty for once; the person may answer later."""
    flow, plan_id = waiting
    newer = flow.plan("newer")
    emptied = flow.stage().plan("emptied")
    flow.stage(customer("1"), customer("2")).plan("again")

    rows = flow.table("plan_flow")
    assert rows.filter(pl.col("plan_id") == plan_id).height == 2
    assert flow.states()[newer.plan_id] == "waiting"
    assert flow.states()[emptied.plan_id] == "expired"
    assert flow.release(plan_id, "released").counts["created"] == 2
    assert keys(sandbox) == ["1", "2"]


def test_a_plan_that_nobody_holds_back_ends_with_the_next_one(precoro: Flow) -> None:
    """Two plans of the same state of things must not both be sent."""
    old = precoro.stage(customer("1")).plan("old")
    new = precoro.plan("new")

    assert precoro.states() == {old.plan_id: "expired", new.plan_id: "made"}
    assert precoro.table("plan_flow")["plan_id"].unique().to_list() == [new.plan_id]
    with pytest.raises(SyncError, match="is expired"):
        precoro.release(old.plan_id, "released")


def test_a_source_without_records_is_a_plan_that_sends_nothing(precoro: Flow, sandbox: Sandbox) -> None:
    """A new account; the first customer then comes as anywhere else."""
    assert precoro.stage().run() == {}
    assert set(precoro.states().values()) == {"sent"}

    assert precoro.stage(customer("1")).run() == {"1": ("create", "new")}
    assert keys(sandbox) == ["1"]


def test_a_plan_is_named_by_its_first_characters(waiting: tuple[Flow, str]) -> None:
    """As long as they mean one plan."""
    flow, _ = waiting

    with pytest.raises(SyncError, match="no plans begin with zz; `millpond plans` lists them"):
        flow.release("zz", "released")
    flow.plan("second")
    with flow.warehouse.writer() as con, pytest.raises(SyncError, match="2 plans begin with "):
        plans.find(con, "")


def test_a_plan_belongs_to_its_workflow(waiting: tuple[Flow, str], sandbox: Sandbox) -> None:
    """Another target would take the payload for its own."""
    flow, plan_id = waiting
    flow.name = "other"

    with pytest.raises(SyncError, match="is one of flow, not of other"):
        flow.release(plan_id, "released")

    assert keys(sandbox) == []


# --- sealed ---------------------------------------------------------------------------------------------------------


def bytes_of(warehouse: Warehouse, folder: Path) -> bytes:
    """The plan's and the attempts' tables alone, as bytes on the disk: other tables hold names by their purpose."""
    folder.mkdir()
    with warehouse.writer(transaction=False) as con:
        con.execute("pragma force_compression='uncompressed'")
        con.execute(f"attach '{folder / 'alone.duckdb'}' as alone")
        for name in ("plan_flow", "sync_attempts", "sync_plans", "sync_holds"):
            con.execute(f"create table alone.{name} as select * from {name}")
        con.execute("detach alone")
    return (folder / "alone.duckdb").read_bytes()


def staged(flow: Flow) -> Flow:
    """A customer of a name that is nowhere else, sent once, and a new name planned."""
    flow.stage(customer("1", company_name=CANARY_NAME), below=(project("100"),)).run()
    flow.stage(customer("1", company_name=f"{CANARY_NAME} 2"), below=(project("100"),)).plan("renamed")
    return flow


def test_with_a_key_nothing_readable_stands_in_plans_and_images(precoro: Flow, tmp_path: Path) -> None:
    """Payloads and before-images hold names and addresses; a copy of the file must not."""
    precoro.spec, folder = option_tree(), precoro.warehouse.folder
    open_bytes = bytes_of(staged(precoro).warehouse, tmp_path / "open")
    precoro.warehouse = Warehouse(folder.with_name("sealed"), Fernet.generate_key().decode())
    sealed_bytes = bytes_of(staged(precoro).warehouse, tmp_path / "sealed_copy")

    assert CANARY_NAME.encode() in open_bytes
    assert CANARY_NAME.encode() not in sealed_bytes
    row = precoro.table("plan_flow").filter(pl.col("source_id") == "1").to_dicts()[0]
    assert [change["field"] for change in row["changes"]] == ["name"]


def test_a_sealed_plan_is_sent_with_its_values(precoro: Flow, sandbox: Sandbox) -> None:
    """Who has the key sees what was planned, and undoes it too."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())
    staged(precoro).send("renamed")
    assert f"{CANARY_NAME} 2" in {option["name"] for option in sandbox.precoro.options()}

    precoro.release(precoro.undo("renamed").plan_id, "undone")

    assert CANARY_NAME in {option["name"] for option in sandbox.precoro.options()}


ANOTHER_KEY = "A" * 43 + "="  # a fixed one: test names must be the same in every worker


@pytest.mark.parametrize(
    ("key", "words"),
    [(ANOTHER_KEY, "sealed with another key"), ("", "set MILLPOND_SEAL_KEY to the key")],
)
def test_with_another_key_a_plan_cannot_be_sent_and_with_its_own_it_still_can(
    precoro: Flow, sandbox: Sandbox, key: str, words: str
) -> None:
    """A wrong key in one shell must not spend the plan."""
    folder, right = precoro.warehouse.folder, Fernet.generate_key().decode()
    precoro.warehouse = Warehouse(folder, right)
    plan_id = precoro.stage(customer("1")).plan("sealed").plan_id
    precoro.warehouse = Warehouse(folder, key)

    with pytest.raises(PlanError, match=words):
        precoro.release(plan_id, "wrong")

    assert (precoro.states(), keys(sandbox)) == ({plan_id: "made"}, [])
    precoro.warehouse = Warehouse(folder, right)
    assert precoro.release(plan_id, "right").counts["created"] == 1


def test_what_waits_is_dropped_without_the_key(precoro: Flow) -> None:
    """The key is lost; the plan must not stay for ever."""
    folder = precoro.warehouse.folder
    precoro.warehouse = Warehouse(folder, Fernet.generate_key().decode())
    precoro.spec = one_source(guards={"create": {"percent": 0, "rows": 0}})
    plan_id = precoro.stage(customer("1")).plan("sealed").plan_id
    precoro.warehouse = Warehouse(folder, ANOTHER_KEY)

    with precoro.warehouse.writer() as con:
        reject(con, find(con, plan_id), precoro.clock.now().replace(tzinfo=None), "key lost")

    assert precoro.states() == {plan_id: "rejected"}


@pytest.mark.parametrize("key", [ANOTHER_KEY, ""])
def test_a_death_under_a_lost_key_holds_nothing_up(precoro: Flow, sandbox: Sandbox, key: str) -> None:
    """What was sent cannot be read any more; what the target shows can."""
    folder = precoro.warehouse.folder
    precoro.warehouse = Warehouse(folder, Fernet.generate_key().decode())
    precoro.stage(customer("1"), customer("2")).run()
    rows = (customer("1", company_name="New 1"), customer("2", company_name="New 2"), customer("3"))
    precoro.stage(*rows).plan("dead")
    failpoints.arm("answers_read", strike=_die)
    with pytest.raises(_DeadError):
        precoro.send("dead")
    sandbox.clock.sleep(120)
    precoro.warehouse = Warehouse(folder, key)

    done = precoro.run()

    assert {action for action, _ in done.values()} == {"unchanged"}
    ends = {source_id: state for source_id, _, state in precoro.attempts() if state in {"found", "untold", "absent"}}
    assert ends == {"1": "untold", "2": "untold", "3": "found"}
    told = "run dead cannot be taken back: its values (are|were) sealed.* set MILLPOND_SEAL_KEY"
    with pytest.raises(PlanError, match=told):
        precoro.undo("dead")


def test_a_new_key_is_set_before_the_old_one(precoro: Flow) -> None:
    """What the old one sealed is opened, what comes is sealed with the new one."""
    folder, old, new = precoro.warehouse.folder, Fernet.generate_key().decode(), Fernet.generate_key().decode()
    precoro.warehouse = Warehouse(folder, old)
    plan_id = precoro.stage(customer("1")).plan("sealed").plan_id
    precoro.warehouse = Warehouse(folder, f"{new},{old}")
    assert precoro.release(plan_id, "both").counts["created"] == 1

    plan_id = precoro.stage(customer("1"), customer("2")).plan("sealed anew").plan_id

    precoro.warehouse = Warehouse(folder, new)
    assert precoro.release(plan_id, "new alone").counts["created"] == 1


class _DeadError(BaseException):
    """The process would have died here."""


def _die() -> None:
    raise _DeadError


def test_a_key_of_another_form_is_named() -> None:
    """Pasted with a quote, or made by another tool."""
    with pytest.raises(PlanError, match="MILLPOND_SEAL_KEY must be 32 bytes in URL-safe base64"):
        Seal("secret")


def test_a_table_of_an_older_version_is_no_reason_to_fail(waiting: tuple[Flow, str]) -> None:
    """A plan table of other columns, from an older version, is made anew; what waited in it is refused, not sent."""
    flow, plan_id = waiting
    with flow.warehouse.writer() as con:
        con.execute("alter table plan_flow add column older varchar")
    flow.plan("newer")

    with pytest.raises(PlanError, match="are not those that were kept"):
        flow.release(plan_id, "released")
