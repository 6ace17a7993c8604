"""A minimal REST client of the simulated NetSuite, independent of ours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from resources.sandbox.sandbox import BASE_URLS, Sandbox

SUITEQL = "/services/rest/query/v1/suiteql"
SetSwitches = Callable[..., None]


@dataclass
class ApiClient:
    """Sends requests with a valid access token."""

    http: httpx.Client

    def post(self, query: str, *params: Any, limit: int = 1000, offset: int = 0) -> httpx.Response:
        """Send a SuiteQL request; return its response."""
        body = {"q": query, "params": list(params)} if params else {"q": query}
        return self.http.post(SUITEQL, params={"limit": limit, "offset": offset}, json=body)

    def rows(self, query: str, *params: Any, limit: int = 1000, offset: int = 0) -> list[dict[str, Any]]:
        """Return the rows of one page without their links."""
        response = self.post(query, *params, limit=limit, offset=offset)
        assert response.status_code == 200, response.headers.get("x-sandbox-reason", response.text)
        return [{key: value for key, value in row.items() if key != "links"} for row in response.json()["items"]]

    def column(self, query: str, *params: Any, limit: int = 1000, offset: int = 0) -> list[str]:
        """Return the only column of one page."""
        return [value for row in self.rows(query, *params, limit=limit, offset=offset) for value in row.values()]

    def value(self, expression: str) -> str | None:
        """Return the value of one expression."""
        row = self.rows(f"SELECT {expression} AS x FROM dual")[0]
        found: str | None = row.get("x")
        return found

    def error_text(self, query: str) -> str:
        """Return the error text of a rejected statement."""
        response = self.post(query)
        assert response.status_code == 400
        detail: str = response.json()["o:errorDetails"][0]["detail"]
        return detail

    def get(self, path: str, **params: str) -> httpx.Response:
        """Send a GET below /services/rest."""
        return self.http.get(f"/services/rest{path}", params=params)


def authenticated(sandbox: Sandbox) -> ApiClient:
    """Return a client with an access token that does not expire within a test."""
    token = sandbox.netsuite.journal.issue_token(["rest_webservices"], sandbox.clock.now(), 10**8)
    headers = {"Authorization": f"Bearer {token}", "Prefer": "transient"}
    return ApiClient(
        httpx.Client(transport=sandbox.transport("netsuite"), base_url=BASE_URLS["netsuite"], headers=headers)
    )


def utc(text: str) -> datetime:
    """Return a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
