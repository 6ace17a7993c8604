"""Edits that people make in NetSuite, one method each.

Edits(sandbox, random)  ->  .KINDS  ->  each method changes the account and returns the changed records
"""

from resources.sandbox.generator import reference_data
from resources.sandbox.generator.people import email, person, phone, street
from resources.sandbox.generator.records import NAME_LIMIT, PROJECT_NAMES
from resources.sandbox.simulation.pick_records import RecordPicker, Records

SUFFIXES = (" Group", " International", " Worldwide", " Holding")


class Edits(RecordPicker):
    """One day's edits in the simulated NetSuite account."""

    # customers

    def renamed(self) -> Records:
        """Rename a company."""
        row = self._pick(lambda row: not row["isperson"] and len(row["companyname"]) <= NAME_LIMIT)
        old = row["companyname"].strip()
        base = next((old.removesuffix(each) for each in SUFFIXES if old.endswith(each)), old)
        new = base[: NAME_LIMIT - 14] + self._random.choice([each for each in SUFFIXES if not old.endswith(each)])
        return self._changed(row, companyname=new, altname=new, entitytitle=f"{row['entityid']} {new}")

    def email_changed(self) -> Records:
        """Change an email address."""
        row = self._pick(lambda _: True)
        return self._changed(row, email=email(f"{person(self._random).name} {row['id']}", row["altname"]))

    def phone_changed(self) -> Records:
        """Change a telephone number."""
        row = self._pick(lambda _: True)
        return self._changed(row, phone=f"{phone(self._random)[:14]} x{self._random.randrange(10, 999)}")

    def address_changed(self) -> Records:
        """Change the street of the default billing address; the customer's own row may stay unchanged."""
        row = self._pick(lambda row: row["defaultbillingaddress"] is not None)
        nkey = row["defaultbillingaddress"]
        line = f"{street(self._random)}, Building {row['id'] % 9 + 1}"
        self._netsuite.update("customeraddressbookentityaddress", nkey, addr1=line)
        return [("customeraddressbookentityaddress", nkey), ("customer", row["id"])]

    def department_changed(self) -> Records:
        """Change the department in the custom field."""
        row = self._pick(lambda _: True)
        others = [number for number, *_ in reference_data.DEPARTMENTS if number != row["custentity_department"]]
        return self._changed(row, custentity_department=self._random.choice(others))

    def lead_to_prospect(self) -> Records:
        """Convert a lead to a prospect."""
        return self._converted("Lead", "Prospect")

    def prospect_to_customer(self) -> Records:
        """Convert a prospect to a customer."""
        return self._converted("Prospect", "Customer")

    def inactivated(self) -> Records:
        """Inactivate a customer."""
        return self._changed(self._pick(lambda _: True), isinactive=True)

    def reactivated(self) -> Records:
        """Reactivate a customer."""
        return self._changed(self._pick(lambda row: row["isinactive"], active=False), isinactive=False)

    def export_ticked(self) -> Records:
        """Check the export box."""
        row = self._pick(lambda row: not row["custentity_oa_export_to_openair"])
        return self._changed(row, custentity_oa_export_to_openair=True)

    def export_unticked(self) -> Records:
        """Clear the export box."""
        row = self._pick(lambda row: row["custentity_oa_export_to_openair"])
        return self._changed(row, custentity_oa_export_to_openair=False)

    def subsidiary_added(self) -> Records:
        """Add a secondary subsidiary; the customer's own row stays unchanged."""
        row = self._pick(lambda row: len(self._relationships[row["id"]]) == 1)
        primary = self._primary_subsidiary(row)
        others = [
            number for number, *_ in reference_data.SUBSIDIARIES if number not in {primary, reference_data.ELIMINATION}
        ]
        added = self._factory().relationship(row, self._random.choice(others), primary)
        self._netsuite.insert("customersubsidiaryrelationship", [added | {"lastmodifieddate": self._clock.now()}])
        return [("customersubsidiaryrelationship", added["id"]), ("customer", row["id"])]

    def saved_unchanged(self) -> Records:
        """Save a customer without a change: only lastmodifieddate moves."""
        return self._changed(self._pick(lambda _: True))

    # merges, deletions, new records

    def merged(self) -> Records:
        """Merge two customers: the survivor takes over the loser's projects and contacts."""
        loser = self._pick(
            lambda row: row["searchstage"] == "Customer" and self._jobs[row["id"]] and row["id"] not in self._parents
        )
        survivor = self._pick(lambda row: row["searchstage"] == "Customer" and row["parent"] != loser["id"])
        changed = self._changed(survivor, comments=f"Merged with {loser['entityid']}.")
        self._jobs.pop(loser["id"])
        self._contacts.pop(loser["id"], None)
        return [("customer", loser["id"]), *changed, *self._netsuite.merge(loser["id"], survivor["id"])]

    def customer_deleted(self) -> Records:
        """Delete a record without projects, contacts and sub-customers; NetSuite rejects others."""
        row = self._pick(
            lambda row: not self._jobs[row["id"]] and not self._contacts[row["id"]] and row["id"] not in self._parents
        )
        self._netsuite.delete(row["searchstage"].lower(), "customer", row["id"])
        return [("customer", row["id"])]

    def project_deleted(self) -> Records:
        """Delete a project without sub-projects."""
        parents = {job["parent"] for jobs in self._jobs.values() for job in jobs}
        job = self._pick_child(self._jobs, lambda job: job["id"] not in parents)
        self._netsuite.delete("job", "job", job["id"])
        return [("job", job["id"])]

    def contact_deleted(self) -> Records:
        """Delete a contact."""
        contact = self._pick_child(self._contacts, lambda _: True)
        self._netsuite.delete("contact", "contact", contact["id"])
        return [("contact", contact["id"])]

    def customer_created(self) -> Records:
        """Create a customer."""
        return self._created("Customer")

    def lead_created(self) -> Records:
        """Create a lead."""
        return self._created("Lead")

    def project_created(self) -> Records:
        """Create a project."""
        customer = self._pick(lambda row: row["searchstage"] == "Customer")
        factory = self._factory()
        return self._insert_all(factory, "job", factory.project(customer, factory.now))

    def contact_created(self) -> Records:
        """Create a contact."""
        customer = self._pick(lambda _: True)
        factory = self._factory()
        return self._insert_all(
            factory, "contact", factory.contact(customer, self._primary_subsidiary(customer), factory.now)
        )

    # projects and contacts

    def project_renamed(self) -> Records:
        """Rename a project."""
        job = self._pick_child(self._jobs, lambda _: True)
        name = f"{self._random.choice(PROJECT_NAMES)} {self._clock.now().year} no. {job['id']}"
        title = f"{job['entityid']} {name}"
        self._netsuite.update("job", job["id"], companyname=name, altname=name, entitytitle=title)
        return [("job", job["id"])]

    def project_closed(self) -> Records:
        """Close a project."""
        job = self._pick_child(self._jobs, lambda job: not job["isinactive"])
        self._netsuite.update("job", job["id"], isinactive=True, entitystatus=1)
        return [("job", job["id"])]

    def contact_changed(self) -> Records:
        """Change a contact's telephone number."""
        contact = self._pick_child(self._contacts, lambda _: True)
        self._netsuite.update("contact", contact["id"], phone=f"{phone(self._random)[:14]} x{contact['id'] % 999}")
        return [("contact", contact["id"])]

    KINDS = (
        renamed, email_changed, phone_changed, address_changed, department_changed, lead_to_prospect,
        prospect_to_customer, merged, inactivated, reactivated, customer_deleted, project_deleted, contact_deleted,
        customer_created, lead_created, project_created, contact_created, export_ticked, export_unticked,
        subsidiary_added, saved_unchanged, project_renamed, project_closed, contact_changed,
    )  # fmt: skip
