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
_ADD, _COUNT, _ADD_MOVE, _COUNT_MOVE = 34, 20, 65, 44
"""T-states of one place in the blocks of kernel.asm; of these, _ODD come with an odd number, half of the time."""
_ENTRY, _ODD, _UP, _ADD_LIST, _COUNT_LIST = 10, 15, 24, 97, 52


@dataclass(frozen=True, slots=True)
class Block:
    """A kernel block that adds, subtracts, or counts: where it is entered for so many places."""

    even: int  # entry for no places
    pair: int  # bytes of code for two
    odd: int  # entry for one place
    odd_step: int  # bytes between the entries for odd numbers
    most: int  # places

    def entry(self, count: int) -> int:
        """Where the block is entered for 1 to `most` places."""
        return self.odd + count // 2 * self.odd_step if count % 2 else self.even - count // 2 * self.pair

    def count(self, entry: int) -> int | None:
        """The inverse of entry(); None when it is none of this block's."""
        return next((n for n in range(1, self.most + 1) if self.entry(n) == entry), None)


def block(name: str) -> Block:
    """A block of the kernel: add, sub, inc or dec."""
    label = templates().labels
    pair = label["ADD_PAIR" if name in ("add", "sub") else "COUNT_PAIR"]
    most = 2 * label["KERNEL_PAIRS"]
    return Block(label[f"{name}_end"], pair, label[f"{name}_odd"], label["ODD_BYTES"], most)


@dataclass(frozen=True, slots=True)
class Form:
    """A column in one of its two forms: the list without what follows it, and what it takes."""

    data: bytes
    cost: int  # T-states, carries apart


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
        lists = [(_named(one[page]), block(name)) for one, name in ((plus, "add"), (minus, "sub"))]
        parts = [part for places, where in lists if (part := _part([2 * place for place in places], where))]
        if parts and page.start:
            data += _word("kernel_up")
            cost += _UP
        data += b"".join(parts)
        cost += len(parts) * (_ENTRY + _ODD // 2)
    return Form(data, cost)


def moves_in_counts(plus: NDArray[np.uint8], minus: NDArray[np.uint8]) -> Form:
    """The same as in_counts(), smaller and slower; what a column counts twice stands in bytes behind."""
    data = b""
    cost = 0
    for times, entry in ((plus, "nib_inc"), (minus, "nib_dec")):
        at = -1
        moves: list[int] = []
        for place in np.flatnonzero(times):
            moves += [0] * ((place - at - 1) // REACH) + [int(place - at - 1) % REACH + 1]
            at = place
        if moves:
            data += _word(entry) + _packed(moves)
            cost += _COUNT_MOVE * len(moves) + _COUNT_LIST
    rest = in_counts(plus - (plus > 0), minus - (minus > 0))
    return Form(data + rest.data, cost + rest.cost)


def moves_in_sums(plus: NDArray[np.uint8], minus: NDArray[np.uint8]) -> Form | None:
    """The same as in_sums(), smaller and slower; None when the column names the first place of a page."""
    if any(one[first::PAGE_PLACES][:1].any() for one in (plus, minus) for first in (0, PAGE_PLACES)):
        return None
    data = b""
    cost = 0
    for times, entry in ((plus, "nib_add"), (minus, "nib_sub")):
        at = 0
        moves: list[int] = []
        for place in np.flatnonzero(times):
            while place // PAGE_PLACES > at // PAGE_PLACES or place - at > REACH:
                after = at + REACH
                at = PAGE_PLACES if after // PAGE_PLACES > at // PAGE_PLACES else after
                moves.append(0)
            moves.append(int(place - at))
            at = int(place)
        if moves:
            data += _word(entry) + _packed(moves)
            cost += _ADD_MOVE * len(moves) + _ADD_LIST
    rest = in_sums(plus - (plus > 0), minus - (minus > 0))
    return Form(data + rest.data, cost + rest.cost)


def decode(data: bytes, ends: int) -> tuple[dict[int, int], int]:
    """What a list does until the address `ends`: byte from the start of the first page -> sum of signs; its length."""
    blocks = [(block(name), sign) for name, sign in (("add", 1), ("sub", -1), ("inc", 1), ("dec", -1))]
    moves = {templates().labels[name]: (name, sign) for name, sign in _MOVES}
    sums: dict[int, int] = {}
    base = at = 0
    while (entry := int.from_bytes(data[at : at + 2], "little")) != ends:
        at += 2
        if entry == templates().labels["kernel_up"]:
            base = 256
        elif entry in moves:
            name, sign = moves[entry]
            words = data[at]
            for place in _walk(data[at + 1 : at + 1 + 2 * words], name in ("nib_add", "nib_sub")):
                sums[place] = sums.get(place, 0) + sign
            at += 1 + 2 * words
        else:
            count, sign = next((n, sign) for one, sign in blocks if (n := one.count(entry)))
            for place in data[at + count % 2 : at + count % 2 + count]:
                sums[base + place] = sums.get(base + place, 0) + sign
            at += count + count % 2
    return sums, at


_MOVES = (("nib_add", 1), ("nib_sub", -1), ("nib_inc", 1), ("nib_dec", -1))


def _walk(data: bytes, words: bool) -> Iterator[int]:
    at = 0 if words else -1
    for byte in data:
        for move in (byte >> 4, byte & 15):
            if move:
                at += move * (2 if words else 1)
                yield at
            elif words:
                at = 256 if (at + 2 * REACH) // 256 > at // 256 else at + 2 * REACH
            else:
                at += REACH


def _word(label: str) -> bytes:
    return templates().labels[label].to_bytes(2, "little")


def _packed(moves: list[int]) -> bytes:
    """How many words, and four moves in each; the last is filled up with moves that add nothing."""
    moves = moves + [0] * (-len(moves) % 4)
    return bytes([len(moves) // 4]) + bytes(a << 4 | b for a, b in zip(moves[::2], moves[1::2], strict=True))


def _named(times: NDArray[np.uint8]) -> list[int]:
    return [int(place) for place in np.repeat(np.arange(times.size), times)]


def _part(places: Sequence[int], where: Block) -> bytes:
    return b"".join(_entries(places, where))


def _entries(places: Sequence[int], where: Block) -> Iterator[bytes]:
    """Full blocks behind what is left over: an entry each, then its places; an odd one in the high byte of a word."""
    left = len(places) % where.most
    for start in range(left - where.most if left else 0, len(places), where.most):
        some = places[max(start, 0) : start + where.most]
        yield where.entry(len(some)).to_bytes(2, "little") + bytes(len(some) % 2) + bytes(some)
