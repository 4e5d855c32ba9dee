"""How simulated time keeps to the wall clock (the same rules as the AVR boards')."""

from __future__ import annotations

import time

PACES = ("real", "fast", "warp")

# Seconds that simulated time runs free of the wall clock after an act of the host: while the machine computes, and
# while it waits for the host.
_FREE_S = {"real": (0.0, 0.0), "warp": (1000.0, 0.0), "fast": (1000.0, 2.0)}
_LATE_S = 0.02
"""A machine that falls behind further than this is not caught up with."""


class Pace:
    """Says how long to sleep after a piece of simulated time."""

    def __init__(self, mode: str, clock_hz: int) -> None:
        self._busy_free, self._wait_free = (seconds * clock_hz for seconds in _FREE_S[mode])
        self._hz = clock_hz
        self._busy = self._waited = 0.0
        self._deadline = time.monotonic()

    def host_acted(self) -> None:
        """Simulated time may run free anew."""
        self._busy = self._waited = 0.0

    def after(self, ticks: int, waited: bool) -> float:
        """Seconds to sleep after so many T-states, in which the machine waited for the host or did not."""
        now = time.monotonic()
        if waited:
            self._waited += ticks
            free = self._waited < self._wait_free
        else:
            self._busy += ticks
            free = self._busy < self._busy_free
        if free:
            self._deadline = now
            return 0.0
        self._deadline = max(self._deadline, now - _LATE_S) + ticks / self._hz
        return max(0.0, self._deadline - now)
