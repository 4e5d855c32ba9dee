"""A column as the list of words that SP walks on a Z80: entries of kernel blocks, and places (docs/image-cpm.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.pack.cpm_templates import templates

PAGE_PLACES = 128
"""Sums of a page: a word each."""
REACH = 15
"""A move goes no further."""
_DOWN = 24
_AGAIN = 0x80
"""In the number of words to count up: a place to count down once more follows."""
_ADD, _COUNT, _ADD_MOVE, _COUNT_MOVE = 34, 20, 65, 55
"""T-states of one place in the blocks of kernel.asm; of these, _ODD come with an odd number, half of the time."""
_ENTRY, _ODD, _UP, _ADD_LIST, _COUNT_LIST = 10, 15, 9, 136, 117


@dataclass(frozen=True, slots=True)
class Block:
    """A kernel block that adds, subtracts, or counts: where it is entered for so many places."""

    even: int  # entry for no places
    pair: int  # bytes of code for two
    odd: int  # entry for one place
    odd_step: int  # bytes between the entries for odd numbers
    most: int  # places
    up: int = 0  # entry for two places in the second page
    up_odd: int = 0  # for one

    def entry(self, count: int) -> int:
        """Where the block is entered for 1 to `most` places."""
        return self.odd + count // 2 * self.odd_step if count % 2 else self.even - count // 2 * self.pair

    def up_entry(self, count: int) -> int:
        """The same where a list goes on to the second page."""
        label = templates().labels
        if count % 2:
            return self.up_odd + count // 2 * label["UP_ODD_BYTES"]
        return self.up + (count // 2 - 1) * label["UP_BYTES"]

    def count(self, entry: int) -> tuple[int, bool] | None:
        """The inverse of entry() and up_entry(): for how many places, and whether up; None when it is no entry."""
        for n in range(1, self.most + 1):
            if entry in (self.entry(n), self.up_entry(n)):
                return n, entry == self.up_entry(n)
        return None


def block(name: str) -> Block:
    """A block of the kernel: add, sub, inc or dec."""
    label = templates().labels
    pair = label["ADD_PAIR" if name in ("add", "sub") else "COUNT_PAIR"]
    most = 2 * label["ADD_PAIRS" if name in ("add", "sub") else "COUNT_PAIRS"]
    ups = (label.get(f"{name}_up", 0), label.get(f"{name}_up_odd", 0))
    return Block(label[f"{name}_end"], pair, label[f"{name}_odd"], label["ODD_BYTES"], most, *ups)


@dataclass(frozen=True, slots=True)
class Form:
    """A column in one of its two forms: the list without what follows it, and what it takes."""

    data: bytes
    cost: int  # T-states, carries apart
    moves: bool = False  # it ends by itself; a list of places wants the address of what follows


def in_counts(plus: NDArray[np.uint8], minus: NDArray[np.uint8]) -> Form:
    """A column of the first layer that is counted; each array says how often a row counts, shape (rows,)."""
    parts = [_part(_named(plus), block("inc")), _part(_named(minus), block("dec"))]
    return Form(
        b"".join(parts), _COUNT * int(plus.sum() + minus.sum()) + sum(_ENTRY + _ODD // 2 for part in parts if part)
    )


def in_sums(plus: NDArray[np.uint8], minus: NDArray[np.uint8]) -> Form:
    """A column that is added to words; each array says how often for each place, shape (places,)."""
    data = b""
    cost = _ADD * int(plus.sum() + minus.sum())
    for page in (slice(0, PAGE_PLACES), slice(PAGE_PLACES, None)):
        up = bool(page.start)
        for one, name in ((plus, "add"), (minus, "sub")):
            part = _part([2 * place for place in _named(one[page])], block(name), up)
            if part:
                data += part
                cost += _ENTRY + _ODD // 2 + up * _UP
                up = False
    return Form(data, cost)


def moves_in_counts(plus: NDArray[np.uint8], minus: NDArray[np.uint8]) -> Form:
    """The same as in_counts(), smaller and slower; what a column counts twice stands before, one place in the head."""
    twice, again = np.flatnonzero(plus > 1), np.flatnonzero(minus > 1)
    head = again[:1] if not twice.size and minus.max(initial=0) <= 2 else again[:0]
    rest = minus - (minus > 0)
    rest[head] -= 1
    before = in_counts(plus - (plus > 0), rest)
    return _moved("move_counts", before, [_count_moves(np.flatnonzero(one)) for one in (plus, minus)], head)


def moves_in_sums(plus: NDArray[np.uint8], minus: NDArray[np.uint8]) -> Form | None:
    """The same as in_sums(), smaller and slower; None when the column names the first place of a page."""
    if any(one[first::PAGE_PLACES][:1].any() for one in (plus, minus) for first in (0, PAGE_PLACES)):
        return None
    twice = in_sums(plus - (plus > 0), minus - (minus > 0))
    if any((one[PAGE_PLACES:] > 1).any() for one in (plus, minus)):
        twice = Form(twice.data + _word("kernel_down"), twice.cost + _DOWN)
    return _moved("move_sums", twice, [_sum_moves(np.flatnonzero(one)) for one in (plus, minus)])


def decode(data: bytes, ends: int) -> tuple[dict[int, int], int]:
    """What a list does until the address `ends`: place -> sum of signs (sums: those of the second page from 128 on).

    Also its length, without that address.
    """
    label = templates().labels
    blocks = [(block(name), sign, name) for name, sign in (("add", 1), ("sub", -1), ("inc", 1), ("dec", -1))]
    done: dict[int, int] = {}
    base = at = 0
    while (entry := int.from_bytes(data[at : at + 2], "little")) != ends:
        at += 2
        if entry == label["kernel_down"]:
            base = 0
        elif entry in (label["move_sums"], label["move_counts"]):
            lengths = [2 * (count & ~_AGAIN) for count in data[at : at + 2]]
            if data[at] & _AGAIN:
                done[data[at + 2]] = done.get(data[at + 2], 0) - 1
                at += 1
            at += 2
            for sign, length in zip((1, -1), lengths, strict=True):
                for place in _walk(data[at : at + length], entry == label["move_sums"]):
                    done[place] = done.get(place, 0) + sign
                at += length
            break
        else:
            (count, up), sign, name = next((n, sign, name) for one, sign, name in blocks if (n := one.count(entry)))
            base = PAGE_PLACES if up else base
            for byte in data[at + count % 2 : at + count % 2 + count]:
                place = base + byte // 2 if name in ("add", "sub") else byte
                done[place] = done.get(place, 0) + sign
            at += count + count % 2
    return done, at


def _count_moves(places: NDArray[np.intp]) -> list[int]:
    moves: list[int] = []
    at = -1
    for place in places.tolist():
        moves += [0] * ((place - at - 1) // REACH) + [(place - at - 1) % REACH + 1]
        at = place
    return moves


def _sum_moves(places: NDArray[np.intp]) -> list[int]:
    moves: list[int] = []
    at = 0
    for place in places.tolist():
        while place // PAGE_PLACES > at // PAGE_PLACES or place - at > REACH:
            at = _skipped(at)
            moves.append(0)
        moves.append(place - at)
        at = place
    return moves


def _skipped(at: int) -> int:
    """Where a move of 0 leads: on by REACH, but not past the first place of the next page."""
    return PAGE_PLACES * (at // PAGE_PLACES + 1) if (at + REACH) // PAGE_PLACES > at // PAGE_PLACES else at + REACH


def _moved(label: str, before: Form, lists: Sequence[list[int]], head: Sequence[int] | NDArray[np.intp] = ()) -> Form:
    """Places that come before, how many words each list of moves has, a place, and the lists, filled up with 0."""
    words = [-(-len(moves) // 4) for moves in lists]
    flat = [move for moves, count in zip(lists, words, strict=True) for move in moves + [0] * (4 * count - len(moves))]
    numbers = bytes([words[0] | (_AGAIN if len(head) else 0), words[1], *map(int, head)])
    data = _word(label) + numbers + bytes(a << 4 | b for a, b in zip(flat[::2], flat[1::2], strict=True))
    each, rest = (_COUNT_MOVE, _COUNT_LIST) if label == "move_counts" else (_ADD_MOVE, _ADD_LIST)
    return Form(before.data + data, before.cost + each * len(flat) + rest, moves=True)


def _walk(data: bytes, sums: bool) -> Iterator[int]:
    """The places that moves name."""
    at = 0 if sums else -1
    for byte in data:
        for move in (byte >> 4, byte & 15):
            at = at + move if move else _skipped(at) if sums else at + REACH
            if move:
                yield at


def _word(label: str) -> bytes:
    return templates().labels[label].to_bytes(2, "little")


def _named(times: NDArray[np.uint8]) -> list[int]:
    return [int(place) for place in np.repeat(np.arange(times.size), times)]


def _part(places: Sequence[int], where: Block, up: bool = False) -> bytes:
    return b"".join(_entries(places, where, up))


def _entries(places: Sequence[int], where: Block, up: bool) -> Iterator[bytes]:
    """What is left over, then full blocks: an entry each, then its places; an odd one in the high byte of a word."""
    left = len(places) % where.most
    for start in range(left - where.most if left else 0, len(places), where.most):
        some = places[max(start, 0) : start + where.most]
        entry = where.up_entry(len(some)) if up else where.entry(len(some))
        up = False
        yield entry.to_bytes(2, "little") + bytes(len(some) % 2) + bytes(some)
