"""Descriptions of record types and properties of the SuiteProjects Pro API.

Names are flat, as in SOAP: the city of a customer's address is `addr_city`, of the billing address `billing_addr_city`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

# element of an address -> prefix of its flat names
ADDRESSES = {"addr": "addr_", "billingaddr": "billing_addr_", "contactaddr": "contact_addr_"}

ADDRESS_PARTS = {
    "addr1": "street, first line",
    "addr2": "street, second line",
    "addr3": "street, third line",
    "addr4": "street, fourth line",
    "city": "city",
    "state": "state or province",
    "zip": "postal code",
    "country": "country",
    "email": "email",
    "phone": "phone",
    "mobile": "mobile phone",
    "fax": "fax",
    "salutation": "salutation",
    "first": "first name",
    "middle": "middle name",
    "last": "last name",
    "contact_id": "contact of the address",
}


@dataclass(frozen=True, slots=True)
class Property:
    """One property.

    Attributes:
        kind: text, boolean, number, date, timestamp or ids (a comma-separated list).
        computed: The service sets it; writing it has no effect.
        refers: Record type whose id it contains.
    """

    name: str
    description: str = ""
    kind: str = "text"
    computed: bool = False
    refers: str = ""


@dataclass(frozen=True)
class RecordType:
    """One record type of the XML API.

    Attributes:
        name: Name in commands.
        association: Name in custom field definitions and in hierarchies.
        properties: By flat name, without the parts of addresses.
    """

    name: str
    association: str
    properties: Mapping[str, Property]
    addresses: tuple[str, ...] = ()
    commands: frozenset[str] = frozenset({"Read", "Add", "Modify", "Delete"})

    @cached_property
    def flat(self) -> dict[str, Property]:
        """Every property by its flat name, address parts included."""
        parts = {
            f"{ADDRESSES[address]}{part}": Property(f"{ADDRESSES[address]}{part}", f"{label} ({address})")
            for address in self.addresses
            for part, label in ADDRESS_PARTS.items()
        }
        return {**self.properties, **parts}
