"""What a workflow file says beside its rows: who takes part, who is recognised, how much may change at once."""

from typing import Literal

from pydantic import Field

from assets.delivery.spec.base import Strict, Text

Policy = Literal["deactivate", "report"]


class Select(Strict):
    """Which source records take part; every record that does not gets the reason."""

    stages: dict[Literal["customer", "lead", "prospect"], Literal["include", "skip"]] | None = Field(
        None, description="NetSuite stages that take part; null: all."
    )
    require_flag: str | None = Field(None, description="Column that must hold T, such as the export box.")
    subsidiary: Text | None = Field(None, description="NetSuite subsidiary id that the record must belong to.")
    membership: Literal["any", "primary"] = Field(
        "any", description="Whether a customer belongs to each of its subsidiaries, or to its primary one alone."
    )
    where: str | None = Field(None, description="SQL condition over the staging table's columns.")


class Lifecycle(Strict):
    """What becomes of the target's record when the source's is no longer live."""

    inactive: Policy = "deactivate"
    deleted: Policy = "deactivate"
    out_of_scope: Policy = "report"


class MatchBy(Strict):
    """How a record that the target already has is recognised."""

    field: str
    ignore_case: bool = False
    stored_id: str | None = Field(
        None, description="Field in which a matched record may hold a source id, beside the key field."
    )
    other_id: Literal["skip", "ask", "overwrite"] = Field(
        "skip",
        description="A record that matches but holds another id there: leave it alone, queue it for a person, or adopt"
        " it and replace the id.",
    )


class Limit(Strict):
    """A blast radius: the guard trips when both numbers are passed."""

    percent: float = Field(ge=0, le=100, description="Share of the records that the target has of ours.")
    rows: int = Field(ge=0)


class Guards(Strict):
    """How much one run may change before a person is asked."""

    deactivate: Limit = Limit(percent=5, rows=50)
    update: Limit = Limit(percent=100, rows=1_000_000)
    create: Limit = Limit(percent=0, rows=1_000_000)
    blank: Limit = Field(Limit(percent=1, rows=20), description="Records of which a filled field would be emptied.")
    rekey: Limit = Field(Limit(percent=0, rows=0), description="Records whose key in the target would be replaced.")
    reparent: Limit = Field(Limit(percent=5, rows=50), description="Records that would move to another parent.")
    empty_source: bool = Field(default=True, description="Stop when the source lost every record that was there.")
    halved_source: bool = Field(
        default=True, description="Stop when the source lost half of its records since last time."
    )


class Imports(Strict):
    """Records are imported by a person's choice and kept up to date afterwards: two jobs beside the whole one."""

    select: Literal["all", "picked"] = Field(
        "all", description="`all`: whatever `select` lets through; `picked`: what people picked, and its ancestors."
    )
    label: str = Field("name", description="Field of the target record that people know it by and search for.")
