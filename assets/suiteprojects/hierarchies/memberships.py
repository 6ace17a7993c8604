"""The hierarchy nodes of customers and projects: one field per hierarchy for the engine, one list for the service.

hierarchy:Customer Department = 402   <->   hierarchy_node_ids = 17,402

The list is read before it is changed, so nodes of hierarchies that are not mapped stay. Whether a written list replaces
the old one or extends it is not documented. If the old node stays, or the service rejects two nodes of one hierarchy
(1051), the old association is deleted, as the documentation describes, and the list is sent again. Nodes themselves are
never deleted.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain

from assets.delivery.target import Action, Outcome, Verdict, Write
from assets.suiteprojects.canonical import join_ids
from assets.suiteprojects.hierarchies.trees import NODE, PREFIX, Trees
from resources.errors import ContractError
from resources.suiteprojects.client import PAGE, SuiteProjectsClient
from resources.suiteprojects.errors import SYSTEM
from resources.suiteprojects.paging import read_command
from resources.suiteprojects.xml import Record, command, object_element

LIST_FIELD = "hierarchy_node_ids"
TWO_NODES = "1051"
_MAX_ASSOCIATIONS = 10  # of one record in one hierarchy; the service allows one


def hierarchy_fields(names: Iterable[str]) -> list[str]:
    """Return the fields that stand for a node in a hierarchy."""
    return [name for name in names if name.startswith(PREFIX)]


class Memberships:
    """The nodes of one type of record."""

    def __init__(self, client: SuiteProjectsClient, type_name: str, association: str) -> None:
        self._client = client
        self._type_name = type_name
        self._association = association
        self._current: dict[str, dict[str, str]] = {}  # target id -> field, or id of an unknown node -> node id

    @cached_property
    def trees(self) -> Trees:
        """The account's hierarchies."""
        return Trees(self._client, self._association)

    def with_fields(self, record: Record, names: Iterable[str]) -> Record:
        """Return a record of the service with its nodes as fields."""
        requested = hierarchy_fields(names)
        if not requested or LIST_FIELD not in record:
            return record
        self.trees.check_names(requested)
        nodes = self.trees.fields_of(record[LIST_FIELD])
        return {**record, **{name: nodes.get(name) for name in requested}}

    def prepare(self, writes: Sequence[Write]) -> None:
        """Read, in one request, the current nodes of the records whose nodes change."""
        self._current = {}
        ids = [write.target_id for write in writes if _reassigns(write) and write.target_id]
        reads = [read_command(self._type_name, [LIST_FIELD], limit="1", query={"id": each}) for each in ids]
        for record in chain.from_iterable(self._client.read_each(reads)):
            if LIST_FIELD not in record and not self._client.leaves_out_blanks(self._type_name, [LIST_FIELD]):
                raise ContractError(SYSTEM, f"Read {self._type_name}", f"records without {LIST_FIELD}: nodes unknown")
            listed = [part.strip() for part in (record.get(LIST_FIELD) or "").split(",")]
            unknown = {each: each for each in listed if each and each not in self.trees.hierarchy_of}
            self._current[str(record["id"])] = self.trees.fields_of(record.get(LIST_FIELD)) | unknown

    def are_unread(self, write: Write) -> bool:
        """Return whether a write changes nodes, but the record was not shown: its other nodes are unknown."""
        return _reassigns(write) and str(write.target_id) not in self._current

    def with_list(self, write: Write, values: Mapping[str, str | None]) -> dict[str, str | None]:
        """Return the values to send, with the list instead of the fields; the record's nodes were read."""
        changed = hierarchy_fields(values)
        rest = {name: value for name, value in values.items() if name not in changed}
        if not changed:
            return rest
        current = {} if write.action is Action.CREATE else self._current[str(write.target_id)]
        nodes = {**current, **{name: values[name] for name in changed}}
        listed = chain.from_iterable(node.split(",") for node in nodes.values() if node)
        return {**rest, LIST_FIELD: join_ids(listed) or None}

    def kept_old_node(self, write: Write, outcome: Outcome) -> bool:
        """Return whether the record still has a node that the write should have removed."""
        if not _reassigns(write):
            return False
        if outcome.verdict is Verdict.REJECTED:
            return outcome.code == TWO_NODES
        echo = outcome.echo or {}
        changed = hierarchy_fields(write.changed)
        return any(echo[name] and echo[name] != write.values.get(name) for name in changed if name in echo)

    def detach(self, writes: Sequence[Write]) -> None:
        """Delete the associations of these records with nodes that they should no longer have."""
        hierarchy_ids = {f"{PREFIX}{each.get('name')}": str(each["id"]) for each in self.trees.hierarchies}
        changes = [
            (write, name)
            for write in writes
            for name in hierarchy_fields(write.changed)
            if name in hierarchy_ids and self._current.get(str(write.target_id), {}).get(name)
        ]
        queries = [{"recordid": str(write.target_id), "hierarchyid": hierarchy_ids[name]} for write, name in changes]
        reads = [read_command(NODE, ["parentid"], limit=str(_MAX_ASSOCIATIONS), query=query) for query in queries]
        size = PAGE // _MAX_ASSOCIATIONS
        chunks = [reads[start : start + size] for start in range(0, len(reads), size)]
        found = chain.from_iterable(map(self._client.read_each, chunks))
        obsolete = [
            str(association["id"])
            for (write, name), associations in zip(changes, found, strict=True)
            for association in associations
            if association.get("parentid") != write.values.get(name)
        ]
        if obsolete:
            self._client.execute(
                [command("Delete", {"type": NODE}, object_element(NODE, {"id": each})) for each in obsolete]
            )


def _reassigns(write: Write) -> bool:
    """Return whether an existing record changes its nodes."""
    return write.action is not Action.CREATE and bool(hierarchy_fields(write.changed))
