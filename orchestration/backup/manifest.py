"""The manifest of a backup: what is in it, of which account, from when.

parts, ledger  ->  Manifest  ->  manifest.json, the first member of the archive  ->  Manifest.parse()
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import duckdb
from pydantic import Field, TypeAdapter

from assets.delivery.ledger.sequence import POSITIONS, last_position
from orchestration.backup.errors import BackupError
from resources.account import Account
from resources.warehouse.bindings import NETSUITE, TABLE
from resources.warehouse.connection import connect
from resources.warehouse.schema_version import read_version
from resources.warehouse.tables import has_table, literal

NAME, FORMAT = "manifest.json", 1
MAX_VERSION = 40  # characters of what calls itself a version
Whole = Annotated[int, Field(ge=0, lt=2**63)]


@dataclass(frozen=True)
class Member:
    """A file of the archive: path below the home, bytes, SHA-256."""

    path: str
    size: Whole
    sha256: str


@dataclass(frozen=True)
class AccountFacts:
    """One account's warehouse in a backup.

    Attributes:
        name: The account's name; blank for the only one.
        schema_version: Schema of the warehouse; None without one.
        bindings: The accounts it belongs to: NetSuite's, and each workflow's.
        position: Newest place in the ledger's sequence.
        last_run_at: Time of the newest run, UTC.
    """

    name: str
    schema_version: int | None = None
    bindings: Mapping[str, Account] = field(default_factory=dict)
    position: Whole = 0
    last_run_at: str | None = None

    @property
    def netsuite(self) -> Account:
        """The NetSuite account; empty if nothing was read yet."""
        return self.bindings.get(NETSUITE, {})


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json."""

    millpond: str
    made_at: str
    mode: str
    accounts: Sequence[AccountFacts]
    members: Sequence[Member]
    left_out: Sequence[str] = ()
    format: int = FORMAT

    @property
    def made(self) -> datetime:
        """When the backup was made, UTC."""
        return datetime.fromisoformat(self.made_at)

    @property
    def text(self) -> str:
        """The manifest as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """Return the manifest of an archive; BackupError if it is not one, or of a newer format."""
        try:
            given: dict[str, Any] = TypeAdapter(dict[str, Any]).validate_json(content)
            newer = str(given["millpond"])[:MAX_VERSION] if given["format"] > FORMAT else ""
            manifest = None if newer else TypeAdapter(cls).validate_python(given)
            has_zone = manifest is not None and manifest.made.tzinfo is not None
        except (ValueError, TypeError, KeyError) as error:
            raise BackupError(f"{NAME} is damaged") from error
        if manifest is None:
            raise BackupError(f"made by Millpond {newer}, whose format is newer; install that version")
        if has_zone:
            raise BackupError(f"{NAME} is damaged: its time has a zone")
        return manifest


def facts_of(name: str, file: Path) -> AccountFacts:
    """Return what a copy of a warehouse's file says about itself; duckdb.Error if it cannot be opened."""
    if not file.exists():
        return AccountFacts(name)
    with connect() as con:
        con.execute(f"attach {literal(str(file))} as copy (read_only)")
        con.execute("use copy")
        bound = con.execute(f"select name, account from {TABLE}").fetchall() if has_table(con, TABLE) else []
        return AccountFacts(name, read_version(con), {row[0]: json.loads(row[1]) for row in bound}, *_ledger_facts(con))


def _ledger_facts(con: duckdb.DuckDBPyConnection) -> tuple[int, str | None]:
    if not all(has_table(con, table) for table, _ in POSITIONS):
        return 0, None
    newest = con.execute("select max(coalesce(finished_at, started_at)) from sync_runs").fetchall()[0][0]
    return last_position(con), newest.isoformat(" ", "seconds") if newest else None
