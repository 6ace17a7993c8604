"""Stored plans and before-images are unreadable without the key, and sent with it."""

from pathlib import Path

import polars as pl
import pytest
from cryptography.fernet import Fernet

from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger.plans import find, reject
from resources import failpoints
from resources.clock import utc_now
from resources.sandbox.sandbox import Sandbox
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

    precoro.release(precoro.undo("renamed").plan_id, "undone")

    assert UNIQUE_NAME in {option["name"] for option in sandbox.precoro.options()}


ANOTHER_KEY = "A" * 43 + "="  # fixed, because test ids must be the same in every worker


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
        precoro.release(plan_id, "wrong")

    assert (precoro.states(), keys(sandbox)) == ({plan_id: "ready"}, [])
    precoro.warehouse = Warehouse(folder, right)
    assert precoro.release(plan_id, "right").counts["created"] == 1


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
    assert precoro.release(plan_id, "both").counts["created"] == 1

    plan_id = precoro.stage(customer("1"), customer("2")).plan("sealed anew").plan_id

    precoro.warehouse = Warehouse(folder, new)
    assert precoro.release(plan_id, "new alone").counts["created"] == 1


class _KilledError(BaseException):
    """The process would have died here."""


def _die() -> None:
    raise _KilledError


def test_a_malformed_key_is_reported(precoro: WorkflowRunner) -> None:
    """It was pasted with a quote, or made by another tool."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, "secret")

    with pytest.raises(SyncError, match="MILLPOND_ENCRYPTION_KEY must be 32 bytes in URL-safe base64"):
        precoro.stage(customer("1")).plan("planned")
