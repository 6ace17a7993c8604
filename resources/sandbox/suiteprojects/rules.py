"""Validation rules by record type; each rule sees the record as it would be after the write."""

import re
from collections.abc import Callable, Mapping

from resources.sandbox.suiteprojects.custom_fields import check_custom_fields
from resources.sandbox.suiteprojects.errors import ApiError, Status
from resources.sandbox.suiteprojects.records import Row, Transaction
from resources.suiteprojects.properties import RecordType

Values = Mapping[str, str]

MAX_DEPTH = 100
NO_ID = {"", "0"}
FIXED = frozenset({"type"})  # properties with fixed values, which are not free text
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"-?\d*\.?\d+")


def normalized(tx: Transaction, record_type: RecordType, values: Values) -> dict[str, str]:
    """Return values as the service stores them; unknown and computed properties are dropped.

    Raises:
        ApiError: A date, a number or a length is invalid.
    """
    stored: dict[str, str] = {}
    custom = tx.custom_fields(record_type.association)
    for name, value in values.items():
        known = record_type.flat.get(name)
        if known.computed if known else name not in custom:
            continue
        text = value.strip() if tx.switches.trims_text else value
        if name not in FIXED:
            text = _typed(tx, known.kind if known else "text", text)
        stored[name] = _limited(tx, f"{record_type.name}.{name}", text)
    return stored


def _typed(tx: Transaction, kind: str, text: str) -> str:
    if kind == "boolean":
        return "0" if text in NO_ID else "1"  # Perl, the service's language, treats any other text as true
    if kind == "date" and text and not _DAY.match(text):
        raise ApiError(Status.INVALID_DATE)
    if kind == "number" and text:
        if not _NUMBER.fullmatch(text):
            raise ApiError(Status.BAD_FORMAT)
        if tx.switches.number_decimals is not None:
            return f"{float(text):.{tx.switches.number_decimals}f}"
    if kind == "text" and tx.switches.text_case == "upper":
        return text.upper()
    if kind == "ids":
        return ",".join(part.strip() for part in text.split(",") if part.strip())
    return text


def _limited(tx: Transaction, name: str, text: str) -> str:
    max_length = (tx.switches.strict_lengths or {}).get(name)
    if max_length is None or len(text) <= max_length:
        return text
    if tx.switches.long_values == "reject":
        raise ApiError(Status.BAD_ARGUMENT)
    return text[:max_length]


def check(tx: Transaction, record_type: RecordType, after: Values, given: Values, row: Row | None) -> None:
    """Check a write against the rules.

    Args:
        tx: The request's transaction.
        record_type: The record's type.
        after: The record after the write.
        given: The written properties.
        row: The record before the write; None for a new one.

    Raises:
        ApiError: A rule rejects the write.
    """
    rule = _RULES.get(record_type.name)
    if rule:
        rule(tx, after, row)
    currencies = tx.switches.currencies
    if given.get("currency") and currencies is not None and given["currency"] not in currencies:
        raise ApiError(Status.INVALID_CURRENCY)
    _check_references(tx, record_type, after, given, row)
    if tx.switches.external_id_unique and given.get("externalid"):
        _check_unique(tx.find(record_type.name, externalid=given["externalid"]), row, Status.DUPLICATE)
    check_custom_fields(tx, record_type, after, given, row)


def _check_unique(found: list[Row], row: Row | None, status: int) -> None:
    if any(row is None or other.id != row.id for other in found):
        raise ApiError(status)


def _check_references(tx: Transaction, record_type: RecordType, after: Values, given: Values, row: Row | None) -> None:
    for name, value in given.items():
        known = record_type.flat.get(name)
        if value in NO_ID or known is None:
            continue
        if known.refers == "Contact":
            contact = tx.get("Contact", value)
            owner = str(row.id) if row and record_type.name == "Customer" else after.get("customerid")
            if contact is None or contact.values.get("customerid") != owner:
                raise ApiError(Status.CONTACT_OF_OTHER_CUSTOMER)
        elif known.refers == "User" and tx.get("User", value) is None:
            raise ApiError(Status.INVALID_USER)


def _customer(_tx: Transaction, after: Values, _row: Row | None) -> None:
    if not after.get("name") and not after.get("company"):
        raise ApiError(Status.NAME_MISSING)


def _check_owner(tx: Transaction, after: Values) -> None:
    if not after.get("customerid"):
        raise ApiError(Status.INVALID_CUSTOMER)
    if tx.get("Customer", after["customerid"]) is None:
        raise ApiError(Status.CUSTOMER_NOT_FOUND)


def _contact(tx: Transaction, after: Values, _row: Row | None) -> None:
    _check_owner(tx, after)
    if not after.get("addr_last"):
        raise ApiError(Status.CONTACT_INCOMPLETE)


def _project(tx: Transaction, after: Values, row: Row | None) -> None:
    if not after.get("name"):
        raise ApiError(Status.INVALID_NAME)
    _check_owner(tx, after)
    if tx.switches.project_name_unique:
        same_name = tx.find("Project", customerid=after["customerid"], name=after["name"])
        _check_unique(same_name, row, Status.DUPLICATE_PROJECT_NAME)


def _hierarchy(_tx: Transaction, after: Values, _row: Row | None) -> None:
    if not after.get("name"):
        raise ApiError(Status.INVALID_NAME)
    if after.get("type") not in {"project", "user", "customer"}:
        raise ApiError(Status.INVALID_HIERARCHY_TYPE)


def _node(tx: Transaction, after: Values, row: Row | None) -> None:
    hierarchy = tx.get("Hierarchy", after.get("hierarchyid"))
    is_level, is_node = after.get("isalevel") == "1", after.get("isanode") == "1"
    if hierarchy is None or (is_level and is_node):
        raise ApiError(Status.INVALID_NODE)
    if not is_level and not is_node:
        _association(tx, after, row, hierarchy)
        return
    if not after.get("name"):
        raise ApiError(Status.INVALID_NAME)
    if is_node:
        _named_node(tx, after, row)
    elif after.get("levelid", "0") not in NO_ID:
        raise ApiError(Status.INVALID_NODE)


def _association(tx: Transaction, after: Values, row: Row | None, hierarchy: Row) -> None:
    if row is not None:
        raise ApiError(tx.switches.association_modify_status)
    if _node_of(tx, after.get("parentid"), hierarchy.id) is None:
        raise ApiError(Status.PARENT_NOT_FOUND)
    type_name = str(hierarchy.values["type"]).capitalize()
    if tx.get(type_name, after.get("recordid")) is None:
        raise ApiError(Status.CUSTOMER_NOT_FOUND if type_name == "Customer" else Status.NOT_FOUND)
    if tx.find("HierarchyNode", **{name: after[name] for name in ("hierarchyid", "parentid", "recordid")}):
        raise ApiError(tx.switches.duplicate_association_status)


def _named_node(tx: Transaction, after: Values, row: Row | None) -> None:
    level = tx.get("HierarchyNode", after.get("levelid"))
    same_hierarchy = level is not None and level.values.get("hierarchyid") == after["hierarchyid"]
    if level is None or level.values.get("isalevel") != "1" or not same_hierarchy:
        raise ApiError(Status.INVALID_NODE)
    parent_id, depth = after.get("parentid", "0"), 0
    while parent_id not in NO_ID:
        parent = _node_of(tx, parent_id, int(after["hierarchyid"]))
        is_cycle = depth > MAX_DEPTH or (row is not None and parent is not None and parent.id == row.id)
        if parent is None or is_cycle:
            raise ApiError(Status.PARENT_NOT_FOUND)
        parent_id, depth = parent.values.get("parentid", "0"), depth + 1


def _node_of(tx: Transaction, id_text: str | None, hierarchy_id: int) -> Row | None:
    """Return a node of a hierarchy by id, or None."""
    node = tx.get("HierarchyNode", id_text)
    if node is None or node.values.get("isanode") != "1" or node.values.get("hierarchyid") != str(hierarchy_id):
        return None
    return node


_RULES: dict[str, Callable[[Transaction, Values, Row | None], None]] = {
    "Customer": _customer,
    "Contact": _contact,
    "Project": _project,
    "Hierarchy": _hierarchy,
    "HierarchyNode": _node,
}
