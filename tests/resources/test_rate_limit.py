"""The call budget: never more calls than allowed, by any number of processes, at any time."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.clock import Reading, SharedClock
from resources.errors import QuotaExhaustedError
from resources.rate_limit import CallBudget, Window

BEGINS = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)


class StepClock:
    """A clock that only a sleep advances."""

    def __init__(self) -> None:
        self.moment = BEGINS

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self.moment

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.moment += timedelta(seconds=max(seconds, 1e-6))


class SetClock(StepClock):
    """A machine's clock, which is set while the machine counts on."""

    def __init__(self) -> None:
        super().__init__()
        self._by = timedelta()

    def set_by(self, by: timedelta) -> None:
        """Set it forward or back."""
        self.moment += by
        self._by += by

    def steady(self) -> Reading:
        """Return the seconds since the start."""
        return Reading("machine", (self.moment - self._by).timestamp() - BEGINS.timestamp())


def busiest(moments: Sequence[float], seconds: float) -> int:
    """Return the maximum number of calls in any period of this length."""
    return max((sum(start <= each < start + seconds for each in moments) for start in moments), default=0)


windows = st.lists(
    st.builds(Window, st.sampled_from(["a", "b", "c"]), st.integers(1, 5), st.floats(0.5, 60.0)),
    min_size=1,
    max_size=3,
)
pauses = st.lists(st.tuples(st.floats(0.0, 30.0), st.sampled_from([None, "x", "y"])), min_size=1, max_size=25)


def test_a_call_counts_from_its_response(tmp_path: Path) -> None:
    """One call may travel slowly and the next fast: a second between sends may be none between arrivals."""
    clock = StepClock()
    budget = CallBudget(tmp_path / "calls.sqlite", [], clock, spacing_s=1.0)
    first = budget.acquire("one")
    clock.sleep(0.9)
    budget.answered(first)
    arrived = clock.now()

    budget.acquire("one")

    assert (clock.now() - arrived).total_seconds() >= 1.0


@settings(max_examples=40, deadline=None)
@given(windows=windows, calls=pauses, spacing_s=st.floats(0.0, 3.0), identical_get_s=st.floats(0.5, 60.0))
def test_no_window_is_ever_exceeded(
    windows: list[Window], calls: list[tuple[float, str | None]], spacing_s: float, identical_get_s: float
) -> None:
    """For any windows, pauses and identities, every period of time obeys the limits."""
    clock = StepClock()
    moments: list[tuple[float, str | None]] = []
    with TemporaryDirectory() as folder:
        budget = CallBudget(
            Path(folder, "calls.sqlite"), windows, clock, identical_get_s=identical_get_s, spacing_s=spacing_s
        )
        for pause_s, identity in calls:
            clock.sleep(pause_s)
            budget.acquire("account", identity=identity)
            moments.append((clock.now().timestamp(), identity))

    times = [moment for moment, _ in moments]
    for window in windows:
        assert busiest(times, window.seconds) <= window.calls
    for name in ("x", "y"):
        assert busiest([moment for moment, identity in moments if identity == name], identical_get_s) <= 1
    assert all(later - earlier > spacing_s - 1e-3 for earlier, later in pairwise(times))


def test_free_quota_is_used_at_once(tmp_path: Path) -> None:
    """A budget that waits without need would be correct and useless."""
    clock = StepClock()
    budget = CallBudget(tmp_path / "calls.sqlite", [Window("minute", 3, 60.0)], clock, identical_get_s=60.0)

    for identity in ("x", "y", None):
        budget.acquire("account", identity=identity)

    assert clock.now() == BEGINS
    assert budget.remaining("account") == {"minute": 0}


def test_an_hour_is_waited_out_and_a_day_is_not(tmp_path: Path) -> None:
    """A run waits for hours, not for a day: the error says when calls continue, and then they do."""
    clock = StepClock()
    hours = [Window("hour", 2, 3600.0), Window("day", 5, 86400.0)]
    budget = CallBudget(tmp_path / "calls.sqlite", hours, clock, system="precoro")
    for _ in range(5):
        budget.acquire("account")
    waited = clock.now() - BEGINS

    with pytest.raises(QuotaExhaustedError, match=r"day quota.*2026-11-17 06:00:01 UTC"):
        budget.acquire("account")
    clock.moment = BEGINS + timedelta(days=1, seconds=1)
    budget.acquire("account")

    assert timedelta(hours=2) <= waited < timedelta(hours=2, minutes=1)


def test_identical_calls_are_limited_per_hour(tmp_path: Path) -> None:
    """Precoro's second limit for the same GET: 30 per hour, even if they are a minute apart."""
    clock = StepClock()
    budget = CallBudget(tmp_path / "calls.sqlite", [], clock, identical_get_s=60.0, identical_per_hour=30)

    for _ in range(31):
        budget.acquire("account", identity="GET /users")

    assert clock.now() - BEGINS >= timedelta(hours=1)


def test_accounts_have_separate_quotas(tmp_path: Path) -> None:
    """Each token has its own quota."""
    clock = StepClock()
    budget = CallBudget(tmp_path / "calls.sqlite", [Window("minute", 1, 60.0)], clock)

    budget.acquire("one")
    budget.acquire("two")

    assert clock.now() == BEGINS


def test_old_calls_are_deleted(tmp_path: Path) -> None:
    """The size of the log depends on the quota, not on the number of calls."""
    clock = StepClock()
    budget = CallBudget(tmp_path / "calls.sqlite", [Window("minute", 5, 60.0)], clock)

    for _ in range(50):
        budget.acquire("account")
        clock.sleep(30)

    with budget._log.transaction() as execute:
        assert execute("select count(*) from calls").fetchone()[0] <= 5


def run_in_threads(work: Callable[[], None], threads: int) -> None:
    """Run the same function in several threads."""
    running = [threading.Thread(target=work) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()


def test_threads_share_one_quota(tmp_path: Path) -> None:
    """Check and record are one transaction, so two callers never take the same slot."""
    clock = SharedClock(tmp_path / "clock.sqlite", start=BEGINS, jumps=True)
    budget = CallBudget(tmp_path / "calls.sqlite", [Window("hour", 100, 3600.0), Window("day", 999, 86400.0)], clock)

    def many() -> None:
        for _ in range(40):
            budget.acquire("account")

    run_in_threads(many, threads=8)

    with budget._log.transaction() as execute:
        moments = [row[0] for row in execute("select at from calls order by at")]
    assert len(moments) == 320
    assert busiest(moments, 3600.0) == 100


PROCESS = """
import sys
from pathlib import Path
from resources.rate_limit import CallBudget, Window
from resources.clock import Reading, SharedClock
folder = Path(sys.argv[1])
clock = SharedClock(folder / "clock.sqlite", jumps=True)
budget = CallBudget(folder / "calls.sqlite", [Window("hour", 10, 3600.0), Window("day", 100, 86400.0)], clock)
for _ in range(8):
    budget.acquire("account")
"""


def test_processes_share_one_quota(tmp_path: Path) -> None:
    """A schedule and a person at the command line are two processes with one token."""
    SharedClock(tmp_path / "clock.sqlite", start=BEGINS, jumps=True)
    running = [subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path)]) for _ in range(3)]

    assert [each.wait(timeout=60) for each in running] == [0, 0, 0]

    budget = CallBudget(tmp_path / "calls.sqlite", [Window("day", 100, 86400.0)], StepClock())
    with budget._log.transaction() as execute:
        moments = [row[0] for row in execute("select at from calls order by at")]
    assert len(moments) == 24
    assert busiest(moments, 3600.0) == 10


@settings(max_examples=40, deadline=None)
@given(
    jumps=st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(-200_000.0, 0.0)), min_size=1, max_size=15),
    spacing_s=st.floats(0.0, 3.0),
)
def test_a_clock_that_is_set_back_neither_blocks_nor_exceeds_a_window(
    jumps: list[tuple[float, float]], spacing_s: float
) -> None:
    """In true time the limits hold, and no call waits for longer than its longest window."""
    window, clock, set_back, moments = Window("minute", 3, 60.0), StepClock(), 0.0, []
    with TemporaryDirectory() as folder:
        budget = CallBudget(Path(folder, "calls.sqlite"), [window], clock, spacing_s=spacing_s, identical_get_s=60.0)
        for pause_s, jump_s in jumps:
            clock.sleep(pause_s)
            clock.moment += timedelta(seconds=jump_s)
            set_back += jump_s
            before = clock.now().timestamp() - set_back
            budget.answered(budget.acquire("account", identity="x" if pause_s > 15 else None))
            moments.append(clock.now().timestamp() - set_back)
            assert moments[-1] - before <= window.seconds + 1

    assert busiest(moments, window.seconds) <= window.calls


def test_after_a_clock_was_ahead_calls_go_on(tmp_path: Path) -> None:
    """A clock that showed tomorrow for a moment does not use up the spacing until tomorrow."""
    clock = StepClock()
    budget = CallBudget(tmp_path / "calls.sqlite", [Window("day", 100, 86_400.0)], clock, spacing_s=1.0)
    clock.moment += timedelta(days=1)
    budget.answered(budget.acquire("account"))
    clock.moment -= timedelta(days=1)

    budget.acquire("account")

    assert clock.now() - BEGINS < timedelta(seconds=3)
    assert budget.remaining("account") == {"day": 98}


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_machine_whose_clock_is_set_keeps_its_windows(tmp_path: Path, days: int) -> None:
    """In the middle of a window, by any process: no call too many, and the window opens when it would have."""
    clock = SetClock()
    windows = [Window("day", 2, 86_400.0)]
    budget = CallBudget(tmp_path / "calls", windows, clock, spacing_s=1.0)
    for _ in range(2):
        budget.acquire("acme")
    clock.set_by(timedelta(days=days))
    other = CallBudget(tmp_path / "calls", windows, clock, spacing_s=1.0)

    assert budget.remaining("acme") == other.remaining("acme") == {"day": 0}
    with pytest.raises(QuotaExhaustedError, match=f"continues at {clock.now() + timedelta(days=1):%Y-%m-%d %H:%M}"):
        other.acquire("acme")
    clock.sleep(86_401)
    assert other.remaining("acme") == {"day": 2}
    other.acquire("acme")


@settings(max_examples=30)
@given(limits=windows, made=pauses, calls=st.integers(1, 3))
def test_at_the_time_that_is_named_so_many_calls_need_not_wait(
    limits: list[Window], made: list[tuple[float, str | None]], calls: int
) -> None:
    """A record is deferred until then; before it, at least one of them would have to wait."""
    clock = StepClock()
    calls = min(calls, *(window.calls for window in limits))
    with TemporaryDirectory() as folder:
        budget = CallBudget(Path(folder) / "calls.sqlite", limits, clock, patience_s=3600)
        for pause, _ in made:
            clock.sleep(pause)
            budget.acquire("one")
        named = budget.room_at("one", calls)
        clock.moment = max(clock.moment, named)
        for _ in range(calls):
            budget.acquire("one")

        assert (clock.now() - max(named, BEGINS)).total_seconds() < 1.0
