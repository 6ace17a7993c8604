"""A workflow as its file says it: settings, selection, field mapping, lifecycle, guards.

orchestration/workflows/<workflow>/defs.yaml  ->  read_workflow()  ->  WorkflowSpec
"""

import hashlib
import json
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

Policy = Literal["deactivate", "report"]


def _as_text(value: Any) -> Any:
    """YAML's own scalars as canonical text: see assets/delivery/target.py."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]


class Strict(BaseModel):
    """A part of the file; a key that does not exist is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class LookUp(Strict):
    """Where the row's value is looked up: the row of `table` whose `by` equals it gives `return`."""

    table: str = Field(
        description="A table of the pond, such as stg_netsuite__currencies or twin_suiteprojects__customers, or records"
        " of the target's system, such as suiteprojects.User."
    )
    by: str = Field(description="Column that is compared with the row's value.")
    return_: str = Field(alias="return", description="Column whose value is taken.")

    @property
    def told(self) -> str:
        """As a person reads it."""
        return f"{self.table}.{self.return_} by {self.by}"


class FieldRow(Strict):
    """One row of the mapping: a target field and where its value comes from."""

    field: str = Field(description="Field of the target record.")
    from_: str | None = Field(None, alias="from", description="Column of the staging table, taken as it is.")
    sql: str | None = Field(None, description="SQL expression over the staging table's columns.")
    value: Text | None = Field(None, description="A constant.")
    values: dict[Text, Text] | None = Field(None, description="Value list: what becomes what.")
    lookup: LookUp | None = Field(None, description="Take the value from another table.")
    links: str | None = Field(
        None, description="Workflow that delivers the record which the source value names: its id there is sent."
    )
    otherwise: Literal["error", "blank", "keep"] = Field(
        "error",
        description="A value that the list does not name or the look-up does not find: quarantine the record, send"
        " nothing, or send as is.",
    )
    on: Literal["always", "create"] = Field("always", description="`create`: written once and left alone afterwards.")
    max_length: int | None = Field(
        None, gt=0, description="Characters allowed; a longer value is quarantined, never cut."
    )
    required: bool = Field(default=False, description="A blank value quarantines the record.")
    locked: bool = Field(default=False, description="The row carries the identity and cannot be switched off.")
    active: bool = Field(default=True, description="A row that is switched off has no effect.")

    @model_validator(mode="before")
    @classmethod
    def _plain_on(cls, given: Any) -> Any:
        """YAML 1.1, which Dagster's own loader reads, takes the key `on` for true."""
        if isinstance(given, dict) and True in given:
            return {"on" if name is True else name: value for name, value in given.items()}
        return given

    @model_validator(mode="after")
    def _one_origin(self) -> "FieldRow":
        given = [name for name, origin in self._origins.items() if origin is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of `from`, `sql`, `value`; found {given or 'none'}")
        if self.links and self.values is not None:
            raise ValueError("`links` makes the value list out of what was delivered; leave `values` out")
        if self.locked and not self.active:
            raise ValueError("a locked row carries the identity; it cannot be switched off")
        if self.values is not None and self.lookup:
            raise ValueError("give `values` or `lookup`, not both")
        return self

    @property
    def _origins(self) -> dict[str, str | None]:
        return {"from": self.from_, "sql": self.sql, "value": self.value}

    @property
    def origin(self) -> str:
        """The row's origin as a person reads it."""
        told = next(f"{name}: {text}" for name, text in self._origins.items() if text is not None)
        return f"{told}, looked up: {self.lookup.told}" if self.lookup else told


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
    owners: list[str] = ["team:integrations"]
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
    def door(self) -> str:
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
        return list(dict.fromkeys(found))


_SHORT_FORM = ("source", "select", "fields", "parent", "parent_required", "lifecycle")


class _Loader(yaml.SafeLoader):
    """Plain scalars are what they look like: `on`, `NO`, `010`, `12:30` and dates stay text, as in YAML 1.2."""

    # PyYAML's table: first character -> tags and patterns
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [each for each in kept if each[0].endswith((":null", ":merge"))]
        for first, kept in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """Refuse a key that is there twice, of which YAML would keep the last."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key.value}` is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)\.[0-9]+", "-+0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


class WorkflowFileError(Exception):
    """A workflow file cannot be used; the text names file, line, field and the mend."""


def read_workflow(path: Path) -> WorkflowSpec:
    """Read and check one workflow file.

    Raises:
        WorkflowFileError: The file is not YAML, or says something that no workflow can mean.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=_Loader)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except OSError as error:
        raise WorkflowFileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WorkflowFileError(f"{path}: the file must be UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise WorkflowFileError(f"{path}{line}: {problem}; check quotes, brackets and indentation") from error
    if not isinstance(content, Mapping) or not isinstance(content.get("attributes"), Mapping):
        raise WorkflowFileError(f"{path}:1: the file needs `type:` and `attributes:`; see the shipped workflows")
    try:
        return WorkflowSpec.model_validate(content["attributes"])
    except ValidationError as error:
        lines = [located(path, tree, ("attributes", *each["loc"]), each["msg"]) for each in error.errors()]
        raise WorkflowFileError("\n".join(dict.fromkeys(lines))) from error


def file_problems(path: Path, problems: Iterable[tuple[Sequence[str | int], str]]) -> WorkflowFileError:
    """What is wrong in a file that could be read: places below `attributes`, each with its text."""
    tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    lines = [located(path, tree, ("attributes", *place), text) for place, text in problems]
    return WorkflowFileError("\n".join(dict.fromkeys(lines)))


def located(path: Path, tree: Any, location: Sequence[str | int], message: str) -> str:
    """`file:line: field: what is wrong`, the line found by walking the YAML tree as far as the field goes."""
    node, line, told = tree, 1, []
    for step in location:
        found = _child(node, step)
        if found is not None:
            node, line = found
        if step != "attributes" and (found is not None or step == location[-1]):
            told.append(str(step))
    mend = {"Extra inputs are not permitted": "no such key here; check its spelling"}.get(message, message)
    return f"{path}:{line}: {'.'.join(told) or 'attributes'}: {mend.removeprefix('Value error, ')}"


def _child(node: Any, step: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    return None
