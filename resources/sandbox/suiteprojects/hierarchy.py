"""A record's `hierarchy_node_ids` and its association rows: two views of one thing, kept alike."""

from resources.sandbox.suiteprojects.records import RefusedError, Row, Work
from resources.suiteprojects.dictionary import RecordType

INVALID_NODE = 1050
TWO_NODES = 1051
HOLDERS = {"customer": "Customer", "project": "Project"}  # types that carry hierarchy_node_ids


def checked_node_ids(work: Work, record_type: RecordType, given: str, row: Row | None) -> list[Row]:
    """The nodes that a record would have after writing this list.

    Raises:
        RefusedError: 1050 for what is no node for this type, 1051 for two nodes of one hierarchy.
    """
    ids = [part for part in given.split(",") if part]
    if work.switches.node_ids == "add" and row is not None:
        ids = [*row.values.get("hierarchy_node_ids", "").split(","), *ids]
    nodes = []
    for id_text in dict.fromkeys(filter(None, ids)):
        node = work.get("HierarchyNode", id_text)
        hierarchy = work.get("Hierarchy", node.values.get("hierarchyid")) if node else None
        if node is None or hierarchy is None or node.values.get("isanode") != "1":
            raise RefusedError(INVALID_NODE)
        if hierarchy.values.get("type") != record_type.association:
            raise RefusedError(INVALID_NODE)
        nodes.append(node)
    hierarchies = [node.values["hierarchyid"] for node in nodes]
    if len(set(hierarchies)) < len(hierarchies):
        raise RefusedError(TWO_NODES)
    return nodes


def associations(work: Work, record_type: RecordType, row: Row) -> list[Row]:
    """The association rows of a record."""
    return [
        each
        for each in work.find("HierarchyNode", recordid=str(row.id))
        if (hierarchy := work.get("Hierarchy", each.values.get("hierarchyid")))
        and hierarchy.values.get("type") == record_type.association
    ]


def follow_node_ids(work: Work, record_type: RecordType, row: Row, nodes: list[Row]) -> None:
    """Make the association rows agree with the nodes that were written on the record."""
    kept = {each.values["parentid"]: each for each in associations(work, record_type, row)}
    for parent_id, each in kept.items():
        if parent_id not in {str(node.id) for node in nodes}:
            work.remove(each)
    for node in nodes:
        if str(node.id) not in kept:
            _associate(work, row, node)


def _associate(work: Work, row: Row, node: Row) -> None:
    values = {
        "hierarchyid": node.values["hierarchyid"],
        "parentid": str(node.id),
        "recordid": str(row.id),
        "levelid": "0",
        "isanode": "0",
        "isalevel": "0",
    }
    work.insert("HierarchyNode", values)


def follow_association(work: Work, association: Row) -> None:
    """Make the record's `hierarchy_node_ids` agree after an association row came or went."""
    from resources.suiteprojects.dictionary import RECORD_TYPES

    hierarchy = work.get("Hierarchy", association.values.get("hierarchyid"))
    holder = HOLDERS.get(hierarchy.values.get("type", "")) if hierarchy else None
    row = work.get(holder, association.values.get("recordid")) if holder else None
    if holder is None or row is None:
        return
    ids = [each.values["parentid"] for each in associations(work, RECORD_TYPES[holder], row)]
    row.values.pop("hierarchy_node_ids", None)
    if ids:
        row.values["hierarchy_node_ids"] = ",".join(ids)
    work.save(row)
