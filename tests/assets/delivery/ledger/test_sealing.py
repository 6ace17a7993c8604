"""Stored plans and before-images are unreadable without the key, and sent with it."""

import json
from pathlib import Path

import polars as pl
import pytest
from cryptography.fernet import Fernet

from assets.delivery.errors import PlanError, SyncError
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.plans import find, reject
from assets.delivery.ledger.sealing import SIGNED, checksum, opened, seal, signature
from assets.delivery.plan.undo_row import CHANGES
from assets.delivery.schemas import PLAN_COLUMNS
from resources import failpoints
from resources.clock import utc_now
from resources.encryption import Cipher, EncryptionError
from resources.sandbox.sandbox import Sandbox
from resources.warehouse import tables
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
    with pytest.raises(PlanError, match=r"run killed cannot be undone: customers \d: encrypted.* set"):
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


def row_of(source: str, source_id: str, action: str, **values: object) -> dict[str, object]:
    """Return a row of a plan."""
    return {"source": source, "source_id": source_id, "action": action, "plan_id": "p", "level": 1, **values}


def test_what_is_not_signed_is_compared_with_what_is() -> None:
    """The parents of records that are created or moved are named twice, once under the signature."""
    moved = [{"field": "(parent)", "before": "61", "after": "62"}]
    below = {"parent_source": "customers", "payload": "{}", "changes": []}
    rows = [
        row_of("customers", "1", "unchanged", target_id="61"), row_of("customers", "2", "unchanged", target_id="62"),
        row_of("customers", "3", "create", payload="{}", changes=[]), row_of("customers", "4", "skipped"),
        row_of("projects", "7", "create", **below, parent_source_id="1", parent_target_id="61"),
        row_of("projects", "8", "create", **below, parent_source_id="3"),
        row_of("projects", "9", "update", **below | {"changes": moved}, parent_source_id="2", parent_target_id="61"),
    ]  # fmt: skip
    schema = {"plan_id": pl.String, **dict.fromkeys(PLAN_COLUMNS, pl.String), "level": pl.Int32, "changes": CHANGES}
    cipher, stored = Cipher(ANOTHER_KEY), dict.fromkeys(SIGNED, "x")
    plan = seal(pl.DataFrame(rows, schema=schema), cipher)
    stored["checksum"] = signature(plan, stored, cipher)
    forgeries = {
        "customers 1": plan.with_columns(target_id=pl.col("target_id").str.replace("61", "62")),
        "customers 2": plan.with_columns(target_id=pl.col("target_id").str.replace("62", "60")),
        "customers 3": pl.concat([plan, plan[:1].with_columns(source_id=pl.lit("3"))]),
        "customers 4": plan.with_columns(action=pl.col("action").str.replace("skipped", "deactivate")),
    }

    assert opened(plan, stored, cipher)["source_id"].to_list() == plan["source_id"].to_list()
    for name, forgery in forgeries.items():
        with pytest.raises(EncryptionError, match=f"^{name} was modified"):
            opened(forgery, stored, cipher)


@pytest.mark.parametrize("forgery", ["*", "* replace ('unchanged' as action, null as payload)"], ids=["same", "silent"])
@pytest.mark.parametrize("key", [ANOTHER_KEY, ""], ids=["with a key", "without"])
def test_a_record_that_a_plan_has_twice_is_named(
    precoro: WorkflowRunner, sandbox: Sandbox, forgery: str, key: str
) -> None:
    """A second row, which writes nothing, is not signed; no later plan could be made beside its decision."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, key)
    plan_id = precoro.stage(customer("1"), customer("2")).plan("made").plan_id
    insert = f"insert into plan_flow select {forgery} from plan_flow where source_id = '2'"
    forged(precoro.warehouse, plan_id, insert, rehash=not key)

    with pytest.raises(PlanError, match="customers 2 was modified after it was stored: the plan has it more than once"):
        precoro.apply(plan_id, "forged")

    assert (keys(sandbox), precoro.states()) == ([], {plan_id: "ready"})


@pytest.mark.long
@pytest.mark.parametrize(
    "forgery",
    [
        "update plan_flow set target_id = '7' where source_id = '1'",
        "update plan_flow set source_id = if(source_id = '1', '2', '1') where source = 'customers'",
        "update plan_flow set action = 'deactivate' where source_id = '1'",
    ],
    ids=["another target record", "exchanged", "a write"],
)
def test_with_a_key_a_row_that_is_not_sent_cannot_be_forged_either(
    precoro: WorkflowRunner, sandbox: Sandbox, forgery: str
) -> None:
    """A record that is created below another one goes to the parent that the other one's row names."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())
    precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()
    precoro.stage(customer("1"), customer("2"), below=(project("100"), project("101")))
    plan_id, before = precoro.plan("below").plan_id, keys(sandbox)
    forged(precoro.warehouse, plan_id, forgery, rehash=False)

    with pytest.raises(PlanError, match="customers 1 was modified"):
        precoro.send("forged")

    assert keys(sandbox) == before


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
def test_a_rejected_plan_cannot_be_opened_again(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Its state is signed as it was made: setting it back would make the signature fit."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())
    plan_id = precoro.stage(customer("1")).plan("made").plan_id
    with precoro.warehouse.writer() as con:
        reject(con, find(con, plan_id), utc_now(precoro.clock), "wrong")
        record_event(con, Event(event=Happened.REJECTED, at=utc_now(precoro.clock), workflow="flow", subject=plan_id))
    forged(precoro.warehouse, plan_id, "update sync_plans set state = 'ready'", rehash=False)

    with pytest.raises(PlanError, match=f"plan {plan_id} was rejected"):
        precoro.send("again")

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

    with pytest.raises(PlanError, match="run renamed cannot be undone: customers 1: not encrypted"):
        precoro.undo("renamed")


@pytest.mark.long
@pytest.mark.parametrize(
    "forgery",
    [
        """update sync_attempts as own set image = other.image from sync_attempts as other where own.image is not null
        and other.image is not null and own.run_id = 'renamed' and other.run_id = 'renamed'
        and own.source_id <> other.source_id""",
        "update sync_attempts set source_id = if(source_id = '1', '2', '1') where run_id = 'renamed'",
        "update sync_attempts set action = 'create' where run_id = 'renamed'",
    ],
    ids=["exchanged", "of other records", "of another action"],
)
def test_with_a_key_an_image_is_that_of_one_send(precoro: WorkflowRunner, forgery: str) -> None:
    """An undo would give a record the former name of another, or switch it off."""
    precoro.warehouse = Warehouse(precoro.warehouse.folder, Fernet.generate_key().decode())
    precoro.stage(customer("1"), customer("2", company_name="Second")).run()
    precoro.stage(customer("1", company_name="First!"), customer("2", company_name="Second!")).plan("renamed")
    precoro.send("renamed")
    forged(precoro.warehouse, "", forgery, rehash=False)

    with pytest.raises(PlanError, match=r"run renamed cannot be undone: customers \d: encrypted for another record"):
        precoro.undo("renamed")


def test_the_checksum_of_a_plan_does_not_depend_on_how_it_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans that waited before an upgrade were hashed at once."""
    texts = {name: [f"{name} {number}" for number in range(50)] for name in PLAN_COLUMNS}
    plan = pl.DataFrame(texts)
    whole = checksum(plan)
    monkeypatch.setattr(tables, "PART_MB", 0.001)

    assert len([*tables.parts_of(plan)]) > 1
    assert checksum(plan) == whole
