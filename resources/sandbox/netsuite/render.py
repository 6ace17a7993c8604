"""Pages as NetSuite sends them: limits, links, totals (netsuite.md §1.1, §1.2)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from resources.sandbox.netsuite.refusal import Refusal
from resources.sandbox.transport import Answer, Call, json_answer

COLLECTION_TYPE = "application/vnd.oracle.resource+json; type=collection"
SINGULAR_TYPE = "application/vnd.oracle.resource+json; type=singular"
MOST_ROWS = 1000


@dataclass(frozen=True)
class Page:
    """The rows that a call asks for."""

    limit: int
    offset: int

    @classmethod
    def of(cls, call: Call) -> "Page":
        """Read limit and offset.

        Raises:
            Refusal: 400, they are out of range.
        """
        asked = dict(call.query)
        limit, offset = _number(asked, "limit", MOST_ROWS), _number(asked, "offset", 0)
        if not 1 <= limit <= MOST_ROWS:
            raise _bad("limit", f"The limit must be between 1 and {MOST_ROWS}.")
        if offset % limit:
            raise _bad("offset", "The offset must be divisible by the limit.")
        return cls(limit, offset)

    def check_reach(self, row_cap: int, page_cap: int) -> None:
        """Refuse a page beyond what one query can reach.

        Raises:
            Refusal: 400.
        """
        if row_cap and self.offset + self.limit > row_cap:
            raise _bad("offset", f"One query returns at most {row_cap} rows.")
        if page_cap and self.offset // self.limit >= page_cap:
            raise _bad("offset", f"One query returns at most {page_cap} pages.")


def _number(asked: dict[str, str], name: str, default: int) -> int:
    text = asked.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise _bad(name, "The value must be a whole number.")
    return int(text)


def _bad(name: str, why: str) -> Refusal:
    detail = f"Invalid value for the query parameter '{name}'. {why}"
    return Refusal(400, "INVALID_PARAMETER", detail, place={"o:errorQueryParam": name})


def origin(call: Call) -> str:
    """Scheme and host as the caller spelled them."""
    parts = urlsplit(call.url)
    return f"{parts.scheme}://{parts.netloc}"


def collection(call: Call, page: Page, items: list[dict[str, Any]], total: int) -> Answer:
    """One page of a collection."""
    return json_answer(
        {
            "links": _links(call, page, total),
            "count": len(items),
            "hasMore": page.offset + len(items) < total and bool(items),
            "items": items,
            "offset": page.offset,
            "totalResults": total,
        },
        media_type=COLLECTION_TYPE,
    )


def _links(call: Call, page: Page, total: int) -> list[dict[str, str]]:
    others = [(name, value) for name, value in call.query if name not in {"limit", "offset"}]
    base = f"{origin(call)}{call.path}"

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
