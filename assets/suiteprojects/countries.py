"""Country names of SuiteProjects Pro: NetSuite's codes are sent as names, and names are read back as codes.

sent: SE  ->  Sweden        read: sweden  ->  SE

So countries are compared by code, regardless of their spelling. `options: {countries: as_given}` turns this off.

Source: suiteprojects_api.md §8, whose examples have English names. Which names an account accepts is not documented.
"""

from collections.abc import Callable, Mapping

import pycountry

from assets.suiteprojects.encode import Values
from resources.suiteprojects.properties import ADDRESSES
from resources.suiteprojects.xml import Record

SPELLINGS = ("names", "as_given")
FIELDS = tuple(f"{prefix}country" for prefix in ADDRESSES.values())

# sent instead of ISO's name: the common one, in plain letters and natural word order
_COMMON_NAMES = {
    "AX": "Aland Islands", "BL": "Saint Barthelemy", "BN": "Brunei", "CC": "Cocos Islands",
    "CD": "Democratic Republic of the Congo", "CI": "Ivory Coast", "CV": "Cape Verde", "CW": "Curacao",
    "CZ": "Czech Republic", "FK": "Falkland Islands", "FM": "Micronesia", "HM": "Heard and McDonald Islands",
    "MF": "Saint Martin", "MO": "Macau", "PS": "Palestine", "RE": "Reunion", "RU": "Russia", "SH": "Saint Helena",
    "SX": "Sint Maarten", "TL": "East Timor", "TR": "Turkey", "VA": "Vatican City", "VG": "British Virgin Islands",
    "VI": "United States Virgin Islands",
}  # fmt: skip
# read as well, beside ISO's common, short and official names
_ALIASES = {
    "Congo, Democratic Republic of the": "CD", "Cote d'Ivoire": "CI", "Great Britain": "GB", "UK": "GB", "U.K.": "GB",
    "Korea": "KR", "Macedonia": "MK", "Holland": "NL", "The Netherlands": "NL", "Palestinian Territories": "PS",
    "Swaziland": "SZ", "Turkiye": "TR", "USA": "US", "U.S.A.": "US", "U.S.": "US", "Holy See": "VA",
}  # fmt: skip
# ISO 3166-1 alpha-2 code -> name
NAMES: Mapping[str, str] = {
    each.alpha_2: _COMMON_NAMES.get(each.alpha_2, getattr(each, "common_name", each.name))
    for each in pycountry.countries
}
_CODES = {
    **{text.casefold(): each.alpha_2 for each in pycountry.countries for key, text in each if key.endswith("name")},
    **{name.casefold(): code for code, name in NAMES.items()},
    **{alias.casefold(): code for alias, code in _ALIASES.items()},
}


def with_names(values: Values) -> Values:
    """Return values to send, with country names instead of codes."""
    return _replace_countries(values, NAMES.get)


def with_codes(record: Record) -> Record:
    """Return a record of the service, with codes instead of country names; unknown names stay."""
    return _replace_countries(record, lambda name: _CODES.get(name.strip().casefold()))


def _replace_countries(values: Values, replacement: Callable[[str], str | None]) -> Values:
    replaced = {name: new for name in FIELDS if (value := values.get(name)) and (new := replacement(value))}
    return {**values, **replaced}
