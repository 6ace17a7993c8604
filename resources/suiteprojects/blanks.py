"""Evidence whether a property that a record lacks is blank or was not read, from what the service was seen to do.

A blank property is an empty element (suiteprojects_api.md §1.4), so one that is missing may not be visible to this
user, and must not count as a blank. If some records of a Read have a property and others lack it, the service
leaves blanks out.
"""

from collections.abc import Sequence

from resources.suiteprojects.xml import Element, Record

Names = frozenset[str]


class Blanks:
    """The properties that records had so far, by type and properties of the Read."""

    def __init__(self) -> None:
        self.are_left_out = False
        self._seen: dict[tuple[str, Names], tuple[Names, Names]] = {}  # properties of any, and of every record

    def learn(self, read: Element, records: Sequence[Record]) -> None:
        """Compare the records of one Read with each other and with those of earlier ones."""
        returned = read.find("_Return")
        if self.are_left_out or not records or returned is None:
            return
        asked = frozenset(str(each.tag) for each in returned if not len(each))  # without addresses
        key = read.get("type", ""), asked
        had = [asked & record.keys() for record in records]
        some, every = self._seen.get(key, (frozenset(), asked))
        some, every = some.union(*had), every.intersection(*had)
        self._seen[key] = some, every
        self.are_left_out = some != every
