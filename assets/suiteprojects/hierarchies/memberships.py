"""A customer's or project's places in hierarchies: one field per hierarchy for the engine, one list for the service.

hierarchy:Customer Department = 402   <->   hierarchy_node_ids = 17,402

The list is read again before it is changed: nodes of hierarchies that are not mapped belong to somebody else and stay.
Whether a written list replaces the old one or is added to it is not documented. Where the old node stays, or the
service refuses two nodes of one hierarchy (1051), the old association is deleted, as the documentation says, and the
list is sent once more. A node itself is never deleted.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from assets.delivery.target import Action, Outcome, Verdict, Write
from assets.suiteprojects.hierarchies.trees import NODE, PREFIX, Trees
from resources.suiteprojects.client import PAGE, SuiteProjectsClient, read_command
from resources.suiteprojects.xml import Record, command, object_element

LIST_FIELD = "hierarchy_node_ids"
TWO_NODES = "1051"
_MOST = 10  # associations of one record within one hierarchy: the service allows one


def places_of(names: Iterable[str]) -> list[str]:
    """The fields that stand for a place in a hierarchy."""
    return [name for name in names if name.startswith(PREFIX)]


class Memberships:
    """The places of one type of record."""

    def __init__(self, client: SuiteProjectsClient, type_name: str, association: str) -> None:
        self._client = client
        self._type_name = type_name
        self._association = association
        self._trees: Trees | None = None
        self._held: dict[str, dict[str, str]] = {}

    @property
    def trees(self) -> Trees:
        """The account's hierarchies, read when first asked for."""
        if self._trees is None:
            self._trees = Trees(self._client, self._association)
        return self._trees

    def seen(self, record: Record, names: Iterable[str]) -> Record:
        """A record with its places as fields."""
        wanted = places_of(names)
        if not wanted or LIST_FIELD not in record:
            return record
        places = self.trees.places(record[LIST_FIELD])
        return {**record, **{name: places.get(name) for name in wanted}}

    def prepare(self, writes: Sequence[Write]) -> None:
        """Read the present places of the records of which one changes, in one request."""
        ids = [write.target_id for write in _moving(writes) if write.target_id]
        if not ids:
            return
        reads = [read_command(self._type_name, [LIST_FIELD], limit="1", query={"id": each}) for each in ids]
        for records in self._client.read_many(reads, fresh=True):
            for record in records:
                self._held[str(record["id"])] = self.trees.places(record[LIST_FIELD]) | _others(record, self.trees)

    def listed(self, write: Write, values: Mapping[str, str | None]) -> dict[str, str | None]:
        """Values to send, with the list in place of the fields."""
        changed = places_of(values)
        rest = {name: value for name, value in values.items() if name not in changed}
        if not changed:
            return rest
        held = {} if write.action is Action.CREATE else self._held.get(str(write.target_id), {})
        ids = {node for name, node in held.items() if name not in changed}
        ids |= {node for name in changed if (node := values[name])}
        return {**rest, LIST_FIELD: ",".join(sorted(ids, key=lambda each: (len(each), each))) or None}

    def stayed(self, write: Write, outcome: Outcome) -> bool:
        """Whether an old place is still there after a write that should have ended it."""
        if write not in _moving([write]):
            return False
        if outcome.verdict is Verdict.REJECTED:
            return outcome.code == TWO_NODES
        echo = outcome.echo or {}
        return any(echo[name] and echo[name] != write.values.get(name) for name in _changed(write) if name in echo)

    def leave(self, writes: Sequence[Write]) -> None:
        """Delete the associations with nodes that these records shall no longer be attached to."""
        by_name = {f"{PREFIX}{each['name']}": str(each["id"]) for each in self.trees.hierarchies}
        asked = [
            (write, name)
            for write in writes
            for name in _changed(write)
            if name in by_name and self._held.get(str(write.target_id), {}).get(name)
        ]
        reads = [
            read_command(
                NODE,
                ["parentid"],
                limit=str(_MOST),
                query={"recordid": str(write.target_id), "hierarchyid": by_name[name]},
            )
            for write, name in asked
        ]
        size = PAGE // _MOST
        chunks = [reads[start : start + size] for start in range(0, len(reads), size)]
        answers = chain.from_iterable(self._client.read_many(chunk, fresh=True) for chunk in chunks)
        leaves = [
            str(leaf["id"])
            for (write, name), found in zip(asked, answers, strict=True)
            for leaf in found
            if leaf["parentid"] != write.values.get(name)
        ]
        if leaves:
            self._client.execute(
                [command("Delete", {"type": NODE}, object_element(NODE, {"id": each})) for each in leaves]
            )


def _changed(write: Write) -> list[str]:
    return places_of(write.changed)


def _moving(writes: Iterable[Write]) -> list[Write]:
    return [write for write in writes if write.action is not Action.CREATE and _changed(write)]


def _others(record: Record, trees: Trees) -> dict[str, str]:
    """Nodes that no known hierarchy has, under their own ids: not ours to judge, so they stay."""
    ids = [part.strip() for part in (record[LIST_FIELD] or "").split(",")]
    return {each: each for each in ids if each and each not in trees.hierarchy_of}
