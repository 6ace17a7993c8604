"""Countries and cities: ISO codes of country names, and cities for invented companies."""

from dataclasses import dataclass

# country names of the companies CSV -> ISO 3166-1 alpha-2, the format of NetSuite's `country`
COUNTRY_CODES = {
    "Anguilla": "AI", "Argentina": "AR", "Australia": "AU", "Austria": "AT", "Azerbaijan": "AZ",
    "Bahamas": "BS", "Bangladesh": "BD", "Barbados": "BB", "Belgium": "BE", "Bermuda": "BM",
    "Brazil": "BR", "British Virgin Islands": "VG", "Bulgaria": "BG", "Cambodia": "KH", "Canada": "CA",
    "Cayman Islands": "KY", "Chile": "CL", "China": "CN", "Colombia": "CO", "Costa Rica": "CR",
    "Cyprus": "CY", "Czech Republic": "CZ", "Denmark": "DK", "Egypt": "EG", "Estonia": "EE",
    "Falkland Islands": "FK", "Finland": "FI", "France": "FR", "French Guiana": "GF", "Gabon": "GA",
    "Germany": "DE", "Gibraltar": "GI", "Greece": "GR", "Greenland": "GL", "Guernsey": "GG",
    "Hong Kong": "HK", "Hungary": "HU", "Iceland": "IS", "India": "IN", "Indonesia": "ID",
    "Ireland": "IE", "Isle of Man": "IM", "Israel": "IL", "Italy": "IT", "Ivory Coast": "CI",
    "Japan": "JP", "Jersey": "JE", "Jordan": "JO", "Kazakhstan": "KZ", "Kenya": "KE", "Kuwait": "KW",
    "Kyrgyzstan": "KG", "Latvia": "LV", "Lithuania": "LT", "Luxembourg": "LU", "Macau": "MO",
    "Macedonia": "MK", "Malaysia": "MY", "Malta": "MT", "Marshall Islands": "MH", "Mauritius": "MU",
    "Mexico": "MX", "Monaco": "MC", "Mongolia": "MN", "Morocco": "MA", "Mozambique": "MZ",
    "Myanmar": "MM", "Netherlands": "NL", "Netherlands Antilles": "CW", "New Zealand": "NZ",
    "Nigeria": "NG", "Norway": "NO", "Panama": "PA", "Papua New Guinea": "PG", "Peru": "PE",
    "Philippines": "PH", "Poland": "PL", "Portugal": "PT", "Puerto Rico": "PR", "Qatar": "QA",
    "Romania": "RO", "Russia": "RU", "Saudi Arabia": "SA", "Singapore": "SG", "Slovakia": "SK",
    "Slovenia": "SI", "South Africa": "ZA", "South Korea": "KR", "Spain": "ES", "Sweden": "SE",
    "Switzerland": "CH", "Taiwan": "TW", "Thailand": "TH", "Turkey": "TR", "Ukraine": "UA",
    "United Arab Emirates": "AE", "United Kingdom": "GB", "United States": "US", "Uruguay": "UY",
    "Vietnam": "VN", "Zambia": "ZM",
}  # fmt: skip

_AMERICAS = "AI AR BB BM BR BS CA CL CO CR CW FK GF KY MX PA PE PR US UY VG"
_ASIA_PACIFIC = "AU BD CN HK ID IN JP KG KH KR KZ MH MM MN MO MY NZ PG PH SG TH TW VN"
AMERICAS = frozenset(_AMERICAS.split())
ASIA_PACIFIC = frozenset(_ASIA_PACIFIC.split())


def country_code(name: str) -> str | None:
    """Return the ISO code of a country name or code; None if unknown."""
    text = name.strip()
    return text if len(text) == 2 and text.isupper() else COUNTRY_CODES.get(text)  # noqa: PLR2004 - ISO alpha-2


@dataclass(frozen=True)
class City:
    """A city for invented companies; in `zip_pattern` # is a digit and @ a capital letter."""

    name: str
    state: str
    country: str
    zip_pattern: str
    currency: str
    legal_forms: tuple[str, ...]


_US = ("Inc.", "LLC", "Corporation", "Co.")
_CA = ("Inc.", "Ltd.", "Corp.")
_GB = ("Ltd", "Limited", "plc", "LLP")
_DE = ("GmbH", "AG", "GmbH & Co. KG", "SE")
_FR = ("SA", "SAS", "SARL")

CITIES = (
    City("New York", "NY", "United States", "100##", "USD", _US),
    City("San José", "CA", "United States", "951##", "USD", _US),
    City("Chicago", "IL", "United States", "606##", "USD", _US),
    City("Austin", "TX", "United States", "787##", "USD", _US),
    City("Boston", "MA", "United States", "021##-####", "USD", _US),
    City("Toronto", "ON", "Canada", "M#@ #@#", "CAD", _CA),
    City("Montréal", "QC", "Canada", "H#@ #@#", "CAD", (*_CA, "ltée")),
    City("Vancouver", "BC", "Canada", "V#@ #@#", "CAD", _CA),
    City("London", "", "United Kingdom", "EC#@ #@@", "GBP", _GB),
    City("Leeds", "", "United Kingdom", "LS# #@@", "GBP", _GB),
    City("Dublin", "", "Ireland", "D## @###", "EUR", ("Ltd", "DAC", "plc")),
    City("Berlin", "", "Germany", "10###", "EUR", _DE),
    City("München", "", "Germany", "80###", "EUR", _DE),
    City("Zürich", "", "Switzerland", "80##", "CHF", ("AG", "GmbH", "SA")),
    City("Paris", "", "France", "750##", "EUR", _FR),
    City("Saint-Étienne", "", "France", "420##", "EUR", _FR),
    City("Stockholm", "", "Sweden", "11# ##", "SEK", ("AB", "AB (publ)")),
    City("København", "", "Denmark", "1###", "DKK", ("A/S", "ApS")),
    City("Oslo", "", "Norway", "0###", "NOK", ("AS", "ASA")),
    City("Helsinki", "", "Finland", "00###", "EUR", ("Oy", "Oyj")),
    City("Amsterdam", "", "Netherlands", "10## @@", "EUR", ("B.V.", "N.V.")),
    City("Madrid", "", "Spain", "280##", "EUR", ("S.A.", "S.L.")),
    City("Milano", "", "Italy", "201##", "EUR", ("S.p.A.", "S.r.l.")),
    City("Łódź", "", "Poland", "90-###", "PLN", ("Sp. z o.o.", "S.A.")),
    City("São Paulo", "SP", "Brazil", "0####-###", "BRL", ("S.A.", "Ltda.")),
    City("Ciudad de México", "DF", "Mexico", "0####", "MXN", ("S.A. de C.V.",)),
    City("Sydney", "NSW", "Australia", "20##", "AUD", ("Pty Ltd", "Limited")),
    City("Melbourne", "VIC", "Australia", "30##", "AUD", ("Pty Ltd", "Limited")),
    City("Auckland", "", "New Zealand", "10##", "NZD", ("Limited",)),
    City("Singapore", "", "Singapore", "0#####", "SGD", ("Pte. Ltd.",)),
    City("Mumbai", "MH", "India", "4000##", "INR", ("Private Limited", "Limited")),
    City("東京", "", "Japan", "10#-####", "JPY", ("K.K.", "株式会社")),
    City("İstanbul", "", "Turkey", "34###", "TRY", ("A.Ş.", "Ltd. Şti.")),
    City("Cape Town", "", "South Africa", "80##", "ZAR", ("(Pty) Ltd",)),
)

# currency of a country, for companies without one
CURRENCY_OF = {city.country: city.currency for city in CITIES} | {
    "China": "CNY", "South Korea": "KRW", "Taiwan": "TWD", "Hong Kong": "HKD", "Thailand": "THB",
    "Indonesia": "IDR", "Israel": "ILS", "Malaysia": "MYR", "Chile": "CLP", "Germany": "EUR",
    "Belgium": "EUR", "Austria": "EUR", "Greece": "EUR", "Portugal": "EUR", "Luxembourg": "EUR",
    "Saudi Arabia": "SAR", "Czech Republic": "CZK", "Hungary": "HUF", "Iceland": "ISK", "Kenya": "KES",
    "Qatar": "QAR", "Argentina": "ARS",
}  # fmt: skip
