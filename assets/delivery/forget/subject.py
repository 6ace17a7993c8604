"""The record that is to be forgotten: which of its columns are emptied, and the values that they hold.

source, NetSuite id  ->  read_subject()  ->  Subject: hidden and kept columns by table, values to look for
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

import sql
from assets.delivery.errors import SyncError
from assets.delivery.spec.sources import STAGING_PREFIX, key_column
from assets.netsuite.record_types import RECORD_TYPES, RecordType, record_type_of
from assets.warehouse.column_sources import columns_behind
from resources.warehouse.column_classes import CUSTOM, PLACES, is_forgotten
from resources.warehouse.forgotten import STAGED
from resources.warehouse.tables import columns_of, has_table, quoted

MIN_LENGTH = 4  # of a value that is looked for in texts; shorter ones are in every second word
COMMON = ("salutation", "title")  # columns whose values many records share
_FLAGS = ("is", "default")  # raw columns without a staged one that are no texts
_IDS = ("addressbookaddress", "contactrole", "entitynumber", "primarycurrency")


@dataclass(frozen=True)
class Subject:
    """One record.

    Attributes:
        source: Staging table without its prefix.
        is_person: Whether names and places are personal too.
        modified: NetSuite's date of change, as NetSuite sends it.
        kept: Columns that keep their values: of the staging table (STAGED), and of each record type that is read.
        texts: Values that name this record and no other, to look for in texts, the longest first.
        common: Its other values, such as a city, that other records have as well.
    """

    source: str
    source_id: str
    is_person: bool
    modified: str | None
    kept: Mapping[str, Sequence[str]]
    texts: Sequence[str] = ()
    common: Collection[str] = ()

    @property
    def staging(self) -> str:
        """The staging table."""
        return STAGING_PREFIX + self.source

    @property
    def key(self) -> str:
        """The key column of the staging table."""
        return key_column(self.source)

    def owners(self) -> Iterator[tuple[RecordType, str]]:
        """Yield the record types whose rows belong to the record, with the column of its id."""
        yield (own := record_type_of(self.source)), own.query.key
        for each in RECORD_TYPES.values():
            if each.parent and each.parent_type == self.source:
                yield each, each.parent.rpartition(".")[2]

    def hidden(self, con: duckdb.DuckDBPyConnection, table: str, of: str) -> list[str]:
        """Return the columns of a table that are emptied; `of` is a key of `kept`."""
        return [name for name in columns_of(con, table) if not name.startswith("_") and name not in self.kept[of]]


def read_subject(con: duckdb.DuckDBPyConnection, source: str, source_id: str) -> Subject:
    """Return the record, as it is stored now, with the values of its NetSuite versions to look for.

    Raises:
        SyncError: It is not in the warehouse, or its record type has no personal columns.
    """
    staging, key = STAGING_PREFIX + source, key_column(source)
    columns = list(columns_of(con, staging))
    if not columns:
        raise SyncError(f"{staging} does not exist; {source} were never read")
    person = "is_person" if "is_person" in columns else str("first_name" in columns)
    query = f"select {person} is distinct from false from {quoted(staging)} where {quoted(key)} = ?"
    rows = con.execute(query, [source_id]).fetchall()
    if not rows:
        raise SyncError(f"{source} {source_id} is not in the warehouse; give a NetSuite id of {source}")
    hidden = {name for name in columns if is_forgotten(name, is_person=rows[0][0])} - {key}
    if not hidden:
        raise SyncError(f"{source} have no personal columns; MILLPOND_COLUMN_CLASSES names others")
    kept = {STAGED: [name for name in columns if name not in hidden]}
    subject = Subject(source, source_id, rows[0][0], None, kept)
    behind = columns_behind(con, sql.statement("staging", staging).text)
    for record_type, _ in subject.owners():
        kept[record_type.name] = _kept_raw(con, record_type, behind, hidden, kept[STAGED], is_person=rows[0][0])
    texts, common = _texts(con, subject)
    return replace(subject, modified=_modified(con, subject), texts=texts, common=common)


def _kept_raw(
    con: duckdb.DuckDBPyConnection,
    record_type: RecordType,
    behind: Mapping[str, Collection[str]],
    hidden: Collection[str],
    staged: Collection[str],
    *,
    is_person: bool,
) -> list[str]:
    """Return the raw columns that stay: those that only columns that stay are made of."""
    own = {record_type.query.key, record_type.modified.rpartition(".")[2], *record_type.references}
    kept = []
    for name in dict.fromkeys(each for table in record_type.raw_tables for each in columns_of(con, table)):
        makes = {column for column, names in behind.items() if name in names}
        if name.startswith("_") or name in own:
            stays = True
        elif name.startswith((*CUSTOM, "cseg")):  # staged under its own name
            stays = not is_forgotten(name, is_person=is_person)
        elif makes & {*hidden}:
            stays = False
        else:
            stays = bool(makes & {*staged}) or name.startswith(_FLAGS) or name in _IDS
        if stays and not name.startswith("_"):
            kept.append(name)
    return kept


def _modified(con: duckdb.DuckDBPyConnection, subject: Subject) -> str | None:
    """Return NetSuite's date of change of the record, as it was sent; None if it has none."""
    record_type, key = next(subject.owners())
    date = record_type.modified.rpartition(".")[2]
    for table in record_type.raw_tables if date else ():
        if has_table(con, table):
            query = f"select max({quoted(date)}) from {quoted(table)} where {quoted(key)} = ?"
            found: list[tuple[str | None]] = con.execute(query, [subject.source_id]).fetchall()
            if found[0][0]:
                return found[0][0]
    return None


def _texts(con: duckdb.DuckDBPyConnection, subject: Subject) -> tuple[list[str], set[str]]:
    """Return the values of the record's versions that name it, and those that are other records' as well."""
    names, places, common = set[str](), set[str](), set[str]()
    for table in (subject.staging, f"hist_{subject.staging.removeprefix('stg_')}"):
        for column in subject.hidden(con, table, STAGED) if has_table(con, table) else ():
            if column in columns_of(con, subject.staging):
                own = places if _is_common(column) else names
                for value, is_shared in _own_values(con, subject, table, column):
                    (common if is_shared else own).add(value)
    found = names | (places - common)
    return sorted(found, key=lambda each: (-len(each), each)), common - names


def _is_common(column: str) -> bool:
    """Return whether a column is none of names and addresses: what it has may be many records'."""
    return column in PLACES or column in COMMON or column.startswith(CUSTOM)


def _own_values(con: duckdb.DuckDBPyConnection, subject: Subject, table: str, column: str) -> list[tuple[str, bool]]:
    """Return the values of a column; True: no name or address, and other records have it as well."""
    key, value = quoted(subject.key), f"cast({quoted(column)} as varchar)"
    query = (
        f"select distinct {value} as value from {quoted(table)} where {key} = $id and length({value}) >= {MIN_LENGTH}"
    )
    if not _is_common(column):
        return con.execute(f"select value, false from ({query})", {"id": subject.source_id}).fetchall()
    others = f"select lower({value}) as other from {quoted(subject.staging)} where {key} <> $id"
    shared = f"exists (select 1 from ({others}) where contains(other, lower(value)))"
    return con.execute(f"select value, {shared} from ({query})", {"id": subject.source_id}).fetchall()
