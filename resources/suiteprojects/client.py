"""A typed face on the SuiteProjects Pro XML API; knows nothing of Dagster, DuckDB or NetSuite.

Source: suiteprojects_api.md §1. One request holds Auth and any number of commands; the answer has one block per
command, in order, with a number for a status and nothing else to tell them apart. So an answer counts only when every
block is there: anything else is no answer, and after a write that means "read back before sending again".
Pages hold up to 1000 rows. Row order is stable only with `order`, and even then rows may move between two pages, so
pages overlap by one row.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import groupby
from threading import Lock
from time import monotonic

from resources.clock import Clock, WallClock
from resources.errors import (
    AnswerLostError,
    ContractError,
    IntegrationError,
    QuotaExhaustedError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
    TransientError,
)
from resources.http import HttpClient
from resources.suiteprojects.auth import SignIn
from resources.suiteprojects.errors import BAD_SESSION, MINUTE_S, NO_ROWS, OK, SYSTEM, refusal
from resources.suiteprojects.xml import (
    Element,
    Record,
    command,
    date_of,
    object_element,
    parse_answer,
    record_of,
    request,
    return_element,
    text_element,
)

PATH = "/api.pl"
PAGE = 1000  # greatest `limit` of one Read
PAGES, ANSWER_S = 5, 8.0  # of a long list in one request, as far as the first page lets expect an answer within that
TOO_MUCH = frozenset({"854", "855"})  # an account may limit what one request reads; RateLimit may count as well
TRIES = 4
SWEEPS = 3
WRITES = frozenset({"Add", "Modify", "ModifyOnCondition", "Delete", "CreateUser", "Submit", "Approve", "Reject"})


class _AgainError(Exception):
    """Nothing was done, or nothing was asked to be done: wait and send again; `final` when that does not help."""

    def __init__(self, pause_s: float, final: IntegrationError) -> None:
        super().__init__(pause_s)
        self.pause_s = pause_s
        self.final = final


def status_of(block: Element) -> int:
    """A block's status; the answer's check has made sure that there is one."""
    return int(block.get("status", "").strip())


def summary(commands: Sequence[Element]) -> str:
    """Commands for error texts: `Add*500`; never a value."""
    runs = [(name, len(list(group))) for name, group in groupby(str(each.tag) for each in commands)]
    return ",".join(name if count == 1 else f"{name}*{count}" for name, count in runs) or "Auth"


class SuiteProjectsClient:
    """One account's XML API."""

    def __init__(
        self,
        http: HttpClient,
        *,
        namespace: str,
        key: str,
        sign_in: SignIn,
        clock: Clock | None = None,
        page_size: int = PAGE,
    ) -> None:
        """Talk through a door.

        Args:
            door: The way to the service; it retries what the network lost.
            namespace: API namespace, given by Oracle with the key.
            key: API key; a secret.
            sign_in: Who we are.
            clock: Time for waiting.
            page_size: Rows of one page, for accounts that allow less than 1000.
        """
        self._http = http
        self._namespace = namespace
        self._key = key
        self._sign_in = sign_in
        self.clock = clock or WallClock()
        self.page_size = page_size
        self._most_pages = PAGES
        self._left: tuple[int, int] | None = None  # requests left in 24 hours, and our own when that was told
        self._texts: dict[int, str] = {}
        self._texts_lock = Lock()

    @property
    def base_url(self) -> str:
        """The service's address."""
        return self._http.base_url

    @property
    def calls(self) -> int:
        """Requests made so far."""
        return self._http.calls

    @property
    def left_today(self) -> int | None:
        """Requests left in 24 hours, by what was told last and our own since; None when it was never told."""
        return None if self._left is None else max(0, self._left[0] - (self.calls - self._left[1]))

    def days_left(self) -> float | None:
        """Days until a person must sign in again, where that is known."""
        return self._sign_in.days_left()

    # --- one request ------------------------------------------------------------------------------------------

    def execute(self, commands: Sequence[Element]) -> list[Element]:
        """Send one request and give back one block per command.

        Statuses of the blocks are for the caller to judge; that of Auth is judged here.

        Raises:
            AnswerLostError: A write was sent and no complete answer came.
            ContractError: A read had no complete answer, several times.
            CredentialsError: A person must renew a key, a password or a permission.
            QuotaExhaustedError: The request limit stays reached after some minutes.
            TransientError: The service asked to come back later, several times.
        """
        for _ in range(TRIES - 1):
            try:
                return self._once(commands)
            except _AgainError as again:
                self.clock.sleep(again.pause_s)
        try:
            return self._once(commands)
        except _AgainError as again:
            raise again.final from None

    def _once(self, commands: Sequence[Element]) -> list[Element]:
        operation = summary(commands)
        writes = any(each.tag in WRITES for each in commands)
        body = request(self._namespace, self._key, self._sign_in.login(), commands)
        try:
            response = self._http.send(
                "POST",
                PATH,
                operation,
                safe_to_repeat=not writes,
                content=body,
                headers={"Content-Type": "application/xml"},
            )
        except RecordRejectedError as error:  # an HTTP 400 concerns the request, not one of its records
            raise RequestRejectedError(SYSTEM, operation, error.reason, code=error.code) from error
        try:
            blocks = _blocks(response.content)
            self._check_auth(blocks, operation)
            _check_blocks(blocks, commands)
        except ValueError as error:
            if writes:
                raise AnswerLostError(SYSTEM, operation, f"unusable answer: {error}") from error
            raise _AgainError(1.0, ContractError(SYSTEM, operation, f"unusable answer: {error}")) from error
        return blocks[1:]

    def _check_auth(self, blocks: Sequence[Element], operation: str) -> None:
        if not blocks or blocks[0].tag != "Auth":
            raise ValueError("it does not begin with Auth")
        status = _number(blocks[0])
        if status == OK:
            return
        error = refusal(status, operation)
        if isinstance(error, RateLimitedError):  # a minute's limit passes by waiting, a day's does not
            reason = f"status {status}: the request limit stays reached after {TRIES - 1} minutes of waiting"
            raise _AgainError(MINUTE_S, QuotaExhaustedError(SYSTEM, operation, reason))
        if isinstance(error, TransientError):
            raise _AgainError(MINUTE_S / 2, error)
        if status in BAD_SESSION and self._sign_in.renew():
            raise _AgainError(0.0, error)
        raise error

    # --- reading ----------------------------------------------------------------------------------------------

    def read_all(
        self,
        type_name: str,
        fields: Sequence[str],
        *,
        custom: bool = False,
        deleted: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> Iterator[Record]:
        """Every record of a type, once each, by id.

        Args:
            type_name: Such as "Customer".
            fields: Flat names; `id` comes always.
            custom: Whether custom fields are among them.
            deleted: The deleted records instead of the live ones.
            query: Values that a record must have.

        Raises:
            ContractError: An answer is not as documented, or rows kept moving between pages.
        """
        seen: set[str] = set()
        for _ in range(SWEEPS):
            if (yield from self._sweep(type_name, fields, seen, custom=custom, deleted=deleted, query=query)):
                return
        raise ContractError(SYSTEM, f"Read {type_name}", "rows kept moving between pages; records could be missed")

    def _sweep(
        self,
        type_name: str,
        fields: Sequence[str],
        seen: set[str],
        *,
        custom: bool,
        deleted: bool,
        query: Mapping[str, str] | None,
    ) -> Generator[Record, None, bool]:
        step, offset, last, at_once = self.page_size - 1, 0, None, 1
        more = {"order": "id,asc", **({"deleted": "1"} if deleted else {})}
        while True:
            first, began = offset == 0, monotonic()
            places = [offset + step * number for number in range(at_once)]
            asked = [
                read_command(
                    type_name, fields, limit=f"{place},{self.page_size}", custom=custom, query=query, more=more
                )
                for place in places
            ]
            try:
                pages = self.read_many(asked, fresh=first, quota=first)
            except RequestRejectedError as error:
                if at_once == 1 or error.code not in TOO_MUCH:
                    raise
                at_once = self._most_pages = 1
                continue
            if first:
                at_once = max(1, min(self._most_pages, int(ANSWER_S / max(monotonic() - began, 0.001))))
            for rows in pages:
                if last is not None and (not rows or rows[0]["id"] != last):
                    return False  # a record went away in an earlier page: what moved over the edge was not seen
                for row in rows:
                    if (row["id"] or "") not in seen:
                        seen.add(row["id"] or "")
                        yield row
                if len(rows) < self.page_size:
                    return True
                last = rows[-1]["id"]
            offset = places[-1] + step

    def read_many(self, reads: Sequence[Element], *, fresh: bool = False, quota: bool = False) -> list[list[Record]]:
        """Several Reads in one request, the records of each.

        Args:
            reads: Made with `read_command`.
            fresh: Also what was added since the access token was issued, which is hidden otherwise.
            quota: Ask as well how many requests are left, which costs none when it comes along.

        Raises:
            RequestRejectedError: A Read was refused.
        """
        if fresh and reads and self._sign_in.uses_token:
            reads[0].set("clear_filter_cache", "1")
        if quota:
            try:
                *blocks, told = self.execute([*reads, _rate_limit()])
            except RequestRejectedError as error:
                if error.code not in TOO_MUCH:
                    raise
                return self.read_many(reads, fresh=fresh)
            self._note_left(told)
        else:
            blocks = self.execute(reads)
        return [_records(block, asked) for block, asked in zip(blocks, reads, strict=True)]

    # --- small things -----------------------------------------------------------------------------------------

    def status_text(self, code: int) -> str:
        """The service's own words for a status, asked for once; blank when it has none or does not answer."""
        with self._texts_lock:
            if not self._texts.get(code):
                self._texts[code] = self._asked_text(code)
            return self._texts[code]

    def _asked_text(self, code: int) -> str:
        asked = command("Error", None, text_element("code", str(code)))
        read = command("Read", {"type": "Error", "method": "equal to", "limit": "1"}, asked)
        try:
            (block,) = self.execute([read])
        except IntegrationError:
            return ""
        parts = [(block.findtext(f"Error/{name}") or "").strip() for name in ("text", "comment")]
        return ": ".join(part for part in parts if part)

    def server_time(self) -> str:
        """The service's clock, in the zone of its stamps: `YYYY-MM-DD HH:MM:SS`."""
        (block,) = self.execute([command("Time")])
        date = block.find("Date")
        text = date_of(date) if date is not None else None
        if text is None:
            raise ContractError(SYSTEM, "Time", "no date in the answer")
        return text

    def remaining_today(self) -> int:
        """Requests left in 24 hours; asking costs one."""
        (block,) = self.execute([_rate_limit()])
        left = self._note_left(block)
        if left is None:
            raise ContractError(SYSTEM, "Read RateLimit", "no number in the answer")
        return left

    def _note_left(self, block: Element) -> int | None:
        text = (block.findtext("RateLimit/remain_24h_error") or "").strip()
        if not text.isdigit():
            return None
        self._left = int(text), self.calls
        return int(text)


def _rate_limit() -> Element:
    return command("Read", {"type": "RateLimit", "method": "all", "limit": "1"})


def read_command(
    type_name: str,
    fields: Sequence[str],
    *,
    limit: str,
    custom: bool = False,
    query: Mapping[str, str] | None = None,
    more: Mapping[str, str] | None = None,
) -> Element:
    """One Read; `more` are further attributes."""
    attributes = {"type": type_name, "method": "equal to" if query else "all", "limit": limit, **(more or {})}
    if custom:
        attributes["enable_custom"] = "1"
    inside = [object_element(type_name, dict(query))] if query else []
    return command("Read", attributes, *inside, return_element(type_name, ["id", *fields]))


def _blocks(body: bytes) -> list[Element]:
    root = parse_answer(body)
    if root.tag != "response":
        raise ValueError("it is not a response of the API")
    return list(root)


def _number(block: Element) -> int:
    text = block.get("status", "").strip()
    if not text.isascii() or not text.isdigit():
        raise ValueError("a block has no status")
    return int(text)


def _check_blocks(blocks: Sequence[Element], commands: Sequence[Element]) -> None:
    names = [str(each.tag) for each in blocks[1:]]
    if len(names) != len(commands):
        raise ValueError(f"{len(names)} blocks for {len(commands)} commands")
    if names != [str(each.tag) for each in commands]:
        raise ValueError("its blocks are in another order than the commands")
    for each in blocks:
        _number(each)


def _records(block: Element, asked: Element) -> list[Record]:
    type_name = asked.get("type", "")
    operation = f"Read {type_name}"
    status = status_of(block)
    if status not in {OK, NO_ROWS}:
        raise refusal(status, operation)
    children = list(block)
    if any(child.tag != type_name for child in children) or (status == NO_ROWS and children):
        raise ContractError(SYSTEM, operation, "the answer holds other records than were asked for")
    size = int(asked.get("limit", "").rpartition(",")[2])
    records = [record_of(child) for child in children]
    if len(records) > size or any(not record.get("id") for record in records):
        raise ContractError(SYSTEM, operation, "the answer holds more records than were asked for, or one without id")
    return records
