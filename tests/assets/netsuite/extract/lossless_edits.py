"""Random edits in a NetSuite account, including those that NetSuite does not report.

Edits(account)  ->  .one()  ->  a change in the sandbox; `unstamped` has the records whose change left no timestamp
"""

from collections.abc import Callable
from typing import Any

from tests.assets.netsuite.extract.lossless_account import SimulatedAccount

STAGES = ("Lead", "Prospect", "Customer")
TEXTS = (
    "plain",
    'Ö\'Brien & Söhne "AG"',
    "two\nlines\tand a tab",
    " leading and trailing ",
    "NULL",
    "T",
    "0042",
    "日本語 😀",
    "x" * 900,
    "-- ; drop table",
    '{"id":"99999999","links":[]},{',
    '"],"count":1,"hasMore":false',
    'a\\":"b\\\\',
    None,
)
FIELDS = ("companyname", "email", "phone", "fax", "comments", "altname", "externalid", "custentity_region")
ADDRESS_FIELDS = ("addr1", "addr2", "city", "zip", "country", "state")
# record type: table, key, a field, and the column of the owner
SILENT = {
    "customers": ("customer", "id", "companyname", ""),
    "projects": ("job", "id", "companyname", ""),
    "contacts": ("contact", "id", "lastname", ""),
    "customer_subsidiaries": ("customersubsidiaryrelationship", "id", "subsidiary", ""),
    "addresses": ("customeraddressbookentityaddress", "nkey", "city", "recordowner"),
    "contact_addresses": ("contactaddressbookentityaddress", "nkey", "city", "recordowner"),
}
OWNERS = {"customeraddressbookentityaddress": "customer", "contactaddressbookentityaddress": "contact"}


class Edits:
    """Edits of one account."""

    def __init__(self, account: SimulatedAccount) -> None:
        self._account = account
        self._random = account.random
        self._netsuite = account.sandbox.netsuite
        self.unstamped: set[tuple[str, int]] = set()  # changed without a timestamp
        self.moved: set[tuple[str, int]] = set()  # moved by a merge without a timestamp
        self.restored_ids: set[int] = set()
        self.unreported_deletions = False  # children may have been deleted without a trace
        self._next = account.random.choice((1, 900, 4_000_000))
        self._serial = 0

    # --- helpers -------------------------------------------------------------------------------------------------

    def ids(self, table: str, key: str = "id", where: str = "true") -> list[int]:
        """Return the keys of a table's rows."""
        with self._netsuite.store.read() as connection:
            rows = connection.execute(f'select "{key}" from "{table}" where {where} order by "{key}"').fetchall()
        return [int(row[0]) for row in rows]

    def _some(self, table: str, key: str = "id", where: str = "true") -> int | None:
        found = self.ids(table, key, where)
        return self._random.choice(found) if found else None

    def _new_id(self) -> int:
        self._next += self._random.choice((1, 1, 1, 7, 1000))
        return self._next

    def text(self) -> str | None:
        """Return a text, often an awkward one, mostly unique."""
        self._serial += 1
        chosen = self._random.choice(TEXTS)
        return chosen if chosen is None or self._random.random() < 0.3 else f"{chosen} {self._serial}"

    def _child_saved(self, owner: int | None, *, stamped: bool, of: str = "customer") -> None:
        """Record the save of a child; NetSuite's screens save its parent with it, an import may not."""
        if owner is None:
            return
        if self._account.scenario.saves_parents:
            if owner in self.ids(of):
                self._netsuite.update(of, owner)
        elif not stamped:
            self.unstamped.add((f"{of}'s addresses", owner))

    # --- edits ---------------------------------------------------------------------------------------------------

    def one(self) -> str:
        """Make one edit; return its name and record."""
        act = self._random.choices(self.KINDS, weights=self.WEIGHTS)[0]
        try:
            return f"{act.__name__} {act(self)}"
        except KeyError:  # a late deletion became visible between the query and the edit
            return f"{act.__name__} -"

    def populate(self) -> None:
        """Insert the first records."""
        for table, names in (("department", 3), ("currency", 2), ("subsidiary", 4)):
            self._netsuite.insert(table, [{"id": each + 1, "name": f"{table} {each}"} for each in range(names)])
        for currency in self.ids("currency"):
            self._netsuite.update("currency", currency, symbol=("SEK", "EUR")[currency - 1])
        statuses = [{"key": each, "name": f"status {each}", "entitytype": STAGES[each % 3]} for each in range(6)]
        self._netsuite.insert("entitystatus", statuses)
        if self._account.scenario.customers > 100:
            rows = [self._customer() for _ in range(self._account.scenario.customers)]
            self._netsuite.insert("customer", rows)
            return
        for _ in range(self._account.scenario.customers):
            self.customer_created()
        for _ in range(self._account.scenario.customers // 2):
            self.project_created()
            self.contact_created()

    def _customer(self) -> dict[str, Any]:
        key = self._new_id()
        stage = self._random.choice(STAGES)
        return {
            "id": key,
            "entityid": f"C{key}",
            "searchstage": stage,
            "entitystatus": self._random.randrange(6),
            "companyname": self.text(),
            "currency": self._random.choice((1, 2, None)),
            "isperson": self._random.random() < 0.3,
            "isinactive": False,
            "email": self.text(),
        }

    def customer_created(self) -> int:
        """Create a customer, lead or prospect, often with a subsidiary and an address."""
        row = self._customer()
        self._netsuite.insert("customer", [row])
        key: int = row["id"]
        if self._random.random() < 0.7:
            self._relate(key, primary=True)
        if self._random.random() < 0.7:
            self._address(key)
        return key

    def _relate(self, customer: int, *, primary: bool) -> int:
        key = self._new_id()
        relation = {"id": key, "entity": customer, "subsidiary": self._random.choice((1, 2, 3, 4))}
        self._netsuite.insert("customersubsidiaryrelationship", [{**relation, "isprimarysub": primary}])
        return key

    def _address(self, owner: int, of: str = "customer") -> int:
        key = self._new_id()
        address = {"nkey": key, "recordowner": owner, "city": self.text(), "addr1": self.text(), "country": "SE"}
        book = {
            "internalid": key,
            "entity": owner,
            "addressbookaddress": key,
            "label": self.text(),
            "defaultbilling": self._random.random() < 0.5,
            "defaultshipping": self._random.random() < 0.5,
        }
        self._netsuite.insert(f"{of}addressbookentityaddress", [address])
        self._netsuite.insert(f"{of}addressbook", [book])
        return key

    def customer_edited(self) -> int | None:
        """Change or clear some fields."""
        key = self._some("customer")
        if key is not None:
            names = self._random.sample(FIELDS, self._random.randrange(1, 4))
            self._netsuite.update("customer", key, **{name: self.text() for name in names})
        return key

    def customer_reparented(self) -> int | None:
        """Change parent, currency, department and flags of a customer."""
        key, parent = self._some("customer"), self._some("customer")
        if key is not None:
            self._netsuite.update(
                "customer",
                key,
                parent=None if parent == key else parent,
                currency=self._random.choice((1, 2)),
                custentity_department=self._random.choice((1, 2, 3, None)),
                custentity_oa_export_to_openair=self._random.random() < 0.5,
                isinactive=self._random.random() < 0.3,
            )
        return key

    def converted(self) -> int | None:
        """Convert to another stage, in any direction."""
        key = self._some("customer")
        if key is not None:
            stage = self._random.choice(STAGES)
            self._netsuite.update("customer", key, searchstage=stage, entitystatus=self._random.randrange(6))
            if not self._account.scenario.switches["conversion_moves_date"]:
                self.unstamped.add(("customer", key))
        return key

    def merged(self) -> str:
        """Merge two customers."""
        loser, winner = self._some("customer"), self._some("customer")
        if loser is None or winner is None or loser == winner:
            return "-"
        moved = self._netsuite.merge(loser, winner)
        if not self._account.scenario.switches["merge_moves_dates"]:
            late = self._account.scenario.has_late_writes  # what moves may be visible after the loser's deletion
            (self.unstamped if late else self.moved).update(moved)
        return f"{loser} into {winner}"

    def customer_deleted(self) -> int | None:
        """Delete a customer with its projects."""
        key = self._some("customer")
        if key is not None:
            for job in self.ids("job", where=f"customer = {key}"):
                self._netsuite.delete("job", "job", job)
            self._delete_customer(key)
        return key

    def _delete_customer(self, customer: int) -> None:
        with self._netsuite.store.read() as connection:
            found = connection.execute("select searchstage from customer where id = ?", (customer,)).fetchone()
        if found is None:
            raise KeyError(customer)
        self._netsuite.delete(str(found[0]).lower(), "customer", customer)

    def restored(self) -> int | None:
        """Restore a deleted customer under its id."""
        with self._netsuite.store.read() as connection:
            deleted = [
                row[0] for row in connection.execute("select key from deletions where tab = 'customer' order by key")
            ]
        deleted = [each for each in deleted if each not in self.ids("customer")]
        if not deleted:
            return None
        key: int = self._random.choice(deleted)
        self._netsuite.insert("customer", [{**self._customer(), "id": key}])
        self.restored_ids.add(key)
        return key

    def project_created(self) -> int | None:
        """Create a project of a customer, or a sub-project."""
        customer, above = self._some("customer"), self._some("job")
        if customer is None:
            return None
        key = self._new_id()
        row = {"id": key, "entityid": f"P{key}", "companyname": self.text(), "customer": customer, "currency": 1}
        if above is not None and self._random.random() < 0.3:
            row["parent"] = above
        moment = self._account.clock.now()
        self._netsuite.insert("job", [{"parent": customer, **row, "startdate": moment.date()}])
        return key

    def project_edited(self) -> int | None:
        """Rename a project, move it to another customer, or make it inactive."""
        key, customer = self._some("job"), self._some("customer")
        if key is not None:
            self._netsuite.update(
                "job",
                key,
                companyname=self.text(),
                customer=customer,
                parent=customer,
                enddate=self._random.choice((None, self._account.clock.now().date())),
                isinactive=self._random.random() < 0.3,
            )
        return key

    def project_deleted(self) -> int | None:
        """Delete a project."""
        key = self._some("job")
        if key is not None:
            self._netsuite.delete("job", "job", key)
        return key

    def contact_created(self) -> int | None:
        """Create a contact of a customer or a project."""
        company = self._some(self._random.choice(("customer", "customer", "job")))
        key = self._new_id()
        row = {"id": key, "entityid": f"K{key}", "company": company, "lastname": self.text(), "title": self.text()}
        self._netsuite.insert("contact", [row])
        if self._random.random() < 0.5:
            self._address(key, "contact")
        return key

    def contact_edited(self) -> int | None:
        """Change company and name of a contact."""
        key = self._some("contact")
        if key is not None:
            self._netsuite.update("contact", key, company=self._some("customer"), firstname=self.text())
        return key

    def contact_deleted(self) -> int | None:
        """Delete a contact."""
        key = self._some("contact")
        if key is not None:
            self._netsuite.delete("contact", "contact", key)
        return key

    def subsidiary_edited(self) -> int | None:
        """Change or add a subsidiary of a customer."""
        key, customer = self._some("customersubsidiaryrelationship"), self._some("customer")
        if self._random.random() < 0.4 and customer is not None:
            key = self._relate(customer, primary=False)
        elif key is not None:
            customer = self._owner("customersubsidiaryrelationship", "id", "entity", key)
            values = {"subsidiary": self._random.choice((1, 2, 3, 4)), "isprimarysub": self._random.random() < 0.5}
            self._netsuite.update("customersubsidiaryrelationship", key, **values)
        self._child_saved(customer, stamped=True)
        return key

    def _owner_kind(self) -> str:
        """Return the type of record whose address book is edited."""
        return self._random.choice(("customer", "customer", "contact"))

    def address_edited(self) -> str:
        """Change or add an address."""
        of = self._owner_kind()
        table = f"{of}addressbookentityaddress"
        key, owner = self._some(table, "nkey"), self._some(of)
        if self._random.random() < 0.4 and owner is not None:
            key = self._address(owner, of)
        elif key is not None:
            owner = self._owner(table, "nkey", "recordowner", key)
            names = self._random.sample(ADDRESS_FIELDS, 2)
            self._netsuite.update(table, key, **{name: self.text() for name in names})
        self._child_saved(owner, stamped=True, of=of)
        return f"{of} {key}"

    def default_moved(self) -> str:
        """Change the default address: the entry has no timestamp."""
        of = self._owner_kind()
        key = self._some(f"{of}addressbook", "internalid")
        if key is not None:
            owner = self._owner(f"{of}addressbook", "internalid", "entity", key)
            values = {"defaultbilling": self._random.random() < 0.5, "label": self.text()}
            self._netsuite.update(f"{of}addressbook", key, **values)
            stamped = of == "customer" and self._account.scenario.switches["address_moves_parent"]
            self._child_saved(owner, stamped=stamped, of=of)
        return f"{of} {key}"

    def child_deleted(self) -> str:
        """Remove an address or a subsidiary, which leaves no trace."""
        of = self._owner_kind()
        address = of == "contact" or self._random.random() < 0.5
        table, key_name = (f"{of}addressbook", "internalid") if address else ("customersubsidiaryrelationship", "id")
        key = self._some(table, key_name)
        if key is None:
            return "-"
        owner = self._owner(table, key_name, "entity", key)
        self._netsuite.delete("", table, key)
        self.unreported_deletions |= not self._account.scenario.saves_parents
        self._child_saved(owner, stamped=False, of=of)
        return f"{table} {key}"

    def list_edited(self) -> str:
        """Rename a department, currency or status; create or delete a department."""
        table, key = self._random.choice((("department", "id"), ("currency", "id"), ("entitystatus", "key")))
        some = self._some(table, key)
        if some is not None:
            self._netsuite.update(table, some, name=f"{table} {self.text()}")
        if table == "department" and self._random.random() < 0.3 and some is not None and len(self.ids(table)) > 1:
            self._netsuite.delete("", table, some)
        elif table == "department" and self._random.random() < 0.5:
            self._netsuite.insert(table, [{"name": self.text(), "parent": some}])
        return table

    def imported(self) -> str:
        """Save many records in one second, as a CSV import does."""
        ids = self.ids("customer")
        value = f"import {self._serial}"
        for key in ids[self._random.randrange(len(ids) + 1) :]:
            self._netsuite.update("customer", key, fax=value)
        return value

    def changed_silently(self) -> str:
        """Change a record without a save, as some imports and scripts do: no date moves, not even its owner's."""
        return self._change_silently(self._random.choice(self._kinds()))

    def customer_changed_silently(self) -> str:
        """Change a customer without a save."""
        return self._change_silently("customers")

    def _kinds(self) -> list[str]:
        return [each for each in self._account.scenario.record_types if each in SILENT]

    def _change_silently(self, record_type: str) -> str:
        table, key_name, field, owner_column = SILENT[record_type]
        key = self._some(table, key_name)
        if key is not None:
            value = self._random.choice((1, 2, 3, 4)) if field == "subsidiary" else self.text()
            self._netsuite.update(table, key, moves_date=False, **{field: value})
            owner = self._owner(table, key_name, owner_column, key) if owner_column else None
            self.unstamped.add((table, key) if owner is None else (f"{OWNERS[table]}'s addresses", owner))
        return f"{table} {key}"

    def some_records(self) -> list[tuple[str, int]]:
        """Return table and key of some records, which a role may lose."""
        tables = [SILENT[each][0] for each in self._kinds() if each in {"customers", "projects", "contacts"}]
        found = [(table, key) for table in tables for key in self.ids(table)]
        return self._random.sample(found, min(len(found), self._random.randrange(1, 4)))

    def edited_unseen(self, table: str, key: int) -> None:
        """Save a record."""
        self._netsuite.update(table, key, **{"lastname" if table == "contact" else "companyname": self.text()})

    def saved_twice(self) -> int | None:
        """Edit a record twice in one second: both edits have the same timestamp."""
        key = self._some("customer")
        if key is not None:
            self._netsuite.update("customer", key, phone="first")
            self._netsuite.update("customer", key, phone=self.text())
        return key

    def _owner(self, table: str, key_name: str, column: str, key: int) -> int | None:
        with self._netsuite.store.read() as connection:
            found = connection.execute(f'select "{column}" from "{table}" where "{key_name}" = ?', (key,)).fetchone()
        return int(found[0]) if found and found[0] is not None else None

    KINDS: tuple[Callable[["Edits"], Any], ...] = (
        customer_created, customer_edited, customer_reparented, converted, merged, customer_deleted, restored,
        project_created, project_edited, project_deleted, contact_created, contact_edited, contact_deleted,
        subsidiary_edited, address_edited, default_moved, child_deleted, list_edited, imported, saved_twice,
        changed_silently,
    )  # fmt: skip
    WEIGHTS = (6, 8, 4, 6, 2, 2, 1, 4, 4, 2, 3, 3, 2, 4, 4, 3, 3, 2, 1, 2, 8)
