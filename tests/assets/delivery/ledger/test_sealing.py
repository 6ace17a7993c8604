"""Stored plans and before-images are unreadable without the key, and sent with it."""

import json
from pathlib import Path

import polars as pl
import pytest
from cryptography.fernet import Fernet

from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger.plans import find, reject
from assets.delivery.ledger.sealing import checksum
from resources import failpoints
from resources.clock import utc_now
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.tables import read_frame
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, one_source, option_tree, project
from tests.assets.delivery.ledger.test_plans import keys
from tests.assets.delivery.run_workflow import WorkflowRunner

UNIQUE_NAME = "Zyzzyva Kanarienvogel"


def bytes_of(warehouse: Warehouse, folder: Path) -> bytes:
    """Return the tables of plans and attempts as bytes on disk; other tables hold readable names on purpose."""
    folder.mkdir()
    with warehouse.writer(transaction=False) as con:
        con.execute("pragma force_compression='uncompressed'")
        con.execute(f"attach '{folder / 'copy.duckdb'}' as copy")
        for name in ("plan_flow", "sync_attempts", "sync_plans", "sync_undo_holds"):
            con.execute(f"create table copy.{name} as select * from {name}")
        con.execute("detach copy")
    return (folder / "copy.duckdb").read_bytes()


def planned(runner: WorkflowRunner) -> WorkflowRunner:
    """Send a customer with a unique name, and plan a new name."""
    runner.stage(customer("1", company_name=UNIQUE_NAME), below=(project("100"),)).run()
    runner.stage(customer("1", company_name=f"{UNIQUE_NAME} 2"), below=(project("100"),)).plan("renamed")
    return runner


def test_with_a_key_plans_and_images_are_unreadable(precoro: WorkflowRunner, tmp_path: Path) -> None:
    """A copy of the file must not reveal names and addresses."""
    precoro.spec, folder = option_tree(), precoro.warehouse.folder
    open_bytes = bytes_of(planned(precoro).warehouse, tmp_path / "open")
    precoro.warehouse = Warehouse(folder.with_name("sealed"), Fernet.generate_key().decode())
    sealed_bytes = bytes_of(planned(precoro).warehouse, tmp_path / "sealed_copy")

    assert UNIQUE_NAME.encode() in open_bytes
    assert UNIQUE_NAME.encode() not in sealed_bytes
    row = precoro.table("plan_flow").filter(pl.col("source_id") == "1").to_dicts()[0]
    assert [change["field"] for change in row["changes"]] == ["name"]


def test_a_sealed_plan_is_sent_with_its_values(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """With the key it can also be undone."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())
    planned(precoro).send("renamed")
    assert f"{UNIQUE_NAME} 2" in {option["name"] for option in sandbox.precoro.options()}

    precoro.apply(precoro.undo("renamed").plan_id, "undone")

    assert UNIQUE_NAME in {option["name"] for option in sandbox.precoro.options()}


ANOTHER_KEY = "A" * 43 + "="  # fixed, because test ids must be the same in every worker


@pytest.mark.long
@pytest.mark.parametrize(
    ("key", "message"),
    [(ANOTHER_KEY, "encrypted with another MILLPOND_ENCRYPTION_KEY"), ("", "set MILLPOND_ENCRYPTION_KEY to the key")],
)
def test_a_plan_cannot_be_sent_with_another_key_and_stays_ready(
    precoro: WorkflowRunner, sandbox: Sandbox, key: str, message: str
) -> None:
    """A wrong key in one shell must not use up the plan."""
    folder, right = precoro.warehouse.folder, Fernet.generate_key().decode()
    precoro.warehouse = Warehouse(folder, right)
    plan_id = precoro.stage(customer("1")).plan("sealed").plan_id
    precoro.warehouse = Warehouse(folder, key)

    with pytest.raises(PlanError, match=message):
        precoro.apply(plan_id, "wrong")

    assert (precoro.states(), keys(sandbox)) == ({plan_id: "ready"}, [])
    precoro.warehouse = Warehouse(folder, right)
    assert precoro.apply(plan_id, "right").counts["created"] == 1


def test_a_plan_is_rejected_without_its_key(precoro: WorkflowRunner) -> None:
    """If the key is lost, the plan can still be dropped."""
    folder = precoro.warehouse.folder
    precoro.warehouse = Warehouse(folder, Fernet.generate_key().decode())
    precoro.spec = one_source(guards={"create": {"percent": 0, "rows": 0}})
    plan_id = precoro.stage(customer("1")).plan("sealed").plan_id
    precoro.warehouse = Warehouse(folder, ANOTHER_KEY)

    with precoro.warehouse.writer() as con:
        reject(con, find(con, plan_id), utc_now(precoro.clock), "key lost")

    assert precoro.states() == {plan_id: "rejected"}


@pytest.mark.long
@pytest.mark.parametrize("key", [ANOTHER_KEY, ""])
def test_a_killed_run_with_a_lost_key_is_recovered(precoro: WorkflowRunner, sandbox: Sandbox, key: str) -> None:
    """The sent values cannot be read, but the target can."""
    folder = precoro.warehouse.folder
    precoro.warehouse = Warehouse(folder, Fernet.generate_key().decode())
    precoro.stage(customer("1"), customer("2")).run()
    rows = (customer("1", company_name="New 1"), customer("2", company_name="New 2"), customer("3"))
    precoro.stage(*rows).plan("killed")
    failpoints.arm("answers_read", strike=_die)
    with pytest.raises(_KilledError):
        precoro.send("killed")
    sandbox.clock.sleep(120)
    precoro.warehouse = Warehouse(folder, key)

    done = precoro.run()

    assert {action for action, _ in done.values()} == {"unchanged"}
    ends = {
        source_id: state for source_id, _, state in precoro.attempts() if state in {"found", "unverifiable", "absent"}
    }
    assert ends == {"1": "unverifiable", "2": "unverifiable", "3": "found"}
    with pytest.raises(PlanError, match=r"run killed cannot be undone: encrypted.* set"):
        precoro.undo("killed")


def test_keys_are_rotated(precoro: WorkflowRunner) -> None:
    """Plans of the old key can be sent, and new plans use the new key."""
    folder, old, new = precoro.warehouse.folder, Fernet.generate_key().decode(), Fernet.generate_key().decode()
    precoro.warehouse = Warehouse(folder, old)
    plan_id = precoro.stage(customer("1")).plan("sealed").plan_id
    precoro.warehouse = Warehouse(folder, f"{new},{old}")
    assert precoro.apply(plan_id, "both").counts["created"] == 1

    plan_id = precoro.stage(customer("1"), customer("2")).plan("sealed again").plan_id

    precoro.warehouse = Warehouse(folder, new)
    assert precoro.apply(plan_id, "new alone").counts["created"] == 1


class _KilledError(BaseException):
    """The process would have died here."""


def _die() -> None:
    raise _KilledError


def test_a_malformed_key_is_reported(precoro: WorkflowRunner) -> None:
    """It was pasted with a quote, or made by another tool."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, "secret")

    with pytest.raises(SyncError, match="MILLPOND_ENCRYPTION_KEY must be 32 bytes in URL-safe base64"):
        precoro.stage(customer("1")).plan("planned")


def forged(warehouse: Warehouse, plan_id: str, statement: str, *values: object, rehash: bool = True) -> None:
    """Change the stored plan with nothing but write access to the file; with `rehash`, its checksum fits again."""
    with warehouse.writer() as con:
        con.execute(statement, list(values))
        rows = read_frame(con, "select * from plan_flow where plan_id = ?", [plan_id])
        if rehash:
            con.execute("update sync_plans set checksum = ? where plan_id = ?", [checksum(rows), plan_id])


PLAIN = json.dumps({"name": "Forged", "externalId": "1"})
FORGERIES: dict[str, tuple[str, list[object], str]] = {
    "a plain payload": (
        "update plan_flow set payload = ? where source_id = '1'", [PLAIN], "customers 1: not encrypted",
    ),
    "another target": (
        "update plan_flow set target_id = '7' where source_id = '1'", [], "customers 1 was modified",
    ),
    "another action": (
        "update plan_flow set action = 'deactivate' where source_id = '2'", [], "customers 2 was modified",
    ),
    "another row's values": (
        "update plan_flow set payload = (select payload from plan_flow where source_id = '2') where source_id = '1'",
        [],
        "customers 1 was modified",
    ),
    "a new row": (
        "insert into plan_flow select * replace ('9' as source_id) from plan_flow where source_id = '1'", [],
        "customers 9 was modified",
    ),
    "a damaged payload": (
        "update plan_flow set payload = left(payload, 60) where source_id = '2'", [], "customers 2: ",
    ),
    "a missing row": ("delete from plan_flow where source_id = '2'", [], "its rows were modified"),
    "a later end": (
        "update sync_plans set expires_at = expires_at + interval 1 year", [], "its rows were modified",
    ),
    "a younger age": ("update sync_plans set clock_s = clock_s + 1", [], "its rows were modified"),
    "another requester": ("update sync_plans set requested_by = 'eve'", [], "its rows were modified"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("rehash", [True, False], ids=["rehashed", "as it is"])
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_with_a_key_a_forged_plan_is_refused_and_its_row_named(
    precoro: WorkflowRunner, sandbox: Sandbox, forgery: tuple[str, list[object], str], *, rehash: bool
) -> None:
    """Whoever can write the file can compute a checksum, but not a signature."""
    statement, values, problem = forgery
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())
    plan_id = precoro.stage(customer("1"), customer("2")).plan("sealed").plan_id
    forged(precoro.warehouse, plan_id, statement, *values, rehash=rehash)

    with pytest.raises(PlanError, match=problem):
        precoro.apply(plan_id, "forged")

    assert keys(sandbox) == []


def test_with_a_key_a_waiting_plan_cannot_be_made_ready(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The guard's question is part of what is signed."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())
    precoro.spec = one_source(guards={"create": {"percent": 0, "rows": 0}})
    plan_id = precoro.stage(customer("1")).plan("held").plan_id
    forged(precoro.warehouse, plan_id, "update sync_plans set state = 'ready'", rehash=False)

    with pytest.raises(PlanError, match="modified after it was stored"):
        precoro.send("forged")

    assert keys(sandbox) == []


@pytest.mark.long
def test_a_plan_stored_before_the_key_was_set_is_refused(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """It cannot be verified; a new one can be made at any time."""
    plan_id = precoro.stage(customer("1")).plan("plain").plan_id
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())

    with pytest.raises(PlanError, match="customers 1: not encrypted, so it was stored before MILLPOND_ENCRYPTION_KEY"):
        precoro.apply(plan_id, "sealed")

    assert keys(sandbox) == []
    assert precoro.run()["1"][0] == "create"


@pytest.mark.long
def test_with_a_key_a_forged_image_is_not_undone(precoro: WorkflowRunner) -> None:
    """An undo plan would write its values."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())
    planned(precoro).send("renamed")
    forged(precoro.warehouse, "", "update sync_attempts set image = '[]' where image is not null", rehash=False)

    with pytest.raises(PlanError, match="run renamed cannot be undone: not encrypted"):
        precoro.undo("renamed")
