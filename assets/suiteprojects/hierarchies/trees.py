"""The account's hierarchies with their levels and nodes, read in as few requests as they fit in.

SuiteProjectsClient  ->  Trees  ->  which hierarchy a node belongs to, how deep it is, what a record is attached to

One table holds levels, nodes and the associations of records with nodes (suiteprojects_api.md §4); associations are
as many as records, so only levels and nodes are ever asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from resources.suiteprojects.client import SuiteProjectsClient, read_command
from resources.suiteprojects.xml import Record

HIERARCHY, NODE = "Hierarchy", "HierarchyNode"
PREFIX = "hierarchy:"  # `hierarchy:Customer Department` is the field that holds a record's node in that hierarchy
TOP = "0"  # parentid of a node without one above
PATH_SIGN = " : "  # between the names of a path, as in NetSuite's full names
_ROOM = {"hierarchies": 100, "levels": 200, "nodes": 700}  # rows of the first request: 1000, a page, in all
_FIELDS = ["name", "hierarchyid", "levelid", "parentid", "externalid", "notes", "updated"]


@dataclass(frozen=True)
class Tree:
    """One hierarchy: its levels from the top downwards, its nodes by id."""

    hierarchy_id: str
    levels: Sequence[str]
    nodes: dict[str, Record]

    def depth(self, node: Record) -> str | None:
        """Which of the levels a node is on, 1 at the top."""
        level = node["levelid"]
        return str(self.levels.index(level) + 1) if level in self.levels else None

    def path(self, node: Record) -> str:
        """The names from the top down to the node."""
        return PATH_SIGN.join(str(each["name"]) for each in reversed(_upwards(self.nodes, node)))


class Trees:
    """All hierarchies of the account for one type of record, as they are now."""

    def __init__(self, client: SuiteProjectsClient, association: str, own_fields: Sequence[str] = ()) -> None:
        """Read them.

        Args:
            client: One account.
            association: customer, project or user.
            own_fields: Custom fields of nodes that are wanted as well.
        """
        fields = [*_FIELDS, *own_fields]
        asked = {
            "hierarchies": (HIERARCHY, ["name", "type", "externalid"], None),
            "levels": (NODE, fields, {"isalevel": "1"}),
            "nodes": (NODE, fields, {"isanode": "1"}),
        }
        first = [
            read_command(name, wanted, limit=str(_ROOM[part]), custom=bool(own_fields), query=query)
            for part, (name, wanted, query) in asked.items()
        ]
        found = dict(zip(asked, client.read_many(first, fresh=True), strict=True))
        for part, (name, wanted, query) in asked.items():
            if len(found[part]) == _ROOM[part]:
                found[part] = list(client.read_all(name, wanted, custom=bool(own_fields), query=query))
        self.hierarchies = [each for each in found["hierarchies"] if each["type"] == association]
        self._levels, self._nodes = found["levels"], found["nodes"]

    def tree(self, hierarchy_id: str) -> Tree:
        """One of them."""
        nodes = {str(each["id"]): each for each in self._nodes if each["hierarchyid"] == hierarchy_id}
        levels = [str(each["id"]) for each in self._levels if each["hierarchyid"] == hierarchy_id]
        highest: dict[str, int] = {}
        for node in nodes.values():
            level, depth = str(node["levelid"]), len(_upwards(nodes, node))
            highest[level] = min(depth, highest.get(level, depth))
        # a level does not say which one it is: its nodes do, and of levels without any their age
        order = sorted(levels, key=lambda level: (highest.get(level, len(nodes) + 1), int(level)))
        return Tree(hierarchy_id, order, nodes)

    @cached_property
    def hierarchy_of(self) -> dict[str, str]:
        """Node id to the name of its hierarchy."""
        names = {each["id"]: str(each["name"]) for each in self.hierarchies}
        return {str(each["id"]): names[each["hierarchyid"]] for each in self._nodes if each["hierarchyid"] in names}

    def places(self, node_ids: str | None) -> dict[str, str]:
        """A record's list of nodes as fields: `hierarchy:<name>` to node id."""
        ids = [part.strip() for part in (node_ids or "").split(",")]
        return {f"{PREFIX}{self.hierarchy_of[each]}": each for each in ids if each in self.hierarchy_of}


def _upwards(nodes: dict[str, Record], node: Record) -> list[Record]:
    """A node and all above it; a ring ends where it closes."""
    line, seen = [node], {node["id"]}
    while (above := nodes.get(line[-1]["parentid"] or TOP)) and above["id"] not in seen:
        line.append(above)
        seen.add(above["id"])
    return line
