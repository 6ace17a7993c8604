"""Put each difference down to one cause, or to none: a cause needs evidence, which is named.

differences, last comparison, earlier versions, patterns  ->  explain()  ->  a Cause per record and field

The order is that of the evidence's strength: a damaged value shows its damage; an edit was seen to happen; an earlier
version of NetSuite's record has the target's value; many records show the same pattern. What is left is unknown.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

import duckdb
import polars as pl

from assets.delivery.schemas import PARENT, SourceKey
from assets.delivery.shadow.earlier import Earlier
from assets.delivery.shadow.evidence import FILTER, INCUMBENT_ERROR, NO_CAUSE, UNKNOWN, Cause, is_cut
from assets.delivery.shadow.facts import UNPROVEN, Difference, Setting
from assets.delivery.shadow.patterns import FEW, field_pattern, selection_pattern
from assets.delivery.shadow.sides import NOT_THERE, ONLY_THERE, STILL_ACTIVE, WHOLE_RECORD
from assets.delivery.shadow.single import EDIT_SEEN, NEVER_BROUGHT, cause_of_one

CUT_AT_LEAST = 10  # characters: a shorter beginning of a name may be a short name

Pairs = Callable[[str, str], pl.DataFrame]  # of a source and a field: source_id, wanted, found of all compared records
States = Callable[[str], pl.DataFrame]  # of a source: source_id, is_there of all records that we select


def explain(
    con: duckdb.DuckDBPyConnection, found: Sequence[Difference], earlier: Mapping[SourceKey, Sequence[Earlier]],
    setting: Setting, pairs: Pairs, states: States,
) -> list[Cause]:  # fmt: skip
    """Return the cause of each difference, in the same order."""
    causes = [cause_of_one(each, earlier.get(each.key, ()), setting) for each in found]
    open_places = [place for place, cause in enumerate(causes) if cause is None or cause.kind == UNPROVEN]
    open_places += _edited_at_once(found, causes)
    of_field: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for each in found:
        of_field[each.key.source, each.field].add(each.key.source_id)
    ordered = sorted(open_places, key=lambda place: (found[place].key.source, found[place].field))
    for (source, name), group in groupby(ordered, key=lambda place: (found[place].key.source, found[place].field)):
        places = list(group)
        if name == NOT_THERE:
            _explain_missing(con, found, causes, places, setting, states(source))
        elif name not in {ONLY_THERE, STILL_ACTIVE, PARENT}:
            left = {found[place].key.source_id for place in places}
            explained = of_field[source, name] - left
            rest = pairs(source, name).filter(~pl.col("source_id").is_in(list(explained)))
            _explain_field(con, found, causes, places, setting, rest)
    return [cause or NO_CAUSE for cause in causes]


def _edited_at_once(found: Sequence[Difference], causes: Sequence[Cause | None]) -> list[int]:
    """Return the edits of a field that were seen in several records at once: the connector may map it otherwise now."""
    edits: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, (each, cause) in enumerate(zip(found, causes, strict=True)):
        if cause is not None and cause.kind == EDIT_SEEN and each.field not in WHOLE_RECORD:
            edits[each.key.source, each.field].append(place)
    return [place for places in edits.values() if len(places) >= FEW for place in places]


def _explain_missing(
    con: duckdb.DuckDBPyConnection, found: Sequence[Difference], causes: list[Cause | None], places: Sequence[int],
    setting: Setting, states: pl.DataFrame,
) -> None:  # fmt: skip
    """Find what sets the records that the connector never brought apart from those that it brings.

    Only records that it had the time to bring count: it brought others that were created later, or they were missing at
    the comparison before as well.
    """
    source = found[places[0]].key.source
    latest = states.filter("is_there")["created_at"].max()
    due = {
        found[place].key.source_id
        for place in places
        if found[place].known or (isinstance(latest, datetime) and (at := found[place].created_at) and at < latest)
    }
    counted = states.filter(pl.col("is_there") | pl.col("source_id").is_in(list(due)))
    shown = selection_pattern(con, setting.tables[source], source, counted, setting.select_columns.get(source, ()))
    for place in places:
        text, unproven = shown.get(found[place].key.source_id), causes[place]
        if text:
            causes[place] = Cause(FILTER, "not_selected_there", f"we select it, and the connector does not: {text}")
        elif unproven is None:
            text = "the connector never brought it; no column sets it apart from the records that it brings"
            causes[place] = Cause(UNKNOWN, NEVER_BROUGHT, text)


def _explain_field(
    con: duckdb.DuckDBPyConnection, found: Sequence[Difference], causes: list[Cause | None], places: Sequence[int],
    setting: Setting, pairs: pl.DataFrame,
) -> None:  # fmt: skip
    """Look for patterns among the differences of one field, one after the other, until none explains any."""
    left, rest = list(places), pairs
    source, name = found[places[0]].key.source, found[places[0]].field
    while left:
        pattern = field_pattern(con, setting.tables[source], source, name, rest)
        fitting = [place for place in left if pattern and found[place].key.source_id in pattern.ids]
        if not pattern or not fitting:
            break
        for place in fitting:
            causes[place] = pattern.cause
        left = [place for place in left if place not in set(fitting)]
        rest = rest.filter(~pl.col("source_id").is_in(list(pattern.ids)))
    _explain_cuts(found, causes, left, rest)


def _explain_cuts(
    found: Sequence[Difference], causes: list[Cause | None], places: Iterable[int], pairs: pl.DataFrame
) -> None:
    """Find values that were all cut at the same length, which no value of the target exceeds."""
    cut = [place for place in places if causes[place] is None and is_cut(found[place].wanted, found[place].found)]
    lengths = {len((found[place].found or "").rstrip()) for place in cut}
    longest = pairs["found"].str.strip_chars_end().str.len_chars().max()
    if len(lengths) != 1 or not isinstance(longest, int):
        return
    (length,) = lengths
    if length in {longest, longest - 1} and length >= CUT_AT_LEAST:
        text = f"the target's value is ours, cut at {length} characters; none of its values there is longer"
        for place in cut:
            causes[place] = Cause(INCUMBENT_ERROR, "cut", text)
