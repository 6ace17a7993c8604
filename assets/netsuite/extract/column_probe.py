"""Which columns an account really has: optional ones that it does not know are left out and told of.

declared query  ->  (remembered)  ->  first page: refused?  ->  leave out, read from elsewhere, or say what is needed

NetSuite names an unknown column in a 400, one at a time; some accounts answer 500 and name nothing, then the optional
columns are halved until the culprits are found (netsuite.md §1.5). Where SYS_EXTRACT_UTC does not work, local times are
read instead (netsuite.md §10.10 [U]). What was found is remembered (see `capabilities.py`) and checked again
once an hour. A column that was read once and is left out now is asked for again at each run: its values grow old.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from assets.netsuite.extract.found import Found, Remembered
from assets.netsuite.record_types import RecordType
from assets.netsuite.suiteql_file import Query
from resources.errors import CredentialsError, RequestRejectedError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import MissingTableError, UnexpectedError, UnknownColumnError
from resources.netsuite.pages import RawPage

# other columns that may hold what a column of ours should; netsuite.md §5.1 [U]
INSTEAD = {"searchstage": ("c.stage",)}
MOST_TRIES = 40  # calls to find columns that NetSuite does not name
BEHIND_ALL = str(10**15)  # no id is as high: such a query returns nothing and still tells whether its columns exist
# a bare date comes as the integration user prefers to see it, and a time without its hours: netsuite.md §5.7
FORMATS = {
    "date": "to_char({}, 'YYYY-MM-DD')",
    "date-time": "to_char(sys_extract_utc({}), 'YYYY-MM-DD HH24:MI:SS')",
}
_UTC = re.compile(r"sys_extract_utc\((?P<column>[\w.]+)\)")


class Columns:
    """The columns of one thing, settled when its first page has come."""

    def __init__(
        self,
        client: NetSuiteClient,
        record_type: RecordType,
        custom: Sequence[str],
        remembered: Remembered | None = None,
    ) -> None:
        """Begin with what is declared, or with what was found in an earlier run.

        Args:
            client: NetSuite.
            thing: Of what.
            custom: Custom fields beside those of the SQL file.
            remembered: What the warehouse knows; what was found is taken only if it is for the same columns.
        """
        self._client, self._record_type = client, record_type
        remembered = remembered or Remembered()
        self.declared = record_type.query.with_columns(custom)
        self._custom = [name for name in self.declared.names if name not in record_type.query.names]
        asked = _fingerprint(self.declared)
        self.known = isinstance(remembered.found, dict) and remembered.found.get("asked") == asked
        self.found = Found(**remembered.found) if self.known else Found(asked)
        self.kinds = {name: kind for name, kind in remembered.kinds.items() if name in self._custom}
        self._is_fresh = self.known and remembered.is_fresh
        self._lost = remembered.lost
        self.settled = False
        self._listed: Mapping[str, str] | None = None
        self._looked = False
        self._others = {name: list(others) for name, others in INSTEAD.items()}

    @property
    def query(self) -> Query:
        """What is read."""
        return self._chosen.rewritten(_UTC, r"\g<column>") if self.found.local_time else self._chosen

    @property
    def _chosen(self) -> Query:
        """What would be read where SYS_EXTRACT_UTC works."""
        query = self.declared.without(self.found.left_out)
        for name, expression in self.found.instead.items():
            query = query.instead(name, expression)
        return query

    @property
    def fingerprint(self) -> str:
        """A fingerprint of what is read; another one asks for a full load."""
        return _fingerprint(self.query)

    @property
    def local_times(self) -> list[str]:
        """Columns that come in the session's zone and not in UTC."""
        if not self.found.local_time:
            return []
        return [column.name for column in self._chosen.columns if _UTC.search(column.expression)]

    @property
    def warnings(self) -> list[str]:
        """What an operator should know of columns that are missing."""
        told = [
            f"column {self._record_type.table}.{name} is unknown to NetSuite and was left out"
            for name in self.found.left_out
        ]
        if not self.found.formats_told:
            told.append(
                "the metadata catalogue is not visible: custom fields that are dates come as the integration user"
                " prefers to see them; give the role the permission, or set that preference to YYYY-MM-DD"
            )
        if self.found.local_time:
            told.append("SYS_EXTRACT_UTC does not work: times were converted by today's offset and may be an hour off")
        return told

    @property
    def to_remember(self) -> dict[str, Any]:
        """What was found."""
        return asdict(self.found)

    def prepare(self) -> None:
        """Ask now, beside other calls, what the first page will need."""
        if self._custom and self._record_type.record and not self._is_fresh:
            self._look_up()

    def first_page(self, ask: Callable[[Query], RawPage]) -> RawPage:
        """A page, asked for until its columns are those that the account has.

        Raises:
            RequestRejectedError: A column is missing that is needed.
        """
        if not self.settled:
            self._begin()
        while True:
            try:
                page = ask(self.query)
            except UnknownColumnError as error:
                unknown = [column.name for column in self.query.columns if column.mentions(error.column)]
                if not (set(unknown) & set(self._custom) and self._compared()):
                    self._without(unknown, error)
            except UnexpectedError as error:
                if not self._compared():
                    self._halve(error)
            except (MissingTableError, CredentialsError):
                raise
            except RequestRejectedError:
                self._take_local_time()
            else:
                self.settled = True
                return page
            self.known = False

    def _begin(self) -> None:
        if not self._is_fresh:
            self._take_formats()
        if self.known:
            self._regain()

    def _regain(self) -> None:
        """Ask again for what was left out: when that was found long ago, and for what the warehouse has values of."""
        left_out = self.found.left_out
        asked = [name for name in left_out if name in self._lost or not self._is_fresh]
        if self.found.local_time and not self._is_fresh:
            self.found.local_time = False
            self.found.local_time = not self._accepted(())
        if not asked:
            return
        self.found.left_out = [name for name in left_out if name not in asked]
        # one call, and one each when they do not come back together
        back = asked if self._accepted(asked) else [name for name in asked if len(asked) > 1 and self._accepted([name])]
        self.found.left_out = [name for name in left_out if name not in back]
        if set(back) & set(self._custom):
            self._take_formats()

    def _take_formats(self) -> None:
        """Read custom fields that are dates in a form that means one thing.

        A catalogue that is no longer visible changes nothing: the kinds that it told are kept in the warehouse.
        """
        if not self._custom or not self._record_type.record:
            return
        listed = self._look_up()
        self.kinds |= {name: listed[name] for name in self._custom if name in listed} if listed else {}
        self.found.formats_told = listed is not None or set(self._custom) <= self.kinds.keys()
        for column in self.declared.columns:
            if column.name in self._custom and (form := FORMATS.get(self.kinds.get(column.name, ""))):
                self.found.instead[column.name] = form.format(column.expression)

    def _look_up(self) -> Mapping[str, str] | None:
        """The metadata catalogue's fields of the record, with their kinds; asked once."""
        if not self._looked:
            self._listed, self._looked = self._client.custom_fields(self._record_type.record), True
        return self._listed

    def _without(self, names: Sequence[str], error: UnknownColumnError | UnexpectedError) -> None:
        """Do without these columns, or say which one cannot be done without."""
        needed = self._record_type.required & set(names)
        if not names or needed:
            named = error.column if isinstance(error, UnknownColumnError) else ", ".join(sorted(needed))
            reason = (
                f"table {self._record_type.table} has no column {named}, which is needed: let the role see the field, or"
                " correct the SQL file of this table"
            )
            raise RequestRejectedError("netsuite", f"query {self._record_type.table}", reason) from error
        for name in names:
            if self._others.get(name):
                self.found.instead[name] = self._others[name].pop(0)
            else:
                self.found.instead.pop(name, None)
                self.found.left_out.append(name)

    def _compared(self) -> bool:
        """After a refusal: leave out the custom fields that the metadata catalogue does not list, all at once.

        The catalogue is documented as the list of a record's custom fields; that SuiteQL knows no others is not, so
        fields that it does not list are given up only when NetSuite refuses them. Asked once.
        """
        custom, self._custom = self._custom, []
        listed = self._look_up() if custom and self._record_type.record else None
        unlisted = [name for name in custom if listed is not None and name not in listed]
        if not unlisted or self._accepted(unlisted):
            return False
        self.found.left_out += unlisted
        return True

    def _halve(self, error: UnexpectedError) -> None:
        """Find the columns that make NetSuite answer 500, in a bounded number of calls.

        Raises:
            UnexpectedError: The columns are not to blame, or they are too many.
        """
        tries = 0
        optional = [name for name in self.query.names if name not in self._record_type.required]

        def refused(names: Sequence[str]) -> list[str]:
            nonlocal tries
            if tries >= MOST_TRIES:
                raise error
            tries += 1
            if self._accepted(names):
                return []
            if len(names) == 1:
                return list(names)
            middle = len(names) // 2
            return [*refused(names[:middle]), *refused(names[middle:])]

        if not self._accepted(()):
            raise error
        names = refused(optional)
        if not names:
            raise error  # it passed meanwhile: the next run may do better
        self._without(names, error)

    def _accepted(self, names: Sequence[str]) -> bool:
        """Whether NetSuite takes a query with the needed columns and these."""
        left_out = set(self.query.names) - self._record_type.required - set(names)
        return self._client.accepts(self.query.without(left_out).page(), [BEHIND_ALL])

    def _take_local_time(self) -> None:
        """A refusal that names nothing: SYS_EXTRACT_UTC may not work in this account.

        Raises:
            RequestRejectedError: That is not the reason; the refusal itself is raised.
        """
        if not self.found.local_time and _fingerprint(self.query) != _fingerprint(self.query.rewritten(_UTC, "null")):
            self.found.local_time = True
            if self._accepted(()):
                return
            self.found.local_time = False
        raise  # noqa: PLE0704  # called while the refusal is handled


def _fingerprint(query: Query) -> str:
    listed = "\n".join(sorted(column.text for column in query.columns))
    return hashlib.blake2b(listed.encode(), digest_size=8).hexdigest()
