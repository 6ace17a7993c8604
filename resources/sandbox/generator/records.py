"""Plausible rows of NetSuite's customers, projects and contacts, with their addresses and subsidiaries.

RecordMaker(random, …).customer(company, …)  ->  rows in `.tables`, ready for the stand-in's `insert`
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from resources.sandbox.generator import reference_data
from resources.sandbox.generator.addresses import address_row, book_row, places
from resources.sandbox.generator.companies import HUNDREDTHS, Company
from resources.sandbox.generator.geography import CURRENCY_OF, country_code
from resources.sandbox.generator.people import email, person, phone

Row = dict[str, Any]

NAME_LIMIT = 83  # characters of customer.companyname, netsuite.md §7
PERSONS = 0.08
INACTIVE = 0.03
SECOND_SUBSIDIARY = 0.1
MASS_UPDATED = 0.05
STATUS_OF_STAGE = {"Lead": (6, 7, 7), "Prospect": (8, 9, 10, 11, 12, 14), "Customer": (13, 13, 13, 15, 16)}
EXPORTED = {"Customer": 0.8, "Prospect": 0.5, "Lead": 0.5}
WORK = (
    "ERP Rollout",
    "Website Relaunch",
    "Data Migration",
    "Audit",
    "Réorganisation",
    "Plant Extension",
    "Training",
)


@dataclass
class Ids:
    """The next free id of each sequence; customers, projects and contacts share one."""

    entity: int = 1001
    relationship: int = 1
    address: int = 1

    def take(self, sequence: str) -> int:
        """One id."""
        taken: int = getattr(self, sequence)
        setattr(self, sequence, taken + 1)
        return taken


@dataclass
class RecordMaker:
    """Makes records out of one source of chance; the rows gather in `tables`."""

    random: Random
    now: datetime
    ids: Ids = field(default_factory=Ids)
    currency_ids: Mapping[str, int] = field(default_factory=lambda: reference_data.CURRENCY_IDS)
    tables: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def customer(
        self,
        company: Company,
        stage: str,
        created: datetime,
        *,
        parent: int | None = None,
        long_name: bool = False,
    ) -> Row:
        """One customer, lead or prospect with its addresses and subsidiaries."""
        number = self.ids.take("entity")
        subsidiary = reference_data.subsidiary_of(country_code(company.country))
        row = {
            "id": number,
            "entityid": f"CUST-{number}",
            "entitynumber": number,
            **self._named(company, long_name=long_name),
            "phone": phone(self.random) if self._chance(0.8) else None,
            "fax": phone(self.random) if self._chance(0.15) else None,
            "entitystatus": self.random.choice(STATUS_OF_STAGE[stage]),
            "searchstage": stage,
            "currency": self.currency_ids[currency_of(company)],
            "terms": self.random.choice(reference_data.TERMS)[0] if stage == "Customer" else None,
            "parent": parent,
            "salesrep": self.random.choice(reference_data.SALES_REPS),
            "language": "en_US",
            "externalid": f"LEGACY-{number}" if self._chance(0.1) else None,
            "comments": f"Met at a fair; sector {company.sector or 'unknown'}." if self._chance(0.1) else None,
            "isinactive": self._chance(INACTIVE),
            **dict.fromkeys(("duplicate", "weblead", "unsubscribe", "oncredithold"), False),
            "custentity_oa_export_to_openair": self._chance(EXPORTED[stage]),
            **self._classified(company, subsidiary),
            **self._dated(created),
        }
        row["entitytitle"] = f"{row['entityid']} {row['altname']}"
        row |= self._addresses(row, company)
        self._subsidiaries(row, subsidiary)
        self.tables["customer"].append(row)
        return row

    def project(self, customer: Row, created: datetime, parent: int | None = None) -> Row:
        """One project; with `parent` a sub-project of that project."""
        number = self.ids.take("entity")
        begins = created.replace(hour=0, minute=0, second=0)
        name = f"{self.random.choice(WORK)} {created.year}" + (f" phase {number % 9 + 1}" if parent else "")
        row = {
            "id": number,
            "entityid": f"PRJ-{number}",
            "entitynumber": number,
            "entitytitle": f"PRJ-{number} {name}",
            "altname": name,
            "companyname": name,
            "customer": customer["id"],
            "parent": parent or customer["id"],
            "projectmanager": self.random.choice(reference_data.PROJECT_MANAGERS),
            "entitystatus": self.random.choice(reference_data.PROJECT_STATUSES),
            "currency": customer["currency"],
            "startdate": begins,
            "enddate": begins + timedelta(days=self.random.randrange(20, 700)) if self._chance(0.7) else None,
            "percentcomplete": float(self.random.randrange(0, 101)),
            "allowtime": True,
            "allowexpenses": True,
            "isinactive": self._chance(INACTIVE),
            "custentity_oa_export_to_openair": self._chance(0.8),
            "custentity_department": self.random.choice(reference_data.DEPARTMENTS)[0] if self._chance(0.9) else None,
            "custentity_class": customer["custentity_class"],
            "custentity_location": customer["custentity_location"],
            **self._dated(created),
        }
        self.tables["job"].append(row)
        return row

    def contact(self, customer: Row, subsidiary: int, created: datetime) -> Row:
        """One contact of a customer."""
        number = self.ids.take("entity")
        who = person(self.random)
        row = {
            "id": number,
            "entityid": who.name,
            "entitytitle": who.name,
            "salutation": who.salutation,
            "firstname": who.first,
            "middlename": who.middle,
            "lastname": who.last,
            "title": who.title,
            "email": email(who.name, customer["altname"]),
            "phone": phone(self.random) if self._chance(0.7) else None,
            "mobilephone": phone(self.random) if self._chance(0.4) else None,
            "company": customer["id"],
            "subsidiary": subsidiary,
            "isinactive": self._chance(INACTIVE),
            **self._dated(created),
        }
        self.tables["contact"].append(row)
        return row

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _dated(self, created: datetime) -> Row:
        """Creation and last change; some share the second of a mass update, as they do in real accounts."""
        moved = (created + (self.now - created) * self.random.random()).replace(microsecond=0)
        mass_update = self.now - timedelta(days=40)
        if created < mass_update and self._chance(MASS_UPDATED):
            moved = mass_update
        return {"datecreated": created, "lastmodifieddate": moved}

    def _named(self, company: Company, *, long_name: bool) -> Row:
        """Names and internet addresses, of a company or (rarely) of a person."""
        if not long_name and self._chance(PERSONS):
            who = person(self.random)
            return {
                "isperson": True,
                "altname": who.name,
                "companyname": None,
                "salutation": who.salutation,
                "firstname": who.first,
                "middlename": who.middle,
                "lastname": who.last,
                "email": email(who.name, "post"),
                "url": None,
                "category": reference_data.INDIVIDUAL,
            }
        name = lengthened(company.name) if long_name else company.name[:NAME_LIMIT]
        return {
            "isperson": False,
            "altname": name,
            "companyname": name,
            "salutation": None,
            "firstname": None,
            "middlename": None,
            "lastname": None,
            "email": email("office", name) if self._chance(0.85) else None,
            "url": company.website[:100] or None,  # NetSuite's url holds 100, netsuite.md §7
            "category": self.random.randrange(1, reference_data.INDIVIDUAL),
        }

    def _classified(self, company: Company, subsidiary: int) -> Row:
        place = self.random.choice(reference_data.LOCATIONS_OF_SUBSIDIARY[subsidiary])
        sector = reference_data.CLASS_OF_SECTOR.get(company.sector)
        return {
            "custentity_department": self.random.choice(reference_data.DEPARTMENTS)[0] if self._chance(0.9) else None,
            "custentity_class": sector if self._chance(0.9) else None,
            "custentity_location": place if self._chance(0.8) else None,
            "custentity_region": reference_data.region_of(subsidiary) if self._chance(0.3) else None,
        }

    def _subsidiaries(self, customer: Row, primary: int) -> None:
        others = [
            number for number, *_ in reference_data.SUBSIDIARIES if number not in {primary, reference_data.ELIMINATION}
        ]
        second = [self.random.choice(others)] if self._chance(SECOND_SUBSIDIARY) else []
        for subsidiary in (primary, *second):
            self.tables["customersubsidiaryrelationship"].append(self.relationship(customer, subsidiary, primary))

    def relationship(self, customer: Row, subsidiary: int, primary: int) -> Row:
        """A customer's place in a subsidiary."""
        return {
            "id": self.ids.take("relationship"),
            "entity": customer["id"],
            "subsidiary": subsidiary,
            "isprimarysub": subsidiary == primary,
            "primarycurrency": customer["currency"],
            "balance": 0.0,
            "name": f"{customer['entityid']} : {reference_data.SUBSIDIARIES[subsidiary - 1][1]}",
            "lastmodifieddate": customer["lastmodifieddate"],
        }

    def _addresses(self, customer: Row, company: Company) -> Row:
        """Fill the address book; the first address is for bills, the last for goods."""
        known = list(places(self.random, company))
        keys = [self.ids.take("address") for _ in known]
        for nkey, place in zip(keys, known, strict=True):
            book = book_row(nkey, customer, place, billing=nkey == keys[0], shipping=nkey == keys[-1])
            self.tables["customeraddressbook"].append(book)
            address = address_row(self.random, nkey, customer, place)
            self.tables["customeraddressbookentityaddress"].append(address)
        return {"defaultbillingaddress": keys[0], "defaultshippingaddress": keys[-1]}


def currency_of(company: Company) -> str:
    """The ISO code of a company's currency; hundredths count as their currency, none is the country's."""
    code = company.currency.strip().upper()
    return HUNDREDTHS.get(code, code) or CURRENCY_OF.get(company.country.strip(), "USD")


def lengthened(name: str) -> str:
    """The name, longer than NetSuite's own limit."""
    tail = " and its Subsidiaries, Branches, Joint Ventures and Affiliated Undertakings in Europe and Overseas"
    return name if len(name) > NAME_LIMIT else name + tail
