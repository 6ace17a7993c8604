"""The policies of a workflow file: record selection, lifecycle, matching, guards, and imports."""

from typing import Literal

from pydantic import Field

from assets.delivery.spec.base import Strict, Text

Policy = Literal["deactivate", "report"]
Stage = Literal["customer", "lead", "prospect"]


class Select(Strict):
    """The source records that take part; every other record is skipped with a reason."""

    stages: dict[Stage, Literal["include", "skip"]] | None = Field(
        None, description="NetSuite stages that take part; null: all."
    )
    require_flag: str | None = Field(None, description="Column that must be T, such as the export check box.")
    subsidiary: Text | None = Field(None, description="NetSuite subsidiary id that the record must belong to.")
    subsidiary_scope: Literal["any", "primary"] = Field(
        "any", description="any: each of a customer's subsidiaries counts; primary: only the primary one."
    )
    where: str | None = Field(None, description="SQL condition over the columns of the staging table.")


class Lifecycle(Strict):
    """The policy for target records whose source record is no longer live."""

    inactive: Policy = Field(
        "deactivate", description="Records that are inactive in NetSuite: deactivate ours, or only report them."
    )
    deleted: Policy = Field("deactivate", description="Records that NetSuite has deleted.")
    out_of_scope: Policy = Field("report", description="Records that `select` no longer includes.")
    missing: Policy | Literal["hold"] = Field(
        "hold",
        description="Records that NetSuite no longer shows although it has no deletion note of them: the role may have"
        " lost access. hold: the target's record stays as it is until a person decides; report: it stays, silently.",
    )


class MatchRule(Strict):
    """A rule that recognizes existing target records by one field."""

    field: str = Field(description="Target field whose value must agree; a row of `fields` maps it.")
    ignore_case: bool = Field(default=False, description="Upper and lower case count as the same.")
    id_field: str | None = Field(
        None, description="Field of the target record, besides the key field, that may contain a NetSuite id."
    )
    on_id_conflict: Literal["skip", "ask", "overwrite"] = Field(
        "skip",
        description="If a matching record holds a different id: ignore that record, wait for a manual decision, or"
        " adopt it and overwrite the id.",
    )


class Limit(Strict):
    """A guard's limit: the guard trips when either number is exceeded; `floor` records are within any percentage."""

    percent: float | None = Field(
        None, ge=0, le=100, description="Share of our records in the target; null: a share is no limit."
    )
    rows: int | None = Field(None, ge=0, description="Number of records; null: a number is no limit.")
    floor: int = Field(5, ge=0, description="So many records are within `percent`, however small the target is.")

    def allowed(self, total: int) -> int | None:
        """Return how many of so many records may change in one run; None if any number may."""
        share = None if self.percent is None else max(self.floor, int(total * self.percent / 100 + 1e-9))
        return min((each for each in (share, self.rows) if each is not None), default=None)

    def describe(self, total: int) -> str:
        """Return the limit as people read it: `5 % of 40, at least 5, at most 50`."""
        rows = "" if self.rows is None else f"at most {self.rows:,}"
        least = "" if self.rows is not None and self.floor >= self.rows else f", at least {self.floor}"
        share = "" if self.percent is None else f"{self.percent:g} % of {total:,}{least}"
        return ", ".join(filter(None, (share, rows)))


class SlowLimit(Limit):
    """A guard's limit over the runs of several days."""

    days: int = Field(30, ge=0, description="Days on which the workflow ran that count together; 0: the guard is off.")


class Guards(Strict):
    """Limits on the changes of one run; a plan beyond them needs approval."""

    deactivate: Limit = Field(Limit(percent=5, rows=50), description="Records that would be deactivated.")
    reactivate: Limit = Field(Limit(percent=20, rows=200), description="Records that would be reactivated.")
    update: Limit = Field(Limit(), description="Records that would be updated; by default any number.")
    create: Limit = Field(Limit(), description="Records that would be created; by default any number.")
    clear_values: Limit = Field(Limit(percent=1, rows=20), description="Records that would lose the value of a field.")
    emptied_field: Limit = Field(
        Limit(percent=75, floor=2), description="Values of one field that would become blank, of those it has."
    )
    emptied_slowly: SlowLimit = Field(
        SlowLimit(percent=10, rows=100),
        description="Values of one field that became blank in the runs of the last `days`, of those it had.",
    )
    taken_over: SlowLimit = Field(
        SlowLimit(percent=20, rows=200),
        description="Different values of one field that one and the same replaced in the runs of the last `days`, of"
        " those it has.",
    )
    key_change: Limit = Field(
        Limit(percent=0, rows=0, floor=0), description="Records whose key in the target would change."
    )
    reparent: Limit = Field(Limit(percent=5, rows=50), description="Records that would move to another parent.")
    empty_source: bool = Field(default=True, description="Stop if the source lost all of its records.")
    source_shrunk: bool = Field(
        default=True, description="Stop if the source lost more than half of its records since the last run."
    )


class Imports(Strict):
    """Two more jobs for the workflow: one imports records, the other updates what was imported."""

    select: Literal["all", "selected"] = Field(
        "all",
        description="`all`: import every record that `select` includes; `selected`: only those that people selected,"
        " with their ancestors.",
    )
    label: str = Field("name", description="Target field that people know and search a record by.")
