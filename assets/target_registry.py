"""The registry of targets; a workflow file names one of them, and nothing else depends on a system's name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import polars as pl

from assets.delivery.errors import MappingError
from assets.delivery.target import Target
from assets.precoro.canonical import FIELDS
from assets.precoro.option_writer import MAX_LEVEL
from assets.precoro.target import OptionTarget
from assets.suiteprojects.hierarchies.memberships import LIST_FIELD
from assets.suiteprojects.hierarchies.trees import PREFIX
from assets.suiteprojects.node_target import NodeTarget
from assets.suiteprojects.record_types import KINDS, NODE, RecordKind
from assets.suiteprojects.target import BATCH, SuiteProjectsTarget
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.dictionary import RECORD_TYPES

Options = Mapping[str, str]


def _no_records(_client: Any, kind: str, _columns: Sequence[str]) -> pl.DataFrame:
    raise MappingError(f"this system has no lookup of {kind} records")


@dataclass(frozen=True)
class TargetKind:
    """One kind of record in one system.

    Attributes:
        system: The system; its client is the resource of this name.
        key_field: The field that carries our key.
        group: The asset group of its workflows.
        build: Builds the target from a client and the file's `options`.
        may_have: Returns whether records may have a field; an account's own fields are known to the account only.
        records: Reads other kinds of records, for look-ups.
        may_look_up: Returns whether a table and column can be looked up.
        excluded_by: Returns whether a field holds what another one holds as well, so that only one may be mapped.
        max_level: The deepest level that the system accepts; None: unlimited.
        connections: Whether a workflow may name one of several accounts.
        part_options: The options that name the part of an account that is written to, with their defaults.
    """

    name: str
    system: str
    key_field: str
    group: str
    build: Callable[[Any, Options], Target]
    may_have: Callable[[str], bool]
    records: Callable[[Any, str, Sequence[str]], pl.DataFrame] = _no_records
    may_look_up: Callable[[str, str], bool] = lambda _table, _column: False
    excluded_by: Callable[[str, str], bool] = lambda _field, _other: False
    max_level: int | None = None
    connections: bool = False
    part_options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _option(client: Any, options: Options) -> Target:
    entities = [each.strip() for each in options.get("legal_entity_ids", "").split(",") if each.strip()]
    return OptionTarget(client, options.get("item_custom_field", ""), legal_entity_ids=entities)


def _suiteprojects(type_name: str) -> Callable[[Any, Options], Target]:
    return lambda client, options: SuiteProjectsTarget(
        client,
        type_name,
        countries=options.get("countries", "names"),
        currencies=options.get("currencies", "check"),
        **_request_options(options),
    )


def _node(client: Any, options: Options) -> Target:
    own: dict[str, Any] = {name: options[name] for name in ("id_field", "inactive_suffix") if name in options}
    return NodeTarget(
        client,
        hierarchy=options.get("hierarchy", ""),
        association=options.get("type", ASSOCIATION),
        **own,
        **_request_options(options),
    )


def _request_options(options: Options) -> dict[str, Any]:
    """Return the options of requests, which are the same for every type of record."""
    return {"batch": int(options.get("batch", BATCH)), "charset": options.get("charset", "")}


def _suiteprojects_records(client: Any, type_name: str, columns: Sequence[str]) -> pl.DataFrame:
    """Read the live records of one type, each column as text."""
    reader: SuiteProjectsClient = client
    rows = reader.read_all(type_name, list(columns), custom=any(name.endswith("__c") for name in columns))
    return pl.DataFrame(
        [[row.get(name) or None for name in columns] for row in rows],
        schema=dict.fromkeys(columns, pl.String),
        orient="row",
    )


def _suiteprojects_look_up(table: str, column: str) -> bool:
    system, _, type_name = table.partition(".")
    known = RECORD_TYPES.get(type_name)
    return system == "suiteprojects" and known is not None and (column in known.flat or column.endswith("__c"))


def _suiteprojects_field(kind: RecordKind, name: str) -> bool:
    is_node = name.startswith(PREFIX) and LIST_FIELD in kind.fields
    return name in kind.fields or name.endswith("__c") or is_node


def _is_list_of_nodes(name: str, other: str) -> bool:
    return name == LIST_FIELD and other.startswith(PREFIX)


ASSOCIATION = "customer"  # of a hierarchy whose workflow names none

_KINDS = (
    TargetKind(
        OptionTarget.name, OptionTarget.system, OptionTarget.key_field, "precoro", _option, FIELDS.__contains__,
        max_level=MAX_LEVEL, connections=True, part_options=MappingProxyType({"item_custom_field": ""}),
    ),
    TargetKind(
        NodeTarget.name, "suiteprojects", "externalid", "hierarchies", _node,
        partial(_suiteprojects_field, NODE), part_options=MappingProxyType({"hierarchy": "", "type": ASSOCIATION}),
    ),
    *(
        TargetKind(
            f"suiteprojects.{type_name}", "suiteprojects", "externalid", "suiteprojects", _suiteprojects(type_name),
            partial(_suiteprojects_field, kind), _suiteprojects_records, _suiteprojects_look_up, _is_list_of_nodes,
        )
        for type_name, kind in KINDS.items()
    ),
)  # fmt: skip
TARGETS: Mapping[str, TargetKind] = {kind.name: kind for kind in _KINDS}
