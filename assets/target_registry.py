"""Which targets there are. A workflow file names one; nothing else in the project asks which it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from assets.delivery.spec.expressions import MappingError
from assets.delivery.target import Target
from assets.precoro.canonical import FIELDS
from assets.precoro.target import MAX_LEVEL, OptionTarget
from assets.suiteprojects.hierarchies.memberships import LIST_FIELD
from assets.suiteprojects.hierarchies.nodes import NodeTarget
from assets.suiteprojects.hierarchies.trees import PREFIX
from assets.suiteprojects.record_types import KINDS, NODE, RecordKind
from assets.suiteprojects.target import BATCH, SuiteProjectsTarget
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.dictionary import RECORD_TYPES

Options = Mapping[str, str]


def _no_records(_client: Any, kind: str, _columns: Sequence[str]) -> pl.DataFrame:
    raise MappingError(f"no records {kind} can be looked up in this system")


@dataclass(frozen=True)
class TargetKind:
    """One kind of record in one system.

    `build(client, options)` makes the engine's view of it; the client is the resource called like the system.
    `may_have(field)` tells whether a record may have a field; an account's own fields are only known to the account.
    `records(client, kind, columns)` reads other kinds of records for look-ups, and `may_look_up(table, column)` tells
    before whether there may be such a thing.
    """

    name: str
    system: str
    key_field: str
    build: Callable[[Any, Options], Target]
    may_have: Callable[[str], bool]
    records: Callable[[Any, str, Sequence[str]], pl.DataFrame] = _no_records
    may_look_up: Callable[[str, str], bool] = lambda _table, _column: False
    max_level: int | None = None  # deepest level that the system takes
    connections: bool = False  # whether a workflow may name one of several accounts


def _option(client: Any, options: Options) -> Target:
    return OptionTarget(
        client,
        options.get("item_custom_field", ""),
        legal_entity_ids=[each.strip() for each in options.get("legal_entity_ids", "").split(",") if each.strip()],
    )


def _suiteprojects(type_name: str) -> Callable[[Any, Options], Target]:
    return lambda client, options: SuiteProjectsTarget(
        client, type_name, countries=options.get("countries", "names"), **_request(options)
    )


def _nodes(client: Any, options: Options) -> Target:
    own: dict[str, Any] = {name: options[name] for name in ("id_field", "inactive_suffix") if name in options}
    return NodeTarget(
        client,
        hierarchy=options.get("hierarchy", ""),
        association=options.get("type", "customer"),
        **own,
        **_request(options),
    )


def _request(options: Options) -> dict[str, Any]:
    """How requests are made up, the same for every type of record."""
    return {"batch": int(options.get("batch", BATCH)), "charset": options.get("charset", "")}


def _suiteprojects_records(client: Any, type_name: str, columns: Sequence[str]) -> pl.DataFrame:
    """The live records of one type, each column as text."""
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
    place = name.startswith(PREFIX) and LIST_FIELD in kind.fields
    return name in kind.fields or name.endswith("__c") or place


TARGETS: Mapping[str, TargetKind] = {
    OptionTarget.name: TargetKind(
        OptionTarget.name,
        OptionTarget.system,
        OptionTarget.key_field,
        _option,
        FIELDS.__contains__,
        max_level=MAX_LEVEL,
        connections=True,
    ),
    NodeTarget.name: TargetKind(
        NodeTarget.name, "suiteprojects", "externalid", _nodes, partial(_suiteprojects_field, NODE)
    ),
    **{
        f"suiteprojects.{type_name}": TargetKind(
            f"suiteprojects.{type_name}",
            "suiteprojects",
            "externalid",
            _suiteprojects(type_name),
            partial(_suiteprojects_field, kind),
            _suiteprojects_records,
            _suiteprojects_look_up,
        )
        for type_name, kind in KINDS.items()
    },
}
