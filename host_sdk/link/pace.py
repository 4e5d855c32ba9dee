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
        self._passes = 0  # ended since

    def begin(self) -> None:
        """A query goes out."""
        self._last = None

    def say(self, characters: int) -> None:
        """So many passes are over."""
        self._passes += characters

    def see(self, now: Progress) -> Thought:
        """What a progress frame that came just now means."""
        at = time.monotonic()
        if self._last:
            before, then = self._last
            streamed = now.done - before.done + self._passes * now.total
            if now.total == before.total and streamed > 0 and at > then:
                rate = streamed / (at - then)
                self._rate = rate if self._rate is None else _WEIGHT * rate + (1 - _WEIGHT) * self._rate
        self._last, self._passes = (now, at), 0
        left = max(now.total - now.done, 0)
        return Thought(now.layer, now.done, now.total, left / self._rate if self._rate else None)
