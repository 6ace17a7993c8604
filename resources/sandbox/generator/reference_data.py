"""Reference data of a NetSuite account: subsidiaries, departments, statuses, currencies.

reference_tables(moment)  ->  {table: rows}, the same in every sandbox
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from resources.sandbox.generator.geography import AMERICAS, ASIA_PACIFIC

Row = dict[str, Any]

SUBSIDIARIES: tuple[tuple[int, str, int | None, str, str], ...] = (
    (1, "Millrace Group, Inc.", None, "US", "USD"),
    (2, "Millrace Canada Ltd.", 1, "CA", "CAD"),
    (3, "Millrace Europe GmbH", 1, "DE", "EUR"),
    (4, "Millrace UK Limited", 3, "GB", "GBP"),
    (5, "Millrace Asia Pte. Ltd.", 1, "SG", "SGD"),
    (6, "Millrace Eliminations", 1, "US", "USD"),
)
ELIMINATION = 6

# (key, name, entity type, probability), numbered as a new NetSuite account numbers them
STATUSES = (
    (1, "Closed", "JOB", 100),
    (2, "In Progress", "JOB", 100),
    (3, "Not Awarded", "JOB", 0),
    (4, "Awarded", "JOB", 100),
    (5, "Pending", "JOB", 50),
    (6, "LEAD-Unqualified", "LEAD", 0),
    (7, "LEAD-Qualified", "LEAD", 10),
    (8, "PROSPECT-In Discussion", "PROSPECT", 30),
    (9, "PROSPECT-Identified Decision Makers", "PROSPECT", 40),
    (10, "PROSPECT-Proposal", "PROSPECT", 50),
    (11, "PROSPECT-In Negotiation", "PROSPECT", 75),
    (12, "PROSPECT-Purchasing", "PROSPECT", 90),
    (13, "CUSTOMER-Closed Won", "CUSTOMER", 100),
    (14, "PROSPECT-Closed Lost", "PROSPECT", 0),
    (15, "CUSTOMER-Renewal", "CUSTOMER", 100),
    (16, "CUSTOMER-Lost Customer", "CUSTOMER", 0),
)
PROJECT_STATUSES = (1, 2, 2, 2, 4, 5)

TERMS = (
    (1, "Net 15", 15, None),
    (2, "Net 30", 30, None),
    (3, "Net 60", 60, None),
    (4, "Due on receipt", 0, None),
    (5, "1% 10 Net 30", 30, 1.0),
)
CATEGORIES = ("Corporate", "Enterprise", "Small Business", "Public Sector", "Non-profit", "Individual")
INDIVIDUAL = 6

CURRENCIES = {
    "USD": "US Dollar", "GBP": "British Pound", "CAD": "Canadian Dollar", "EUR": "Euro",
    "INR": "Indian Rupee", "CNY": "Chinese Yuan", "JPY": "Japanese Yen", "AUD": "Australian Dollar",
    "KRW": "South Korean Won", "HKD": "Hong Kong Dollar", "TWD": "Taiwan Dollar", "THB": "Thai Baht",
    "SEK": "Swedish Krona", "IDR": "Indonesian Rupiah", "MYR": "Malaysian Ringgit",
    "BRL": "Brazilian Real", "SGD": "Singapore Dollar", "ILS": "Israeli Shekel", "TRY": "Turkish Lira",
    "MXN": "Mexican Peso", "DKK": "Danish Krone", "CLP": "Chilean Peso", "NOK": "Norwegian Krone",
    "ZAR": "South African Rand", "CHF": "Swiss Franc", "RUB": "Russian Ruble", "ARS": "Argentine Peso",
    "SAR": "Saudi Riyal", "NZD": "New Zealand Dollar", "QAR": "Qatari Riyal", "HUF": "Hungarian Forint",
    "CZK": "Czech Koruna", "ISK": "Icelandic Krona", "PLN": "Polish Zloty", "KES": "Kenyan Shilling",
    "LKR": "Sri Lankan Rupee",
}  # fmt: skip
CURRENCY_IDS = {symbol: number for number, symbol in enumerate(CURRENCIES, 1)}
WITHOUT_CENTS = {"JPY", "KRW", "CLP", "ISK"}

# hierarchies as (id, name, parent)
Hierarchy = tuple[tuple[int, str, int | None], ...]
DEPARTMENTS: Hierarchy = (
    (1, "Sales", None),
    (2, "Inside Sales", 1),
    (3, "Field Sales", 1),
    (4, "Key Accounts", 3),
    (5, "Services", None),
    (6, "Consulting", 5),
    (7, "Implementation", 6),
    (8, "Support", 5),
    (9, "Marketing", None),
    (10, "Finance & Administration", None),
)
CLASSES: Hierarchy = (
    (1, "Commercial", None),
    (2, "Industrials", 1),
    (3, "Materials", 1),
    (4, "Information Technology", 1),
    (5, "Consumer Discretionary", 1),
    (6, "Consumer Staples", 1),
    (7, "Communication Services", 1),
    (8, "Regulated", None),
    (9, "Financials", 8),
    (10, "Health Care", 8),
    (11, "Energy", 8),
    (12, "Utilities", 8),
    (13, "Real Estate", None),
)
CLASS_OF_SECTOR = {name: number for number, name, _ in CLASSES if number not in {1, 8}}
LOCATIONS: Hierarchy = (
    (1, "Americas", None),
    (2, "New York", 1),
    (3, "Toronto", 1),
    (4, "EMEA", None),
    (5, "Berlin", 4),
    (6, "Berlin Lager Süd", 5),
    (7, "London", 4),
    (8, "Asia Pacific", None),
    (9, "Singapore", 8),
)
LOCATIONS_OF_SUBSIDIARY = {1: (2,), 2: (3,), 3: (5, 6), 4: (7,), 5: (9,)}
SUBSIDIARIES_OF_LOCATION = {1: "1, 2", 2: "1", 3: "2", 4: "3, 4", 5: "3", 6: "3", 7: "4", 8: "5", 9: "5"}
EVERY_SUBSIDIARY = "1, 2, 3, 4, 5"

EMPLOYEES = (
    (21, "Ingrid", "Halvorsen", 3, 3),
    (22, "Marcus", "Bell", 1, 2),
    (23, "Chiara", "Fontana", 3, 4),
    (24, "Desmond", "Achebe", 4, 3),
    (25, "Yuki", "Mori", 5, 3),
    (26, "Priscilla", "Tremblay", 2, 6),
    (27, "Tobias", "Krüger", 3, 7),
    (28, "Leah", "Goldberg", 1, 7),
)
SALES_REPS = (21, 22, 23, 24, 25)
PROJECT_MANAGERS = (26, 27, 28)


def subsidiary_of(country: str | None) -> int:
    """Return the subsidiary that serves a country (ISO code)."""
    served = {"CA": 2, "GB": 4, "IE": 4}
    if country in served:
        return served[country]
    if country is None or country in AMERICAS:
        return 1
    return 5 if country in ASIA_PACIFIC else 3


def region_of(subsidiary: int) -> str:
    """Return the text of `custentity_region`."""
    return {1: "Americas", 2: "Americas", 5: "APAC"}.get(subsidiary, "EMEA")


def reference_tables(moment: datetime) -> dict[str, list[Row]]:
    """Return the rows of every reference table, last modified at `moment`."""
    return {
        "currency": [currency_row(number, symbol, moment) for symbol, number in CURRENCY_IDS.items()],
        "subsidiary": _subsidiaries(moment),
        "department": _hierarchy(DEPARTMENTS, {}, moment),
        "classification": _hierarchy(CLASSES, {}, moment),
        "location": _hierarchy(LOCATIONS, SUBSIDIARIES_OF_LOCATION, moment),
        "entitystatus": [
            {"key": key, "name": name, "entitytype": kind, "probability": probability, "inactive": False}
            for key, name, kind, probability in STATUSES
        ],
        "term": [
            {
                "id": number,
                "name": name,
                "daysuntilnetdue": days,
                "discountpercent": discount,
                **_active(moment),
            }
            for number, name, days, discount in TERMS
        ],
        "customercategory": [
            {"id": number, "name": name, **_active(moment)} for number, name in enumerate(CATEGORIES, 1)
        ],
        "employee": [_employee(*each, moment) for each in EMPLOYEES],
    }


def _active(moment: datetime) -> Row:
    return {"isinactive": False, "lastmodifieddate": moment}


def currency_row(number: int, symbol: str, moment: datetime) -> Row:
    """Return a row of `currency`."""
    return {
        "id": number,
        "name": CURRENCIES.get(symbol, symbol),
        "symbol": symbol,
        "currencyprecision": 0 if symbol in WITHOUT_CENTS else 2,
        "exchangerate": 1.0,
        "isbasecurrency": symbol == "USD",
        **_active(moment),
    }


def _subsidiaries(moment: datetime) -> list[Row]:
    full_names = _full_names((number, name, parent) for number, name, parent, _, _ in SUBSIDIARIES)
    return [
        {
            "id": number,
            "name": name,
            "fullname": full_names[number],
            "legalname": name,
            "parent": parent,
            "country": country,
            "currency": CURRENCY_IDS[currency],
            "iselimination": number == ELIMINATION,
            **_active(moment),
        }
        for number, name, parent, country, currency in SUBSIDIARIES
    ]


def _hierarchy(hierarchy: Hierarchy, subsidiaries: Mapping[int, str], moment: datetime) -> list[Row]:
    full_names = _full_names(hierarchy)
    return [
        {
            "id": number,
            "name": name,
            "fullname": full_names[number],
            "parent": parent,
            "subsidiary": subsidiaries.get(number, EVERY_SUBSIDIARY),
            "includechildren": True,
            **_active(moment),
        }
        for number, name, parent in hierarchy
    ]


def _full_names(hierarchy: Iterable[tuple[int, str, int | None]]) -> dict[int, str]:
    """Return full names such as `Sales : Inside Sales`; parents come before their children."""
    full_names: dict[int, str] = {}
    for number, name, parent in hierarchy:
        full_names[number] = name if parent is None else f"{full_names[parent]} : {name}"
    return full_names


def _employee(number: int, first: str, last: str, subsidiary: int, department: int, moment: datetime) -> Row:
    return {
        "id": number,
        "entityid": f"{first} {last}",
        "firstname": first,
        "lastname": last,
        "email": f"{first}.{last}@millrace.example".lower().replace("ü", "ue"),
        "subsidiary": subsidiary,
        "department": department,
        "datecreated": moment,
        **_active(moment),
    }
