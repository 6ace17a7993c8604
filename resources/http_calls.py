"""The calls of a client: counted together and for each part of a run, and stopped when no longer needed.

HttpClient  ->  Calls.begin(), .wait()  ->  one more call, a wait before the next one, or StoppedError
"""

import threading

from resources.clock import Clock, WallClock


class StoppedError(Exception):
    """The run is being stopped; this call's answer is no longer needed."""


class Calls:
    """The calls of one client, or of a part of a run that counts its own."""

    def __init__(self, together: "Calls | None" = None, stopped: threading.Event | None = None) -> None:
        """Count from zero, and in `together` as well; once `stopped` is set, no further call begins."""
        self._together, self._stopped = together, stopped or threading.Event()
        self._lock = threading.Lock()
        self.number = 0

    def apart(self, stopped: threading.Event) -> "Calls":
        """Return a count of its own, whose calls count here as well."""
        return Calls(self, stopped)

    def begin(self) -> None:
        """Count a call that begins now; StoppedError if none may begin."""
        if self._stopped.is_set():
            raise StoppedError
        with self._lock:
            self.number += 1
        if self._together:
            self._together.begin()

    def wait(self, clock: Clock, seconds: float) -> None:
        """Wait, but no longer than until calls are stopped."""
        if type(clock).sleep is WallClock.sleep:
            self._stopped.wait(seconds)
        else:
            clock.sleep(seconds)
