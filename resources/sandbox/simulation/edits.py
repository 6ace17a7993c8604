"""What people do in NetSuite in a day, one method each.

Edits(sandbox, random)  ->  .KINDS  ->  each method changes the stand-in and returns the records that it changed
"""

from resources.sandbox.generator import reference_data
from resources.sandbox.generator.people import email, person, phone, street
from resources.sandbox.generator.records import NAME_LIMIT, WORK
from resources.sandbox.simulation.pick_records import Editing, Records

SUFFIXES = (" Group", " International", " Worldwide", " Holding")


class Edits(Editing):
    """One day's changes to the NetSuite stand-in."""

    # one customer

    def renamed(self) -> Records:
        """A company changes its name."""
        row = self._pick(lambda row: not row["isperson"] and len(row["companyname"]) <= NAME_LIMIT)
        old = row["companyname"].strip()
        kept = next((old.removesuffix(each) for each in SUFFIXES if old.endswith(each)), old)
        new = kept[: NAME_LIMIT - 14] + self._random.choice([each for each in SUFFIXES if not old.endswith(each)])
        return self._changed(row, companyname=new, altname=new, entitytitle=f"{row['entityid']} {new}")

    def email_changed(self) -> Records:
        """Another address for mail."""
        row = self._pick(lambda _: True)
        return self._changed(row, email=email(f"{person(self._random).name} {row['id']}", row["altname"]))

    def phone_changed(self) -> Records:
        """Another telephone number."""
        row = self._pick(lambda _: True)
        return self._changed(row, phone=f"{phone(self._random)[:14]} x{self._random.randrange(10, 999)}")

    def moved(self) -> Records:
        """Another street in the default billing address; the customer's own row may stay as it is."""
        row = self._pick(lambda row: row["defaultbillingaddress"] is not None)
        nkey = row["defaultbillingaddress"]
        line = f"{street(self._random)}, Building {row['id'] % 9 + 1}"
        self._netsuite.update("customeraddressbookentityaddress", nkey, addr1=line)
        return [("customeraddressbookentityaddress", nkey), ("customer", row["id"])]

    def department_changed(self) -> Records:
        """Another department in the custom field."""
        row = self._pick(lambda _: True)
        others = [number for number, *_ in reference_data.DEPARTMENTS if number != row["custentity_department"]]
        return self._changed(row, custentity_department=self._random.choice(others))

    def lead_to_prospect(self) -> Records:
        """A lead is qualified."""
        return self._converted("Lead", "Prospect")

    def prospect_to_customer(self) -> Records:
        """A prospect buys."""
        return self._converted("Prospect", "Customer")

    def inactivated(self) -> Records:
        """A customer is switched off."""
        return self._changed(self._pick(lambda _: True), isinactive=True)

    def reactivated(self) -> Records:
        """A customer is switched on again."""
        return self._changed(self._pick(lambda row: row["isinactive"], active=False), isinactive=False)

    def export_ticked(self) -> Records:
        """The export box is ticked."""
        row = self._pick(lambda row: not row["custentity_oa_export_to_openair"])
        return self._changed(row, custentity_oa_export_to_openair=True)

    def export_unticked(self) -> Records:
        """The export box is cleared."""
        row = self._pick(lambda row: row["custentity_oa_export_to_openair"])
        return self._changed(row, custentity_oa_export_to_openair=False)

    def subsidiary_added(self) -> Records:
        """A customer may be served by one more subsidiary; its own row stays as it is."""
        row = self._pick(lambda row: len(self._relationships[row["id"]]) == 1)
        primary = self._primary(row)
        others = [
            number for number, *_ in reference_data.SUBSIDIARIES if number not in {primary, reference_data.ELIMINATION}
        ]
        added = self._maker().relationship(row, self._random.choice(others), primary)
        self._netsuite.insert("customersubsidiaryrelationship", [added | {"lastmodifieddate": self._clock.now()}])
        return [("customersubsidiaryrelationship", added["id"]), ("customer", row["id"])]

    def touched(self) -> Records:
        """Saved without a change: lastmodifieddate moves and nothing else."""
        return self._changed(self._pick(lambda _: True))

    # gone and come

    def merged(self) -> Records:
        """Two customers turn out to be one: the survivor keeps the loser's projects and contacts."""
        loser = self._pick(
            lambda row: row["searchstage"] == "Customer" and self._jobs[row["id"]] and row["id"] not in self._parents
        )
        survivor = self._pick(lambda row: row["searchstage"] == "Customer" and row["parent"] != loser["id"])
        done = [("customer", loser["id"]), *self._changed(survivor, comments=f"Merged with {loser['entityid']}.")]
        for job in self._jobs.pop(loser["id"]):
            parent = survivor["id"] if job["parent"] == loser["id"] else job["parent"]
            self._netsuite.update("job", job["id"], customer=survivor["id"], parent=parent)
            done.append(("job", job["id"]))
        for contact in self._contacts.pop(loser["id"], []):
            self._netsuite.update("contact", contact["id"], company=survivor["id"])
            done.append(("contact", contact["id"]))
        self._netsuite.delete("customer", "customer", loser["id"])
        return done

    def customer_deleted(self) -> Records:
        """A record without projects, contacts and sub-customers is deleted; NetSuite refuses others."""
        row = self._pick(
            lambda row: not self._jobs[row["id"]] and not self._contacts[row["id"]] and row["id"] not in self._parents
        )
        self._netsuite.delete(row["searchstage"].lower(), "customer", row["id"])
        return [("customer", row["id"])]

    def project_deleted(self) -> Records:
        """A project without sub-projects is deleted."""
        heads = {job["parent"] for jobs in self._jobs.values() for job in jobs}
        job = self._pick_of(self._jobs, lambda job: job["id"] not in heads)
        self._netsuite.delete("job", "job", job["id"])
        return [("job", job["id"])]

    def contact_deleted(self) -> Records:
        """A contact is deleted."""
        contact = self._pick_of(self._contacts, lambda _: True)
        self._netsuite.delete("contact", "contact", contact["id"])
        return [("contact", contact["id"])]

    def customer_created(self) -> Records:
        """A new customer."""
        return self._created("Customer")

    def lead_created(self) -> Records:
        """A new lead."""
        return self._created("Lead")

    def project_created(self) -> Records:
        """A new project."""
        customer = self._pick(lambda row: row["searchstage"] == "Customer")
        maker = self._maker()
        return self._kept(maker, "job", maker.project(customer, maker.now))

    def contact_created(self) -> Records:
        """A new contact."""
        customer = self._pick(lambda _: True)
        maker = self._maker()
        return self._kept(maker, "contact", maker.contact(customer, self._primary(customer), maker.now))

    # projects and contacts

    def project_renamed(self) -> Records:
        """A project gets another name."""
        job = self._pick_of(self._jobs, lambda _: True)
        name = f"{self._random.choice(WORK)} {self._clock.now().year} no. {job['id']}"
        names = {"companyname": name, "altname": name, "entitytitle": f"{job['entityid']} {name}"}
        self._netsuite.update("job", job["id"], **names)
        return [("job", job["id"])]

    def project_closed(self) -> Records:
        """A project is switched off."""
        job = self._pick_of(self._jobs, lambda job: not job["isinactive"])
        self._netsuite.update("job", job["id"], isinactive=True, entitystatus=1)
        return [("job", job["id"])]

    def contact_changed(self) -> Records:
        """A contact has another telephone number."""
        contact = self._pick_of(self._contacts, lambda _: True)
        self._netsuite.update("contact", contact["id"], phone=f"{phone(self._random)[:14]} x{contact['id'] % 999}")
        return [("contact", contact["id"])]

    KINDS = (
        renamed, email_changed, phone_changed, moved, department_changed, lead_to_prospect, prospect_to_customer,
        merged, inactivated, reactivated, customer_deleted, project_deleted, contact_deleted, customer_created,
        lead_created, project_created, contact_created, export_ticked, export_unticked, subsidiary_added, touched,
        project_renamed, project_closed, contact_changed,
    )  # fmt: skip
