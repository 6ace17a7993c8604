"""The SuiteProjects Pro XML API, typed; knows nothing of Dagster, DuckDB or NetSuite.

commands  ->  one request with Auth  ->  execute()  ->  one block per command

Source: suiteprojects_api.md §1. A response counts only when every block is present (`responses.py`); otherwise a read
is repeated, and a write raises AnswerLostError: check the target before sending it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

import httpx

from resources.account import Account, account_of
from resources.clock import Clock, WallClock
from resources.errors import (
    AnswerLostError,
    ContractError,
    CredentialsError,
    IntegrationError,
    QuotaExhaustedError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
    TransientError,
)
from resources.http import HttpClient
from resources.http_pool import UNSENDABLE
from resources.scalars import as_whole
from resources.suiteprojects.auth import SignIn
from resources.suiteprojects.blanks import Blanks
from resources.suiteprojects.errors import (
    BAD_SESSION,
    MINUTE_S,
    OK,
    SYSTEM,
    TOO_MUCH,
    UNKNOWN_ERROR,
    ReadRejectedError,
    status_error,
)
from resources.suiteprojects.paging import MAX_PAGES, UP, PagedRead, read_command
from resources.suiteprojects.responses import check_blocks, parse_response, records_of, status_of
from resources.suiteprojects.xml import Element, Record, command, date_of, request, summary, text_element

PATH = "/api.pl"
PAGE = 1000  # highest `limit` of one Read
ATTEMPTS = 4
WRITES = frozenset({"Add", "Modify", "ModifyOnCondition", "Delete", "CreateUser", "Submit", "Approve", "Reject"})


class _RetryError(Exception):
    """Nothing was done: send again after a pause; `final` is the error when that does not help."""

    def __init__(self, pause_s: float, final: IntegrationError) -> None:
        super().__init__(pause_s)
        self.pause_s = pause_s
        self.final = final


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
        """Use an HTTP client.

        Args:
            http: Calls the service; retries lost reads.
            namespace: API namespace, issued by Oracle with the key.
            key: API key; a secret.
            sign_in: Credentials.
            clock: Time for waiting.
            page_size: Rows of one page; lowered when the account allows fewer.
        """
        self._http = http
        self._namespace = namespace
        self._key = key
        self._sign_in = sign_in
        self.clock = clock or WallClock()
        self.page_size = page_size
        self._max_pages, self._asks_highest = MAX_PAGES, True
        self._max_reads = PAGE  # of one request, lowered when the account rejects more
        self._quota: tuple[int, int] | None = None  # requests left in 24 hours, and our calls when that was read
        self._texts: dict[int, str] = {}
        self._texts_lock = Lock()
        self._blanks = Blanks()
        self._sampled: set[str] = set()

    @property
    def base_url(self) -> str:
        """The service's address."""
        return self._http.base_url

    @property
    def account(self) -> Account:
        """The account: its address, and the company if that is part of the sign-in."""
        return account_of(self.base_url, company=self._sign_in.company_name)

    @property
    def calls(self) -> int:
        """Requests made so far."""
        return self._http.calls

    @property
    def left_today(self) -> int | None:
        """Requests left in 24 hours, by the last reading and our own calls since then; None before any reading."""
        return None if self._quota is None else max(0, self._quota[0] - (self.calls - self._quota[1]))

    def days_left(self) -> float | None:
        """Days until a person must sign in again; None if unknown."""
        return self._sign_in.days_left()

    # --- one request ------------------------------------------------------------------------------------------

    def execute(self, commands: Sequence[Element]) -> list[Element]:
        """Send one request and return one block per command.

        The caller checks the statuses of the blocks; that of Auth is checked here.

        Raises:
            AnswerLostError: A write was sent and no complete response came.
            ContractError: A read had no complete response, several times.
            CredentialsError: A person must renew a key, a password or a permission.
            QuotaExhaustedError: The request limit is still reached after some minutes.
            TransientError: The service is temporarily unavailable, several times.
        """
        for _ in range(ATTEMPTS - 1):
            try:
                return self._send(commands)
            except _RetryError as retry:
                self.clock.sleep(retry.pause_s)
        try:
            return self._send(commands)
        except _RetryError as retry:
            raise retry.final from None

    def _send(self, commands: Sequence[Element]) -> list[Element]:
        operation = summary(commands)
        writes = any(each.tag in WRITES for each in commands)
        try:
            body = request(self._namespace, self._key, self._sign_in.login(), commands)
        except ValueError:  # XML cannot represent a character of it; nothing was sent
            raise CredentialsError(SYSTEM, operation, UNSENDABLE) from None
        headers = {"Content-Type": "application/xml"}
        try:
            response = self._http.send(
                "POST", PATH, operation, safe_to_repeat=not writes, content=body, headers=headers
            )
        except RecordRejectedError as error:  # an HTTP 400 rejects the request, not one of its records
            raise RequestRejectedError(SYSTEM, operation, error.reason, code=error.code) from error
        except CredentialsError as error:  # whether an expired token is answered so is unknown (§1.1)
            if error.code == str(httpx.codes.UNAUTHORIZED) and self._sign_in.renew():
                raise _RetryError(0.0, error) from error
            raise
        try:
            auth, blocks = parse_response(response.content)
            self._check_auth(auth, operation)
            check_blocks(blocks, commands)
        except ValueError as error:
            reason = f"unusable response: {error}"
            if writes:
                raise AnswerLostError(SYSTEM, operation, reason) from error
            raise _RetryError(1.0, ContractError(SYSTEM, operation, reason)) from error
        return blocks

    def _check_auth(self, status: int, operation: str) -> None:
        if status == OK:
            return
        error = status_error(status, operation)
        if isinstance(error, RateLimitedError):  # the limit per minute passes by waiting, the limit per day does not
            reason = f"status {status}: the request limit is still reached after {ATTEMPTS - 1} minutes"
            raise _RetryError(MINUTE_S, QuotaExhaustedError(SYSTEM, operation, reason))
        if isinstance(error, TransientError):
            raise _RetryError(MINUTE_S / 2, error)
        if status in BAD_SESSION and self._sign_in.renew():
            raise _RetryError(0.0, error)
        raise error

    # --- reading ----------------------------------------------------------------------------------------------

    def read_all(
        self,
        type_name: str,
        fields: Sequence[str],
        *,
        custom: bool = False,
        query: Mapping[str, str] | None = None,
        deleted: bool = False,
    ) -> Iterator[Record]:
        """Yield every record of a type once, by id.

        Args:
            type_name: Record type, such as "Customer".
            fields: Flat names; `id` is always included.
            custom: Whether custom fields are among them.
            query: Values that a record must have.
            deleted: Read the records that were deleted, and no others.

        Raises:
            ContractError: A response is not as documented, or rows kept moving between pages.
        """

        def page(limit: str, order: str = UP) -> Element:
            asked = fields if order == UP else ()
            return read_command(type_name, asked, limit=limit, custom=custom, query=query, order=order, deleted=deleted)

        paged = PagedRead(self.read_many, page, type_name, self.page_size, self._max_pages, self._asks_highest)
        try:
            yield from paged.records()
        finally:
            self._max_pages, self.page_size = paged.max_pages, paged.page_size
        self._asks_highest = paged.asks_highest  # not after an error: that Read may be rejected in any case

    def deleted_ids(self, type_name: str) -> set[str]:
        """Return the ids of the deleted records of a type; none if the service answers that it does not list them.

        Raises:
            IntegrationError: There was no answer, such as after a rejected sign-in.
        """
        try:
            return {str(row["id"]) for row in self.read_all(type_name, [], deleted=True)}
        except ReadRejectedError:
            return set()

    def read_many(self, reads: Sequence[Element], *, fresh: bool = False, quota: bool = False) -> list[list[Record]]:
        """Send several Reads in one request and return the records of each.

        Args:
            reads: Made with `read_command`.
            fresh: Include records added after the access token was issued, which are hidden otherwise.
            quota: Also read how many requests are left, which costs no request here.

        Raises:
            RequestRejectedError: A Read was rejected.
        """
        for read in reads if fresh and self._sign_in.uses_token else ():
            read.set("clear_filter_cache", "1")  # of each: whether it concerns other Reads is unknown (§1.3)
        if quota:
            try:
                *blocks, left = self.execute([*reads, _rate_limit()])
            except RequestRejectedError as error:
                if error.code not in TOO_MUCH:
                    raise
                return self.read_many(reads, fresh=fresh)
            self._record_quota(left)
        else:
            blocks = self.execute(reads)
        doubtful = [place for place, block in enumerate(blocks) if status_of(block) == UNKNOWN_ERROR]
        if doubtful:  # an error that passes, or this account's answer for no rows: it is then the same again
            answers = self.execute([reads[place] for place in doubtful])
            blocks = [dict(zip(doubtful, answers, strict=True)).get(place, each) for place, each in enumerate(blocks)]
        found = [records_of(block, read) for block, read in zip(blocks, reads, strict=True)]
        for read, records in zip(reads, found, strict=True):
            self._blanks.learn(read, records)
        return found

    def read_each(self, reads: Sequence[Element]) -> list[list[Record]]:
        """Return the records of each Read, later ones included, in as many requests as the account's limits need."""
        found: list[list[Record]] = []
        while len(found) < len(reads):
            some = reads[len(found) : len(found) + self._max_reads]
            try:
                found += self.read_many(some, fresh=True)
            except RequestRejectedError as error:
                if error.code not in TOO_MUCH or len(some) == 1:
                    raise
                self._max_reads = len(some) // 2
        return found

    def leaves_out_blanks(self, type_name: str, fields: Sequence[str], *, custom: bool = False) -> bool:
        """Return whether a property that records lack is blank (`blanks.py`); reads a page if that is not known yet."""
        if not self._blanks.are_left_out and type_name not in self._sampled:
            self._sampled.add(type_name)
            next(self.read_all(type_name, fields, custom=custom), None)  # a page
        return self._blanks.are_left_out

    # --- small calls ------------------------------------------------------------------------------------------

    def status_text(self, code: int) -> str:
        """Return the service's own text for a status, read once; blank when it has none or does not answer."""
        with self._texts_lock:
            if not self._texts.get(code):
                self._texts[code] = self._read_status_text(code)
            return self._texts[code]

    def _read_status_text(self, code: int) -> str:
        error = command("Error", None, text_element("code", str(code)))
        try:
            (block,) = self.execute([command("Read", {"type": "Error", "method": "equal to", "limit": "1"}, error)])
        except IntegrationError:
            return ""
        parts = [(block.findtext(f"Error/{name}") or "").strip() for name in ("text", "comment")]
        return ": ".join(part for part in parts if part)

    def server_time(self) -> str:
        """Return the service's clock, in the zone of its timestamps: `YYYY-MM-DD HH:MM:SS`."""
        (block,) = self.execute([command("Time")])
        date = block.find("Date")
        text = date_of(date) if date is not None else None
        if text is None:
            raise ContractError(SYSTEM, "Time", "the response has no date")
        return text

    def remaining_today(self) -> int | None:
        """Return the requests left in 24 hours, None if unknown; the call costs one."""
        (block,) = self.execute([_rate_limit()])
        return self._record_quota(block)

    def _record_quota(self, block: Element) -> int | None:
        left = as_whole(block.findtext("RateLimit/remain_24h_error"))
        if left is not None:
            self._quota = max(0, left), self.calls
        return None if left is None else max(0, left)


def _rate_limit() -> Element:
    return command("Read", {"type": "RateLimit", "method": "all", "limit": "1"})
