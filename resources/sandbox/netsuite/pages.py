"""Pages of a collection: limits, links, totals (netsuite.md §1.1, §1.2)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from resources.sandbox.netsuite.errors import ApiError
from resources.sandbox.transport import Request, Response, json_response

COLLECTION_TYPE = "application/vnd.oracle.resource+json; type=collection"
MAX_LIMIT = 1000


@dataclass(frozen=True)
class Page:
    """The range of rows that a request asks for."""

    limit: int
    offset: int

    @classmethod
    def of(cls, request: Request) -> "Page":
        """Read limit and offset.

        Raises:
            ApiError: 400, a value is out of range.
        """
        query = dict(request.query)
        limit, offset = _number(query, "limit", MAX_LIMIT), _number(query, "offset", 0)
        if not 1 <= limit <= MAX_LIMIT:
            raise _invalid("limit", f"The limit must be between 1 and {MAX_LIMIT}.")
        if offset % limit:
            raise _invalid("offset", "The offset must be divisible by the limit.")
        return cls(limit, offset)

    def check_caps(self, row_cap: int, page_cap: int) -> None:
        """Check the page against the limits of one query.

        Raises:
            ApiError: 400, the page is beyond a limit.
        """
        if row_cap and self.offset + self.limit > row_cap:
            raise _invalid("offset", f"One query returns at most {row_cap} rows.")
        if page_cap and self.offset // self.limit >= page_cap:
            raise _invalid("offset", f"One query returns at most {page_cap} pages.")


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise _invalid(name, "The value must be a whole number.")
    return int(text)


def _invalid(name: str, reason: str) -> ApiError:
    detail = f"Invalid value for the query parameter '{name}'. {reason}"
    return ApiError(400, "INVALID_PARAMETER", detail, location={"o:errorQueryParam": name})


def origin(request: Request) -> str:
    """Return scheme and host as the client spelled them."""
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}"


def collection(request: Request, page: Page, items: list[dict[str, Any]], total: int) -> Response:
    """Return one page of a collection of `total` items."""
    return json_response(
        {
            "links": _links(request, page, total),
            "count": len(items),
            "hasMore": page.offset + len(items) < total and bool(items),
            "items": items,
            "offset": page.offset,
            "totalResults": total,
        },
        media_type=COLLECTION_TYPE,
    )


def _links(request: Request, page: Page, total: int) -> list[dict[str, str]]:
    others = [(name, value) for name, value in request.query if name not in {"limit", "offset"}]
    base = f"{origin(request)}{request.path}"

    def link(relation: str, offset: int) -> dict[str, str]:
        query = urlencode([*others, ("limit", page.limit), ("offset", offset)])
        return {"rel": relation, "href": f"{base}?{query}"}

    links = []
    if page.offset + page.limit < total:
        last = (total - 1) // page.limit * page.limit
        links += [link("next", page.offset + page.limit), link("last", last)]
    if page.offset:
        links += [link("first", 0), link("prev", max(0, page.offset - page.limit))]
    return [*links, link("self", page.offset)]
