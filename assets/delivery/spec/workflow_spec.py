"""The content of a workflow file: settings, selection, field mapping, lifecycle, and guards.

orchestration/workflows/<workflow>/defs.yaml  ->  loader.read_workflow()  ->  WorkflowSpec
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator, model_validator

from assets.delivery.spec.base import Strict, Text
from assets.delivery.spec.field_mapping import FieldRow, Lookup
from assets.delivery.spec.policies import Guards, Imports, Lifecycle, MatchRule, Select
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import STAGING_PREFIX
from resources.time_zones import time_zones
from sql import is_on_demand

EXTERNAL_ID = "external_id"  # in `match`: our own key
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
# whether it runs and at once, whom it concerns, and what people read of it
DECIDES_NOTHING = ("active", "description", "owners", "realtime", "record_url", "stewards")
SHORT_FORM = ("source", "select", "fields", "parent", "parent_required", "lifecycle")


class WorkflowSpec(Strict):
    """One workflow: from one or more NetSuite tables to one type of record in one target."""

    target: str = Field(description="Record type to write, such as `suiteprojects.Customer`.")
    description: str = Field("", description="What the workflow is for; the asset graph shows it.")
    active: bool = Field(
        default=True,
        description="A workflow that is switched off plans and sends nothing; `millpond activate` and `deactivate`"
        " override this without a restart.",
    )
    realtime: bool = Field(
        default=False,
        description="A record saved in NetSuite is delivered immediately; `millpond activate --realtime` overrides this"
        " without a restart.",
    )
    owners: list[str] = Field(["team:integrations"], description="Owners in Dagster: e-mail addresses, or `team:…`.")
    stewards: list[str] = Field(
        [],
        description="E-mail addresses of those who correct this workflow's records in NetSuite: the job `digest` sends"
        " each of them the records that cannot be delivered, by cause.",
    )
    options: dict[str, Text] = Field({}, description="Settings of the target, such as the id of a custom field.")
    connection: str = Field(
        "",
        pattern=r"^[A-Za-z0-9]*$",
        description="Name of the account, if there are several: `uk` signs in with <SYSTEM>_UK_<SETTING>.",
    )
    records: list[RecordMap] = Field([], description="Source tables, parents before children.")
    source: str | None = Field(None, description="Short form for a single source table: its keys on the top level.")
    select: Select | None = Field(None, description="The source records that take part.")
    fields: list[FieldRow] | None = Field(None, description="The mapping: a row for each target field.")
    parent: dict[str, str] | None = Field(
        None, description="Source of the parent record and the column with its id, in order of preference."
    )
    parent_required: bool | None = Field(None, description="A record without a parent is quarantined.")
    lifecycle: Lifecycle | None = Field(
        None, description="What happens to target records whose source record is no longer live."
    )
    match: list[MatchRule | str] = Field(
        [EXTERNAL_ID],
        description="How existing target records are recognized, in order. If a rule before external_id contradicts it,"
        " the record waits for a manual decision.",
    )
    monitored_fields: Literal["mapped"] | list[str] = Field(
        "mapped", description="Fields whose difference causes an update: all mapped ones, or these."
    )
    record_url: str = Field(
        "",
        description="URL of a record's page in the target; {id} stands for its internal id, {base_url} for the URL of"
        " the service.",
    )
    forbid_duplicate_fields: bool = Field(default=False, description="Two active rows for one field are an error.")
    timezone: str = Field("UTC", description="Time zone of the date `_today`.")
    html_entities: Literal["keep", "decode"] = Field(
        "keep",
        description="Entities in NetSuite's texts, such as `&amp;`: sent as they are stored, or decoded before anything"
        " reads them.",
    )
    needs: list[str] = Field([], description="Workflows that deliver the parents of these records; they run first.")
    create: bool = Field(default=True, description="false: records are only matched to existing target records.")
    max_level: int | None = Field(
        None, ge=1, description="Deepest level of the target's hierarchy; deeper records are quarantined."
    )
    imports: Imports | None = Field(None, description="Adds the jobs <workflow>__import and <workflow>__update.")
    guards: Guards = Field(Guards(), description="Limits above which a plan waits for approval.")
    drift: Literal["restore", "report", "adopt"] = Field(
        "restore", description="What happens to values that were edited in the target."
    )
    deleted_in_target: Literal["recreate", "report"] = Field(
        "recreate",
        description="Records that were deleted in the target: the next run creates them again, or holds them back until"
        " a person decides.",
    )
    canary: list[int] = Field(
        [5, 50], description="Sizes of the first batches of a new or changed workflow; each is read back and compared."
    )
    plan_lifetime_hours: int = Field(24, ge=1, description="Hours after which a plan can no longer be sent.")
    retry_rejected_after_hours: int = Field(
        168, ge=1, description="Hours after which a record that the target rejected is sent again unchanged."
    )

    @model_validator(mode="after")
    def _one_form(self) -> "WorkflowSpec":
        short = {name: getattr(self, name) for name in SHORT_FORM if getattr(self, name) is not None}
        complete = bool(self.source and self.fields)
        if bool(self.records) == bool(short) or bool(short) != complete:
            raise ValueError("give either `records`, or `source` with its `fields` on the top level")
        if short:
            object.__setattr__(self, "records", [RecordMap.model_validate(short)])
        return self

    @model_validator(mode="after")
    def _known_fields(self) -> "WorkflowSpec":
        """Reject a rule about a field that no row maps: it could never apply."""
        ids = [rule.id_field for rule in self.match_rules if rule.id_field]
        named = {
            "match": [*(rule.field for rule in self.match_rules), *ids],
            "monitored_fields": [] if self.monitored_fields == "mapped" else self.monitored_fields,
            "imports.label": [self.imports.label] if self.imports else [],
        }
        for part, names in named.items():
            unknown = sorted(set(names) - set(self.target_fields))
            if unknown:
                raise ValueError(f"{part}: no active row maps {', '.join(unknown)}; add the row, or remove the name")
        return self

    @model_validator(mode="after")
    def _ordered_rules(self) -> "WorkflowSpec":
        earlier: list[str] = []
        for rule in self.match_rules:
            if rule.id_field and rule.id_field not in earlier:
                raise ValueError(f"match: add a rule for `{rule.id_field}` before `{rule.field}`, whose id_field it is")
            earlier.append(rule.field)
        return self

    @field_validator("record_url")
    @classmethod
    def _is_url(cls, text: str) -> str:
        if text and ("{id}" not in text or not text.startswith(("{base_url}", "https://", "http://"))):
            raise ValueError("not a URL with {id} in it; write one like {base_url}/customer?id={id}")
        return text

    @field_validator("stewards")
    @classmethod
    def _are_addresses(cls, addresses: list[str]) -> list[str]:
        for each in addresses:
            if not (_ADDRESS.fullmatch(each) and each.isprintable()):
                raise ValueError(f"`{each}` is not an e-mail address; use one such as ada@example.com")
        return addresses

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, name: str) -> str:
        if name not in time_zones():
            raise ValueError(f"no time zone `{name}`; use one such as Europe/Stockholm")
        return name

    @property
    def system(self) -> str:
        """The target's system."""
        return self.target.partition(".")[0]

    @property
    def connection_name(self) -> str:
        """The account that is written to: the system, and the connection's name if there are several."""
        return f"{self.system}_{self.connection.lower()}" if self.connection else self.system

    @property
    def target_fields(self) -> list[str]:
        """Every target field that any active row maps, in the order of the file."""
        return list(dict.fromkeys(row.field for record in self.records for row in record.rows))

    @property
    def upstream(self) -> list[str]:
        """The workflows whose records these records reference, as parents or in a field."""
        referenced = [row.reference for record in self.records for row in record.rows if row.reference]
        return list(dict.fromkeys([*self.needs, *referenced]))

    def with_references(self, ids: Mapping[str, Mapping[str, str]]) -> "WorkflowSpec":
        """Return the spec with a value list, NetSuite id to target id, in each row with a `reference` to a workflow."""
        records = []
        for record in self.records:
            rows = [
                row.model_copy(update={"values": ids[row.reference]}) if row.reference else row for row in record.rows
            ]
            records.append(record.model_copy(update={"fields": rows}))
        return self.model_copy(update={"records": records})

    @property
    def version(self) -> str:
        """Fingerprint of the content, which decisions and plans record.

        Formatting, comments and keys that decide nothing about a record do not change it.
        """
        # the short form is in `records` already; of all mappings only `parent` has a meaningful order
        content = self.model_dump(mode="json", by_alias=True, exclude={*SHORT_FORM, *DECIDES_NOTHING})
        parents = [list(record.parent or {}) for record in self.records]
        text = json.dumps([content, parents], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def match_rules(self) -> list[MatchRule]:
        """The rules of `match` besides the external id, in order."""
        rules = [MatchRule(field=rule) if isinstance(rule, str) else rule for rule in self.match]
        return [rule for rule in rules if rule.field != EXTERNAL_ID]

    @property
    def rules_before_key(self) -> list[MatchRule]:
        """The rules before the external id: a record that one of them matches can contradict our key."""
        names = [rule if isinstance(rule, str) else rule.field for rule in self.match]
        return self.match_rules[: names.index(EXTERNAL_ID)] if EXTERNAL_ID in names else []

    @property
    def lookups(self) -> list[Lookup]:
        """Every lookup of an active row, once."""
        found = [row.lookup for record in self.records for row in record.rows if row.lookup]
        return list(dict.fromkeys(each for lookup in found for each in lookup.chain))

    @property
    def on_demand_sources(self) -> list[str]:
        """The sources, also those of lookups, that are extracted only because a workflow reads them."""
        tables = [*(record.table for record in self.records), *(lookup.table for lookup in self.lookups)]
        sources = dict.fromkeys(table.removeprefix(STAGING_PREFIX) for table in tables)
        return [source for source in sources if is_on_demand(source)]
