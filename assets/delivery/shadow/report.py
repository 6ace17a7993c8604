"""The parity of a shadowed workflow in words: how many records are alike, and which cause each difference has.

sync_shadow_periods, _nights, _differences  ->  read_parity()  ->  Parity: counts, Groups, a summary

Values are read from the mart and the target state, which the newest comparison was made from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.shadows import Shadow, last_shadow
from assets.delivery.schemas import PARENT
from assets.delivery.shadow.evidence import CAUSES, EDITED, FILTER, INCUMBENT_ERROR, MAPPING_ROW, TIMING, UNKNOWN
from assets.delivery.shadow.facts import span
from assets.delivery.shadow.sides import NOT_THERE, ONLY_THERE, STILL_ACTIVE
from assets.delivery.shadow.single import LIFECYCLE
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import counted
from resources.warehouse.tables import columns_of, has_table, quoted

OTHER_FILE = "compared with another version of the workflow file"
_AGAIN = "`millpond plan {}` compares again"
IDS = 8  # NetSuite ids that a group lists
EXAMPLES = 3  # records of a group whose values are shown
NIGHTS = 30  # comparisons that a report lists
TITLES: Mapping[str, str] = {
    MAPPING_ROW: "a row of the workflow file gives other values",
    FILTER: "only one of the two selects the record",
    TIMING: "the change was not brought yet",
    EDITED: "changed in the target by someone else",
    INCUMBENT_ERROR: "damaged or out of date in the target",
    UNKNOWN: "unknown",
}


@dataclass(frozen=True)
class Example:
    """One record of a group: both values, and the target's id."""

    source: str
    source_id: str
    target_id: str | None
    wanted: str | None = None
    found: str | None = None


@dataclass(frozen=True)
class Group:
    """The records that differ in one field with one cause and evidence, accepted by one person or by no one.

    Attributes:
        accepted: Number of accepted differences: all or none.
        accepted_by: The person who accepted them; blank: no one.
    """

    cause: str
    field: str
    kind: str
    evidence: str
    source: str
    records: int
    ids: Sequence[str]
    since: datetime
    accepted: int
    accepted_by: str
    examples: Sequence[Example] = ()

    @property
    def is_accepted(self) -> bool:
        """True if a person accepted these differences."""
        return self.accepted == self.records

    @property
    def text(self) -> str:
        """The group in a few words, as the summary has it."""
        is_one = self.records == 1
        more = ", …" if self.records > len(self.ids) else ""
        ids = f": NetSuite {'id' if is_one else 'ids'} {', '.join(self.ids)}{more}"
        of_record = {
            NOT_THERE: _MISSING.get(self.cause, _NEVER),
            ONLY_THERE: _LEFT_OUT,
            STILL_ACTIVE: _ACTIVE.get(self.cause, _DEACTIVATED),
        }
        if self.field in of_record:
            code = self.kind.removeprefix(LIFECYCLE).replace("_", " ")
            text = of_record[self.field][not is_one].format(code=code)
            return f"{self.records:,} {text}{self._accepted}{ids}"
        field = "the parent" if self.field == PARENT else f"`{self.field}`"
        unknown = _ACCEPTED if self.is_accepted else _WITHOUT_CAUSE
        text = _OF_FIELD.get(self.cause, unknown)[not is_one].format(field=field, code=self.kind.replace("_", " "))
        ids = ids if self.records <= IDS and self.cause != MAPPING_ROW else ""
        return f"{self.records:,} {text}{self._accepted}{ids}"

    @property
    def _accepted(self) -> str:
        return f", accepted by {self.accepted_by}" if self.is_accepted else ""


# of one record, and of several
_NEVER = ("was never brought by the connector", "were never brought by the connector")
_MISSING = {
    TIMING: (
        "is too recent for the connector to have brought it",
        "are too recent for the connector to have brought them",
    ),
    EDITED: ("was deleted or renamed in the target", "were deleted or renamed in the target"),
}
_LEFT_OUT = ("is there although our rows leave it out ({code})", "are there although our rows leave them out ({code})")
_ACTIVE = {
    TIMING: (
        "is active there, and NetSuite's change is too recent for the connector to have brought it",
        "are active there, and NetSuite's changes are too recent for the connector to have brought them",
    ),
}
_DEACTIVATED = (
    "is active there although our rows deactivate it ({code})",
    "are active there although our rows deactivate them ({code})",
)
_OF_FIELD = {
    MAPPING_ROW: ("differs by the row {field}", "differ by the row {field}"),
    TIMING: (
        "has a change in {field} that the connector has not brought yet",
        "have a change in {field} that the connector has not brought yet",
    ),
    EDITED: ("was edited in the target in {field}", "were edited in the target in {field}"),
    INCUMBENT_ERROR: ("has a wrong value there in {field} ({code})", "have a wrong value there in {field} ({code})"),
}
_WITHOUT_CAUSE = ("differs in {field} without a known cause", "differ in {field} without a known cause")
_ACCEPTED = ("differs in {field}", "differ in {field}")  # what a person accepted needs no cause


@dataclass(frozen=True)
class Parity:
    """The newest comparison of a workflow, with the groups of its differences and the comparisons before it.

    `version` is the workflow file's as it is now; blank: not known.
    """

    shadow: Shadow
    night: Mapping[str, Any] | None
    groups: Sequence[Group] = ()
    nights: Sequence[Mapping[str, Any]] = ()
    version: str = ""

    @property
    def is_of_other_file(self) -> bool:
        """True if the workflow file has changed since the comparison: it says nothing of the one that is there now."""
        compared = self.night["workflow_version"] if self.night and self.shadow.is_active else self.version
        return bool(self.version) and compared != self.version

    @property
    def unexplained(self) -> Sequence[Group]:
        """The groups without a cause that no one accepted."""
        return [each for each in self.groups if each.cause == UNKNOWN and not each.is_accepted]

    @property
    def is_explained(self) -> bool:
        """True if it was compared, and every difference has a cause or was accepted."""
        return self.night is not None and not self.unexplained and not self.is_of_other_file

    @property
    def summary(self) -> str:
        """One sentence: the records alike, then each group."""
        if self.night is None:
            return "not compared yet; each run or plan of the workflow compares"
        alike = f"{self.night['alike']:,} of {counted(self.night['records'], 'records')} alike"
        other = [f"{OTHER_FILE}: {_AGAIN.format(self.shadow.workflow)}"] if self.is_of_other_file else []
        return "; ".join([*other, alike, *(each.text for each in self.groups)])

    @property
    def interval(self) -> str:
        """The time between two runs of the other connector, and how it is known."""
        if self.shadow.declared_s is not None:
            return f"runs every {span(self.shadow.declared_s)}, as {self.shadow.started_by or 'a person'} said"
        observed = self.night["interval_s"] if self.night else None
        if observed is None:
            return "how often it runs is not known: no change was seen to arrive yet"
        return f"changes arrived within {span(observed)}"


def read_parity(
    con: duckdb.DuckDBPyConnection, workflow: str, version: str = "", *, hides: bool = False
) -> Parity | None:
    """Return the parity of a workflow that is or was in shadow mode, or None; `hides` leaves out values of records."""
    shadow = last_shadow(con, workflow)
    if shadow is None:
        return None
    of_period = "where workflow = ? and period = ? order by night desc limit ?"
    nights = _rows(con, f"select * from sync_shadow_nights {of_period}", [workflow, shadow.number, NIGHTS])
    groups = [
        Group(**{**row, "examples": () if hides else _examples(con, workflow, row)})
        for row in _rows(con, _GROUPS, [workflow, shadow.number])
    ]
    order = {cause: place for place, cause in enumerate(CAUSES)}
    groups.sort(
        key=lambda each: (
            order.get(each.cause, len(order)),
            each.is_accepted,
            -each.records,
            each.field,
            each.accepted_by,
        )
    )
    return Parity(shadow, nights[0] if nights else None, groups, nights, version)


def shadowed_workflows(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the workflows that are or were in shadow mode."""
    if not has_table(con, "sync_shadow_periods"):
        return []
    rows = con.execute("select distinct workflow from sync_shadow_periods order by workflow").fetchall()
    return [str(row[0]) for row in rows]


_IN_ORDER = "order by try_cast(source_id as bigint), source_id"
# the evidence of single records names times: then that of the first one is given, with its id
_GROUPS = f"""
select
    cause, field, kind,
    (list(if(is_of_one, 'NetSuite id ' || source_id || ': ' || evidence, evidence) {_IN_ORDER}))[1] as evidence,
    source, count(*) as records, (list(source_id {_IN_ORDER}))[:{IDS}] as ids, min(first_at) as since,
    count(accepted_by) as accepted, coalesce(any_value(accepted_by), '') as accepted_by
from (
    select *, min(evidence) over of_group <> max(evidence) over of_group as is_of_one
    from sync_shadow_differences
    where workflow = ? and period = ? and is_open
    window of_group as (partition by cause, field, kind, source, accepted_by)
) as known
group by cause, field, kind, source, known.accepted_by
"""


def _rows(con: duckdb.DuckDBPyConnection, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    cursor = con.execute(query, list(values))
    names = [each[0] for each in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _examples(con: duckdb.DuckDBPyConnection, workflow: str, group: Mapping[str, Any]) -> Sequence[Example]:
    """Return the first records of a group with both values."""
    mart, shown, name = f"mart_{workflow}", f"target_{workflow}", group["field"]
    has_values = name in columns_of(con, mart) and name in columns_of(con, shown)
    wanted, found = (f"mart.{quoted(name)}", f"shown.{quoted(name)}") if has_values else ("null", "null")
    joins = (
        f"left join {quoted(mart)} as mart using (source, source_id)"
        f" left join {quoted(shown)} as shown on shown.target_id = known.target_id"
        if has_values
        else ""
    )
    rows = con.execute(
        f"select source, source_id, known.target_id, {wanted}, {found} from sync_shadow_differences as known {joins}"
        " where workflow = ? and is_open and cause = ? and field = ? and kind = ? and source = ?"
        " and coalesce(accepted_by, '') = ?"
        " order by try_cast(source_id as bigint), source_id limit ?",
        [workflow, group["cause"], name, group["kind"], group["source"], group["accepted_by"], EXAMPLES],
    ).fetchall()
    return [Example(*row) for row in rows]


def accept(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, what: Sequence[str], person: str, moment: datetime, note: str
) -> int:
    """Accept differences without a cause, by field or NetSuite id; return how many."""
    shadow = last_shadow(con, workflow.name)
    ((accepted,),) = con.execute(
        "update sync_shadow_differences set accepted_by = ?, accepted_at = ?, accepted_note = ? where workflow = ?"
        " and period = ? and is_open and cause = ? and (list_contains(?, field) or list_contains(?, source_id))",
        [person, moment, note, workflow.name, shadow.number if shadow else 0, UNKNOWN, list(what), list(what)],
    ).fetchall()
    details = {"what": list(what), "differences": accepted}
    if accepted:
        record_event(
            con,
            Event(event=Happened.ACCEPTED, at=moment, workflow=workflow.name, by=person, details=details, note=note),
        )
    return int(accepted)
