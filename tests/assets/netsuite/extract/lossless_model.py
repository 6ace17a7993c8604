"""An independent model of the truth, kept by triggers in the sandbox's SQLite file and compared with the warehouse.

every write  ->  triggers  ->  seen_<table>, deletions  ->  Model  ->  [problem, …]

It reads the sandbox's tables directly and shares no code with the extraction.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from assets.warehouse.staging import stage_table
from resources.warehouse.tables import has_table, read_frame
from sql import statement
from tests.assets.netsuite.extract.lossless_account import HIDEABLE_COLUMNS, SimulatedAccount

Row = dict[str, Any]
OWNER_TABLES = {"addresses": "customer", "contact_addresses": "contact"}  # of the address books


@dataclass(frozen=True)
class ModelTable:
    """One record type: its tables in NetSuite and in the warehouse."""

    record_type: str
    source: str
    key: str
    raws: tuple[str, ...]
    joined: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The NetSuite tables from which its columns come."""
        return (self.source, self.joined) if self.joined else (self.source,)


MODEL_TABLES = (
    ModelTable("customers", "customer", "id", ("customers", "leads", "prospects")),
    ModelTable("projects", "job", "id", ("projects",)),
    ModelTable("contacts", "contact", "id", ("contacts",)),
    ModelTable("customer_subsidiaries", "customersubsidiaryrelationship", "id", ("customer_subsidiaries",)),
    *(
        ModelTable(name, f"{of}addressbook", "internalid", (name,), joined=f"{of}addressbookentityaddress")
        for name, of in OWNER_TABLES.items()
    ),
    ModelTable("departments", "department", "id", ("departments",)),
    ModelTable("currencies", "currency", "id", ("currencies",)),
    ModelTable("entity_statuses", "entitystatus", "key", ("entity_statuses",)),
)
BY_NAME = {each.record_type: each for each in MODEL_TABLES}
KEYS = {each.source: each.key for each in MODEL_TABLES} | {each.joined: "nkey" for each in MODEL_TABLES if each.joined}
OWN = {"_row_hash", "_extracted_at", "_run_id", "_deleted_at", "_deletion_evidence", "_reading"}
DAYS = {"startdate", "enddate", "projectedenddate"}
STAGE_OF = {"CUSTOMER": "customers", "LEAD": "leads", "PROSPECT": "prospects"}


class Model:
    """Compares the warehouse with the truth."""

    def __init__(self, account: SimulatedAccount) -> None:
        self._account = account
        self._store = account.sandbox.netsuite.store
        self._tables = [each for each in MODEL_TABLES if each.record_type in account.scenario.record_types]
        self._checked_runs = 0
        self._filled: set[tuple[str, str]] = set()  # cells of hideable columns that the warehouse has held
        self.hidden: set[tuple[str, int]] = set()  # records that the role could not see, which are no deletions
        with self._store.write() as connection:
            connection.execute("create table deletions (tab text, key integer)")
            for table, key in KEYS.items():
                connection.execute(f'create table "seen_{table}" as select * from "{table}" where false')
                for event in ("insert", "update"):
                    connection.execute(
                        f'create trigger "{event}_{table}" after {event} on "{table}" begin'
                        f' insert into "seen_{table}" select * from "{table}" where "{key}" = new."{key}"; end'
                    )
                connection.execute(
                    f'create trigger "delete_{table}" after delete on "{table}" begin'
                    f" insert into deletions values ('{table}', old.\"{key}\"); end"
                )

    # --- NetSuite ------------------------------------------------------------------------------------------------

    def rows(self, table: ModelTable) -> dict[str, Row]:
        """Return the rows of NetSuite by key, with values as SuiteQL shows them."""
        rows = {str(row[table.key]): self._as_suiteql(row) for row in self._all(table.source)}
        if not table.joined:
            return rows
        addresses = {str(row["nkey"]): self._as_suiteql(row) for row in self._all(table.joined)}
        return {
            key: {**addresses[row["addressbookaddress"]], **row}
            for key, row in rows.items()
            if row["addressbookaddress"] in addresses
        }

    def _all(self, table: str) -> list[Row]:
        with self._store.read() as connection:
            return [dict(row) for row in connection.execute(f'select * from "{table}"')]

    def _as_suiteql(self, row: Mapping[str, Any]) -> Row:
        shown = {name: _text(name, value) for name, value in row.items()}
        if "searchstage" in shown and self._account.scenario.switches["stage_column"] == "stage":
            shown["searchstage"] = shown["searchstage"] and shown["searchstage"].upper()
        return shown

    def _past(self, table: ModelTable) -> tuple[dict[str, dict[str, set[Any]]], set[str]]:
        """Return every value that each record ever had, by key and column, and the keys that were ever deleted."""
        values: dict[str, dict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
        entries: dict[str, set[str]] = defaultdict(set)
        for row in map(self._as_suiteql, self._all(f"seen_{table.source}")):
            for name, value in row.items():
                values[row[table.key]][name].add(value)
            if table.joined and row["addressbookaddress"]:
                entries[row["addressbookaddress"]].add(row[table.key])
        if table.joined:
            for row in map(self._as_suiteql, self._all(f"seen_{table.joined}")):
                for key in entries[row["nkey"]]:
                    for name, value in row.items():
                        values[key][name].add(value)
        with self._store.read() as connection:
            marks = ", ".join("?" for _ in table.parts)
            deleted = connection.execute(f"select key from deletions where tab in ({marks})", table.parts).fetchall()
        return values, {str(row[0]) for row in deleted}

    # --- the warehouse -------------------------------------------------------------------------------------------

    def raw(self, table: ModelTable, runs: Collection[str] = ()) -> dict[str, tuple[str, Row]]:
        """Return the rows of the warehouse by key, each with its table; with `runs`, only rows that these runs wrote.

        Raises:
            AssertionError: A key is in two tables.
        """
        found: dict[str, tuple[str, Row]] = {}
        with self._account.warehouse.writer(transaction=False) as con:
            for name in table.raws:
                if has_table(con, f"raw_netsuite__{name}"):
                    condition = f" where _run_id in ({', '.join('?' for _ in runs)})" if runs else ""
                    query = f"select * from raw_netsuite__{name}{condition}"
                    for row in read_frame(con, query, list(runs) or None).rows(named=True):
                        assert row[table.key] not in found, f"{table.record_type} {row[table.key]} is in two tables"
                        found[row[table.key]] = (name, row)
        return found

    # --- comparison ----------------------------------------------------------------------------------------------

    def wrong_values(self, *, all_runs: bool = False) -> list[str]:
        """Return values that runs wrote although NetSuite never had them.

        Args:
            all_runs: Check the values of all runs, not only of those after the last check.
        """
        since, self._checked_runs = 0 if all_runs else self._checked_runs, self._account.runs
        new = [f"run {number}" for number in range(since + 1, self._account.runs + 1)]
        problems = []
        for table in self._tables if new else ():
            written = {key: row for key, (_, row) in self.raw(table, new).items()}
            if written:
                problems += self._never_true(table, written, *self._past(table))
        return problems

    def _never_true(
        self,
        table: ModelTable,
        written: Mapping[str, Row],
        past: Mapping[str, Mapping[str, set[Any]]],
        deleted: set[str],
    ) -> list[str]:
        problems = []
        for key, row in written.items():
            is_hidden = row["_deletion_evidence"] == "absent" and (table.source, int(key)) in self.hidden
            if row["_deleted_at"] is not None and key not in deleted and not is_hidden:
                problems.append(f"{table.record_type} {key} is marked deleted but never was deleted")
            for name in row.keys() - OWN:
                cell = (f"{table.source}.{name}", key)
                is_hideable = cell[0] in HIDEABLE_COLUMNS
                # a value that was never visible may be empty, one that was visible must stay
                unseen = is_hideable and row[name] is None and cell not in self._filled
                if row[name] not in past[key][name] and not unseen:
                    problem = "cleared" if row[name] is None else "wrong"
                    problems.append(f"{table.record_type} {key}.{name} is {problem}: {row[name]!r:.60}")
                if is_hideable and row[name] is not None:
                    self._filled.add(cell)
        return problems

    def differences(
        self,
        *,
        unstamped: Collection[tuple[str, int]] = (),
        unreported_deletions: bool = False,
        hidden_deletions: bool = False,
    ) -> list[str]:
        """Return the differences between the warehouse and NetSuite's current state.

        Args:
            unstamped: Records whose last change has no timestamp.
            unreported_deletions: Children were deleted without a trace.
            hidden_deletions: Deletions were not visible for a time.
        """
        owners = {of: self.rows(BY_NAME[f"{of}s"]) for of in ("customer", "contact")}
        problems = []
        for table in self._tables:
            is_child = table.record_type in {*OWNER_TABLES, "customer_subsidiaries"}
            may_be_undeleted = (is_child and unreported_deletions) or (
                hidden_deletions and table.record_type in {"customers", "projects", "contacts"}
            )
            truth, raw = self.rows(table), self.raw(table)
            for key in sorted(truth.keys() | raw.keys(), key=int):
                name, row = raw.get(key, ("", {}))
                is_live = bool(row) and row["_deleted_at"] is None
                expected = truth.get(key)
                if expected is None:
                    is_orphan = (
                        is_child and row["entity"] not in owners[OWNER_TABLES.get(table.record_type, "customer")]
                    )
                    if is_live and not may_be_undeleted and not is_orphan:
                        problems.append(f"{table.record_type} {key} was deleted but is live")
                elif not is_live and not _excused(table, expected, unstamped):
                    problems.append(f"{table.record_type} {key} is {'marked deleted' if row else 'missing'}")
                elif is_live and not _excused(table, expected, unstamped):
                    problems += _unequal(table, key, name, row, expected)
        return problems

    def staging_differences(self) -> list[str]:
        """Return the differences between the staging tables and NetSuite's current state."""
        names = ("customers", "projects", "contacts", "departments", "currencies", "entity_statuses")
        if "contact_addresses" not in self._account.scenario.record_types:  # staging contacts needs them
            with self._account.client() as client:
                self._account.extract("contact_addresses", client)
        with self._account.warehouse.writer() as con:
            for name in names:
                stage_table(con, statement("staging", f"stg_netsuite__{name}"))
        return [*self._staged_customers(), *self._staged_projects(), *self._staged_contacts()]

    def _staged(self, name: str) -> dict[str, Row]:
        key = f"{name.rstrip('s')}_id"
        return {row[key]: row for row in self._account.warehouse.table(f"stg_netsuite__{name}").rows(named=True)}

    def _staged_customers(self) -> list[str]:
        rows, staged = self.rows(BY_NAME["customers"]), self._staged("customers")
        symbols = {key: row["symbol"] for key, row in self.rows(BY_NAME["currencies"]).items()}
        statuses = {key: row["name"] for key, row in self.rows(BY_NAME["entity_statuses"]).items()}
        relations = list(self.rows(BY_NAME["customer_subsidiaries"]).values())
        addresses = list(self.rows(BY_NAME["addresses"]).values())
        problems = []
        for key, row in rows.items():
            own = [each for each in relations if each["entity"] == key]
            primary = [each["subsidiary"] for each in own if each["isprimarysub"] == "T"]
            address = _main_address(addresses, key)
            expected = {
                "stage": row["searchstage"].lower(),
                "entity_number": row["entityid"],
                "company_name": row["companyname"],
                "parent_customer_id": row["parent"],
                "currency_code": symbols.get(row["currency"]),
                "status_name": statuses.get(row["entitystatus"]),
                "subsidiary_id": max(primary, default=None),
                "subsidiary_ids": sorted({each["subsidiary"] for each in own}) or None,
                "address_line1": address.get("addr1"),
                "city": address.get("city"),
                "is_inactive": row["isinactive"] == "T",
                "is_deleted": False,
                "modified_at": row["lastmodifieddate"],
                "custentity_department": row["custentity_department"],
            }
            problems += _staged_unequal("customer", key, staged.get(key), expected)
        return problems + [f"staged customer {key} is not deleted" for key in _undeleted(rows, staged)]

    def _staged_projects(self) -> list[str]:
        rows, staged = self.rows(BY_NAME["projects"]), self._staged("projects")
        known = self.raw(BY_NAME["projects"])
        problems = []
        for key, row in rows.items():
            is_sub_project = row["parent"] != row["customer"] and row["parent"] in known
            expected = {
                "project_name": row["companyname"],
                "customer_id": row["customer"],
                "parent_project_id": row["parent"] if is_sub_project else None,
                "start_date": row["startdate"],
                "end_date": row["enddate"],
                "is_inactive": row["isinactive"] == "T",
                "is_deleted": False,
            }
            problems += _staged_unequal("project", key, staged.get(key), expected)
        return problems + [f"staged project {key} is not deleted" for key in _undeleted(rows, staged)]

    def _staged_contacts(self) -> list[str]:
        rows, staged = self.rows(BY_NAME["contacts"]), self._staged("contacts")
        known = self.raw(BY_NAME["customers"])
        addresses = list(self.rows(BY_NAME["contact_addresses"]).values())
        problems = []
        for key, row in rows.items():
            address = _main_address(addresses, key)
            expected = {
                "customer_id": row["company"] if row["company"] in known else None,
                "last_name": row["lastname"],
                "title": row["title"],
                "address_line1": address.get("addr1"),
                "city": address.get("city"),
                "is_deleted": False,
            }
            problems += _staged_unequal("contact", key, staged.get(key), expected)
        return problems + [f"staged contact {key} is not deleted" for key in _undeleted(rows, staged)]


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)[:10] if name in DAYS else str(value)


def _main_address(addresses: Collection[Row], owner: str) -> Row:
    """Return the address that is staged for an owner; empty if there is none."""
    return min((each for each in addresses if each["entity"] == owner), key=_rank, default={})


def _rank(address: Row) -> tuple[bool, bool, int]:
    return address["defaultbilling"] != "T", address["defaultshipping"] != "T", int(address["internalid"])


def _excused(table: ModelTable, expected: Row, unstamped: Collection[tuple[str, int]]) -> bool:
    if table.record_type in OWNER_TABLES:
        return (f"{OWNER_TABLES[table.record_type]}'s addresses", int(expected["entity"])) in unstamped
    return (table.source, int(expected[table.key])) in unstamped


def _unequal(table: ModelTable, key: str, name: str, row: Row, expected: Row) -> list[str]:
    problems = [
        f"{table.record_type} {key}.{column} is {row[column]!r:.60}, not {expected[column]!r:.60}"
        for column in row.keys() - OWN
        if row[column] != expected[column]
    ]
    if table.record_type == "customers" and STAGE_OF[expected["searchstage"].upper()] != name:
        problems.append(f"customers {key} is among the {name} but is a {expected['searchstage']}")
    return problems


def _staged_unequal(record: str, key: str, staged: Row | None, expected: Row) -> list[str]:
    if staged is None:
        return [f"staged {record} {key} is missing"]
    return [
        f"staged {record} {key}.{name} is {staged[name]!r:.60}, not {value!r:.60}"
        for name, value in expected.items()
        if (staged[name] if value is None or isinstance(value, bool | list) else str(staged[name])) != value
    ]


def _undeleted(rows: Mapping[str, Row], staged: Mapping[str, Row]) -> list[str]:
    return [key for key, row in staged.items() if key not in rows and not row["is_deleted"]]
