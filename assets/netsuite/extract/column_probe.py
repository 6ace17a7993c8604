"""Determine which columns an account has: missing optional ones are left out and reported.

declared query  ->  (findings of earlier runs)  ->  first page: rejected?  ->  drop, substitute, or raise

NetSuite names an unknown column in a 400, one at a time, or rejects the query in other words; then the optional columns
are halved (`resources/netsuite/rejected_columns.py`). Where SYS_EXTRACT_UTC does not work, local times are read instead
(netsuite.md §10.10 [U]). Findings are kept (see `capabilities.py`) and checked again after an hour. A missing column of
which the warehouse holds values is tried in every run, because these values become outdated.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

from assets.netsuite.extract.capabilities import ColumnFindings, KnownColumns
from assets.netsuite.record_types import RecordType
from assets.netsuite.suiteql_file import Query
from resources.errors import RequestRejectedError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import UnexpectedError, UnknownColumnError
from resources.netsuite.pages import RawPage
from resources.netsuite.rejected_columns import REJECTIONS, QueriedColumns, accepts, may_be_a_column, rejected_columns

# expressions that may hold the same value as a missing column; netsuite.md §5.1 [U]
ALTERNATIVES = {"searchstage": ("c.stage",)}
# a bare date arrives in the integration user's preferred format, a bare time without its hours: netsuite.md §5.7
FORMATS = {"date": "to_char({}, 'YYYY-MM-DD')", "date-time": "to_char(sys_extract_utc({}), 'YYYY-MM-DD HH24:MI:SS')"}
_UTC = re.compile(r"sys_extract_utc\((?P<column>[\w.]+)\)")


class ColumnProbe:
    """The columns of one record type; final once its first page has arrived."""

    def __init__(
        self, client: NetSuiteClient, record_type: RecordType, custom: Sequence[str], known: KnownColumns
    ) -> None:
        """Start from the findings of an earlier run for the same columns, or from the SQL file and custom fields."""
        self._client, self._record_type = client, record_type
        self.declared = record_type.query.with_columns(custom)
        self._custom = [name for name in self.declared.names if name not in record_type.query.names]
        requested = self.declared.fingerprint
        self._is_known = isinstance(known.findings, dict) and known.findings.get("requested") == requested
        self.findings = ColumnFindings(**known.findings) if self._is_known else ColumnFindings(requested)
        self._is_fresh = self._is_known and known.is_fresh
        self._outdated = known.outdated
        self.field_types = {name: kind for name, kind in known.field_types.items() if name in self._custom}
        self.is_final = False
        self._catalog: Mapping[str, str] | None = None
        self._catalog_read = False
        self._alternatives = {name: list(others) for name, others in ALTERNATIVES.items()}

    @property
    def query(self) -> Query:
        """The query as it is sent."""
        return self._chosen.substituted(_UTC, r"\g<column>") if self.findings.local_time else self._chosen

    @property
    def _chosen(self) -> Query:
        """The query where SYS_EXTRACT_UTC works."""
        query = self.declared.without(self.findings.missing)
        for name, expression in self.findings.expressions.items():
            query = query.with_expression(name, expression)
        return query

    @property
    def fingerprint(self) -> str:
        """Hash of the columns as they are read, and of the types of custom fields.

        A field that becomes another one, such as a list that becomes a text, changes the values of rows whose date of
        change does not move.
        """
        types = sorted((name, kind) for name, kind in self.field_types.items() if name in self.query.names)
        columns = self.query.fingerprint
        return hashlib.blake2b(f"{columns} {types}".encode(), digest_size=8).hexdigest() if types else columns

    @property
    def local_times(self) -> list[str]:
        """Columns that arrive in the session's time zone instead of UTC."""
        if not self.findings.local_time:
            return []
        return [column.name for column in self._chosen.columns if _UTC.search(column.expression)]

    @property
    def warnings(self) -> list[str]:
        """Problems with columns that an operator should know."""
        table = self._record_type.table
        warnings = [f"column {table}.{name} does not exist in NetSuite; skipped" for name in self.findings.missing]
        if not self.findings.types_known:
            warnings.append(
                "the metadata catalog is not visible, so custom date fields arrive in the integration user's preferred"
                " format; give the role the permission, or set that preference to YYYY-MM-DD"
            )
        if self.findings.local_time:
            warnings.append(
                "SYS_EXTRACT_UTC does not work; times were converted by today's offset and may be an hour off"
            )
        return warnings

    def prefetch(self) -> None:
        """Read now, in parallel with other calls, what the first page will need."""
        if self._custom and self._record_type.rest_name and not self._is_fresh:
            self._read_catalog()

    def first_page(self, ask: Callable[[Query], RawPage]) -> RawPage:
        """Ask for a page until its columns are those that the account has; from then on, they stay the same.

        Raises:
            RequestRejectedError: A required column is missing, or one that this extraction has read before: rows with
                it and rows without it must not be mixed, as its values would count as blank.
        """
        self._begin()
        while True:
            try:
                page = ask(self.query)
            except REJECTIONS as error:
                if self.is_final:
                    raise
                self._adapt(error)
            else:
                self.is_final = True
                return page

    def _adapt(self, error: RequestRejectedError | UnexpectedError) -> None:
        """After a rejection, change the query: other expressions or fewer columns.

        Raises:
            IntegrationError: Neither the optional columns nor SYS_EXTRACT_UTC are the cause.
        """
        if not may_be_a_column(error, self.query.page()):
            raise error
        before = self.query.fingerprint
        self._apply_formats()  # a field may have another type by now
        if self.query.fingerprint != before:
            return
        named = set(self._queried.columns_with(error.column)) if isinstance(error, UnknownColumnError) else set()
        if (not named or named & set(self._custom)) and self._drop_uncataloged():
            return
        if (not named or named & self._record_type.required) and self._needs_local_time():
            return
        try:
            self._drop(rejected_columns(self._client, self._queried, error))
        except UnknownColumnError as unknown:
            reason = (
                f"table {self._record_type.table} has no column {unknown.column}, which is required; let the role see"
                " the field, or correct the SQL file of this table"
            )
            raise RequestRejectedError("netsuite", f"query {self._record_type.table}", reason) from error

    @property
    def _queried(self) -> QueriedColumns:
        query, required = self.query, self._record_type.required
        return QueriedColumns(
            optional=[name for name in query.names if name not in required],
            page=lambda names: query.without(set(query.names) - required - set(names)).page(),
            columns_with=lambda identifier: [each.name for each in query.columns if each.mentions(identifier)],
        )

    def _begin(self) -> None:
        if not self.is_final and not self._is_fresh:
            self._apply_formats()
        if not self.is_final and self._is_known:
            self._retry_missing()

    def _retry_missing(self) -> None:
        """Try missing columns again: all of them if the findings are old, else those with values in the warehouse."""
        findings = self.findings
        missing = findings.missing
        retried = [name for name in missing if name in self._outdated or not self._is_fresh]
        if findings.local_time and not self._is_fresh:
            findings.local_time = False
            findings.local_time = not self._accepts(())
        if not retried:
            return
        findings.missing = [name for name in missing if name not in retried]
        # one call for all, then one each if they are not all back
        back = retried if self._accepts(retried) else []
        if not back and len(retried) > 1:
            back = [name for name in retried if self._accepts([name])]
        findings.missing = [name for name in missing if name not in back]
        if set(back) & set(self._custom):
            self._apply_formats()

    def _apply_formats(self) -> None:
        """Read custom date fields in an unambiguous format.

        If the catalog is no longer visible, the types in the warehouse still apply.
        """
        if not self._custom or not self._record_type.rest_name:
            return
        catalog = self._read_catalog()
        self.field_types |= {name: catalog[name] for name in self._custom if name in catalog} if catalog else {}
        self.findings.types_known = catalog is not None or set(self._custom) <= self.field_types.keys()
        for column in self.declared.columns:
            if column.name in self._custom:
                form = FORMATS.get(self.field_types.get(column.name, ""))
                self.findings.expressions.pop(column.name, None)  # its type may have been another one
                self.findings.expressions |= {column.name: form.format(column.expression)} if form else {}

    def _read_catalog(self) -> Mapping[str, str] | None:
        """Return the record's fields and types in the metadata catalog, read once; None if it is not visible."""
        if not self._catalog_read:
            self._catalog, self._catalog_read = self._client.custom_fields(self._record_type.rest_name), True
        return self._catalog

    def _drop(self, names: Sequence[str]) -> None:
        """Leave columns out, or read them from an alternative expression."""
        for name in names:
            if self._alternatives.get(name):
                self.findings.expressions[name] = self._alternatives[name].pop(0)
            else:
                self.findings.expressions.pop(name, None)
                self.findings.missing.append(name)

    def _drop_uncataloged(self) -> bool:
        """After a rejection, leave out all custom fields that the metadata catalog does not list; return whether any.

        The catalog is documented to list a record's custom fields, but not that SuiteQL knows no others, so unlisted
        fields are dropped only if NetSuite rejects them. Done once.
        """
        custom, self._custom = self._custom, []
        catalog = self._read_catalog() if custom and self._record_type.rest_name else None
        unlisted = [name for name in custom if catalog is not None and name not in catalog]
        if not unlisted or self._accepts(unlisted):
            return False
        self.findings.missing += unlisted
        return True

    def _accepts(self, names: Sequence[str]) -> bool:
        """Return whether NetSuite accepts a query with the required columns and these."""
        return accepts(self._client, self._queried, names)

    def _needs_local_time(self) -> bool:
        """After a rejection that names no column, find out whether SYS_EXTRACT_UTC fails in this account."""
        required = self._record_type.required
        uses_utc = any(_UTC.search(each.expression) for each in self.query.columns if each.name in required)
        if not uses_utc or self._accepts(()):
            return False
        self.findings.local_time = True
        self.findings.local_time = self._accepts(())
        return self.findings.local_time
