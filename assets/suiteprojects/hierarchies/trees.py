"""Read the account's hierarchies with their levels and nodes, in as few requests as possible.

SuiteProjectsClient  ->  Trees  ->  the hierarchy of a node, its depth and path; the nodes of a record

One table contains levels, nodes and the associations of records with nodes (suiteprojects_api.md §4). There are as many
associations as records, so they are never listed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from assets.suiteprojects.canonical import join_ids
from resources.errors import RequestRejectedError
from resources.scalars import as_flag
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.errors import SYSTEM, TOO_MANY_ROWS, TOO_MUCH
from resources.suiteprojects.paging import read_command
from resources.suiteprojects.xml import Record

HIERARCHY, NODE = "Hierarchy", "HierarchyNode"
PREFIX = "hierarchy:"  # the field `hierarchy:Customer Department` contains a record's node in that hierarchy
TOP = "0"  # parentid of a top node
PATH_SEPARATOR = " : "  # as in NetSuite's full names
_LIMITS = {"hierarchies": 100, "levels": 200, "nodes": 700}  # rows of the first request: 1000, a page, in total
_FIELDS = ["name", "hierarchyid", "levelid", "parentid", "externalid", "notes", "updated"]


@dataclass(frozen=True)
class Tree:
    """One hierarchy: its levels from top to bottom, and its nodes by id."""

    hierarchy_id: str
    levels: Sequence[str]
    nodes: dict[str, Record]

    def depth(self, node: Record) -> str | None:
        """Return the level of a node, 1 at the top."""
        level = node.get("levelid")
        return str(self.levels.index(level) + 1) if level in self.levels else None

    def path(self, node: Record) -> str:
        """Return the names from the top to the node."""
        return PATH_SEPARATOR.join(each.get("name") or "" for each in reversed(_with_ancestors(self.nodes, node)))


class Trees:
    """All hierarchies of the account for one type of record."""

    def __init__(self, client: SuiteProjectsClient, association: str, custom: Sequence[str] = ()) -> None:
        """Read them for customer, project or user, with these custom fields of nodes."""
        fields = [*_FIELDS, *custom]
        parts = {
            "hierarchies": (HIERARCHY, ["name", "type", "active", "externalid"], None),
            "levels": (NODE, fields, {"isalevel": "1"}),
            "nodes": (NODE, fields, {"isanode": "1"}),
        }
        reads = [
            read_command(name, properties, limit=str(_LIMITS[part]), custom=bool(custom), query=query)
            for part, (name, properties, query) in parts.items()
        ]
        found: dict[str, list[Record]] = {}
        try:
            found = dict(zip(parts, client.read_many(reads, fresh=True), strict=True))
        except RequestRejectedError as error:
            if error.code not in TOO_MUCH | TOO_MANY_ROWS:
                raise
        for part, (name, properties, query) in parts.items():
            if part not in found or len(found[part]) == _LIMITS[part]:
                found[part] = list(client.read_all(name, properties, custom=bool(custom), query=query))
        self.hierarchies = _candidates(found["hierarchies"], association)
        self._levels, self._nodes = found["levels"], found["nodes"]

    def tree(self, hierarchy_id: str) -> Tree:
        """Return one hierarchy."""
        nodes = {str(each["id"]): each for each in self._nodes if each.get("hierarchyid") == hierarchy_id}
        levels = [str(each["id"]) for each in self._levels if each.get("hierarchyid") == hierarchy_id]
        highest: dict[str, int] = {}
        for node in nodes.values():
            level, depth = node.get("levelid") or "", len(_with_ancestors(nodes, node))
            highest[level] = min(depth, highest.get(level, depth))
        # levels have no number: their nodes determine the order, and the ids that of levels without nodes
        order = sorted(levels, key=lambda level: (highest.get(level, len(nodes) + 1), len(level), level))
        return Tree(hierarchy_id, order, nodes)

    @cached_property
    def hierarchy_of(self) -> dict[str, str]:
        """Node id to the name of its hierarchy."""
        names = {each["id"]: each["name"] or "" for each in self.hierarchies if each.get("name")}
        found = ((str(each["id"]), names.get(each.get("hierarchyid"))) for each in self._nodes)
        return {node: name for node, name in found if name}

    def check_names(self, fields: Iterable[str]) -> None:
        """Raise RequestRejectedError if a field stands for several active hierarchies of its name."""
        names = Counter(f"{PREFIX}{each.get('name')}" for each in self.hierarchies)
        for field in fields:
            if names[field] > 1:
                reason = f"{names[field]} hierarchies are called {field.removeprefix(PREFIX)}; rename all but one"
                raise RequestRejectedError(SYSTEM, f"Read {HIERARCHY}", reason)

    def fields_of(self, node_ids: str | None) -> dict[str, str]:
        """Return a record's list of nodes as fields: `hierarchy:<name>` to node id.

        A record that someone moves has two nodes of a hierarchy for a while: both are its value, `17,402`.
        """
        found: dict[str, list[str]] = {}
        for each in (part.strip() for part in (node_ids or "").split(",")):
            if each in self.hierarchy_of:
                found.setdefault(f"{PREFIX}{self.hierarchy_of[each]}", []).append(each)
        return {name: join_ids(ids) for name, ids in found.items()}


def _candidates(found: Sequence[Record], association: str) -> list[Record]:
    """Return the hierarchies of this type, or of none; without those disabled ones whose name an active one has."""
    ours = [each for each in found if (each.get("type") or association).strip().lower() == association]
    active = {each.get("name") for each in ours if as_flag(each.get("active")) is True}
    return [each for each in ours if each.get("name") not in active or as_flag(each.get("active")) is True]


def _with_ancestors(nodes: dict[str, Record], node: Record) -> list[Record]:
    """Return a node and its ancestors, each once even if there is a cycle."""
    line, seen = [node], {node["id"]}
    while (parent := nodes.get(line[-1].get("parentid") or TOP)) and parent["id"] not in seen:
        line.append(parent)
        seen.add(parent["id"])
    return line
