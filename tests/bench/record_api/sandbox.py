"""A sandbox whose NetSuite also serves the REST record API.

RecordApiSandbox(folder, RecordApiOptions(after="midnight"))  ->  .transport("netsuite"), .system("netsuite")
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.transport import Request, Response
from tests.bench.record_api.records import BASE, RecordApi, RecordApiOptions


class NetSuiteWithRecords(NetSuiteSandbox):
    """A simulated NetSuite account with the record API."""

    def __init__(self, *, options: RecordApiOptions, **settings: Any) -> None:
        super().__init__(**settings)
        self._records = RecordApi(self.store, options)

    def route(self, request: Request, switches: NetSuiteSwitches) -> Response:
        """Route record paths to the record API, the metadata catalog excepted."""
        path = request.path.removeprefix(f"{BASE}/")
        if path == request.path or path.startswith("metadata-catalog"):
            return super().route(request, switches)
        return self._records.handle(request, path.strip("/"), switches)


class RecordApiSandbox(Sandbox):
    """A sandbox with the record API; `options` may be changed at any time."""

    def __init__(self, folder: Path, options: RecordApiOptions | None = None) -> None:
        super().__init__(folder)
        self.options = options or RecordApiOptions()

    @cached_property
    def netsuite(self) -> NetSuiteSandbox:
        """The simulated NetSuite account with the record API."""
        return NetSuiteWithRecords(options=self.options, **self.settings("netsuite"))
