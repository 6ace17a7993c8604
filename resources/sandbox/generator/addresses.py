"""A customer's address book: one address, or one for bills and one for goods."""

from collections.abc import Iterator
from random import Random
from typing import Any

from resources.sandbox.generator.companies import Company, filled
from resources.sandbox.generator.geography import CITIES, country_code
from resources.sandbox.generator.people import street

Row = dict[str, Any]

LABEL_LIMIT = 50  # netsuite.md §7
SECOND_ADDRESS = 0.25
SECOND_LINE = 0.2


def places(random: Random, company: Company) -> Iterator[Company]:
    """Where the company is, and perhaps where its goods go."""
    yield company
    if random.random() < SECOND_ADDRESS:
        other = random.choice(CITIES)
        code = filled(random, other.zip_form)
        yield Company("Warehouse", country=other.country, state=other.state, city=other.name, zipcode=code)


def address_row(random: Random, nkey: int, customer: Row, place: Company) -> Row:
    """A row of `customeraddressbookentityaddress`, with the gaps that the place has."""
    country = country_code(place.country)
    first = street(random)
    second = "2nd floor" if random.random() < SECOND_LINE else None
    addressee = customer["altname"].strip()[:83]
    lines = (addressee, first, second, f"{place.zipcode} {place.city}".strip(), country)
    return {
        "nkey": nkey,
        "recordowner": customer["id"],
        "addressee": addressee,
        "addr1": first,
        "addr2": second,
        "city": place.city or None,
        "state": place.state or None,
        "dropdownstate": place.state if country in {"US", "CA"} and place.state else None,
        "zip": place.zipcode or None,
        "country": country,
        "addrtext": "\r\n".join(filter(None, lines)),
        "override": False,
        "lastmodifieddate": customer["lastmodifieddate"],
    }


def book_row(nkey: int, customer: Row, place: Company, *, billing: bool, shipping: bool) -> Row:
    """A row of `customeraddressbook`."""
    return {
        "internalid": nkey,
        "entity": customer["id"],
        "label": (place.city or place.name.strip() or "Main")[:LABEL_LIMIT],
        "defaultbilling": billing,
        "defaultshipping": shipping,
        "isresidential": customer["isperson"],
        "addressbookaddress": nkey,
    }
