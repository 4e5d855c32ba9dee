"""A column as the list of words that SP walks on a Z80: entries of kernel blocks, and places (docs/image-cpm.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.pack.cpm_templates import templates

PAGE_PLACES = 128
"""Sums of a page: a word each."""


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


def in_counts(plus: NDArray[np.uint8], minus: NDArray[np.uint8]) -> bytes:
    """A column of the first layer that is counted; each array says how often a row counts, shape (rows,)."""
    return _part(_named(plus), block("inc")) + _part(_named(minus), block("dec"))


def in_sums(plus: NDArray[np.uint8], minus: NDArray[np.uint8]) -> bytes:
    """A column that is added to words; each array says how often for each place, shape (places,)."""
    data = b""
    up = templates().labels["kernel_up"].to_bytes(2, "little")
    for page in (slice(0, PAGE_PLACES), slice(PAGE_PLACES, None)):
        lists = [(_named(one[page]), block(name)) for one, name in ((plus, "add"), (minus, "sub"))]
        part = b"".join(_part([2 * place for place in places], where) for places, where in lists)
        if part and page.start:
            data += up
        data += part
    return data


def decode(data: bytes, ends: int) -> tuple[dict[int, int], int]:
    """What a list does until the address `ends`: place (second page from 256 on, bytes) -> sum of signs; its length."""
    blocks = [(block(name), sign) for name, sign in (("add", 1), ("sub", -1), ("inc", 1), ("dec", -1))]
    sums: dict[int, int] = {}
    base = at = 0
    while (entry := int.from_bytes(data[at : at + 2], "little")) != ends:
        at += 2
        if entry == templates().labels["kernel_up"]:
            base = 256
            continue
        count, sign = next((n, sign) for one, sign in blocks if (n := one.count(entry)))
        for place in data[at + count % 2 : at + count % 2 + count]:
            sums[base + place] = sums.get(base + place, 0) + sign
        at += count + count % 2
    return sums, at


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
