"""A small ledger with people's decisions, sealed with a key in several checkpoints."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

import duckdb

from assets.delivery.chain.checkpoints import Checkpoint
from assets.delivery.chain.findings import Findings
from assets.delivery.chain.seal import seal
from assets.delivery.chain.verify import verify
from assets.delivery.imports.manual_links import ManualLink, delete_manual_link, save_manual_link
from assets.delivery.ledger.attempts import write_attempts
from assets.delivery.ledger.decisions import write_decisions
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.ignored import Ignored, save_ignored
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import SourceKey
from assets.delivery.spec.switches import Override
from resources.signing import Signer
from tests.assets.delivery.ledger.ledger_rows import MOMENT, attempt, decided

KEY, OTHER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
SWITCHES = {"flow": Override(active=True, decided_by="ada")}


def at(days: int) -> datetime:
    """Return a time some days after MOMENT."""
    return MOMENT + timedelta(days=days)


def add_run(con: duckdb.DuckDBPyConnection, number: int, **actions: tuple[str, str]) -> None:
    """Write what a run decided and sent about some records."""
    run = f"r{number}"
    rows = []
    for place, (key, (action, target)) in enumerate(actions.items()):
        common = {"run_id": run, "source_id": key[1:], "action": action, "attempt_id": f"{run}a{place}"}
        image = json.dumps({"name": f"Canary {key} of {run}"})
        rows.append(attempt("intent", seconds=number, image=image, reason="", **common))
        rows.append(attempt("confirmed", seconds=number, target_id=target, reason="", **common))
    write_attempts(con, rows)
    write_decisions(con, "flow", "version", run, at(number), decided(**actions))


def add_decisions_of_people(con: duckdb.DuckDBPyConnection) -> None:
    """Record a link, a link that was removed, an ignored record, an approval and a switch."""
    for source_id in ("1", "2"):
        save_manual_link(con, ManualLink("flow", "customers", source_id, None, "ada", MOMENT, "as agreed"))
    delete_manual_link(con, "flow", "customers", "2", "bob", MOMENT)
    con.execute("update sync_decisions set action = 'quarantined' where source_id = '3'")  # not sealed yet
    save_ignored(con, Ignored("flow", at(30).date(), "ada", MOMENT, "waits"), [SourceKey("customers", "3")])
    con.execute(
        "insert into sync_plans (plan_id, workflow, kind, state, decided_by, made_at, position)"
        " values ('p1', 'flow', 'sync', 'sent', 'ada', ?, 1)",
        [MOMENT],
    )
    approved = Event(event=Happened.APPROVED, at=MOMENT, workflow="flow", subject="p1", by="ada", note="looks right")
    switched = Event(
        event=Happened.SWITCHED, at=MOMENT, workflow="flow", by="ada", details={"active": True, "realtime": None}
    )
    record_event(con, approved, switched)


def sealed_ledger(con: duckdb.DuckDBPyConnection, key: str = KEY) -> list[Checkpoint]:
    """Make a ledger of three runs and some decisions, and seal it after each run."""
    ensure_ledger(con)
    signer, made = Signer(key), []
    add_run(con, 0, _1=("create", "11"), _2=("create", "12"), _3=("create", "13"))
    add_decisions_of_people(con)
    made.append(seal(con, signer, at(0), SWITCHES))
    add_run(con, 1, _1=("update", "11"), _2=("create", "12"), _3=("create", "13"))
    made.append(seal(con, signer, at(1), SWITCHES))
    add_run(con, 2, _1=("update", "11"), _2=("update", "12"))
    made.append(seal(con, signer, at(2), SWITCHES))
    assert all(made)
    return [each for each in made if each]


def verified(
    con: duckdb.DuckDBPyConnection, key: str = KEY, switches: Mapping[str, Override] = SWITCHES, **kept: Checkpoint
) -> Findings:
    """Verify with the keys of a setting."""
    return verify(con, Signer(key).public_keys, switches=switches, kept=list(kept.values()))
