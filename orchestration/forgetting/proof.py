"""The proof of an erasing: what was searched, what was erased, what is left; counts and ids, no values.

Proof  ->  lines() for people, document() for programs
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from assets.delivery.forget.erase import Erased
from assets.delivery.forget.found import Elsewhere
from assets.result_texts import counted
from orchestration.forgetting.home_files import FoundFile, Kept


@dataclass(frozen=True)
class InTarget:
    """A record of a target that still holds the person."""

    workflow: str
    target_id: str
    url: str | None


@dataclass
class Proof:
    """One erasing, or what it would be.

    Attributes:
        source: Staging table without its prefix.
        is_dry_run: Nothing was changed.
        forgotten_at: When the record was forgotten first, UTC; blank for a record that is not.
        searched: How many tables and files were searched.
        erased: Tables of the warehouse: rows, and values by column.
        files: Files, and tables of databases.
        elsewhere: Other records that have one of the values, which stay.
        in_targets: Records of targets, which stay.
        left: Files that still hold something, or cannot be searched.
        not_searched: Other places that may hold something, with what to do.
        bytes_before: Of the warehouse, before compaction.
        bytes_after: After it.
    """

    source: str
    source_id: str
    is_dry_run: bool
    forgotten_at: str = ""
    decided_by: str = ""
    reason: str = ""
    searched: dict[str, int] = field(default_factory=dict)
    erased: Sequence[Erased] = ()
    files: Sequence[FoundFile] = ()
    elsewhere: Sequence[Elsewhere] = ()
    in_targets: Sequence[InTarget] = ()
    left: Sequence[Kept] = ()
    not_searched: Sequence[str] = ()
    bytes_before: int = 0
    bytes_after: int = 0

    def document(self) -> dict[str, Any]:
        """Return the proof as one object."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the proof as lines."""
        record = f"{self.source} {self.source_id}"
        if self.is_dry_run:
            yield f"{record}: this would be erased; nothing was changed"
        elif self.erased or self.files:
            yield f"{record}: erased by {self.decided_by}, {self.forgotten_at} UTC: {self.reason}"
        else:
            yield f"{record}: nothing left to erase; forgotten since {self.forgotten_at} UTC"
        for each in self.erased:
            yield f"  {each.table}: {counted(each.rows, 'rows')} ({', '.join(each.columns)})"
        for file in self.files:
            place = f"{file.table}.{file.column}: {counted(file.rows, 'rows')}" if file.table else "text"
            yield f"  {file.file}: {place}"
        yield f"searched: {', '.join(f'{number:,} {what}' for what, number in self.searched.items())}"
        if self.bytes_before:
            yield f"compacted: {self.bytes_before / 1e6:,.1f} MB before, {self.bytes_after / 1e6:,.1f} MB now"
        yield from self._rest()

    def _rest(self) -> Iterator[str]:
        if self.in_targets:
            yield "the targets still have the person; delete or anonymize there:"
            for each in self.in_targets:
                yield f"  {each.workflow}: record {each.target_id}{f', {each.url}' if each.url else ''}"
        if self.elsewhere:
            yield "also found in other records, which stay as they are:"
            for other in self.elsewhere:
                ids = f"{', '.join(other.ids)}{' …' if other.records > len(other.ids) else ''}"
                yield f"  {other.table}.{other.column}: {counted(other.records, 'records')}: {ids}"
        if self.left:
            yield "not erased:"
            for kept in self.left:
                yield f"  {kept.file}: {kept.why}"
        if self.not_searched:
            yield "not searched:"
            yield from (f"  {each}" for each in self.not_searched)
