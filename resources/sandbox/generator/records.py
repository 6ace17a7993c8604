"""Plausible rows of NetSuite's customers, projects and contacts, with their addresses and subsidiaries.

RecordFactory(random, …).customer(company, …)  ->  rows in `.tables`, for `NetSuiteSandbox.insert`
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from resources.sandbox.generator import reference_data
from resources.sandbox.generator.addresses import address_book_row, address_row, company_sites
from resources.sandbox.generator.companies import HUNDREDTHS, Company
from resources.sandbox.generator.geography import CURRENCY_OF, country_code
from resources.sandbox.generator.people import email, person, phone

Row = dict[str, Any]

NAME_LIMIT = 83  # characters of customer.companyname, netsuite.md §7
PERSON_SHARE = 0.08
INACTIVE_SHARE = 0.03
SECOND_SUBSIDIARY_SHARE = 0.1
MASS_UPDATE_SHARE = 0.05
STATUS_OF_STAGE = {"Lead": (6, 7, 7), "Prospect": (8, 9, 10, 11, 12, 14), "Customer": (13, 13, 13, 15, 16)}
EXPORT_SHARES = {"Customer": 0.8, "Prospect": 0.5, "Lead": 0.5}
PROJECT_NAMES = (
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
    """The next id of each sequence; customers, projects and contacts share the sequence `entity`."""

    entity: int = 1001
    relationship: int = 1
    address: int = 1

    def take(self, sequence: str) -> int:
        """Return the next id of a sequence."""
        taken: int = getattr(self, sequence)
        setattr(self, sequence, taken + 1)
        return taken


@dataclass
class RecordFactory:
    """Creates records from one random generator; the rows are collected in `tables`."""

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
        """Create a customer, lead or prospect with its addresses and subsidiaries."""
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
            "isinactive": self._chance(INACTIVE_SHARE),
            **dict.fromkeys(("duplicate", "weblead", "unsubscribe", "oncredithold"), False),
            "custentity_oa_export_to_openair": self._chance(EXPORT_SHARES[stage]),
            **self._classified(company, subsidiary),
            **self._dated(created),
        }
        row["entitytitle"] = f"{row['entityid']} {row['altname']}"
        row |= self._addresses(row, company)
        self._subsidiaries(row, subsidiary)
        self.tables["customer"].append(row)
        return row

    def project(self, customer: Row, created: datetime, parent: int | None = None) -> Row:
        """Create a project; with `parent` a sub-project of that project."""
        number = self.ids.take("entity")
        begins = created.replace(hour=0, minute=0, second=0)
        name = f"{self.random.choice(PROJECT_NAMES)} {created.year}" + (f" phase {number % 9 + 1}" if parent else "")
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
            "isinactive": self._chance(INACTIVE_SHARE),
            "custentity_oa_export_to_openair": self._chance(0.8),
            "custentity_department": self.random.choice(reference_data.DEPARTMENTS)[0] if self._chance(0.9) else None,
            "custentity_class": customer["custentity_class"],
            "custentity_location": customer["custentity_location"],
            **self._dated(created),
        }
        self.tables["job"].append(row)
        return row

    def contact(self, customer: Row, subsidiary: int, created: datetime) -> Row:
        """Create a contact of a customer."""
        number = self.ids.take("entity")
        someone = person(self.random)
        row = {
            "id": number,
            "entityid": someone.name,
            "entitytitle": someone.name,
            "salutation": someone.salutation,
            "firstname": someone.first,
            "middlename": someone.middle,
            "lastname": someone.last,
            "title": someone.title,
            "email": email(someone.name, customer["altname"]),
            "phone": phone(self.random) if self._chance(0.7) else None,
            "mobilephone": phone(self.random) if self._chance(0.4) else None,
            "company": customer["id"],
            "subsidiary": subsidiary,
            "isinactive": self._chance(INACTIVE_SHARE),
            **self._dated(created),
        }
        self.tables["contact"].append(row)
        return row

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _dated(self, created: datetime) -> Row:
        """Return creation and modification times; some share the second of a mass update, as in real accounts."""
        modified = (created + (self.now - created) * self.random.random()).replace(microsecond=0)
        mass_update = self.now - timedelta(days=40)
        if created < mass_update and self._chance(MASS_UPDATE_SHARE):
            modified = mass_update
        return {"datecreated": created, "lastmodifieddate": modified}

    def _named(self, company: Company, *, long_name: bool) -> Row:
        """Return the names, email and website of a company or, rarely, of a person."""
        if not long_name and self._chance(PERSON_SHARE):
            someone = person(self.random)
            return {
                "isperson": True,
                "altname": someone.name,
                "companyname": None,
                "salutation": someone.salutation,
                "firstname": someone.first,
                "middlename": someone.middle,
                "lastname": someone.last,
                "email": email(someone.name, "post"),
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
            "url": company.website[:100] or None,  # NetSuite's url has 100 characters, netsuite.md §7
            "category": self.random.randrange(1, reference_data.INDIVIDUAL),
        }

    def _classified(self, company: Company, subsidiary: int) -> Row:
        location = self.random.choice(reference_data.LOCATIONS_OF_SUBSIDIARY[subsidiary])
        sector = reference_data.CLASS_OF_SECTOR.get(company.sector)
        return {
            "custentity_department": self.random.choice(reference_data.DEPARTMENTS)[0] if self._chance(0.9) else None,
            "custentity_class": sector if self._chance(0.9) else None,
            "custentity_location": location if self._chance(0.8) else None,
            "custentity_region": reference_data.region_of(subsidiary) if self._chance(0.3) else None,
        }

    def _subsidiaries(self, customer: Row, primary: int) -> None:
        others = [
            number for number, *_ in reference_data.SUBSIDIARIES if number not in {primary, reference_data.ELIMINATION}
        ]
        second = [self.random.choice(others)] if self._chance(SECOND_SUBSIDIARY_SHARE) else []
        for subsidiary in (primary, *second):
            self.tables["customersubsidiaryrelationship"].append(self.relationship(customer, subsidiary, primary))

    def relationship(self, customer: Row, subsidiary: int, primary: int) -> Row:
        """Create a customer's relationship with a subsidiary."""
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
        """Create the address book; the first address is for billing, the last for shipping."""
        sites = list(company_sites(self.random, company))
        keys = [self.ids.take("address") for _ in sites]
        for nkey, site in zip(keys, sites, strict=True):
            book = address_book_row(nkey, customer, site, billing=nkey == keys[0], shipping=nkey == keys[-1])
            self.tables["customeraddressbook"].append(book)
            address = address_row(self.random, nkey, customer, site)
            self.tables["customeraddressbookentityaddress"].append(address)
        return {"defaultbillingaddress": keys[0], "defaultshippingaddress": keys[-1]}


def currency_of(company: Company) -> str:
    """Return the ISO code of a company's currency, by default its country's."""
    code = company.currency.strip().upper()
    return HUNDREDTHS.get(code, code) or CURRENCY_OF.get(company.country.strip(), "USD")


def lengthened(name: str) -> str:
    """Return the name, extended beyond NetSuite's own limit."""
    tail = " and its Subsidiaries, Branches, Joint Ventures and Affiliated Undertakings in Europe and Overseas"
    return name if len(name) > NAME_LIMIT else name + tail
