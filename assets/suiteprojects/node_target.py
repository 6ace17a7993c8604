"""The nodes of one hierarchy as targets of the delivery engine, like customers and projects.

engine  ->  NodeTarget.read / find / send  ->  Hierarchy, levels and nodes  ->  SuiteProjectsClient

Nodes cannot be deactivated. The name of a node that people should no longer select gets a suffix; its records stay, and
nodes are never deleted. The hierarchy and its levels are created with the first node that needs them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import ClassVar

import polars as pl

from assets.delivery.target import Action, Write
from assets.suiteprojects.encode import UnsendableError, Values
from assets.suiteprojects.hierarchies.trees import HIERARCHY, TOP, Tree, Trees
from assets.suiteprojects.record_types import ACTIVE_FIELD, KEY_FIELD, NODE
from assets.suiteprojects.target import BATCH, SuiteProjectsTarget
from resources.errors import RequestRejectedError
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.errors import OK, SYSTEM, status_error
from resources.suiteprojects.responses import status_of
from resources.suiteprojects.xml import Record, command, object_element

SUFFIX = " (inactive)"
_DERIVED = {ACTIVE_FIELD, "depth", "path"}  # the service stores them in another form or not at all


class NodeTarget(SuiteProjectsTarget):
    """The nodes of one hierarchy; see `assets.delivery.target.Target`."""

    name = "suiteprojects.HierarchyNode"
    kinds: ClassVar = {"HierarchyNode": NODE}

    def __init__(
        self,
        client: SuiteProjectsClient,
        *,
        hierarchy: str,
        association: str = "customer",
        id_field: str = KEY_FIELD,
        inactive_suffix: str = SUFFIX,
        batch: int = BATCH,
        charset: str = "",
    ) -> None:
        """Set the hierarchy.

        Args:
            client: One account.
            hierarchy: Its name.
            association: The records that its nodes classify: customer, project or user.
            id_field: The node's field that contains our key; a custom one if people typed NetSuite's ids.
            inactive_suffix: The suffix of the names of inactive nodes.
            batch: Records per request.
            charset: The account's character set if it is not Unicode.

        Raises:
            ValueError: The hierarchy has no name, or its association is not supported.
        """
        super().__init__(client, "HierarchyNode", batch=batch, charset=charset)
        if not hierarchy or not inactive_suffix.strip():
            raise ValueError("options: `hierarchy` and `inactive_suffix` must not be blank")
        if association not in {"customer", "project", "user"}:
            raise ValueError(f"options: type {association!r} is not supported; use customer, project or user")
        self._hierarchy = hierarchy
        self._association = association
        self._id_field = id_field
        self._suffix = inactive_suffix
        self._tree: Tree | None = None
        self._has_our_key = True

    # --- reading ----------------------------------------------------------------------------------------------

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Read every node of the hierarchy; none if it does not exist."""
        self._check_names(fields)
        custom = {name for name in (self._id_field, *fields) if name.endswith("__c")}
        tree = self._tree = self._find_tree(Trees(self._client, self._association, sorted(custom)))
        return self._frame(tree.nodes.values() if tree else [], fields)

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """Read the nodes that currently have these keys; a hierarchy is small enough to be read completely."""
        return self.read(fields).filter(pl.col("external_id").is_in(list(external_ids)))

    def read_unlisted(self, keys: Mapping[str, str], fields: Sequence[str]) -> tuple[pl.DataFrame, Collection[str]]:
        """Return which of the nodes that `read` did not return are not deleted: hidden, or in another hierarchy."""
        none = self._frame([], fields)
        return none, self._hidden(keys, none)

    def _find_tree(self, trees: Trees) -> Tree | None:
        """Return the hierarchy with our key, even if it was renamed, else the one of the name."""
        for name in (KEY_FIELD, "name"):
            found = [str(each["id"]) for each in trees.hierarchies if each.get(name) == self._hierarchy]
            if len(found) > 1:
                reason = f"{len(found)} hierarchies are called {self._hierarchy}; rename all but the right one"
                raise RequestRejectedError(SYSTEM, f"Read {HIERARCHY}", reason)
            if found:
                self._has_our_key = name == KEY_FIELD
                return trees.tree(found[0])
        return None

    def _requested(self, fields: Sequence[str]) -> list[str]:
        """Add those that our key and the depth are made of; responses to writes are reduced to what is requested."""
        return list(dict.fromkeys([*super()._requested(fields), self._id_field, "levelid"]))

    def _decoded(self, record: Record, fields: Iterable[str]) -> Record:  # noqa: ARG002 - a node has all fields
        if self._tree:
            self._tree.nodes[str(record["id"])] = record  # a new one is needed for the paths of its children
        name = record.get("name") or ""
        return {
            **record,
            KEY_FIELD: record.get(self._id_field),
            "name": name.removesuffix(self._suffix),
            ACTIVE_FIELD: "0" if name.endswith(self._suffix) else "1",
            "depth": self._tree.depth(record) if self._tree else None,
            "path": self._tree.path(record).replace(self._suffix, "") if self._tree else None,
        }

    # --- writing ----------------------------------------------------------------------------------------------

    def _prepare(self, batch: Sequence[Write]) -> None:
        """Create the hierarchy, and as many levels as these nodes need."""
        if self._tree is None:
            self._tree = self._find_tree(Trees(self._client, self._association))
        if self._tree is None:
            self._tree = Tree(self._save(HIERARCHY, {"name": self._hierarchy, "type": self._association}), [], {})
        elif not self._has_our_key:  # with our key it is found even after someone renames it
            self._save(HIERARCHY, {"id": self._tree.hierarchy_id})
            self._has_our_key = True
        deepest = max((int(write.values.get("depth") or 1) for write in batch), default=1)
        levels = list(self._tree.levels)
        while len(levels) < deepest:
            number = len(levels) + 1
            values = {"hierarchyid": self._tree.hierarchy_id, "name": f"Level {number}", "isalevel": "1"}
            levels.append(self._save("HierarchyNode", values, f" level {number}"))
        self._tree = Tree(self._tree.hierarchy_id, levels, self._tree.nodes)

    def _save(self, type_name: str, values: Mapping[str, str], key_suffix: str = "") -> str:
        """Create a hierarchy or level unless its key exists, or set the key of the one with this id; return the id.

        Raises:
            RequestRejectedError: The service rejected it.
        """
        record = object_element(type_name, {KEY_FIELD: f"{self._hierarchy}{key_suffix}", **values})
        attributes = {"type": type_name} if "id" in values else {"type": type_name, "lookup": KEY_FIELD}
        (block,) = self._client.execute([command("Modify" if "id" in values else "Add", attributes, record)])
        record_id = block.findtext(f"{type_name}/id")
        if status_of(block) != OK or not record_id:
            text = self._client.status_text(status_of(block))
            error = status_error(status_of(block), f"Add {type_name}")
            raise RequestRejectedError(SYSTEM, f"Add {type_name}", f"{error}: {text}" if text else str(error))
        return record_id

    def _encoded(self, write: Write, values: Values) -> Values:
        if self._id_field != KEY_FIELD and write.action is Action.CREATE:
            reason = f"nodes of {self._hierarchy} are identified by {self._id_field}, which people fill in"
            raise UnsendableError("not_added", reason)
        assert self._tree  # set by _prepare
        encoded = {name: value for name, value in values.items() if name not in _DERIVED}
        if values.keys() & {"name", ACTIVE_FIELD}:
            name = values.get("name", write.values.get("name")) or ""
            active = values.get(ACTIVE_FIELD, write.values.get(ACTIVE_FIELD)) != "0"
            if active and name.endswith(self._suffix):
                reason = f"the name ends with {self._suffix!r}, which marks inactive nodes"
                raise UnsendableError("suffix_in_name", f"{reason}; rename it, or choose another inactive_suffix")
            encoded["name"] = name if active else f"{name}{self._suffix}"
        if values.get("depth"):
            encoded["levelid"] = self._tree.levels[int(str(values["depth"])) - 1]
        if "depth" in values or "parentid" in values:  # a move to the top level changes only the depth
            encoded["parentid"] = write.parent_id or TOP
        if write.action is Action.CREATE:
            encoded |= {"hierarchyid": self._tree.hierarchy_id, "isanode": "1"}
        return encoded
