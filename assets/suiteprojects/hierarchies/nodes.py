"""The nodes of one hierarchy, as a target like customers and projects.

engine  ->  NodeTarget.read / find / send  ->  Hierarchy, levels and nodes  ->  SuiteProjectsClient

A node has no switch of its own. One that shall no longer be chosen gets an ending to its name, which is seen where
people choose, and keeps its records; nodes are never deleted. The hierarchy and its levels are added when the first
node needs them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import polars as pl

from assets.delivery.target import Action, Write
from assets.suiteprojects.encode import UnsendableError, Values
from assets.suiteprojects.hierarchies.trees import HIERARCHY, TOP, Tree, Trees
from assets.suiteprojects.record_types import ACTIVE_FIELD, KEY_FIELD, NODE
from assets.suiteprojects.target import BATCH, SuiteProjectsTarget
from resources.errors import RequestRejectedError
from resources.suiteprojects.client import SuiteProjectsClient, status_of
from resources.suiteprojects.errors import OK, SYSTEM, refusal
from resources.suiteprojects.xml import Record, command, object_element

SUFFIX = " (inactive)"
_COMPUTED = {ACTIVE_FIELD, "depth", "path"}  # shown by a node, kept by the service in another form or not at all


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
        """Aim at one hierarchy.

        Args:
            client: One account.
            hierarchy: Its name.
            association: What belongs to its nodes: customer, project or user.
            id_field: The field of a node that holds our key; a custom one where people typed NetSuite's ids.
            inactive_suffix: The ending of a name that marks a node as switched off.
            batch: Records of one request.
            charset: The account's character set where it is not Unicode.

        Raises:
            ValueError: The hierarchy has no name or no such records.
        """
        super().__init__(client, "HierarchyNode", batch=batch, charset=charset)
        if not hierarchy or not inactive_suffix.strip():
            raise ValueError("options: `hierarchy` needs a name, and `inactive_suffix` a text")
        if association not in {"customer", "project", "user"}:
            raise ValueError(f"options: type {association!r}; the service knows customer, project and user")
        self._hierarchy = hierarchy
        self._association = association
        self._id_field = id_field
        self._suffix = inactive_suffix
        self._tree: Tree | None = None
        self._claimed = True

    # --- reading ----------------------------------------------------------------------------------------------

    def read(self, fields: Sequence[str]) -> pl.DataFrame:
        """Every node of the hierarchy; none while there is no such hierarchy."""
        self._check_names(fields)
        own = {name for name in (self._id_field, *fields) if name.endswith("__c")}
        tree = self._tree = self._found(Trees(self._client, self._association, sorted(own)))
        return self._frame(tree.nodes.values() if tree else [], fields)

    def find(self, external_ids: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        """The nodes that carry these keys now; a hierarchy is small enough to be read whole."""
        return self.read(fields).filter(pl.col("external_id").is_in(list(external_ids)))

    def _found(self, trees: Trees) -> Tree | None:
        """The hierarchy by our key, else by its name: somebody may have renamed it, or have made it before us."""
        for name in (KEY_FIELD, "name"):
            found = [str(each["id"]) for each in trees.hierarchies if each[name] == self._hierarchy]
            if len(found) > 1:
                reason = f"{len(found)} hierarchies are called {self._hierarchy}; rename all but the one that is meant"
                raise RequestRejectedError(SYSTEM, f"Read {HIERARCHY}", reason)
            if found:
                self._claimed = name == KEY_FIELD
                return trees.tree(found[0])
        return None

    def _seen(self, record: Record, fields: Iterable[str]) -> Record:  # noqa: ARG002 - a node shows them all
        if self._tree:
            self._tree.nodes[str(record["id"])] = record  # one just added, for the paths of those below it
        name = record["name"] or ""
        active = not name.endswith(self._suffix)
        return {
            **record,
            KEY_FIELD: record.get(self._id_field),
            "name": name.removesuffix(self._suffix),
            ACTIVE_FIELD: "1" if active else "0",
            "depth": self._tree.depth(record) if self._tree else None,
            "path": self._tree.path(record).replace(self._suffix, "") if self._tree else None,
        }

    # --- writing ----------------------------------------------------------------------------------------------

    def _prepare(self, batch: Sequence[Write]) -> None:
        """See to it that the hierarchy is there, with as many levels as these nodes need."""
        if self._tree is None:
            self._tree = self._found(Trees(self._client, self._association))
        if self._tree is None:
            self._tree = Tree(self._sent(HIERARCHY, {"name": self._hierarchy, "type": self._association}), [], {})
        elif not self._claimed:  # made by somebody else under this name: found again when they rename it
            self._sent(HIERARCHY, {"id": self._tree.hierarchy_id})
            self._claimed = True
        deepest = max((int(write.values.get("depth") or 1) for write in batch), default=1)
        levels = list(self._tree.levels)
        while len(levels) < deepest:
            number = len(levels) + 1
            values = {"hierarchyid": self._tree.hierarchy_id, "name": f"Level {number}", "isalevel": "1"}
            levels.append(self._sent("HierarchyNode", values, f" level {number}"))
        self._tree = Tree(self._tree.hierarchy_id, levels, self._tree.nodes)

    def _sent(self, type_name: str, values: Mapping[str, str], key_ending: str = "") -> str:
        """Add what all nodes need, or find it by its key, or give it our key; its id.

        Raises:
            RequestRejectedError: The service refuses it.
        """
        record = object_element(type_name, {KEY_FIELD: f"{self._hierarchy}{key_ending}", **values})
        attributes = {"type": type_name} if "id" in values else {"type": type_name, "lookup": KEY_FIELD}
        (block,) = self._client.execute([command("Modify" if "id" in values else "Add", attributes, record)])
        made = block.findtext(f"{type_name}/id")
        if status_of(block) != OK or not made:
            text = self._client.status_text(status_of(block))
            error = refusal(status_of(block), f"Add {type_name}")
            raise RequestRejectedError(SYSTEM, f"Add {type_name}", f"{error}: {text}" if text else str(error))
        return made

    def _own(self, write: Write, values: Values) -> Values:
        if self._id_field != KEY_FIELD and write.action is Action.CREATE:
            raise UnsendableError("not_added", f"nodes of {self._hierarchy} carry {self._id_field}, which people fill")
        assert self._tree  # _prepare has seen to it
        own = {name: value for name, value in values.items() if name not in _COMPUTED}
        if values.keys() & {"name", ACTIVE_FIELD}:
            shown = values.get("name", write.values.get("name")) or ""
            active = values.get(ACTIVE_FIELD, write.values.get(ACTIVE_FIELD)) != "0"
            own["name"] = shown if active else f"{shown}{self._suffix}"
        if values.get("depth"):
            own["levelid"] = self._tree.levels[int(str(values["depth"])) - 1]
        if "depth" in values or "parentid" in values:  # the engine cannot see that a node leaves the top
            own["parentid"] = write.parent_id or TOP
        if write.action is Action.CREATE:
            own |= {"hierarchyid": self._tree.hierarchy_id, "isanode": "1"}
        return own
