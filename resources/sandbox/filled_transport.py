"""A transport that sends nothing to a sandbox before it was filled.

request  ->  the sandbox's NetSuite, or a CredentialsError with the ways out
"""

from pathlib import Path

import httpx

from resources.errors import CredentialsError
from resources.sandbox.filled import refusal


class FilledSandbox(httpx.BaseTransport):
    """A transport to the sandbox's NetSuite that sends nothing before the sandbox was filled."""

    def __init__(self, folder: Path, transport: httpx.BaseTransport) -> None:
        self._folder, self._transport, self._is_filled = folder, transport, False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, or raise CredentialsError with the reason."""
        if not self._is_filled:
            problem = refusal(self._folder)
            if problem:
                raise CredentialsError("netsuite", "sign in", f"{problem}; {request.method} was not sent")
            self._is_filled = True
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()
