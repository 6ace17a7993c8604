"""One sandbox: three stand-ins, one clock, one folder of SQLite files.

Sandbox(folder)  ->  .transport("netsuite" | "suiteprojects" | "precoro")  ->  an httpx transport for any client
"""

import json
import os
import secrets
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from resources.clock import Clock, SharedClock
from resources.sandbox.faults import Faults, Faulty
from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.precoro.server import PrecoroSandbox
from resources.sandbox.suiteprojects.server import SuiteProjectsSandbox
from resources.sandbox.switches import SwitchBoard
from resources.sandbox.transport import SandboxTransport, System

SystemName = Literal["netsuite", "suiteprojects", "precoro"]
SYSTEMS: tuple[SystemName, ...] = ("netsuite", "suiteprojects", "precoro")

# where the sandbox's time begins: a Monday morning, so that "Monday's update" is near
BEGINS = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)

BASE_URLS = {
    "netsuite": "https://1234567-sb1.suitetalk.api.netsuite.com",
    "suiteprojects": "https://millpond.app.netsuitesuiteprojectspro.com",
    "precoro": "https://api.precoro.com",
}


class Sandbox:
    """The three stand-ins over one folder; safe for any number of threads and processes."""

    def __init__(self, folder: Path, *, clock: Clock | None = None, jumps: bool = True) -> None:
        """Open or create the folder.

        Args:
            folder: Where the state lives.
            clock: A clock to use instead of the folder's own.
            jumps: For a new folder: a waiting client puts the clock forward instead of waiting.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.clock = clock or SharedClock(folder / "clock.sqlite", start=BEGINS, jumps=jumps)
        self.switches = SwitchBoard(folder / "switches.json")
        self.faults = Faults(folder / "faults.sqlite")

    @cached_property
    def credentials(self) -> dict[str, dict[str, Any]]:
        """Keys made for this folder alone: `{system: {name: value}}`."""
        path = self.folder / "credentials.json"
        if not path.exists():
            _write_private(path, json.dumps(_new_credentials(self.folder), indent=1))
        kept: dict[str, dict[str, Any]] = json.loads(path.read_text())
        return kept

    @cached_property
    def netsuite(self) -> NetSuiteSandbox:
        """NetSuite's stand-in."""
        return NetSuiteSandbox(
            self.folder / "netsuite.sqlite",
            clock=self.clock,
            switches=self.switches,
            credentials=self.credentials["netsuite"],
        )

    @cached_property
    def suiteprojects(self) -> SuiteProjectsSandbox:
        """SuiteProjects Pro's stand-in."""
        return SuiteProjectsSandbox(
            self.folder / "suiteprojects.sqlite",
            clock=self.clock,
            switches=self.switches,
            credentials=self.credentials["suiteprojects"],
        )

    @cached_property
    def precoro(self) -> PrecoroSandbox:
        """Precoro's stand-in."""
        return PrecoroSandbox(
            self.folder / "precoro.sqlite",
            clock=self.clock,
            switches=self.switches,
            credentials=self.credentials["precoro"],
        )

    def system(self, name: SystemName) -> System:
        """One stand-in, with its planned faults."""
        systems: dict[SystemName, System] = {
            "netsuite": self.netsuite,
            "suiteprojects": self.suiteprojects,
            "precoro": self.precoro,
        }
        return Faulty(name, systems[name], self.faults)

    def transport(self, name: SystemName) -> httpx.BaseTransport:
        """A transport for httpx that reaches one stand-in without a port."""
        return SandboxTransport(self.system(name))


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; another process that was first wins."""
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()


def _new_credentials(folder: Path) -> dict[str, dict[str, Any]]:
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file = folder / "netsuite_private_key.pem"
    _write_private(key_file, pem.decode())
    key = serialization.load_pem_private_key(
        key_file.read_bytes(), password=None
    )  # another process may have been first
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    return {
        "netsuite": {
            "account": "1234567_SB1",
            "consumer_key": secrets.token_hex(32),
            "consumer_secret": secrets.token_hex(32),
            "token_id": secrets.token_hex(32),
            "token_secret": secrets.token_hex(32),
            "client_id": secrets.token_hex(32),
            "certificate_id": secrets.token_urlsafe(32),
            "private_key_file": str(key_file),
            "public_key": public,
        },
        "suiteprojects": {
            "company": "millpond",
            "user": "integration",
            "password": secrets.token_urlsafe(18),
            "namespace": "default",
            "key": secrets.token_hex(10).upper(),
            "access_token": secrets.token_urlsafe(32),
            "refresh_token": secrets.token_urlsafe(32),
            "client_id": secrets.token_hex(16),
            "client_secret": secrets.token_hex(32),
        },
        "precoro": {
            "token": secrets.token_hex(24),
            "email": "integration@example.com",
            "item_custom_field_id": 5144,
        },
    }
