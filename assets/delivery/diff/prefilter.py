"""Find in DuckDB the records about which nothing can be decided otherwise; only the others are looked at one by one.

mart_, target_, links, holds, refusals  ->  part()  ->  settled rows (a temporary table)  ->  write_settled()  ->  plan_
                                                  ->  read_open()  ->  decide()

A record is settled when both sides have its key once, every field that is ours shows what it shall, no hold, refusal or
link says otherwise, and its parent is settled as well; or when it is not to be there and is not. Hashes of whole rows
stand for comparing each field: they are made while reading and never kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from assets.delivery.diff.compare import FORMS, kept_when_blank, left_alone
from assets.delivery.schemas import KEY, LINK_SCHEMA, PIN_SCHEMA, PLACE_SCHEMA, TargetShape
from assets.delivery.spec.expressions import dated
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import TargetField
from resources.warehouse.backend import literal
from resources.warehouse.tables import columns_of, insert_frame, quoted, read_frame

Face = tuple[str, ...]  # the fields by which a record of one source is compared


@dataclass(frozen=True)
class Sides:
    """What one workflow wants, where both sides of it are kept, and what the target's fields are."""

    workflow: str
    spec: WorkflowSpec
    target: TargetShape
    mart: str
    target_state: str


@dataclass(frozen=True)
class Open:
    """What `decide` needs to judge the records that are not settled; `above` are those of their parents that are."""

    mart: pl.DataFrame
    target_state: pl.DataFrame
    links: pl.DataFrame
    above: pl.DataFrame


def part(
    con: duckdb.DuckDBPyConnection,
    sides: Sides,
    refused: pl.DataFrame,
    holds: pl.DataFrame,
    places: pl.DataFrame | None = None,
    pins: pl.DataFrame | None = None,
) -> None:
    """Make the temporary tables _settled and _open: every record of the mart is in one of them; _rest is the twin's.

    Args:
        con: An open writer section.
        sides: The workflow and its tables.
        refused: REFUSED_SCHEMA.
        holds: HOLD_SCHEMA.
        places: PLACE_SCHEMA: parents that other workflows deliver.
        pins: PIN_SCHEMA: what a person decided about which record is which.
    """
    pins = pl.DataFrame(schema=PIN_SCHEMA) if pins is None else pins
    there = dict(con.execute(f"select column_name, column_type from (describe {quoted(sides.mart)})").fetchall())
    faces = _faces(sides, there)
    shown = list(dict.fromkeys(faces.values()))
    lasting = _lasting(sides, columns_of(con, sides.mart))
    con.execute(_wanted(sides, faces, lasting))
    con.execute(_actual(sides, shown, lasting))
    con.execute(_TWICE)
    con.execute("create or replace temp table _noted (source varchar, source_id varchar)")
    noted = [refused.select(KEY), holds.select(KEY), pins.select(KEY)]
    insert_frame(con, "_noted", pl.concat(noted).unique())
    con.execute("create or replace temp table _pins (pinned_id varchar)")
    insert_frame(con, "_pins", pins.select("pinned_id").drop_nulls())
    con.execute("create or replace temp table _places (source varchar, source_id varchar, target_id varchar)")
    insert_frame(con, "_places", pl.DataFrame(schema=PLACE_SCHEMA) if places is None else places.drop("reason"))
    parented = [record.source for record in sides.spec.records if record.parent]
    same = _cases({source: _same(source, shown.index(face), lasting) for source, face in faces.items()})
    off = "actual.was_off" if sides.target.active_field in sides.spec.columns else "true"
    # a rule that stands before the key may contradict it as long as no run has confirmed the record
    known = "linked.target_id is not null" if sides.spec.doubting else "true"
    con.execute(_SETTLED.format(same=same, off=off, parented=_listed(parented), known=known), [sides.workflow])
    while con.execute(_WITH_PARENTS).fetchall()[0][0]:
        pass  # one level further down
    con.execute("create or replace temp table _open as from _wanted anti join _settled using (place)")
    con.execute("create or replace temp table _rest as from _actual anti join _settled using (target_id)")


def read_open(con: duckdb.DuckDBPyConnection, sides: Sides) -> Open:
    """The records that are not settled, and everything on the other side that could be meant by them."""
    rules = sides.spec.match_order
    free = "external_id is null" if rules else "false"
    if sides.spec.doubting or any(rule.other_id != "skip" for rule in rules):
        free = "true"  # records of others count as well
    con.execute(_NEAR.format(free=free), [sides.workflow])
    columns = ", ".join(LINK_SCHEMA)
    links = read_frame(
        con, f"select {columns} from sync_links semi join _open using (source, source_id) where workflow = ?",
        [sides.workflow],
    )  # fmt: skip
    return Open(
        mart=read_frame(con, f"from {quoted(sides.mart)} where rowid in (select place from _open) order by rowid"),
        target_state=read_frame(
            con, f"from {quoted(sides.target_state)} where rowid in (select place from _near) order by rowid"
        ),
        links=links if links.height else pl.DataFrame(schema=LINK_SCHEMA),
        above=read_frame(con, _ABOVE),
    )


def write_settled(con: duckdb.DuckDBPyConnection, sides: Sides, plan: str, stamps: Mapping[str, object]) -> None:
    """Append the settled records to the plan's table, with their decision and its reason."""
    names = ", ".join(f"? as {quoted(name)}" for name in stamps)
    con.execute(_DECIDED.format(plan=quoted(plan), mart=quoted(sides.mart), stamps=names), list(stamps.values()))


def count_settled(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many settled records each action has."""
    return dict(con.execute(f"select {_ACTION}, count(*) from _settled as settled group by all").fetchall())


def count_ours(con: duckdb.DuckDBPyConnection, workflow: str) -> int:
    """How many records of the target are ours, by their key or by a link."""
    # the links know what was ours also when the source has lost every record
    found = con.execute(
        "select (select count(target_id) from _settled) + count(*) from _rest"
        " where external_id in (select key from _open where key is not null)"
        " or target_id in (select target_id from sync_links where workflow = ? and target_id is not null)",
        [workflow],
    )
    return int(found.fetchall()[0][0])


def data_version(con: duckdb.DuckDBPyConnection, mart: str) -> str:
    """Fingerprint of the source records that a plan is made from, whatever their order; for people to compare."""
    rows = con.execute(
        f"select printf('%016x', coalesce(bit_xor(hash(source, source_id, source_hash)), 0)) from {quoted(mart)}"
    ).fetchall()
    return str(rows[0][0])


def _faces(sides: Sides, there: Mapping[str, str]) -> dict[str, Face]:
    """Source to the fields that are ours in records that exist."""
    alone, moving, lasting = left_alone(sides.spec), dated(sides.spec), _lasting(sides, there)
    fields = [name for name in sides.spec.columns if name in there and name not in moving]
    return {
        record.source: tuple(
            name for name in fields if record.source not in (*alone.get(name, ()), *lasting.get(name, ()))
        )
        for record in sides.spec.records
    }


def _lasting(sides: Sides, there: Mapping[str, str]) -> dict[str, list[str]]:
    """Fields that are compared one by one, for a blank value of ours agrees with any, with the sources of such rows."""
    kept, moving = kept_when_blank(sides.spec), dated(sides.spec)
    return {name: sources for name, sources in kept.items() if name in there and name not in moving}


def _same(source: str, face: int, lasting: Mapping[str, Sequence[str]]) -> str:
    """Whether a record of this source shows what it shall."""
    names = [quoted(f"last {name}") for name, sources in lasting.items() if source in sources]
    each = (f"(wanted.{name} is null or wanted.{name} is not distinct from actual.{name})" for name in names)
    return " and ".join([f"wanted.face = actual.face_{face}", *each])


def _last(lasting: Iterable[str]) -> str:
    return "".join(f", {quoted(name)} as {quoted(f'last {name}')}" for name in lasting)


def _wanted(sides: Sides, faces: Mapping[str, Face], lasting: Mapping[str, Sequence[str]]) -> str:
    face = _cases({source: _hash(face) for source, face in faces.items()})
    key = quoted(sides.target.key_field)
    fits = [f"{key} is not null"]
    for name in dict.fromkeys([*(name for face in faces.values() for name in face), *lasting]):
        limit = sides.target.fields.get(name)
        fits += _limits(quoted(name), limit) if limit else []
    return (
        "create or replace temp table _wanted as select rowid as place, source, source_id, disposition, parent_source,"
        f" parent_source_id, level, {key} as key, {' and '.join(fits)} as fits, {face} as face{_last(lasting)}"
        f" from {quoted(sides.mart)}"
    )


def _limits(name: str, limit: TargetField) -> list[str]:
    """What `decide` asks of a value before it is sent."""
    found = [f"{name} is not null"] if limit.required else []
    if limit.max_length is not None:
        found.append(f"coalesce(length({name}) <= {limit.max_length}, true)")
    if limit.choices is not None:
        found.append(f"coalesce({name} in ({_listed(sorted(limit.choices))}), {name} is null)")
    if limit.kind in FORMS:
        found.append(f"coalesce(regexp_matches({name}, {literal(FORMS[limit.kind])}), true)")
    return found


def _actual(sides: Sides, shown: Sequence[Face], lasting: Iterable[str]) -> str:
    active = sides.target.active_field
    was_off = f"{quoted(active)} = '0'" if active in sides.spec.columns else "null"
    faces = "".join(f", {_hash(face)} as face_{number}" for number, face in enumerate(shown))
    return (
        "create or replace temp table _actual as select rowid as place, target_id, external_id, is_active, parent_id,"
        f" {was_off} as was_off{faces}{_last(lasting)} from {quoted(sides.target_state)} where target_id is not null"
    )


def _hash(names: Face) -> str:
    return f"hash({', '.join(map(quoted, names))})" if names else "0::ubigint"


def _cases(by_source: Mapping[str, str]) -> str:
    """One expression for the records of each source; null for a source that the workflow does not have."""
    cases = " ".join(f"when {literal(source)} then {text}" for source, text in by_source.items())
    return f"case source {cases} end"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(literal, names)) or "null"


_TWICE = """
create or replace temp table _twice as
select key from _wanted where key is not null group by key having count(*) > 1
union all
select external_id from _actual where external_id is not null group by external_id having count(*) > 1
"""

# what is not to be there is settled as well: skipped, quarantined, or retired and not there, or off already
_SETTLED = """
create or replace temp table _settled as
with linked as (select source, source_id, target_id, parent_target_id from sync_links where workflow = ?)
select
    wanted.place, source, source_id, wanted.disposition, wanted.parent_source, wanted.parent_source_id, wanted.level,
    actual.target_id,
    case
        when wanted.disposition = 'retire' then 'retire'
        when actual.target_id is null then 'stuck'
        else 'there'
    end as state,
    case
        when wanted.disposition = 'deliver' and source in ({parented})
        then coalesce(actual.parent_id, linked.parent_target_id)
    end as known_parent
from _wanted as wanted
left join _actual as actual on actual.external_id = wanted.key
left join linked using (source, source_id)
anti join _twice on _twice.key = wanted.key
anti join _noted using (source, source_id)
where
    (linked.target_id is null or linked.target_id is not distinct from actual.target_id)
    and case wanted.disposition
        when 'deliver' then wanted.fits and {known} and actual.target_id is not null and coalesce({same}, false)
        when 'retire' then actual.target_id is null or (actual.is_active = false and coalesce({off}, false))
        else wanted.disposition in ('skip', 'quarantine')
    end
    and (wanted.parent_source_id is not null or known_parent is null)
"""

_WITH_PARENTS = """
delete from _settled as child
where parent_source_id is not null and not exists (
    select 1 from _settled as parent
    where parent.source = child.parent_source and parent.source_id = child.parent_source_id
        and parent.level < child.level
        and (
            child.disposition <> 'deliver'
            or (parent.state = 'there' and coalesce(child.known_parent = parent.target_id, true))
        )
) and not exists (
    select 1 from _places as place
    where place.source = child.parent_source and place.source_id = child.parent_source_id
        and (
            child.disposition <> 'deliver'
            or (place.target_id is not null and coalesce(child.known_parent = place.target_id, true))
        )
)
"""

_NEAR = """
create or replace temp table _near as
select place from _rest
where external_id in (select key from _open where key is not null)
    or target_id in (select target_id from sync_links semi join _open using (source, source_id) where workflow = ?)
    or target_id in (select pinned_id from _pins)
    or {free}
"""

_ABOVE = """
select source as parent_source, source_id as parent_source_id, state as _state, target_id as parent_target_id, level
from _settled
semi join _open on _open.parent_source = _settled.source and _open.parent_source_id = _settled.source_id
"""

_ACTION = """
case
    when settled.disposition = 'quarantine' then 'quarantined'
    when settled.disposition = 'deliver' or (settled.disposition = 'retire' and settled.target_id is not null)
    then 'unchanged'
    else 'skipped'
end
"""

_DECIDED = f"""
insert into {{plan}} by name
select
    mart.source,
    mart.source_id,
    {_ACTION} as action,
    if(settled.disposition = 'deliver', 'identical', mart.reason_code) as reason_code,
    case
        when settled.disposition = 'deliver' then 'the target already has these values'
        when settled.disposition = 'retire' and settled.target_id is not null then mart.reason || '; already off'
        else mart.reason
    end as reason,
    settled.target_id,
    if(settled.target_id is null, null, 'external_id') as matched_by,
    mart.parent_source,
    mart.parent_source_id,
    coalesce(parent.target_id, place.target_id) as parent_target_id,
    mart.level,
    cast([] as struct(field varchar, "before" varchar, "after" varchar)[]) as changes,
    null as payload,
    mart.payload_hash,
    mart.source_hash,
    {{stamps}}
from {{mart}} as mart
join _settled as settled on settled.place = mart.rowid
left join _settled as parent
    on parent.source = settled.parent_source and parent.source_id = settled.parent_source_id
left join _places as place
    on place.source = settled.parent_source and place.source_id = settled.parent_source_id
"""
