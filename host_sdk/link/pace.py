"""How far a board is with its next character, and how long that takes at the rate measured so far."""

from __future__ import annotations

import time
from dataclasses import dataclass

from host_sdk.link.session import Progress

_WEIGHT = 0.5
"""Of the newest measurement of the rate, beside all before."""


@dataclass(frozen=True, slots=True)
class Thought:
    """One step of a pass, as a board tells it that is slow enough."""

    layer: int  # from 1; 0: reading the query, or checking the model in front of the first reply
    done: int  # bytes of weights streamed
    total: int
    seconds_left: float | None  # of this pass, by this computer's clock; None until a rate is known


class Pace:
    """Measures the rate at which weights stream, from one reply to the next."""

    def __init__(self) -> None:
        self._rate: float | None = None  # bytes per second
        self._last: tuple[Progress, float] | None = None

    def interrupt(self) -> None:
        """Something else came than progress: a pass is over."""
        self._last = None

    def see(self, now: Progress) -> Thought:
        """What a progress frame that came just now means."""
        at = time.monotonic()
        if self._last:
            before, then = self._last
            if now.total == before.total and now.done > before.done and at > then:
                rate = (now.done - before.done) / (at - then)
                self._rate = rate if self._rate is None else _WEIGHT * rate + (1 - _WEIGHT) * self._rate
        self._last = now, at
        left = max(now.total - now.done, 0)
        return Thought(now.layer, now.done, now.total, left / self._rate if self._rate else None)
