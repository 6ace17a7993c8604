"""Consistency of a record's `hierarchy_node_ids` with its association rows, two forms of the same data."""

from resources.sandbox.suiteprojects.errors import ApiError, Status
from resources.sandbox.suiteprojects.records import Row, Transaction
from resources.suiteprojects.dictionary import RECORD_TYPES
from resources.suiteprojects.properties import RecordType

# hierarchy type -> record type with hierarchy_node_ids
ASSOCIATED_TYPES = {"customer": "Customer", "project": "Project"}


def nodes_after_write(tx: Transaction, record_type: RecordType, given: str, row: Row | None) -> list[Row]:
    """Return the nodes of a record after this list is written.

    Raises:
        ApiError: 1050 for an id that is not a node for this type, 1051 for two nodes of one hierarchy.
    """
    ids = given.split(",")
    if tx.switches.node_ids == "add" and row is not None:
        ids = [*row.values.get("hierarchy_node_ids", "").split(","), *ids]
    nodes = []
    for id_text in dict.fromkeys(filter(None, ids)):
        node = tx.get("HierarchyNode", id_text)
        hierarchy = tx.get("Hierarchy", node.values.get("hierarchyid")) if node else None
        if node is None or hierarchy is None or node.values.get("isanode") != "1":
            raise ApiError(Status.INVALID_NODE)
        if hierarchy.values.get("type") != record_type.association:
            raise ApiError(Status.INVALID_NODE)
        nodes.append(node)
    if len({node.values["hierarchyid"] for node in nodes}) < len(nodes):
        raise ApiError(Status.TWO_NODES_OF_HIERARCHY)
    return nodes


def associations(tx: Transaction, record_type: RecordType, row: Row) -> list[Row]:
    """Return the association rows of a record."""
    return [
        each
        for each in tx.find("HierarchyNode", recordid=str(row.id))
        if (hierarchy := tx.get("Hierarchy", each.values.get("hierarchyid")))
        and hierarchy.values.get("type") == record_type.association
    ]


def update_associations(tx: Transaction, record_type: RecordType, row: Row, nodes: list[Row]) -> None:
    """Update the association rows of a record after its nodes were written."""
    existing = {each.values["parentid"]: each for each in associations(tx, record_type, row)}
    for parent_id, each in existing.items():
        if parent_id not in {str(node.id) for node in nodes}:
            tx.remove(each)
    for node in nodes:
        if str(node.id) not in existing:
            _associate(tx, row, node)


def _associate(tx: Transaction, row: Row, node: Row) -> None:
    values = {
        "hierarchyid": node.values["hierarchyid"],
        "parentid": str(node.id),
        "recordid": str(row.id),
        "levelid": "0",
        "isanode": "0",
        "isalevel": "0",
    }
    tx.insert("HierarchyNode", values)


def update_node_ids(tx: Transaction, association: Row) -> None:
    """Update a record's `hierarchy_node_ids` after an association row was added or removed."""
    hierarchy = tx.get("Hierarchy", association.values.get("hierarchyid"))
    type_name = ASSOCIATED_TYPES.get(hierarchy.values.get("type", "")) if hierarchy else None
    row = tx.get(type_name, association.values.get("recordid")) if type_name else None
    if type_name is None or row is None:
        return
    ids = [each.values["parentid"] for each in associations(tx, RECORD_TYPES[type_name], row)]
    row.values.pop("hierarchy_node_ids", None)
    if ids:
        row.values["hierarchy_node_ids"] = ",".join(ids)
    tx.save(row)
