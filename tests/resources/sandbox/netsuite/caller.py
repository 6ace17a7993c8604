"""Sends calls to the stand-in as a client would; used by the tests beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

SUITEQL = "/services/rest/query/v1/suiteql"
Switch = Callable[..., None]


@dataclass
class Caller:
    """Sends calls with a good access token."""

    http: httpx.Client

    def post(self, query: str, *params: Any, limit: int = 1000, offset: int = 0) -> httpx.Response:
        """One SuiteQL call, as it is answered."""
        body = {"q": query, "params": list(params)} if params else {"q": query}
        return self.http.post(SUITEQL, params={"limit": limit, "offset": offset}, json=body)

    def rows(self, query: str, *params: Any, limit: int = 1000, offset: int = 0) -> list[dict[str, Any]]:
        """The rows of one page, without their links."""
        response = self.post(query, *params, limit=limit, offset=offset)
        assert response.status_code == 200, response.headers.get("x-sandbox-reason", response.text)
        return [{key: value for key, value in row.items() if key != "links"} for row in response.json()["items"]]

    def column(self, query: str, *params: Any, limit: int = 1000, offset: int = 0) -> list[str]:
        """The only column of one page."""
        return [value for row in self.rows(query, *params, limit=limit, offset=offset) for value in row.values()]

    def value(self, expression: str) -> str | None:
        """What one expression comes to."""
        row = self.rows(f"SELECT {expression} AS x FROM dual")[0]
        found: str | None = row.get("x")
        return found

    def refusal(self, query: str) -> str:
        """The text with which a statement is refused."""
        response = self.post(query)
        assert response.status_code == 400
        detail: str = response.json()["o:errorDetails"][0]["detail"]
        return detail

    def get(self, path: str, **params: str) -> httpx.Response:
        """One GET below /services/rest."""
        return self.http.get(f"/services/rest{path}", params=params)


def utc(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
