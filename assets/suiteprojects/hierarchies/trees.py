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
from resources.errors import CredentialsError, RequestRejectedError
from resources.scalars import as_flag
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.errors import SYSTEM
from resources.suiteprojects.paging import DOWN, read_command
from resources.suiteprojects.xml import Record

HIERARCHY, NODE = "Hierarchy", "HierarchyNode"
PREFIX = "hierarchy:"  # the field `hierarchy:Customer Department` contains a record's node in that hierarchy
TOP = "0"  # parentid of a top node
PATH_SEPARATOR = " : "  # as in NetSuite's full names
# rows of the first request: 1000, a page, with the last row of each
_LIMITS = {"hierarchies": 100, "levels": 200, "nodes": 697}
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
        # without the row of the highest id a list was cut: an account may return fewer rows without saying so
        ends = [read_command(name, [], limit="1", query=query, order=DOWN) for name, _, query in parts.values()]
        try:
            rows = client.read_many([*reads, *ends], fresh=True)
        except CredentialsError:  # another attempt may lock the user
            raise
        except RequestRejectedError:  # what the account rejects together, each list may still show
            rows = []
        listed = zip(parts, rows, rows[len(parts) :], strict=False)
        found = {part: some for part, some, last in listed if _has_all(some, last, _LIMITS[part])}
        for part, (name, properties, query) in parts.items():
            if part not in found:
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


def _has_all(rows: Sequence[Record], last: Sequence[Record], limit: int) -> bool:
    """Return whether a list has the row of its highest id, and fewer rows than were asked for at most."""
    ids = {row["id"] for row in rows}
    return len(rows) < limit and all(row["id"] in ids for row in last)


def _with_ancestors(nodes: dict[str, Record], node: Record) -> list[Record]:
    """Return a node and its ancestors, each once even if there is a cycle."""
    line, seen = [node], {node["id"]}
    while (parent := nodes.get(line[-1].get("parentid") or TOP)) and parent["id"] not in seen:
        line.append(parent)
        seen.add(parent["id"])
    return line
