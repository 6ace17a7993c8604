"""Limits of one response: bytes after decompression, and time until its last byte.

inner transport  ->  BoundedTransport  ->  a whole response, or AnswerLimitError
"""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import cast

import httpx

MAX_BYTES = 256 * 1024 * 1024  # a page of the longest texts is a tenth of it
MAX_SECONDS = 300.0
CODINGS = ("gzip", "deflate")  # asked for; a part of what arrives becomes a thousand times its size at most
_OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")


class AnswerLimitError(httpx.RequestError):
    """A response is larger, or takes longer, than any that is needed; the text says which."""


class BoundedTransport(httpx.BaseTransport):
    """Reads each response whole: a small compressed one may become gigabytes, and a slow one may never end."""

    def __init__(
        self,
        inner: httpx.BaseTransport,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._inner, self._max_bytes, self._max_seconds, self._now = inner, max_bytes, max_seconds, now

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its response; AnswerLimitError if the response is too large or too slow."""
        began = self._now()
        request.headers["accept-encoding"] = ", ".join(CODINGS)
        received = self._inner.handle_request(request)
        try:
            _check_coding(received, request)
            arriving = _Arriving(self._in_time(cast("Iterable[bytes]", received.stream), request, began))
            decoded = httpx.Response(received.status_code, headers=received.headers, stream=arriving)
            content = b"".join(self._within_size(decoded.iter_bytes(), request))
        finally:
            received.close()
        headers = [each for each in received.headers.raw if each[0].lower().decode("latin-1") not in _OF_THE_WIRE]
        return httpx.Response(
            received.status_code, headers=headers, content=content, request=request, extensions=received.extensions
        )

    def _within_size(self, parts: Iterator[bytes], request: httpx.Request) -> Iterator[bytes]:
        size = 0
        for part in parts:
            size += len(part)
            if size > self._max_bytes:
                text = f"the response is larger than {self._max_bytes >> 20} MB"
                raise AnswerLimitError(text, request=request)
            yield part

    def _in_time(self, parts: Iterable[bytes], request: httpx.Request, began: float) -> Iterator[bytes]:
        """Yield what arrives, before it is decompressed, which may yield nothing for ever."""
        for part in parts:
            if self._now() - began > self._max_seconds:
                text = f"the response is not complete after {self._max_seconds:.0f} s"
                raise AnswerLimitError(text, request=request)
            yield part

    def close(self) -> None:
        """Close the connection pool."""
        self._inner.close()


class _Arriving(httpx.SyncByteStream):
    """A body, part by part."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self._parts


def _check_coding(received: httpx.Response, request: httpx.Request) -> None:
    """Raise AnswerLimitError at a response compressed twice, or not as requested: it may have no limit."""
    given = [each.strip().lower() for each in received.headers.get("content-encoding", "").split(",")]
    codings = [each for each in given if each not in {"", "identity"}]
    if len(codings) > 1 or not {*codings} <= {*CODINGS}:
        raise AnswerLimitError("the response is compressed in a way that was not requested", request=request)
