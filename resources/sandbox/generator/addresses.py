"""Rows of a customer's address book: one address, or a billing and a shipping address."""

from collections.abc import Iterator
from random import Random
from typing import Any

from resources.sandbox.generator.companies import Company, fill_pattern
from resources.sandbox.generator.geography import CITIES, country_code
from resources.sandbox.generator.people import street

Row = dict[str, Any]

LABEL_LIMIT = 50  # netsuite.md §7
SECOND_ADDRESS_SHARE = 0.25
SECOND_LINE_SHARE = 0.2


def company_sites(random: Random, company: Company) -> Iterator[Company]:
    """Yield the company's own address and, for some companies, a warehouse."""
    yield company
    if random.random() < SECOND_ADDRESS_SHARE:
        other = random.choice(CITIES)
        code = fill_pattern(random, other.zip_pattern)
        yield Company("Warehouse", country=other.country, state=other.state, city=other.name, zipcode=code)


def address_row(random: Random, nkey: int, customer: Row, site: Company) -> Row:
    """Return a row of `customeraddressbookentityaddress`; a gap in the site stays a gap."""
    country = country_code(site.country)
    first = street(random)
    second = "2nd floor" if random.random() < SECOND_LINE_SHARE else None
    addressee = customer["altname"].strip()[:83]
    lines = (addressee, first, second, f"{site.zipcode} {site.city}".strip(), country)
    return {
        "nkey": nkey,
        "recordowner": customer["id"],
        "addressee": addressee,
        "addr1": first,
        "addr2": second,
        "city": site.city or None,
        "state": site.state or None,
        "dropdownstate": site.state if country in {"US", "CA"} and site.state else None,
        "zip": site.zipcode or None,
        "country": country,
        "addrtext": "\r\n".join(filter(None, lines)),
        "override": False,
        "lastmodifieddate": customer["lastmodifieddate"],
    }


def address_book_row(nkey: int, customer: Row, site: Company, *, billing: bool, shipping: bool) -> Row:
    """Return a row of `customeraddressbook`."""
    return {
        "internalid": nkey,
        "entity": customer["id"],
        "label": (site.city or site.name.strip() or "Main")[:LABEL_LIMIT],
        "defaultbilling": billing,
        "defaultshipping": shipping,
        "isresidential": customer["isperson"],
        "addressbookaddress": nkey,
    }
