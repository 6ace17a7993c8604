"""The attempts of ours that wrote versions of a target's records; every other change was made in the target.

delivery                                              ->  mark_sent()   ->  version_attempt of hist_target__<workflow>
lost responses, dead runs, writes of other workflows  ->  mark_found()  ->  the same
"""

import json
from collections.abc import Collection, Iterable
from typing import Any

import duckdb
import polars as pl

from assets.delivery.ledger.attempts import owner_of
from assets.delivery.ledger.normalization import HARMLESS, differences
from assets.delivery.ledger.sides import TARGET
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import PARENT
from assets.delivery.target import Action, Target, Write, parent_of
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.bindings import of_same_account
from resources.warehouse.tables import has_table, insert_frame, quoted, read_frame

EVERY_FIELD = "*"  # in place of the fields that a create wrote
SENT_SCHEMA = dict.fromkeys(["target_id", "source", "source_id", "fields"], pl.String)
MARK_SCHEMA = {"target_id": pl.String, "place": pl.Int64, "attempt": pl.String, "sent": pl.String}

_MARK = """
update {versions} as kept set version_attempt = sent.attempt_id, version_sent = sent.fields
from (
    select _sent.target_id, _sent.fields, attempt.attempt_id, attempt.position
    from _sent
    join (
        select source, source_id, arg_max(attempt_id, position) as attempt_id, max(position) as position
        from sync_attempts
        where workflow = ? and run_id = ? and state = 'intent'
        group by all
    ) as attempt using (source, source_id)
) as sent
where kept.target_id = sent.target_id and kept.is_current and kept.version_attempt is null
    and kept.from_position > sent.position
"""

# the first version after each write whose outcome is known from a reading only, or which another workflow made,
# unless a reading of everything that began after the write came before: that one would have shown it
_FOUND = """
with readings as (
    select position, max(began_position) over (order by position) as began_position
    from sync_readings where workflow = $workflow and side = 'target' and kind = 'all'
),
unexplained as (
    select kept.*, coalesce(readings.began_position, -1) as _shown_since
    from {versions} as kept asof left join readings on readings.position < kept.from_position
    where kept.version_attempt is null
)
select kept.* exclude (_shown_since), ended.attempt_id, intent.action, intent.image, intent.source, intent.source_id,
    intent.target_id as intended_id
from sync_attempts as ended
join sync_attempts as intent on intent.attempt_id = ended.attempt_id and intent.state = 'intent'
join unexplained as kept
    on kept.target_id = ended.target_id and kept.from_position > intent.position and kept._shown_since < intent.position
where (
        ended.state in ('found', 'confirmed') and ended.workflow in (
            select link.workflow from sync_links as link
            where link.workflow <> $workflow and link.target = $target and {same_account}
        )
        or ended.workflow = $workflow and (ended.state = 'found' or ended.state = 'confirmed' and ended.run_id in (
            select run_id from sync_runs where workflow = $workflow and state = 'died'
        ))
    )
    and ended.attempt_id not in (select version_attempt from {versions} where version_attempt is not null)
qualify row_number() over (partition by ended.attempt_id order by kept.from_position) = 1
order by intent.position
"""


def sent_fields(write: Write, target: Target) -> str:
    """Return the columns of a target state that a write changed, as JSON."""
    return json.dumps(sorted(_columns(write.action, write.changed, target)))


def _columns(action: Action, changed: Collection[str], target: Target) -> set[str]:
    if action is Action.CREATE:
        return {EVERY_FIELD}
    columns = {PARENT: "parent_id", target.key_field: "external_id", target.active_field: "is_active"}
    fields = {*changed, *(column for field, column in columns.items() if field in changed)}
    return fields - {PARENT}


def mark_sent(
    con: duckdb.DuckDBPyConnection, workflow: str, run_id: str, sent: Iterable[tuple[str, str, str, str]]
) -> None:
    """Record which attempts of a run wrote the current versions of their records, in the caller's transaction.

    Args:
        con: An open writer section.
        workflow: The workflow.
        run_id: The run that sent them; its attempts are in the ledger.
        sent: target_id, source, source_id, and `sent_fields`.
    """
    con.execute(
        "create or replace temp table _sent (target_id varchar, source varchar, source_id varchar, fields varchar)"
    )
    insert_frame(con, "_sent", pl.DataFrame(list(sent), schema=SENT_SCHEMA, orient="row"))
    con.execute(_MARK.format(versions=quoted(TARGET.versions(workflow))), [workflow, run_id])


def mark_found(con: duckdb.DuckDBPyConnection, run: RunContext) -> None:
    """Record which attempts without a response, of a dead run or of another workflow wrote what a reading has shown.

    Only fields that have the value that was sent are put down to the attempt.
    """
    workflow, versions = run.workflow.name, TARGET.versions(run.workflow.name)
    if not has_table(con, versions):
        return
    same_account = of_same_account(con, "link.workflow", "$workflow")
    query = _FOUND.format(versions=quoted(versions), same_account=same_account)
    found = read_frame(con, query, {"workflow": workflow, "target": run.workflow.spec.target})
    marks: dict[tuple[str, int], tuple[str, set[str]]] = {}
    for row in found.iter_rows(named=True):
        action, arrived = Action(row["action"]), _arrived(row, run.cipher)
        if arrived or action is Action.CREATE:
            version = row["target_id"], row["from_position"]
            _, earlier = marks.get(version, ("", set()))  # one reading may show several writes: the last one has it
            marks[version] = row["attempt_id"], earlier | _columns(action, arrived, run.target)
    if not marks:
        return
    con.execute("create or replace temp table _marks (target_id varchar, place bigint, attempt varchar, sent varchar)")
    rows = [
        (*version, attempt, json.dumps([EVERY_FIELD] if EVERY_FIELD in fields else sorted(fields)))
        for version, (attempt, fields) in marks.items()
    ]
    insert_frame(con, "_marks", pl.DataFrame(rows, schema=MARK_SCHEMA, orient="row"))
    con.execute(
        f"update {quoted(versions)} as kept set version_attempt = _marks.attempt, version_sent = _marks.sent"
        " from _marks where kept.target_id = _marks.target_id and kept.from_position = _marks.place"
    )


def _arrived(row: dict[str, Any], cipher: Cipher) -> set[str]:
    """Return the fields that show the value that was sent; none if the values are encrypted with a lost key."""
    try:
        owner = owner_of({**row, "target_id": row["intended_id"]})
        image = {c["field"]: c["after"] for c in json.loads(cipher.decrypt(row["image"] or "[]", of=owner))}
    except EncryptionError:
        return set()
    shown = {**row, PARENT: parent_of(row["parent_id"])}
    kinds = differences(image, shown, image.keys() & shown.keys())
    return {name for name in image.keys() & shown.keys() if kinds.get(name) in {None, *HARMLESS}}
