"""One sandbox: three simulated systems, one clock, one folder of SQLite files.

Sandbox(folder)  ->  .transport("netsuite" | "suiteprojects" | "precoro")  ->  an httpx transport for any client
"""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import httpx

from resources.clock import Clock
from resources.sandbox.credentials import Credentials, folder_credentials
from resources.sandbox.faults import FaultInjector, Faults
from resources.sandbox.folder_clock import folder_clock
from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.precoro.server import PrecoroSandbox
from resources.sandbox.suiteprojects.server import SuiteProjectsSandbox
from resources.sandbox.switches import SwitchBoard
from resources.sandbox.transport import SandboxTransport, System

SystemName = Literal["netsuite", "suiteprojects", "precoro"]
SYSTEMS: tuple[SystemName, ...] = ("netsuite", "suiteprojects", "precoro")

BASE_URLS = {
    "netsuite": "https://1234567-sb1.suitetalk.api.netsuite.com",
    "suiteprojects": "https://millpond.app.netsuitesuiteprojectspro.com",
    "precoro": "https://api.precoro.com",
}


class Sandbox:
    """The three simulated systems of one folder; safe for any number of threads and processes."""

    def __init__(self, folder: Path, *, clock: Clock | None = None, jumps: bool = True) -> None:
        """Open or create the folder.

        Args:
            folder: The folder of the state files.
            clock: A clock to use instead of the folder's own.
            jumps: For a new folder: a waiting client advances the clock instead of waiting.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.clock = clock or folder_clock(folder, jumps=jumps)
        self.switches = SwitchBoard(folder / "switches.json")
        self.faults = Faults(folder / "faults.sqlite")

    @cached_property
    def credentials(self) -> Credentials:
        """The folder's credentials, `{system: {name: value}}`."""
        return folder_credentials(self.folder)

    def settings(self, name: SystemName) -> dict[str, Any]:
        """Return the constructor arguments of one simulated system."""
        return {
            "path": self.folder / f"{name}.sqlite",
            "clock": self.clock,
            "switches": self.switches,
            "credentials": self.credentials[name],
        }

    @cached_property
    def netsuite(self) -> NetSuiteSandbox:
        """The simulated NetSuite account."""
        return NetSuiteSandbox(**self.settings("netsuite"))

    @cached_property
    def suiteprojects(self) -> SuiteProjectsSandbox:
        """The simulated SuiteProjects Pro account."""
        return SuiteProjectsSandbox(**self.settings("suiteprojects"))

    @cached_property
    def precoro(self) -> PrecoroSandbox:
        """The simulated Precoro."""
        return PrecoroSandbox(**self.settings("precoro"))

    def system(self, name: SystemName) -> System:
        """Return one simulated system with its planned faults."""
        system: System = getattr(self, name)
        return FaultInjector(name, system, self.faults)

    def transport(self, name: SystemName) -> httpx.BaseTransport:
        """Return an httpx transport that reaches one simulated system without a port."""
        return SandboxTransport(self.system(name))
