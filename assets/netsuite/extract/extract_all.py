"""Read several record types at once, within the client's concurrency limit; each is loaded as soon as it is read.

names  ->  what the warehouse knows of all, what NetSuite is asked once  ->  a thread each  ->  Outcome, as they end

A record type whose rows belong to others first reads what its own dates report. Then it waits until these others are
loaded, and reads the rows of those that changed or vanished. An error stops what belongs to it, and nothing else.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from assets.netsuite.extract.extract import account_lock
from assets.netsuite.extract.extraction import Extraction
from assets.netsuite.extract.known_state import Known, read_known
from assets.netsuite.extract.metrics import ExtractionReport
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.undated import count_undated
from assets.netsuite.record_types import RecordType, record_type_of
from resources.errors import IntegrationError
from resources.http_calls import StoppedError
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse


class NotReadError(Exception):
    """A record type was not loaded, because one to which its rows belong was not."""


@dataclass(frozen=True)
class Outcome:
    """The end of one record type's extraction: a report, or an error after which nothing was changed."""

    name: str
    report: ExtractionReport | None = None
    error: Exception | None = None


def belongs_to(record_type: RecordType) -> str:
    """Return the record type without which this one is not loaded; blank if there is none."""
    parent = record_type.parent_type
    return parent if record_type.name != parent and (record_type.parent or record_type.links) else ""


def extract_all(
    warehouse: Warehouse,
    client: NetSuiteClient,
    names: Sequence[str],
    settings: ExtractionSettings,
    *,
    run_id: str,
    reconcile: bool = False,
) -> Iterator[Outcome]:
    """Bring the raw tables of several record types up to date, and yield each one's outcome when it ends.

    Args:
        warehouse: The warehouse.
        client: NetSuite.
        names: Keys of `RECORD_TYPES`, or types that are read on demand.
        settings: Custom columns, overlap, guard, schedules.
        run_id: Written with each row.
        reconcile: Compare all ids with NetSuite's, even if that is not due.
    """
    with account_lock(warehouse):
        try:
            with warehouse.writer(transaction=False) as con:
                known = read_known(con, client, names, settings)
            _ask_once(client, list(known.values()), settings)
        except Exception as error:  # noqa: BLE001 - the error of each of them
            yield from (Outcome(name, error=_not_read(name, {*names}) or error) for name in names)
            return

        def prepared(name: str, stopped: threading.Event, wait: Callable[[], bool]) -> Extraction:
            return Extraction(warehouse, client.apart(stopped), known[name], settings, run_id, wait)

        yield from _AtOnce(names, partial(Extraction.run, full=False, reconcile=reconcile)).outcomes(prepared)


def _ask_once(client: NetSuiteClient, known: Sequence[Known], settings: ExtractionSettings) -> None:
    """Ask NetSuite what every record type needs: before the first query the time, which becomes the next watermark."""

    def ask_early(ask: Callable[[], object]) -> None:
        with suppress(IntegrationError):  # whoever needs the answer asks again, and reports the error
            ask()

    questions: list[Callable[[], object]] = [client.server_time]
    if any(each.record_type.modified for each in known):
        questions.append(lambda: ask_early(lambda: client.session_zone_offset))
    read_again = [each.record_type for each in known if each.state.watermark and each.record_type.modified]
    if read_again:
        questions.append(lambda: ask_early(lambda: count_undated(client, read_again, settings)))
    if any(each.state.watermark is None for each in known):
        questions.append(lambda: ask_early(client.learn_limits))
    list(client.concurrency.map_unordered(lambda ask: ask(), questions))


class _AtOnce:
    """The threads of one run."""

    def __init__(self, names: Sequence[str], run: Callable[[Extraction], ExtractionReport]) -> None:
        self._names, self._run = names, run
        self._stopped = threading.Event()
        self._ended: Mapping[str, threading.Event] = {name: threading.Event() for name in names}
        self._failed: set[str] = set()

    def outcomes(self, prepared: Callable[[str, threading.Event, Callable[[], bool]], Extraction]) -> Iterator[Outcome]:
        """Yield the outcomes; if the caller stops, no further call begins."""

        def extract(name: str) -> ExtractionReport:
            try:
                return self._run(prepared(name, self._stopped, partial(self._wait, name)))
            except BaseException:
                self._failed.add(name)
                raise
            finally:
                self._ended[name].set()

        # a thread each: those that wait for others must not keep them from starting
        with ThreadPoolExecutor(len(self._names), thread_name_prefix="netsuite_table") as pool:
            futures = {pool.submit(extract, name): name for name in self._names}
            try:
                yield from (_outcome(futures[each], each) for each in as_completed(futures))
            finally:
                self._stopped.set()

    def _wait(self, name: str) -> bool:
        """Wait for the record types that this one refers to, and return whether there are any.

        Raises:
            NotReadError: The one to which its rows belong failed.
            StoppedError: The run is being stopped.
        """
        record_type = record_type_of(name)
        others = {each for of in record_type.references.values() for each in of} & {*self._names} - {name}
        for other in others:
            self._ended[other].wait()
        if self._stopped.is_set():
            raise StoppedError
        if error := _not_read(name, self._failed):
            raise error
        return bool(others)


def _not_read(name: str, failed: Collection[str]) -> NotReadError | None:
    parent = belongs_to(record_type_of(name))
    return NotReadError(f"its rows belong to {parent}, which could not be read") if parent in failed else None


def _outcome(name: str, future: "Future[ExtractionReport]") -> Outcome:
    error = future.exception()
    if error is None:
        return Outcome(name, report=future.result())
    if isinstance(error, Exception):
        return Outcome(name, error=error)
    raise error
