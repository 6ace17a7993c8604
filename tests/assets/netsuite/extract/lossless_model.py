"""What is true, kept by triggers in the stand-in's own SQLite file, and what the warehouse says of it.

every write  ->  triggers  ->  seen_<table>, gone  ->  Judge  ->  [what is wrong, …]

It reads NetSuite's tables below the API and knows nothing of how they are extracted.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from assets.warehouse.staging import build
from resources.warehouse.tables import has_table, read_frame
from sql import statement
from tests.assets.netsuite.extract.lossless_world import HIDEABLE_COLUMNS, World

Row = dict[str, Any]
BOOKS = {"addresses": "customer", "contact_addresses": "contact"}  # whose they are


@dataclass(frozen=True)
class Watched:
    """One thing of the extraction: where its rows are in NetSuite, and in the warehouse."""

    record_type: str
    table: str
    key: str
    raws: tuple[str, ...]
    joined: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The NetSuite tables that its columns come from."""
        return (self.table, self.joined) if self.joined else (self.table,)


WATCHED = (
    Watched("customers", "customer", "id", ("customers", "leads", "prospects")),
    Watched("projects", "job", "id", ("projects",)),
    Watched("contacts", "contact", "id", ("contacts",)),
    Watched("customer_subsidiaries", "customersubsidiaryrelationship", "id", ("customer_subsidiaries",)),
    *(
        Watched(name, f"{of}addressbook", "internalid", (name,), joined=f"{of}addressbookentityaddress")
        for name, of in BOOKS.items()
    ),
    Watched("departments", "department", "id", ("departments",)),
    Watched("currencies", "currency", "id", ("currencies",)),
    Watched("entity_statuses", "entitystatus", "key", ("entity_statuses",)),
)
BY_NAME = {each.record_type: each for each in WATCHED}
KEYS = {each.table: each.key for each in WATCHED} | {each.joined: "nkey" for each in WATCHED if each.joined}
OWN = {"_row_hash", "_extracted_at", "_run_id", "_deleted_at"}
DAYS = {"startdate", "enddate", "projectedenddate"}
STAGE_OF = {"CUSTOMER": "customers", "LEAD": "leads", "PROSPECT": "prospects"}


class Judge:
    """Compares the warehouse with NetSuite."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.sandbox.netsuite._store
        self._watched = [each for each in WATCHED if each.record_type in world.fate.record_types]
        self._judged = 0
        self._filled: set[tuple[str, str]] = set()  # cells of columns that may be hidden, which the warehouse once had
        with self._store.write() as connection:
            connection.execute("create table gone (tab text, key integer)")
            for table, key in KEYS.items():
                connection.execute(f'create table "seen_{table}" as select * from "{table}" where false')
                for event in ("insert", "update"):
                    connection.execute(
                        f'create trigger "{event}_{table}" after {event} on "{table}" begin'
                        f' insert into "seen_{table}" select * from "{table}" where "{key}" = new."{key}"; end'
                    )
                connection.execute(
                    f'create trigger "delete_{table}" after delete on "{table}" begin'
                    f" insert into gone values ('{table}', old.\"{key}\"); end"
                )

    # --- NetSuite's side -----------------------------------------------------------------------------------------

    def rows(self, watched: Watched) -> dict[str, Row]:
        """NetSuite's rows of one thing by key, values as SuiteQL shows them."""
        found = {str(row[watched.key]): self._shown(row) for row in self._all(watched.table)}
        if not watched.joined:
            return found
        addresses = {str(row["nkey"]): self._shown(row) for row in self._all(watched.joined)}
        return {
            key: {**addresses[row["addressbookaddress"]], **row}
            for key, row in found.items()
            if row["addressbookaddress"] in addresses
        }

    def _all(self, table: str) -> list[Row]:
        with self._store.read() as connection:
            return [dict(row) for row in connection.execute(f'select * from "{table}"')]

    def _shown(self, row: Mapping[str, Any]) -> Row:
        shown = {name: _text(name, value) for name, value in row.items()}
        if "searchstage" in shown and self._world.fate.switches["stage_column"] == "stage":
            shown["searchstage"] = shown["searchstage"] and shown["searchstage"].upper()
        return shown

    def _ever(self, watched: Watched) -> tuple[dict[str, dict[str, set[Any]]], set[str]]:
        """Every value that each record ever had, by key and column; and the keys that were ever deleted."""
        values: dict[str, dict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
        book: dict[str, set[str]] = defaultdict(set)
        for row in map(self._shown, self._all(f"seen_{watched.table}")):
            for name, value in row.items():
                values[row[watched.key]][name].add(value)
            if watched.joined and row["addressbookaddress"]:
                book[row["addressbookaddress"]].add(row[watched.key])
        if watched.joined:
            for row in map(self._shown, self._all(f"seen_{watched.joined}")):
                for key in book[row["nkey"]]:
                    for name, value in row.items():
                        values[key][name].add(value)
        with self._store.read() as connection:
            marks = ", ".join("?" for _ in watched.parts)
            gone = connection.execute(f"select key from gone where tab in ({marks})", watched.parts).fetchall()
        return values, {str(row[0]) for row in gone}

    # --- the warehouse's side -----------------------------------------------------------------------------------------

    def raw(self, watched: Watched, runs: Collection[str] = ()) -> dict[str, tuple[str, Row]]:
        """The warehouse's rows by key, with the table that each is in; only those that some runs wrote, when given.

        Raises:
            AssertionError: A key is in two tables.
        """
        found: dict[str, tuple[str, Row]] = {}
        with self._world.warehouse.writer(transaction=False) as con:
            for name in watched.raws:
                if has_table(con, f"raw_netsuite__{name}"):
                    chosen = f" where _run_id in ({', '.join('?' for _ in runs)})" if runs else ""
                    query = f"select * from raw_netsuite__{name}{chosen}"
                    for row in read_frame(con, query, list(runs) or None).rows(named=True):
                        assert row[watched.key] not in found, f"{watched.record_type} {row[watched.key]} is there twice"
                        found[row[watched.key]] = (name, row)
        return found

    # --- judgement -----------------------------------------------------------------------------------------------

    def wronged(self, *, anew: bool = False) -> list[str]:
        """What the runs since the last look wrote that never was so in NetSuite.

        Args:
            anew: What all runs wrote.
        """
        since, self._judged = 0 if anew else self._judged, self._world.runs
        new = [f"run {number}" for number in range(since + 1, self._world.runs + 1)]
        found = []
        for watched in self._watched if new else ():
            written = {key: row for key, (_, row) in self.raw(watched, new).items()}
            if written:
                found += self._never_so(watched, written, *self._ever(watched))
        return found

    def _never_so(
        self,
        watched: Watched,
        written: Mapping[str, Row],
        ever: Mapping[str, Mapping[str, set[Any]]],
        gone: set[str],
    ) -> list[str]:
        found = []
        for key, row in written.items():
            if row["_deleted_at"] is not None and key not in gone:
                found.append(f"{watched.record_type} {key} is marked deleted and never was")
            for name in row.keys() - OWN:
                cell = (f"{watched.table}.{name}", key)
                hideable = cell[0] in HIDEABLE_COLUMNS
                # what was never seen may be empty, what was seen once must stay
                unseen = hideable and row[name] is None and cell not in self._filled
                if row[name] not in ever[key][name] and not unseen:
                    word = "blanked" if row[name] is None else "wrong"
                    found.append(f"{watched.record_type} {key}.{name} is {word}: {row[name]!r:.60}")
                if hideable and row[name] is not None:
                    self._filled.add(cell)
        return found

    def differences(self, *, silent: set[tuple[str, int]], silent_deletions: bool, hidden_deletions: bool) -> list[str]:
        """Where the warehouse is not as NetSuite is now.

        Args:
            silent: Records whose last change carries no time stamp.
            silent_deletions: Children were deleted and nobody told.
            hidden_deletions: Deletions could not be seen for a while.
        """
        owners = {of: self.rows(BY_NAME[f"{of}s"]) for of in ("customer", "contact")}
        found = []
        for watched in self._watched:
            child = watched.record_type in {*BOOKS, "customer_subsidiaries"}
            excused_gone = (child and silent_deletions) or (
                hidden_deletions and watched.record_type in {"customers", "projects", "contacts"}
            )
            expected, raw = self.rows(watched), self.raw(watched)
            for key in sorted(expected.keys() | raw.keys(), key=int):
                name, row = raw.get(key, ("", {}))
                live = bool(row) and row["_deleted_at"] is None
                wanted = expected.get(key)
                if wanted is None:
                    orphan = child and row["entity"] not in owners[BOOKS.get(watched.record_type, "customer")]
                    if live and not excused_gone and not orphan:
                        found.append(f"{watched.record_type} {key} was deleted and is still there")
                elif not live and not _excused(watched, wanted, silent):
                    found.append(f"{watched.record_type} {key} is {'marked deleted' if row else 'missing'}")
                elif live and not _excused(watched, wanted, silent):
                    found += _unequal(watched, key, name, row, wanted)
        return found

    def staging(self) -> list[str]:
        """Where the staging tables are not as NetSuite is now."""
        names = ("customers", "projects", "contacts", "departments", "currencies", "entity_statuses")
        if "contact_addresses" not in self._world.fate.record_types:  # the contacts are staged with them
            with self._world.client() as client:
                self._world.extract("contact_addresses", client)
        with self._world.warehouse.writer() as con:
            for name in names:
                build(con, statement("staging", f"stg_netsuite__{name}"))
        return [*self._customers_staged(), *self._projects_staged(), *self._contacts_staged()]

    def _staged(self, name: str) -> dict[str, Row]:
        key = f"{name.rstrip('s')}_id"
        return {row[key]: row for row in self._world.warehouse.table(f"stg_netsuite__{name}").rows(named=True)}

    def _customers_staged(self) -> list[str]:
        rows, staged = self.rows(BY_NAME["customers"]), self._staged("customers")
        symbols = {key: row["symbol"] for key, row in self.rows(BY_NAME["currencies"]).items()}
        statuses = {key: row["name"] for key, row in self.rows(BY_NAME["entity_statuses"]).items()}
        relations = list(self.rows(BY_NAME["customer_subsidiaries"]).values())
        addresses = list(self.rows(BY_NAME["addresses"]).values())
        found = []
        for key, row in rows.items():
            mine = [each for each in relations if each["entity"] == key]
            primary = [each["subsidiary"] for each in mine if each["isprimarysub"] == "T"]
            address = _first(addresses, key)
            wanted = {
                "stage": row["searchstage"].lower(),
                "entity_number": row["entityid"],
                "company_name": row["companyname"],
                "parent_customer_id": row["parent"],
                "currency_code": symbols.get(row["currency"]),
                "status_name": statuses.get(row["entitystatus"]),
                "subsidiary_id": max(primary, default=None),
                "subsidiary_ids": sorted({each["subsidiary"] for each in mine}) or None,
                "address_line1": address.get("addr1"),
                "city": address.get("city"),
                "is_inactive": row["isinactive"] == "T",
                "is_deleted": False,
                "modified_at": row["lastmodifieddate"],
                "custentity_department": row["custentity_department"],
            }
            found += _staged_unequal("customer", key, staged.get(key), wanted)
        return found + [f"staged customer {key} is not deleted" for key in _ghosts(rows, staged)]

    def _projects_staged(self) -> list[str]:
        rows, staged = self.rows(BY_NAME["projects"]), self._staged("projects")
        known = self.raw(BY_NAME["projects"])
        found = []
        for key, row in rows.items():
            below = row["parent"] != row["customer"] and row["parent"] in known
            wanted = {
                "project_name": row["companyname"],
                "customer_id": row["customer"],
                "parent_project_id": row["parent"] if below else None,
                "start_date": row["startdate"],
                "end_date": row["enddate"],
                "is_inactive": row["isinactive"] == "T",
                "is_deleted": False,
            }
            found += _staged_unequal("project", key, staged.get(key), wanted)
        return found + [f"staged project {key} is not deleted" for key in _ghosts(rows, staged)]

    def _contacts_staged(self) -> list[str]:
        rows, staged = self.rows(BY_NAME["contacts"]), self._staged("contacts")
        known = self.raw(BY_NAME["customers"])
        addresses = list(self.rows(BY_NAME["contact_addresses"]).values())
        found = []
        for key, row in rows.items():
            address = _first(addresses, key)
            wanted = {
                "customer_id": row["company"] if row["company"] in known else None,
                "last_name": row["lastname"],
                "title": row["title"],
                "address_line1": address.get("addr1"),
                "city": address.get("city"),
                "is_deleted": False,
            }
            found += _staged_unequal("contact", key, staged.get(key), wanted)
        return found + [f"staged contact {key} is not deleted" for key in _ghosts(rows, staged)]


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)[:10] if name in DAYS else str(value)


def _first(addresses: Collection[Row], owner: str) -> Row:
    """The address that counts as an owner's; empty when it has none."""
    return min((each for each in addresses if each["entity"] == owner), key=_place, default={})


def _place(address: Row) -> tuple[bool, bool, int]:
    return address["defaultbilling"] != "T", address["defaultshipping"] != "T", int(address["internalid"])


def _excused(watched: Watched, wanted: Row, silent: set[tuple[str, int]]) -> bool:
    if watched.record_type in BOOKS:
        return (f"{BOOKS[watched.record_type]}'s addresses", int(wanted["entity"])) in silent
    return (watched.table, int(wanted[watched.key])) in silent


def _unequal(watched: Watched, key: str, name: str, row: Row, wanted: Row) -> list[str]:
    found = [
        f"{watched.record_type} {key}.{column} is {row[column]!r:.60}, not {wanted[column]!r:.60}"
        for column in row.keys() - OWN
        if row[column] != wanted[column]
    ]
    if watched.record_type == "customers" and STAGE_OF[wanted["searchstage"].upper()] != name:
        found.append(f"customers {key} is among the {name}, and is a {wanted['searchstage']}")
    return found


def _staged_unequal(word: str, key: str, staged: Row | None, wanted: Row) -> list[str]:
    if staged is None:
        return [f"staged {word} {key} is missing"]
    return [
        f"staged {word} {key}.{name} is {staged[name]!r:.60}, not {value!r:.60}"
        for name, value in wanted.items()
        if (staged[name] if value is None or isinstance(value, bool | list) else str(staged[name])) != value
    ]


def _ghosts(rows: Mapping[str, Row], staged: Mapping[str, Row]) -> list[str]:
    return [key for key, row in staged.items() if key not in rows and not row["is_deleted"]]
