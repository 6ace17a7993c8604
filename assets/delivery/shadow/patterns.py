"""Evidence in many records: what another connector does with a whole field, or with all records of a kind.

all compared values of a field, NetSuite's columns  ->  field_pattern()  ->  a Pattern that explains some of them
records that we select, NetSuite's columns          ->  selection_pattern()
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import polars as pl

from assets.delivery.shadow.evidence import MAPPING_ROW, STYLES, Cause, restyled
from assets.delivery.spec.sources import key_column
from resources.warehouse.masking import is_personal
from resources.warehouse.tables import columns_of, insert_frame, quoted, read_frame

SAMPLE = 2000  # differing records in which columns are looked for
ENOUGH = 0.98  # share of the records that a pattern must fit
THROUGHOUT = 0.9  # share of the records that differ, from which on a row differs as a whole
FEW, MANY = 3, 10  # records from which on a pattern is one
KINDS = 20  # different values up to which a column distinguishes kinds of records
NAMED = 3  # columns that a text names
CHANCE, CHANCE_OF_OURS = 0.001, 0.01  # that all records of a kind are missing by coincidence


@dataclass(frozen=True)
class Pattern:
    """A cause that explains the differences of these records in one field."""

    cause: Cause
    ids: Collection[str] = field(default_factory=frozenset)


def field_pattern(
    con: duckdb.DuckDBPyConnection, table: str, source: str, name: str, pairs: pl.DataFrame
) -> Pattern | None:
    """Return what explains the differences of a field in several records; None if nothing does.

    `pairs`: source_id, wanted, found of every compared record, without those that are explained already.
    """
    differing = pairs.filter(pl.col("wanted").ne_missing(pl.col("found")))
    if differing.height < 2:  # noqa: PLR2004 - one record shows no pattern
        return None
    tried = (
        _other_column(con, table, source, pairs, differing),
        _constant(name, pairs, differing),
        _style(pairs),
        _value_list(pairs),
        _throughout(pairs, differing),
    )
    return next((each for each in tried if each), None)


def _cause(kind: str, evidence: str) -> Cause:
    return Cause(MAPPING_ROW, kind, evidence)


def _other_column(
    con: duckdb.DuckDBPyConnection, table: str, source: str, pairs: pl.DataFrame, differing: pl.DataFrame
) -> Pattern | None:
    """Find the NetSuite column whose value the target has, in the records that differ and in those that do not."""
    key = quoted(key_column(source))
    con.execute("create or replace temp table _pairs (source_id varchar, wanted varchar, found varchar)")
    insert_frame(con, "_pairs", pairs.select("source_id", "wanted", "found"))
    alike = pairs.height - differing.height
    fitting: dict[str, frozenset[str]] = {}
    for name in _columns_that_may_fit(con, table, source):
        fits = f"nullif(cast(staged.{quoted(name)} as varchar), '') is not distinct from nullif(pairs.found, '')"
        kept, shown, values, ids = con.execute(
            f"select count(*) filter (wanted is not distinct from found and {fits}),"
            f" count(*) filter (wanted is distinct from found and found is not null and {fits}),"
            f" count(distinct found) filter ({fits}),"
            f" list(source_id) filter (wanted is distinct from found and {fits})"
            f" from _pairs as pairs join {quoted(table)} as staged on cast(staged.{key} as varchar) = pairs.source_id"
        ).fetchall()[0]
        # blanks are explained with the others, but are no evidence; nor is a column with one and the same value
        if values > 1 and shown >= (FEW if alike < MANY else 2) and kept >= alike * ENOUGH:
            fitting[name] = frozenset(ids)
    if not fitting:
        return None
    most = max(map(len, fitting.values()))
    names = [name for name, ids in fitting.items() if len(ids) == most][:NAMED]
    text = " or ".join(f"`{each}`" for each in names)
    same = f", as in {alike:,} that {'is' if alike == 1 else 'are'} alike" if alike else ""
    return Pattern(
        _cause("other_column", f"the target has the value of NetSuite's column {text} in these records{same}"),
        fitting[names[0]],
    )


def _columns_that_may_fit(con: duckdb.DuckDBPyConnection, table: str, source: str) -> list[str]:
    """Return the columns with the target's value in most records of a sample of those that differ."""
    key = quoted(key_column(source))
    columns = [each for each in columns_of(con, table) if each != key_column(source)]
    if not columns:
        return []
    as_text = ", ".join(f"cast(staged.{quoted(each)} as varchar) as {quoted(each)}" for each in columns)
    found = con.execute(
        f"select name from (unpivot (select pairs.found as _found, {as_text} from (select * from _pairs"
        f" where wanted is distinct from found and found is not null order by source_id limit {SAMPLE}) as pairs"
        f" join {quoted(table)} as staged on cast(staged.{key} as varchar) = pairs.source_id)"
        f" on {', '.join(map(quoted, columns))} into name name value value) where value = _found"
        " group by name having count(*) >= 2 order by count(*) desc, name limit 10"
    ).fetchall()
    return [name for (name,) in found]


def _constant(name: str, pairs: pl.DataFrame, differing: pl.DataFrame) -> Pattern | None:
    """Find a field that one side leaves blank, or fills with one and the same value, in every record."""
    if pairs.height < 5:  # noqa: PLR2004 - so few records may well have the same value
        return None
    ours, theirs = pairs["wanted"].n_unique(), pairs["found"].n_unique()
    everywhere = f"in all {pairs.height:,} records"
    ids = frozenset(differing["source_id"])
    if pairs["found"].null_count() == pairs.height:
        return Pattern(
            _cause("not_filled", f"the target's field is blank {everywhere}: the connector has no such row"), ids
        )
    if pairs["wanted"].null_count() == pairs.height:
        return Pattern(_cause("ours_blank", f"the row `{name}` gives no value {everywhere}"), ids)
    if theirs == 1 and ours > 1:
        return Pattern(_cause("constant", f"the target has one and the same value {everywhere}"), ids)
    if ours == 1 and theirs > 1 and differing.height >= pairs.height * THROUGHOUT:
        return Pattern(_cause("ours_constant", f"the row `{name}` gives one and the same value {everywhere}"), ids)
    return None


def _style(pairs: pl.DataFrame) -> Pattern | None:
    """Find a field that the other connector writes in another style, such as upper case, in every record."""
    fits: dict[str, set[str]] = {name: set() for name in STYLES}
    kept: dict[str, int] = dict.fromkeys(STYLES, 0)
    for source_id, wanted, found in pairs.select("source_id", "wanted", "found").iter_rows():
        for name in restyled(wanted, found) if wanted is not None else STYLES:
            kept[name] += 1
            if wanted != found and wanted is not None:
                fits[name].add(source_id)
    best = max(STYLES, key=lambda name: (len(fits[name]), kept[name]))
    if len(fits[best]) < FEW or kept[best] < pairs.height * ENOUGH:
        return None
    text = f"the target has our value {STYLES[best][0]}, in {kept[best]:,} of {pairs.height:,} records"
    return Pattern(_cause("style", text), frozenset(fits[best]))


def _value_list(pairs: pl.DataFrame) -> Pattern | None:
    """Find a field in which each of our values has one of the target's, as a value list gives."""
    values = pairs.group_by("wanted", "found").len().sort("len", descending=True)
    best = values.unique("wanted", keep="first").filter(pl.col("len") > 1)
    listed = pairs.join(best.select("wanted", "found"), on=["wanted", "found"], how="semi", nulls_equal=True)
    ids = listed.filter(pl.col("wanted").ne_missing(pl.col("found")))
    is_list = pairs["wanted"].n_unique() * 2 <= pairs.height and ids["wanted"].n_unique() > 1
    if not is_list or ids.height <= FEW or listed.height < pairs.height * ENOUGH:
        return None
    text = f"each of our values has one of the target's, in {listed.height:,} of {pairs.height:,} records: a value list"
    return Pattern(_cause("value_list", text), frozenset(ids["source_id"]))


def _throughout(pairs: pl.DataFrame, differing: pl.DataFrame) -> Pattern | None:
    """Find a field that differs in nearly every record."""
    if pairs.height < MANY or differing.height < pairs.height * THROUGHOUT:
        return None
    text = f"it differs in {differing.height:,} of {pairs.height:,} records, so that the row as a whole is another one"
    return Pattern(_cause("throughout", text), frozenset(differing["source_id"]))


def selection_pattern(
    con: duckdb.DuckDBPyConnection, table: str, source: str, states: pl.DataFrame, first: Sequence[str]
) -> Mapping[str, str]:
    """Return, by NetSuite id, the property that sets records that the target lacks apart from those that it has.

    Args:
        con: An open section.
        table: The staging table.
        source: Its name without the prefix.
        states: source_id and is_there (bool) of every record that we select.
        first: Columns that our own rows select by; they are tried before others.
    """
    missing = states.filter(~pl.col("is_there")).height
    if missing < 2 or states.height == missing:  # noqa: PLR2004 - one record shows no pattern
        return {}
    con.execute("create or replace temp table _states (source_id varchar, is_there boolean)")
    insert_frame(con, "_states", states.select("source_id", "is_there"))
    key = quoted(key_column(source))
    kinds = columns_of(con, table)
    names = [each for each in kinds if kinds[each] in {"VARCHAR", "BOOLEAN"} and each != key_column(source)]
    found: dict[str, str] = {}
    for name in sorted(names, key=lambda each: (each not in first, each)):
        groups = read_frame(
            con,
            f"select cast(staged.{quoted(name)} as varchar) as kind, count(*) as records,"
            " count(*) filter (is_there) as there, list(source_id) as ids from _states"
            f" join {quoted(table)} as staged on cast(staged.{key} as varchar) = _states.source_id group by kind"
            f" limit {KINDS + 1}",
        )
        if not 1 < groups.height <= KINDS:
            continue
        for kind, records, there, ids in groups.iter_rows():
            if not there and _is_no_chance(records, missing, states.height, is_ours=name in first):
                what = "is blank" if kind is None else "has one value" if is_personal(name) else f"is {kind}"
                text = f"none of the {records} records that we select and whose column `{name}` {what} is there"
                for each in ids:
                    found.setdefault(each, text)
    return found


def _is_no_chance(records: int, missing: int, total: int, *, is_ours: bool) -> bool:
    """Return whether so many records of a kind, all missing, are no coincidence, by the share of the others missing.

    Any of many columns may happen to have such a value; one that our own rows select by is a reason in itself.
    """
    share = (missing - records + 1) / (total - records + 2)
    return records > 1 and share**records < (CHANCE_OF_OURS if is_ours else CHANCE)
