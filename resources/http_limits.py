"""Limits of one response: bytes after decompression, and time until its last byte.

Network | a stand-in  ->  BoundedTransport  ->  a whole response, or AnswerLimitError
"""

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from time import monotonic
from typing import Any, cast

import httpx

MAX_BYTES = 256 * 1024 * 1024  # a page of the longest texts is a tenth of it
MAX_SECONDS = 300.0
CODINGS = ("gzip", "deflate")  # asked for; a part of what arrives becomes a thousand times its size at most
_OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")
_seconds_left: ContextVar[Callable[[], float]] = ContextVar("seconds_left", default=lambda: MAX_SECONDS)  # of a request


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
        of_request = _seconds_left.set(lambda: self._max_seconds - (self._now() - began))
        try:
            return self._whole(request)
        except httpx.TimeoutException as error:
            if _seconds_left.get()() > 0:
                raise
            raise self._too_slow(request) from error
        finally:
            _seconds_left.reset(of_request)

    def _whole(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = ", ".join(CODINGS)
        received = self._inner.handle_request(request)
        try:
            _check_coding(received, request)
            arriving = _Arriving(self._in_time(cast("Iterable[bytes]", received.stream), request))
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

    def _in_time(self, parts: Iterable[bytes], request: httpx.Request) -> Iterator[bytes]:
        """Yield what arrives, before it is decompressed, which may yield nothing for ever."""
        for part in parts:
            if _seconds_left.get()() < 0:
                raise self._too_slow(request)
            yield part

    def _too_slow(self, request: httpx.Request) -> AnswerLimitError:
        return AnswerLimitError(f"the response is not complete after {self._max_seconds:.0f} s", request=request)

    def close(self) -> None:
        """Close the connection pool."""
        self._inner.close()


class Network(httpx.HTTPTransport):
    """The network, in which each read and write ends with the time of its request.

    So do interim responses without end, and headers and trailers of which each byte comes within the timeout of a read.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        opened = self._pool._network_backend  # noqa: SLF001 - httpx has no argument for it
        self._pool._network_backend = _Connections(opened)  # type: ignore[assignment]  # noqa: SLF001 - as above


class _Wrapper:
    """An object of the network, most of whose methods remain as they are."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Connections(_Wrapper):
    """Opens connections that end with the time of the request that they are used for."""

    def connect_tcp(self, *address: Any, **options: Any) -> "_Connection":
        return _Connection(self._inner.connect_tcp(*address, **options))


class _Connection(_Wrapper):
    """One connection."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return bytes(self._inner.read(max_bytes, _limited(timeout, httpx.ReadTimeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _limited(timeout, httpx.WriteTimeout))

    def start_tls(self, *names: Any, **options: Any) -> "_Connection":
        return _Connection(self._inner.start_tls(*names, **options))


def _limited(timeout: float | None, over: type[httpx.TimeoutException]) -> float:
    """Return the time for one read or write; raise the given error if the request has none left."""
    left = _seconds_left.get()()
    if left <= 0:
        raise over("")
    return left if timeout is None else min(left, timeout)


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
