"""Creation, change and deletion of one record, with the service's rules, defaults and side effects."""

from resources.sandbox.suiteprojects.errors import ApiError, Status
from resources.sandbox.suiteprojects.hierarchy import (
    ASSOCIATED_TYPES,
    associations,
    nodes_after_write,
    update_associations,
    update_node_ids,
)
from resources.sandbox.suiteprojects.records import Row, Transaction
from resources.sandbox.suiteprojects.rules import check, normalized
from resources.suiteprojects.properties import RecordType

TEMPLATE = "template_project_id"
ADDRESS_PREFIXES = ("addr_", "billing_addr_", "contact_addr_")


def create(tx: Transaction, record_type: RecordType, values: dict[str, str]) -> Row:
    """Create a record.

    Raises:
        ApiError: A rule rejects it.
    """
    given = normalized(tx, record_type, values)
    copied = _template_values(tx, given) if record_type.name == "Project" else {}
    after = {**_defaults(tx, record_type), **copied, **{name: value for name, value in given.items() if value}}
    if not tx.switches.template_in_responses:
        after.pop(TEMPLATE, None)
    if record_type.name == "Customer" and not after.get("name") and after.get("company"):
        after["name"] = after["company"]
    check(tx, record_type, after, given, None)
    nodes = nodes_after_write(tx, record_type, after.get("hierarchy_node_ids", ""), None)
    row = tx.insert(record_type.name, after)
    _apply_side_effects(tx, record_type, row, nodes if "hierarchy_node_ids" in after else None)
    return row


def _template_values(tx: Transaction, given: dict[str, str]) -> dict[str, str]:
    """Return the values that a new project copies from its template.

    Raises:
        ApiError: 934, the template does not exist.
    """
    if not given.get(TEMPLATE):
        return {}
    template = tx.get("Project", given[TEMPLATE])
    if template is None:
        raise ApiError(Status.TEMPLATE_NOT_COPIED)
    return {name: template.values[name] for name in tx.switches.template_copies if template.values.get(name)}


def _defaults(tx: Transaction, record_type: RecordType) -> dict[str, str]:
    defaults = {each.name: "0" for each in record_type.properties.values() if each.kind == "boolean"}
    if "active" in defaults:
        defaults["active"] = "1"
    if record_type.name == "Customer":
        defaults["type"] = tx.switches.default_customer_type
    if "currency" in record_type.properties and tx.switches.default_currency:
        defaults["currency"] = tx.switches.default_currency
    if record_type.name == "HierarchyNode":
        defaults.update(levelid="0", parentid="0", recordid="0")
    return defaults


def change(tx: Transaction, record_type: RecordType, row: Row, values: dict[str, str]) -> Row:
    """Change the given properties of a record; an empty value clears a property.

    Raises:
        ApiError: A rule rejects the change.
    """
    kept = {name for name in values if f"{record_type.name}.{name}" in tx.switches.unchangeable}
    given = {name: value for name, value in normalized(tx, record_type, values).items() if name not in kept}
    before = row.values
    unchanged = dict(before)
    if tx.switches.address_modify == "replace":
        replaced = tuple(prefix for prefix in ADDRESS_PREFIXES if any(name.startswith(prefix) for name in given))
        unchanged = {name: value for name, value in before.items() if not name.startswith(replaced)}
    after = {name: value for name, value in {**unchanged, **given}.items() if value}
    check(tx, record_type, after, given, row)
    nodes = None
    if "hierarchy_node_ids" in given and record_type.name in ASSOCIATED_TYPES.values():
        nodes = nodes_after_write(tx, record_type, given["hierarchy_node_ids"], row)
    if after != before or tx.switches.unchanged_modify_moves_updated:
        after["updated"] = tx.timestamp
    row.values = after
    tx.save(row)
    _apply_side_effects(tx, record_type, row, nodes)
    return row


def _apply_side_effects(tx: Transaction, record_type: RecordType, row: Row, nodes: list[Row] | None) -> None:
    if record_type.name == "CustField":
        tx.definitions.clear()
    if _is_association(row):
        update_node_ids(tx, row)
    if nodes is not None:
        row.values.pop("hierarchy_node_ids", None)
        if nodes:
            row.values["hierarchy_node_ids"] = ",".join(str(node.id) for node in nodes)
        tx.save(row)
        update_associations(tx, record_type, row, nodes)


def _is_association(row: Row) -> bool:
    return row.type == "HierarchyNode" and row.values.get("recordid", "0") != "0"


def delete(tx: Transaction, record_type: RecordType, id_text: str | None) -> None:
    """Mark a record as deleted.

    Raises:
        ApiError: 601, it does not exist; 701 with the ids of its dependents.
    """
    row = tx.get(record_type.name, id_text)
    if row is None:
        raise ApiError(Status.NOT_FOUND)
    dependents = _dependents(tx, row)
    if dependents:
        content = "".join(f"<{each.type}><id>{each.id}</id></{each.type}>" for each in dependents)
        raise ApiError(Status.HAS_DEPENDENTS, content)
    if record_type.name in ASSOCIATED_TYPES.values():
        for each in associations(tx, record_type, row):
            tx.remove(each)
    tx.remove(row)
    if _is_association(row):
        update_node_ids(tx, row)


def _dependents(tx: Transaction, row: Row) -> list[Row]:
    key = str(row.id)
    if row.type == "Customer":
        return [*tx.find("Contact", customerid=key), *tx.find("Project", customerid=key)]
    if row.type == "HierarchyNode":
        column = "levelid" if row.values.get("isalevel") == "1" else "parentid"
        return tx.find("HierarchyNode", **{column: key}, hierarchyid=row.values["hierarchyid"])
    return []
