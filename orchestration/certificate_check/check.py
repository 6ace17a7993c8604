"""Compare a certificate with two read-outs, made after it.

certificate + workflow file + read-outs + warehouse's tables  ->  check_certificate()  ->  Findings

A record refutes the certificate if NetSuite dates its last change before the certificate's time, no decision in the
ledger holds it back, the certificate does not name it as different, the records above it were there, and the target was
never seen with what the workflow file requires. Later changes on either side do not: they are counted apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from orchestration.certificate_check.expected import MODIFIED, STAGED, Rules, rules_of, unknown_fields
from orchestration.certificate_check.lines import OPEN_RECORDS, OUTCOMES, excuse_below_arrivals, note_open
from orchestration.certificate_check.read_outs import PREFIX, TARGET, ReadOutError, columns_of, literal, load, quoted

EXAMPLES = 8
CONFIRMED, OPEN, LATER, HELD, PENDING, LEFT, UNDATED, MAPPING, GONE, CHANGED, REFUTED = (
    "confirmed", "nothing_required", "changed_later", "held_back", "pending", "left_different", "changed_without_date",
    "mapped_differently", "not_in_read_out", "changed_in_target", "refuted",
)  # fmt: skip
MEANINGS: Final = {
    CONFIRMED: "the target has what the workflow file requires of NetSuite's record",
    OPEN: "the workflow file requires nothing of the record, as far as this check sees",
    LATER: "NetSuite dates a change after the certificate's time",
    HELD: "a decision in the ledger holds the record back",
    PENDING: "the certificate names the record as one with a change to send, and the target is as it was read then",
    LEFT: "the certificate names the record as one whose values the target alters, and the target is as it was read",
    UNDATED: "NetSuite's values have changed without a date since they were read",
    MAPPING: "the target has the warehouse's mapped values, but this reading of the workflow file gives others",
    GONE: "the warehouse has the record and NetSuite's read-out lacks it: deleted since, or left out of the read-out",
    CHANGED: "the target had the values when the certificate was made, and no longer has them",
    REFUTED: "the certificate claims the record, and the target was never seen as required",
}


@dataclass(frozen=True)
class Findings:
    """The result.

    Attributes:
        verified_through: The certificate's time.
        counts: Records by outcome, see MEANINGS.
        examples: NetSuite ids by outcome.
        not_derived: Fields that were taken from the warehouse's mart, and why.
        problem: Why nothing could be checked; blank if it was.
    """

    workflow: str
    verified_through: datetime | None
    counts: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    not_derived: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_confirmed(self) -> bool:
        """No record refutes the certificate, and none has lost what it claims."""
        return not self.problem and not (self.counts.get(REFUTED) or self.counts.get(CHANGED))


def check_certificate(
    con: duckdb.DuckDBPyConnection,
    workflow: str,
    attributes: Mapping[str, Any],
    folder: Path,
    *,
    key_field: str,
    ids: Mapping[str, str],
) -> Findings:
    """Compare the newest certificate of a workflow with two read-outs.

    Args:
        con: The warehouse; temporary tables are created in it.
        workflow: The workflow's name.
        attributes: The attributes of its file.
        folder: The read-outs, see `read_outs`.
        key_field: The target's field that carries our key.
        ids: The staging column of NetSuite's internal id, by source.

    Raises:
        ReadOutError: A read-out is missing or incomplete, or has other types than the warehouse.
    """
    through = _verified_through(con, workflow)
    if through is None:
        return Findings(workflow, None, problem="the newest certificate claims no time; there is nothing to check")
    if (read := _last_reading(con)) and through > read:
        claim = f"the newest certificate claims {through:%Y-%m-%d %H:%M:%S} UTC"
        return Findings(
            workflow, through, problem=f"{claim}, and NetSuite was last read at {read:%Y-%m-%d %H:%M:%S} UTC"
        )
    try:
        return _compared(con, workflow, attributes, folder, through, key_field, ids)
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise ReadOutError(f"the read-outs in {folder} cannot be compared with the warehouse: {reason}") from error


def _compared(
    con: duckdb.DuckDBPyConnection,
    workflow: str,
    attributes: Mapping[str, Any],
    folder: Path,
    through: datetime,
    key_field: str,
    ids: Mapping[str, str],
) -> Findings:
    records = attributes.get("records") or [attributes]
    staged = [f"{STAGED}{record['source']}" for record in records]
    load(con, folder, {**{name: name for name in staged}, TARGET: f"target_{workflow}"})
    rules = rules_of(con, attributes, key_field, ids)
    for each in rules:
        _require_columns(con, workflow, each, key_field)
        _require_rows(con, each)
    parents = note_open(con, workflow, rules, key_field, attributes.get("max_level"))
    con.execute(f"create or replace temp table {OUTCOMES} (source varchar, source_id varchar, outcome varchar,"
                " arrival varchar)")  # fmt: skip
    creates = attributes.get("create", True)
    for each in rules:
        con.execute(f"insert into {OUTCOMES} {_query(con, workflow, each, key_field, creates)}", {"through": through})
        con.execute(f"insert into {OUTCOMES} {_gone_query(con, each)}")
    excuse_below_arrivals(con, parents, REFUTED)
    found = con.execute(_COUNTS).fetchall()
    counts = {outcome: number for outcome, number, _ in found}
    examples = {outcome: some for outcome, _, some in found}
    return Findings(workflow, through, counts, examples, unknown_fields(rules))


def _verified_through(con: duckdb.DuckDBPyConnection, workflow: str) -> datetime | None:
    rows = con.execute(
        "select verified_through from sync_certificates where workflow = ? order by position desc limit 1", [workflow]
    ).fetchall()
    found: datetime | None = rows[0][0] if rows else None
    return found


def _last_reading(con: duckdb.DuckDBPyConnection) -> datetime | None:
    """Return NetSuite's time of the last reading: of what changed later nothing can be claimed."""
    if "netsuite_at" not in columns_of(con, "netsuite_reads"):
        return None
    found: datetime | None = con.execute("select max(netsuite_at) from netsuite_reads").fetchall()[0][0]
    return found


def _require_columns(con: duckdb.DuckDBPyConnection, workflow: str, rules: Rules, key_field: str) -> None:
    """Require what is compared: a field that a read-out lacks would look like one that is as it should be."""
    known = columns_of(con, f"mart_{workflow}").keys() & columns_of(con, f"target_{workflow}").keys()
    compared = [name for name in (*rules.derived, *rules.not_derived) if name in known]
    for table, names in (
        (rules.table, [rules.id_column, *rules.parent.values()]),
        (PREFIX + TARGET, [key_field, "is_active", *compared]),
    ):
        if missing := [name for name in dict.fromkeys(names) if name not in columns_of(con, table)]:
            columns = f"column{'s' if missing[1:] else ''} {', '.join(missing)}"
            raise ReadOutError(f"the read-out {table.removeprefix(PREFIX)} has no {columns}")


def _require_rows(con: duckdb.DuckDBPyConnection, rules: Rules) -> None:
    """Require a record of NetSuite if the warehouse has any: an empty read-out would refute nothing."""
    if not con.execute(f"select 1 from {quoted(rules.table)} limit 1").fetchall() and (
        count := con.execute(f"select count(*) from {quoted(STAGED + rules.source)}").fetchall()[0][0]
    ):
        raise ReadOutError(f"the read-out {STAGED}{rules.source} has no records, and the warehouse has {count:,}")


def _gone_query(con: duckdb.DuckDBPyConnection, rules: Rules) -> str:
    """Return the query of the records that the warehouse has, not as deleted, and NetSuite's read-out lacks."""
    staged, key = STAGED + rules.source, f"cast({quoted(rules.id_column)} as varchar)"
    deleted = "coalesce(is_deleted, false)" if "is_deleted" in columns_of(con, staged) else "false"
    return (
        f"select {literal(rules.source)}, {key}, '{GONE}', null from {quoted(staged)} where not {deleted}"
        f" and {key} not in (select {key} from {quoted(rules.table)} where {quoted(rules.id_column)} is not null)"
    )


def _query(con: duckdb.DuckDBPyConnection, workflow: str, rules: Rules, key_field: str, creates: object) -> str:
    mart, state = f"mart_{workflow}", f"target_{workflow}"
    shown, seen, ours = (columns_of(con, name) for name in (PREFIX + TARGET, state, mart))
    names = [name for name in rules.derived if name in shown and name in ours and name in seen]
    kept = [name for name in shown if name in seen and name not in ("updated_at", *rules.uncompared)]
    others = [name for name in rules.not_derived if name in shown and name in ours and name in seen]
    staged = columns_of(con, f"{STAGED}{rules.source}")
    read = columns_of(con, rules.table)
    compared = [
        name for name in read if name in staged and not name.startswith("_") and not name.endswith("modified_at")
    ]
    return _QUERY.format(
        expected=rules.select(),
        target=quoted(PREFIX + TARGET), key_field=quoted(key_field), state=quoted(state), mart=quoted(mart),
        workflow=literal(workflow), staged=quoted(STAGED + rules.source), read=quoted(rules.table),
        id=quoted(rules.id_column), is_deleted="gone.is_deleted" if rules.retires_deleted else "false",
        as_derived=_same("expected", "target", names), as_mapped=_same("mart", "target", others),
        seen_derived=_same("expected", "seen", names), seen_mapped=_same("mart", "seen", others),
        whole_mart=_same("mart", "target", [*names, *others]),
        unchanged=_same("staged", "read", compared),
        is_dated=f"read.{MODIFIED} > staged.{MODIFIED}" if MODIFIED in read and MODIFIED in staged else "false",
        as_seen=_same("target", "seen", kept),
        confirmed=CONFIRMED, open=OPEN, later=LATER, held=HELD, pending=PENDING, left=LEFT, undated=UNDATED,
        mapping=MAPPING, changed=CHANGED, refuted=REFUTED, open_records=OPEN_RECORDS,
        is_uncreated="false" if creates else "seen.external_id is null",
        # the next run decides so; until then a person's order does
        forgotten=_FORGOTTEN if columns_of(con, "sync_forgotten") else "",
    )  # fmt: skip


def _same(left: str, right: str, names: Sequence[str]) -> str:
    tests = (f"{left}.{quoted(name)} is not distinct from {right}.{quoted(name)}" for name in names)
    return " and ".join(["true", *tests])


_COUNTS = f"""
select outcome, count(*), list(source_id order by source, try_cast(source_id as bigint))[:{EXAMPLES}]
from {OUTCOMES} group by outcome order by outcome
"""

_FORGOTTEN = "union select source, source_id from sync_forgotten where returned_at is null"
_QUERY = """
with alone as ({expected}),
shown as (
    select alone.* replace (coalesce(below.state, alone.state) as state)
    from alone left join {open_records} as below using (source, source_id)
),
-- what NetSuite no longer shows, and the warehouse has as deleted
expected as (
    from shown union all by name
    select named.source, cast({id} as varchar) as source_id, mart.{key_field} as key,
        'inactive' as state
    from {staged} as gone cross join (select any_value(source) as source from shown) as named
    join {mart} as mart on mart.source = named.source and mart.source_id = cast({id} as varchar)
    where {is_deleted} and cast({id} as varchar) not in (select source_id from shown)
),
target as (from {target} qualify row_number() over (partition by {key_field} order by is_active desc) = 1),
keyed as (select {key_field} as key, count(*) as number from {target} where is_active group by all),
seen as (from {state} qualify row_number() over (partition by external_id order by is_active desc) = 1),
held as (
    select source, source_id from sync_decisions where workflow = {workflow} and to_run is null
        and action in ('quarantined', 'blocked', 'ambiguous')
    union
    select source, source_id from sync_unverified where workflow = {workflow} and kind = 'held'
    {forgotten}
),
named as (select source, source_id, kind, through from sync_unverified where workflow = {workflow}),
judged as (
    select
        expected.source, expected.source_id, expected.state, expected.created_at,
        greatest(expected.modified_at, expected.created_at) as changed_at,
        coalesce(named.kind in ('pending', 'absent') and named.through >= $through, false) as is_pending,
        coalesce(named.kind = 'verified', false) as is_left,
        coalesce(keyed.number, 0) <= 1 and target.is_active is not distinct from seen.is_active
            and {as_seen} as is_as_seen,
        coalesce(seen.is_active, false) as was_there, {is_uncreated} as is_uncreated,
        staged.{id} is null as is_unknown, held.source_id is not null as is_held,
        case expected.state
            when 'active' then coalesce(target.is_active, false) and coalesce(keyed.number, 0) = 1
                and {as_derived} and {as_mapped}
            when 'inactive' then not coalesce(target.is_active, false)
            else true
        end as is_so,
        case expected.state
            when 'active' then coalesce(seen.is_active, false) and {seen_derived} and {seen_mapped}
            when 'inactive' then not coalesce(seen.is_active, false)
            else true
        end as was_so,
        expected.state = 'active' and coalesce(target.is_active, false) and coalesce(keyed.number, 0) = 1
            and coalesce({whole_mart}, false) as is_as_mart,
        staged.{id} is not null and (read.{id} is null or ({unchanged})) as is_as_read,
        coalesce({is_dated}, false) as is_dated
    from expected
    left join target on target.{key_field} = expected.key
    left join keyed on keyed.key = expected.key
    left join seen on seen.external_id = expected.key
    left join (from {mart} where source = (select any_value(source) from expected)) as mart
        on mart.source_id = expected.source_id
    left join {staged} as staged on cast(staged.{id} as varchar) = expected.source_id
    left join {read} as read on cast(read.{id} as varchar) = expected.source_id
    left join held on held.source = expected.source and held.source_id = expected.source_id
    left join named on named.source = expected.source and named.source_id = expected.source_id
)
select source, source_id,
    case
        when state = 'none' then '{open}'
        when is_so then '{confirmed}'
        when is_uncreated then '{open}'
        when is_held then '{held}'
        when changed_at > $through then '{later}'
        when is_pending and is_as_seen then '{pending}'
        when is_left and is_as_seen then '{left}'
        when is_pending or is_left then '{changed}'
        when is_unknown and created_at <= $through then '{refuted}'
        when not is_as_read then if(is_dated, '{refuted}', '{undated}')
        when is_as_mart then '{mapping}'
        when was_so then '{changed}'
        else '{refuted}'
    end as outcome,
    case
        when state = 'none' or was_there = (state = 'active') then null
        when is_pending then '{pending}'
        when changed_at > $through then '{later}'
        when not is_as_read and not is_unknown and not is_dated then '{undated}'
    end as arrival
from judged
"""
