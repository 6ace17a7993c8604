"""What the service refuses, by type of record; each rule sees the object as it would be after the write."""

import re
from collections.abc import Callable, Mapping

from resources.sandbox.suiteprojects.customfields import check_custom
from resources.sandbox.suiteprojects.records import RefusedError, Row, Work
from resources.suiteprojects.dictionary import RecordType

Values = Mapping[str, str]

BAD_ARGUMENT = 2001
BAD_FORMAT = 2002
INVALID_NAME = 908
INVALID_NODE = 1050
UNKNOWN_PARENT = 881
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"-?\d*\.?\d+")


def normalised(work: Work, record_type: RecordType, values: Values) -> dict[str, str]:
    """Values as the service keeps them; what it does not know, and what it computes itself, is dropped.

    Raises:
        RefusedError: A date, a number or a length is wrong.
    """
    kept: dict[str, str] = {}
    custom = work.custom_fields(record_type.association)
    for name, value in values.items():
        known = record_type.flat.get(name)
        if known.computed if known else name not in custom:
            continue
        text = value.strip() if work.switches.trims_text else value
        kind = known.kind if known else "text"
        if kind == "boolean":
            text = "0" if text in {"", "0"} else "1"  # the service's own language takes anything else for true
        elif kind == "date" and text and not _DAY.match(text):
            raise RefusedError(944)
        elif kind == "number" and text and not _NUMBER.fullmatch(text):
            raise RefusedError(BAD_FORMAT)
        elif kind == "number" and text and work.switches.number_decimals is not None:
            text = f"{float(text):.{work.switches.number_decimals}f}"
        elif kind == "text" and work.switches.text_case == "upper":
            text = text.upper()
        elif kind == "ids":
            text = ",".join(part.strip() for part in text.split(",") if part.strip())
        kept[name] = _fitting(work, f"{record_type.name}.{name}", text)
    return kept


def _fitting(work: Work, name: str, text: str) -> str:
    longest = (work.switches.strict_lengths or {}).get(name)
    if longest is None or len(text) <= longest:
        return text
    if work.switches.long_values == "reject":
        raise RefusedError(BAD_ARGUMENT)
    return text[:longest]


def check(work: Work, record_type: RecordType, after: Values, given: Values, row: Row | None) -> None:
    """Refuse what breaks a rule.

    Args:
        work: The request's transaction.
        record_type: What is written.
        after: The object as it would be.
        given: The properties that this write names.
        row: The object as it is; None for a new one.

    Raises:
        RefusedError: With the service's status.
    """
    rule = _RULES.get(record_type.name)
    if rule:
        rule(work, after, row)
    currencies = work.switches.currencies
    if given.get("currency") and currencies is not None and given["currency"] not in currencies:
        raise RefusedError(837)
    _check_links(work, record_type, after, given, row)
    others = (
        []
        if not work.switches.external_id_unique or not given.get("externalid")
        else work.find(record_type.name, externalid=given["externalid"])
    )
    if any(other.id != (row.id if row else None) for other in others):
        raise RefusedError(852)
    check_custom(work, record_type, after, given, row)


def _check_links(work: Work, record_type: RecordType, after: Values, given: Values, row: Row | None) -> None:
    for name, value in given.items():
        known = record_type.flat.get(name)
        if not value or value == "0" or known is None:
            continue
        if known.refers == "Contact":
            contact = work.get("Contact", value)
            owner = str(row.id) if row and record_type.name == "Customer" else after.get("customerid")
            if contact is None or contact.values.get("customerid") != owner:
                raise RefusedError(909)
        elif known.refers == "User" and work.get("User", value) is None:
            raise RefusedError(829)


def _customer(_work: Work, after: Values, _row: Row | None) -> None:
    if not after.get("name") and not after.get("company"):
        raise RefusedError(824)


def _owner_exists(work: Work, after: Values) -> None:
    if not after.get("customerid"):
        raise RefusedError(801)
    if work.get("Customer", after["customerid"]) is None:
        raise RefusedError(859)


def _contact(work: Work, after: Values, _row: Row | None) -> None:
    _owner_exists(work, after)
    if not after.get("addr_last"):
        raise RefusedError(907)


def _project(work: Work, after: Values, row: Row | None) -> None:
    if not after.get("name"):
        raise RefusedError(INVALID_NAME)
    _owner_exists(work, after)
    if work.switches.project_name_unique:
        others = work.find("Project", customerid=after["customerid"], name=after["name"])
        if any(other.id != (row.id if row else None) for other in others):
            raise RefusedError(943)


def _hierarchy(_work: Work, after: Values, _row: Row | None) -> None:
    if not after.get("name"):
        raise RefusedError(INVALID_NAME)
    if after.get("type") not in {"project", "user", "customer"}:
        raise RefusedError(868)


def _node(work: Work, after: Values, row: Row | None) -> None:
    hierarchy = work.get("Hierarchy", after.get("hierarchyid"))
    is_level, is_node = after.get("isalevel") == "1", after.get("isanode") == "1"
    if hierarchy is None or (is_level and is_node):
        raise RefusedError(INVALID_NODE)
    if is_level or is_node:
        if not after.get("name"):
            raise RefusedError(INVALID_NAME)
        _named_node(work, after, row, is_level=is_level)
        return
    if row is not None:
        raise RefusedError(work.switches.association_modify_status)
    if _node_of(work, after.get("parentid"), hierarchy.id) is None:
        raise RefusedError(UNKNOWN_PARENT)
    type_name = str(hierarchy.values["type"]).capitalize()
    if work.get(type_name, after.get("recordid")) is None:
        raise RefusedError(859 if type_name == "Customer" else 601)
    same = {name: after[name] for name in ("hierarchyid", "parentid", "recordid")}
    if work.find("HierarchyNode", **same):
        raise RefusedError(work.switches.duplicate_association_status)


def _named_node(work: Work, after: Values, row: Row | None, *, is_level: bool) -> None:
    blank = {"", "0"}
    if is_level:
        if after.get("levelid", "0") not in blank:
            raise RefusedError(INVALID_NODE)
        return
    level = work.get("HierarchyNode", after.get("levelid"))
    same_hierarchy = level is not None and level.values.get("hierarchyid") == after["hierarchyid"]
    if level is None or level.values.get("isalevel") != "1" or not same_hierarchy:
        raise RefusedError(INVALID_NODE)
    above = after.get("parentid", "0")
    steps = 0
    while above not in blank:
        parent = _node_of(work, above, int(after["hierarchyid"]))
        if parent is None or (row is not None and parent.id == row.id) or steps > 100:  # noqa: PLR2004 a ring
            raise RefusedError(UNKNOWN_PARENT)
        above, steps = parent.values.get("parentid", "0"), steps + 1


def _node_of(work: Work, id_text: str | None, hierarchy_id: int) -> Row | None:
    node = work.get("HierarchyNode", id_text)
    if node is None or node.values.get("isanode") != "1" or node.values.get("hierarchyid") != str(hierarchy_id):
        return None
    return node


_RULES: dict[str, Callable[[Work, Values, Row | None], None]] = {
    "Customer": _customer,
    "Contact": _contact,
    "Project": _project,
    "Hierarchy": _hierarchy,
    "HierarchyNode": _node,
}
