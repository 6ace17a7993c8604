"""Invented people, telephones and streets; every e-mail address ends in .example (RFC 2606)."""

from dataclasses import dataclass
from random import Random

from resources.sandbox.generator.companies import fill_pattern, slug, split_words

_FIRST = split_words(
    "Ada Aiko Álvaro Amir Ana Anders Anna Astrid Bao Björn Carla Chloé Daniel David Dilara Elena Emma "
    "Erik Farah Fatima Felix François Giulia Grace Hanna Hugo Ines Ivan Jan José Julia Jürgen Karin Kofi "
    "Lars Laura Lena Liam Łukasz Mai Maria Mateo Mehmet Mei Nadia Nils Noor Olga Omar Paula Peter Priya "
    "Rafael Renée Rosa Samir Sara Sofia Søren Tariq Tomáš Uma Viktor Wei Yara Yusuf Zoë"
)
_LAST = split_words(
    "Abe Ahmed Almeida Andersen Bauer Becker Berg Bianchi Brown Castro Chen Cohen Costa Dahl Demir Diaz "
    "Dubois Eriksson Fernández Fischer García Haddad Hansen Hoffmann Horváth Ivanova Jansen Jensen "
    "Johansson Jones Kaya Khan Kim Kowalski Kumar Larsen Lefèvre Lindqvist López Martin Mensah Meyer "
    "Moreau Müller Nakamura Nguyen Nielsen Novák Okafor Olsen O'Neill Park Patel Pérez Petrov Ricci Rossi "
    "Sánchez Santos Sato Schmidt Silva Singh Smith Suzuki Svensson Tanaka Virtanen Wagner Walker Wang "
    "Weber Wójcik Yilmaz Zhang"
)
_TITLES = (
    "Accounts Payable",
    "Buyer",
    "CFO",
    "Controller",
    "IT Manager",
    "Managing Director",
    "Project Manager",
)
_STREETS = (
    "Main Street",
    "Station Road",
    "Market Square",
    "Harbour Way",
    "Mill Lane",
    "Hauptstraße",
    "Rue du Port",
)
_SALUTATIONS = ("Mr.", "Ms.", "Dr.", None, None)


@dataclass(frozen=True, slots=True)
class Person:
    """One invented person."""

    salutation: str | None
    first: str
    middle: str | None
    last: str
    title: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


def person(random: Random) -> Person:
    """Return a random person."""
    middle = random.choice("ABCDEJKLMRST") + "." if random.random() < 0.1 else None  # noqa: PLR2004 - one in ten
    return Person(
        random.choice(_SALUTATIONS),
        random.choice(_FIRST),
        middle,
        random.choice(_LAST),
        random.choice(_TITLES),
    )


def email(name: str, company: str) -> str:
    """Return an address in the reserved domain .example, which cannot receive mail."""
    return f"{slug(name).replace('-', '.')}@{slug(company)[:30].strip('-')}.example"


def phone(random: Random) -> str:
    """Return a telephone number from the ranges reserved for fiction, within NetSuite's 21 characters."""
    return fill_pattern(random, random.choice(("+1 ### 555 01##", "(###) 555-01##", "+44 1632 960###")))


def street(random: Random) -> str:
    """Return a street and number."""
    return f"{random.randrange(1, 400)} {random.choice(_STREETS)}"
