"""A workflow as its file says it: settings, selection, field mapping, lifecycle, guards.

orchestration/workflows/<workflow>/defs.yaml  ->  workflow_file.read_workflow()  ->  WorkflowSpec
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from assets.delivery.spec.base import Strict, Text
from assets.delivery.spec.field_mapping import FieldRow, LookUp
from assets.delivery.spec.policies import Guards, Imports, Lifecycle, MatchBy, Select


class RecordMap(Strict):
    """One source table and how its records become target records."""

    source: str = Field(description="Staging table without its prefix: `customers` reads stg_netsuite__customers.")
    select: Select = Select()
    fields: list[FieldRow] = Field(min_length=1)
    parent: dict[str, str] | None = Field(
        None, description="Source of the parent record and the column with its id, in order of preference."
    )
    parent_required: bool = Field(default=False, description="A record without a parent is quarantined.")
    lifecycle: Lifecycle = Lifecycle()

    @model_validator(mode="after")
    def _usable(self) -> "RecordMap":
        if not self.rows:
            raise ValueError("every row of `fields` is switched off; switch `active: false` on the workflow instead")
        if self.parent_required and not self.parent:
            raise ValueError("`parent_required` needs `parent`: the source and the column with the parent's id")
        return self

    @property
    def rows(self) -> list[FieldRow]:
        """The rows that have an effect: switched on, and the last of several for one field."""
        last = {row.field: row for row in self.fields if row.active}
        return list(last.values())

    @property
    def table(self) -> str:
        """The staging table."""
        return f"stg_netsuite__{self.source}"


class WorkflowSpec(Strict):
    """One workflow: from some NetSuite tables to one kind of record of one target."""

    target: str = Field(description="What is written, such as `suiteprojects.Customer`.")
    description: str = ""
    active: bool = Field(
        default=True,
        description="A workflow that is switched off decides and sends nothing; `millpond activate` and `deactivate`"
        " say otherwise while everything runs.",
    )
    realtime: bool = Field(
        default=False,
        description="A record that NetSuite says was saved is brought to the target at once; `millpond activate"
        " --realtime` says otherwise while everything runs.",
    )
    owners: list[str] = Field(["team:integrations"])
    options: dict[str, Text] = Field({}, description="What the target needs to know, such as the custom field's id.")
    connection: str = Field(
        "",
        pattern=r"^[A-Za-z0-9]*$",
        description="Name of the account, when there are several: `uk` signs in with <SYSTEM>_UK_<SETTING>.",
    )
    records: list[RecordMap] = Field([], description="Source tables, parents before children.")
    source: str | None = Field(None, description="Short form for one source table: its keys stand on this level.")
    select: Select | None = None
    fields: list[FieldRow] | None = None
    parent: dict[str, str] | None = None
    parent_required: bool | None = None
    lifecycle: Lifecycle | None = None
    match: list[MatchBy | str] = Field(
        ["external_id"],
        description="How existing records are found, tried in order. What stands before external_id may contradict it:"
        " then a person is asked.",
    )
    monitored: Literal["mapped"] | list[str] = "mapped"
    record_link: str = Field(
        "",
        description="Address of a record's page in the target: {id} stands for its internal id, {base_url} for the"
        " service's address.",
    )
    strict_mapping: bool = Field(default=False, description="Two active rows for one field are an error.")
    timezone: str = Field("UTC", description="Zone in which `_today` is today.")
    needs: list[str] = Field([], description="Workflows that deliver the parents of these records; they run before.")
    create: bool = Field(default=True, description="Off: records are only matched to what the target has.")
    max_level: int | None = Field(None, ge=1, description="Deepest level of the target's tree; deeper is quarantined.")
    imports: Imports | None = Field(None, description="Makes the jobs <workflow>__import and <workflow>__update.")
    guards: Guards = Guards()
    drift: Literal["restore", "report", "adopt"] = Field(
        "restore", description="What becomes of values that somebody edited in the target."
    )
    canary: list[int] = Field(
        [5, 50], description="Sizes of the first batches of a new or changed workflow, each read back and compared."
    )
    plan_lifetime_h: int = Field(24, ge=1, description="Hours for which a plan can be sent.")
    retry_refused_after_h: int = Field(
        168, ge=1, description="Hours after which a record that the target refused is tried again unchanged."
    )

    @model_validator(mode="after")
    def _one_form(self) -> "WorkflowSpec":
        short = {name: getattr(self, name) for name in _SHORT_FORM if getattr(self, name) is not None}
        whole = bool(self.source and self.fields)
        if bool(self.records) == bool(short) or bool(short) != whole:
            raise ValueError("give either `records`, or `source` with its `fields` on the top level")
        if short:
            object.__setattr__(self, "records", [RecordMap.model_validate(short)])
        return self

    @model_validator(mode="after")
    def _known_fields(self) -> "WorkflowSpec":
        """A rule about a field that no row fills could never apply."""
        monitored = [] if self.monitored == "mapped" else self.monitored
        kept = [rule.stored_id for rule in self.match_order if rule.stored_id]
        asked = {"match": [*(rule.field for rule in self.match_order), *kept], "monitored": monitored}
        asked["imports.label"] = [self.imports.label] if self.imports else []
        for part, names in asked.items():
            unknown = sorted(set(names) - set(self.columns))
            if unknown:
                raise ValueError(f"{part}: no active row maps {', '.join(unknown)}; add the row, or drop the name")
        earlier: list[str] = []
        for rule in self.match_order:
            if rule.stored_id and rule.stored_id not in earlier:
                raise ValueError(f"match: list `{rule.stored_id}` as a rule before `{rule.field}`, which minds it")
            earlier.append(rule.field)
        return self

    @field_validator("record_link")
    @classmethod
    def _an_address(cls, text: str) -> str:
        if text and ("{id}" not in text or not text.startswith(("{base_url}", "https://", "http://"))):
            raise ValueError("write an address with {id} in it, such as {base_url}/customer?id={id}")
        return text

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"no time zone `{name}`; write one like Europe/Stockholm")
        return name

    @property
    def system(self) -> str:
        """The target's system."""
        return self.target.partition(".")[0]

    @property
    def connection_name(self) -> str:
        """The account that is written to: the system, and the connection's name when there are several."""
        return f"{self.system}_{self.connection.lower()}" if self.connection else self.system

    @property
    def columns(self) -> list[str]:
        """Every target field that any record map writes, in order of first mention."""
        return list(dict.fromkeys(row.field for record in self.records for row in record.rows))

    @property
    def waits_for(self) -> list[str]:
        """The workflows whose records these ones name, as parents or in a field."""
        linked = [row.links for record in self.records for row in record.rows if row.links]
        return list(dict.fromkeys([*self.needs, *linked]))

    def linked(self, ids: Mapping[str, Mapping[str, str]]) -> "WorkflowSpec":
        """The same with each row of `links` as a value list: by workflow, NetSuite id to the target's id."""
        records = []
        for record in self.records:
            rows = [row.model_copy(update={"values": ids[row.links]}) if row.links else row for row in record.rows]
            records.append(record.model_copy(update={"fields": rows}))
        return self.model_copy(update={"records": records})

    @property
    def version(self) -> str:
        """A fingerprint of what the file says, so that a decision can name the rules it followed."""
        # the short form says the same as `records`; of all mappings only the parents' order means something
        content = self.model_dump(mode="json", by_alias=True, exclude={*_SHORT_FORM, "realtime"})
        parents = [list(record.parent or {}) for record in self.records]
        text = json.dumps([content, parents], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def match_order(self) -> list[MatchBy]:
        """The rules beside the external id; those that stand before it may contradict it, see `doubting`."""
        rules = [MatchBy(field=rule) if isinstance(rule, str) else rule for rule in self.match]
        return [rule for rule in rules if rule.field != "external_id"]

    @property
    def doubting(self) -> list[MatchBy]:
        """The rules that stand before the external id."""
        names = [rule if isinstance(rule, str) else rule.field for rule in self.match]
        return self.match_order[: names.index("external_id")] if "external_id" in names else []

    @property
    def lookups(self) -> list[LookUp]:
        """Every look-up of an active row, once."""
        found = [row.lookup for record in self.records for row in record.rows if row.lookup]
        return list(dict.fromkeys(each for lookup in found for each in lookup.chain))


_SHORT_FORM = ("source", "select", "fields", "parent", "parent_required", "lifecycle")
