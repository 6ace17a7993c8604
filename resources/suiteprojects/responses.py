"""Responses of the XML API: one block per command, in order, each with a number for a status.

Only their position identifies blocks, so a response counts when every block is present and nothing else is.
"""

from collections.abc import Sequence

from resources.errors import ContractError
from resources.suiteprojects.dictionary import RECORD_TYPES
from resources.suiteprojects.errors import NO_ROWS, OK, SYSTEM, read_error
from resources.suiteprojects.xml import Element, Record, parse_xml, record_of


def parse_response(body: bytes) -> tuple[int, list[Element]]:
    """Return the status of Auth, and the blocks after it; ValueError if the body is not a response of the API."""
    root = parse_xml(body)
    if root.tag != "response":
        raise ValueError("it is not a response of the API")
    blocks = list(root)
    if not blocks or blocks[0].tag != "Auth":
        raise ValueError("it does not begin with Auth")
    return status_of(blocks[0]), blocks[1:]


def status_of(block: Element) -> int:
    """Return a block's status; ValueError if it has none."""
    text = block.get("status", "").strip()
    if not text.isascii() or not text.isdigit():
        raise ValueError("a block has no status")
    return int(text)


def check_blocks(blocks: Sequence[Element], commands: Sequence[Element]) -> None:
    """Check that each command has its block.

    Raises:
        ValueError: A block is missing, extra, in another order, or without a status.
    """
    names = [str(each.tag) for each in blocks]
    if len(names) != len(commands):
        raise ValueError(f"{len(names)} blocks for {len(commands)} commands")
    if names != [str(each.tag) for each in commands]:
        raise ValueError("its blocks are in another order than the commands")
    for each in blocks:
        status_of(each)


def records_of(block: Element, read: Element) -> list[Record]:
    """Return the records in the block of a Read; other elements beside them are ignored.

    Raises:
        IntegrationError: The Read was rejected, or the block contains other records than requested.
    """
    type_name = read.get("type", "")
    operation = f"Read {type_name}"
    status = status_of(block)
    children = [child for child in block if child.tag in RECORD_TYPES]
    if status in NO_ROWS and any(len(child) for child in children):
        raise ContractError(SYSTEM, operation, f"the response has records and status {status}, which has none")
    if status in NO_ROWS:
        return []
    if status != OK:
        raise read_error(status, operation)
    if len(block) and not children:
        raise ContractError(SYSTEM, operation, "the response contains no records, but something else")
    if any(child.tag != type_name for child in children):
        raise ContractError(SYSTEM, operation, "the response contains other records than requested")
    size = int(read.get("limit", "").rpartition(",")[2])
    records = [record_of(child) for child in children]
    ids = [record.get("id") or "" for record in records]
    if len(records) > size or not all(map(is_id, ids)):
        raise ContractError(SYSTEM, operation, "the response contains more records than requested, or one without id")
    if len({*ids}) < len(ids):
        raise ContractError(SYSTEM, operation, "the response contains several records of one id")
    return records


def is_id(text: str) -> bool:
    """Return whether a text is an id of the service: a number above 0."""
    return text.isascii() and text.isdigit() and bool(text.strip("0"))
