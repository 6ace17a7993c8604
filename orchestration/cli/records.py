"""Records by what people know of them, as commands take them."""

from collections.abc import Iterable

from assets.delivery.audit.find import LIMIT, Record, find_records
from assets.delivery.errors import SyncError
from orchestration.cli.facts import note
from orchestration.cli.output import print_line, print_wrapped
from resources.warehouse.warehouse import Warehouse


def find_record(warehouse: Warehouse, text: str) -> Record:
    """Return the only record with an id, number, name or target id; a part of a name only lists the candidates.

    Raises:
        SyncError: There is none, or there are several.
    """
    exists = warehouse.exists()
    found = find_records(warehouse, text) if exists else []
    if len(found) == 1:
        return found[0]
    alike = found or (find_records(warehouse, text, partial=True) if exists else [])
    if alike:
        print_choices(alike)
    if found:
        first = f"{found[0].source}:{found[0].source_id}"
        raise SyncError(f"{text} matches several records; use the NetSuite id, or, as in {first}, both kind and id")
    fix = "check it, or run the workflow, which reads newer records"
    raise SyncError(f"no record has the NetSuite id, number or name {text!r}, as of the last run; {fix}")


def print_choices(records: Iterable[Record]) -> None:
    """List the records that a text may mean."""
    shown = list(records)
    note(records=[vars(each) for each in shown])
    print_wrapped(
        "several records match; use the NetSuite id:" if len(shown) > 1 else "perhaps this one; use its NetSuite id:"
    )
    widths = [max(len(text) for text in texts) for texts in zip(*map(_cells, shown), strict=True)]
    for record in shown:
        cells = _cells(record)
        aligned = (
            f"{cells[0]:>{widths[0]}}",
            f"{cells[1]:<{widths[1]}}",
            f"{cells[2]:<{widths[2]}}",
            record.name or "",
        )
        print_line(f"  {'  '.join(aligned)}".rstrip())
    if len(shown) >= LIMIT:
        print_line("  … and perhaps more; add a part of the name")


def _cells(record: Record) -> tuple[str, str, str]:
    return record.source_id, record.source, record.number or ""
