"""Energy of a reply and life of a battery, estimated from counted cycles and datasheet currents.

    energy = supply * (active current * active cycles + idle current * idle cycles) / clock

Active cycles are those that the chip was awake, counted by the simulator from the first byte of a query to the last
of its reply. Idle cycles are those of the serial line, at 10 bits per byte, in which the chip sleeps; waiting for the
host is nobody's cost. The chip alone: a board's regulator, LED and USB adapter come on top. A card or a flash chip from
which weights stream adds its own: reading, writing, and standing by while it has its supply.
"""

from __future__ import annotations

from dataclasses import dataclass

from host_sdk.boards import Avr, Board, Offload
from host_sdk.conformance import BenchResult

_BITS_PER_BYTE = 10
_USB_MV = 5000
"""Boards of this supply run on no battery of the list."""
BATTERIES = {"CR2032": 225, "LiPo 110 mAh": 110, "2 x AAA": 1000}
"""Capacities in mAh, as sold; a coin cell gives less at milliamperes."""


@dataclass(frozen=True, slots=True)
class Energy:
    """An estimate in microjoules; `battery_days` at `replies_per_day`, powered down in between, below 5 V."""

    uj_per_char: float
    uj_per_reply: float
    part_uj_per_reply: float | None  # the share of a card or a flash chip
    replies_per_day: int
    battery_days: dict[str, float]


def estimate(board: Board, result: BenchResult, replies_per_day: int = 100) -> Energy | None:
    """None for boards whose currents are not known, and for real boards, whose sleep is not counted."""
    if not isinstance(board, Avr) or board.currents is None:
        return None
    if result.active_cycles_per_reply is None or result.line_bytes_per_reply is None:
        return None
    line = result.line_bytes_per_reply * _BITS_PER_BYTE / board.baud  # seconds
    part = _part_charge(board, result)
    chip = board.currents.active * result.active_cycles_per_reply / result.clock_hz + board.currents.idle * line
    charge = chip + (part or 0)
    per_reply = charge * board.supply_mv  # mA * s * mV = uJ
    day = charge * replies_per_day / 3600 + board.currents.power_down * 24  # mAh
    return Energy(
        uj_per_char=per_reply * result.queries / result.passes,
        uj_per_reply=per_reply,
        part_uj_per_reply=None if part is None else part * board.supply_mv,
        replies_per_day=replies_per_day,
        battery_days={name: capacity / day for name, capacity in BATTERIES.items() if board.supply_mv < _USB_MV},
    )


def _part_charge(board: Avr, result: BenchResult) -> float | None:
    """Of a card or a flash chip in one reply, mA * s; None for boards without."""
    cycles = result.part_cycles_per_reply
    if not isinstance(board, Offload) or cycles is None:
        return None
    currents = board.part_currents
    charge = currents.reading * cycles.reading + currents.writing * cycles.writing + currents.standby * cycles.standby
    return charge / result.clock_hz
