"""Companies for the generated records: read from a CSV without cleaning, or invented.

companies(random, path, count)  ->  `count` companies: the file's in seeded order, then invented ones
"""

import csv
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import chain, islice
from pathlib import Path
from random import Random

from resources.sandbox.generator.geography import CITIES, City

GZIP = b"\x1f\x8b"

# codes for hundredths of a currency, as stock exchanges use them; NetSuite has only the currency
HUNDREDTHS = {"ILA": "ILS", "ZAC": "ZAR", "GBX": "GBP"}

SECTORS = (
    "Industrials",
    "Materials",
    "Information Technology",
    "Consumer Discretionary",
    "Financials",
    "Health Care",
    "Real Estate",
    "Consumer Staples",
    "Communication Services",
    "Energy",
    "Utilities",
)


def split_words(text: str) -> tuple[str, ...]:
    """Split a line into its words."""
    return tuple(text.split())


_ONSETS = split_words(
    "Ald Arv Bel Bor Cal Cor Dal Dor Elm Eri Fal Fen Gal Gor Hal Hel Ish Jor Kal Kes Lan Lor Mal Mer Nor "
    "Nav Orl Pel Quin Ras Rov Sal Sol Tal Tor Ulv Val Ver Wal Yor Zan Zel Ström Øst Šar Çel Ñan Æg Über "
    "Éto Łuk"
)
_CODAS = split_words(
    "a ara aro avia den dex dian ema eon era eta ian ica ida idge ion ira ista ium iva ix mar mont ona or "
    "ora os ova via wick wyn ys ø é"
)
_TRADES = split_words(
    "Analytics Biotech Brewing Capital Chemicals Components Construction Consulting Design Electronics "
    "Energy Engineering Foods Freight Gaming Glass Health Holdings Hotels Insurance Instruments Labs "
    "Logistics Machinery Marine Media Metals Mining Mobility Motors Networks Optics Packaging Paper "
    "Pharma Plastics Power Properties Rail Retail Robotics Security Semiconductors Shipping Software "
    "Solar Steel Systems Telecom Textiles Timber Tools Transport Travel Ventures Water Wind"
)


@dataclass(frozen=True, slots=True)
class Company:
    """One company; fields keep the blanks, unusual codes and gaps of the source."""

    name: str
    country: str = ""
    state: str = ""
    city: str = ""
    zipcode: str = ""
    website: str = ""
    currency: str = ""
    sector: str = ""
    industry: str = ""


COLUMNS = tuple(each.name for each in fields(Company))


def companies(random: Random, path: Path | None, count: int) -> list[Company]:
    """Return companies with distinct names; the same seed gives the same list on any machine.

    Raises:
        ValueError: The file has no column `name`.
    """
    known = read_companies(path) if path else []
    random.shuffle(known)
    return list(islice(chain(known, invent(random, {each.name.strip() for each in known[:count]})), count))


def read_companies(path: Path) -> list[Company]:
    """Return the rows of a CSV (plain or .gz) that have a name; missing columns are empty.

    Raises:
        ValueError: The file is no CSV in UTF-8, has no column `name`, or no name in it.
    """
    content = path.read_bytes()
    try:
        text = (gzip.decompress(content) if content[:2] == GZIP else content).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        names, given = reader.fieldnames or [], list(reader)
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error, csv.Error) as error:
        raise ValueError(f"{path.name} is no CSV in UTF-8: {error}; save it as one") from error
    if "name" not in names:
        raise ValueError(f"{path.name} has no column 'name'; companies have {', '.join(COLUMNS)}")
    rows = ({column: row.get(column) or "" for column in COLUMNS} for row in given)
    found = [Company(**row) for row in rows if row["name"].strip()]
    if not found:
        raise ValueError(f"{path.name} has no company: its column 'name' is blank in every row")
    return found


def invent(random: Random, taken: set[str]) -> Iterator[Company]:
    """Yield plausible companies without end; no name is taken or repeated."""
    seen = set(taken)
    while True:
        city = random.choice(CITIES)
        trade = random.choice(_TRADES)
        stem = random.choice(_ONSETS) + random.choice(_CODAS)
        name = f"{stem} {trade} {random.choice(city.legal_forms)}"
        if name in seen:
            number = random.randrange(10, 9999)
            name = f"{stem} {trade} of {city.name} {number} {random.choice(city.legal_forms)}"
        if name in seen:
            continue
        seen.add(name)
        yield _invented(random, name, city, trade)


def _invented(random: Random, name: str, city: City, trade: str) -> Company:
    complete = random.random() < 0.8  # noqa: PLR2004 - one in five has a gap
    return Company(
        name=f" {name}" if random.random() < 0.002 else name,  # noqa: PLR2004 - leading blanks occur
        country=city.country,
        state=city.state,
        city=city.name if complete else "",
        zipcode=fill_pattern(random, city.zip_pattern) if complete else "",
        website=f"https://www.{slug(name)}.example" if random.random() < 0.85 else "",  # noqa: PLR2004 - some have none
        currency=city.currency,
        sector=random.choice(SECTORS),
        industry=trade,
    )


def fill_pattern(random: Random, pattern: str) -> str:
    """Replace each # of a pattern by a digit and each @ by a capital letter."""
    choices = {"#": "0123456789", "@": "ABCDEFGHJKLMNPRSTUVWXY"}
    return "".join(random.choice(choices[each]) if each in choices else each for each in pattern)


def slug(name: str) -> str:
    """Return a name as part of a domain: ASCII letters, digits, hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "company"
