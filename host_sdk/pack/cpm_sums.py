"""One layer in sums of two bytes: where its rows and virtual rows lie, what they start from, and their code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FitError
from host_sdk.model.model import Layer
from host_sdk.pack.cpm_carries import offsets
from host_sdk.pack.cpm_lists import PAGE_PLACES, Form, in_sums, moves_in_sums
from host_sdk.pack.cpm_share import Shared
from host_sdk.pack.cpm_templates import templates

_PLACES = 0x80
"""In the first word of a record: a list of entries and places."""
_NEVER = 0x8000
"""A sum that is never active: of the places that no row has."""


@dataclass
class Sums:
    """A layer with its shared parts, at an address of two pages."""

    layer: Layer
    shared: Shared
    base: int  # address of the first place
    x: NDArray[np.int64]  # inputs of some passes, (passes, columns)
    last: bool  # outputs are in the order of the rows, and are no activations
    tape: bool = False  # rows lie on a tape, without code of their own; virtual rows are added by lists
    starts: NDArray[np.int64] = field(init=False)  # (rows + virtual,): unsigned 16-bit
    place: NDArray[np.int64] = field(init=False)  # (rows + virtual,)

    def __post_init__(self) -> None:
        rows, count = self.layer.rows, self.shared.places
        bias = self.layer.bias.astype(np.int64) - self.step
        offset = offsets(self.shared, bias, self.x)
        wanted = offset.copy()
        wanted[:rows] = bias
        for row in range(count):
            wanted[row] -= sum(sign * offset[part] for part, sign in self.shared.parts[row])
        self.starts = wanted & 0xFFFF
        order = np.lexsort((np.arange(count), self.starts))  # equal starts side by side: `push de` alone
        if self.last:
            order = np.concatenate([np.arange(rows), order[order >= rows]])
        elif self.tape:
            order = np.concatenate([order[order < rows], order[order >= rows]])
        free = np.arange(2 * PAGE_PLACES)
        if self.moves:
            free = free[free % PAGE_PLACES != 0]
        self.place = np.empty(count, np.int64)
        self.place[order[:rows]] = free[:rows]
        self.place[order[rows:]] = free[rows + self.scanned : count + self.scanned]

    @property
    def moves(self) -> bool:
        """Whether columns can be lists of moves: the first place of each page is free for that."""
        return self.shared.places <= (PAGE_PLACES - 1 if self.last else 2 * PAGE_PLACES - 2 - self.tape)

    @property
    def scanned(self) -> bool:
        """Whether a place behind the rows ends their scan."""
        return self.tape and not self.last

    @property
    def places(self) -> int:
        """Places up to the last in use."""
        return max(int(self.place.max()), self.end if self.scanned else 0) + 1

    @property
    def end(self) -> int:
        """The place behind the rows."""
        return int(self.place[: self.layer.rows].max()) + 1

    @property
    def step(self) -> int:
        """What a row's sum is less by: so its sign says whether the row is active."""
        return 0 if self.last else 1 << self.layer.shift

    def address(self, row: int) -> int:
        """Of the sum of a row or virtual row."""
        return self.base + 2 * int(self.place[row])

    def column(self, index: int) -> tuple[Form, Form | None]:
        """The list of one input, without what follows it, in places and in moves."""
        plus, minus = np.zeros((2, 2 * PAGE_PLACES), np.uint8)
        plus[self.place], minus[self.place] = self.shared.plus[:, index], self.shared.minus[:, index]
        return in_sums(plus, minus), moves_in_sums(plus, minus) if self.moves else None

    def start_words(self) -> bytes:
        """What the places start from."""
        words = np.full(self.places, _NEVER, np.int64)
        words[self.place] = self.starts
        if self.scanned:
            words[[0, self.end % PAGE_PLACES and self.end]] = 0  # always active
        return words.astype("<u2").tobytes()

    def start_code(self) -> bytes:
        """Code that sets the places to what they start from."""
        code = templates().code
        data = code["starts"].stamp(end=self.base + 2 * self.places)
        before: int | None = None
        for value in np.frombuffer(self.start_words(), "<u2")[::-1]:
            value = int(value)
            if before is None or value >> 8 != before >> 8:
                data += code["word"].stamp(value=value)
            elif value != before:
                data += code["low"].stamp(value=value & 0xFF)
            data += code["push"].stamp()
            before = value
        return data

    def sum_code(self, row: int) -> bytes:
        """Code that forms the sum of a row with its parts in HL."""
        code = templates().code
        parts = sorted(self.shared.parts[row], key=lambda part: -part[1])
        data = code["sum"].stamp(place=self.address(row))
        for part, sign in parts:
            data += code["plus" if sign > 0 else "minus"].stamp(place=self.address(part))
        return data

    def join_code(self, at: int) -> bytes:
        """Code for the address `at` that completes outputs, and virtual rows that have parts; on a tape, all rows."""
        if self.tape:
            return self._fold_code(at)
        data = b""
        for row in reversed(range(0 if self.last else self.layer.rows, self.shared.places)):  # parts come behind
            if self.shared.parts[row]:
                data += self.sum_code(row) + templates().code["store"].stamp(place=self.address(row))
        return data

    def _fold_code(self, at: int) -> bytes:
        fold = templates().code["fold"]
        users: dict[int, list[tuple[int, int]]] = {}
        height = [0] * self.shared.places
        for row in reversed(range(self.shared.places)):
            for part, sign in self.shared.parts[row]:
                users.setdefault(part, []).append((row, sign))
                height[row] = max(height[row], height[part] + 1)
        for both in users.values():
            both.sort(key=lambda user: -user[1])  # the row to subtract from comes second
        data = b""
        for level in range(max(height) + 1):
            for label, sign in (("fold_same", 1), ("fold_opposite", -1)):
                some = [part for part in sorted(users) if height[part] == level and users[part][-1][1] == sign]
                if some:
                    data += word(templates().labels[label]) + bytes([0, len(some)])
                for part in some:
                    data += word(self.address(part)) + b"".join(word(self.address(user)) for user, _ in users[part])
        list_ = at + len(fold)
        return fold.stamp(list=list_ & 0xFFFF) + data + word(list_ + len(data) + 2) if users else b""

    def active_code(self, page: int) -> tuple[bytes, int]:
        """Code that forms x of an active row and enters its list, and where it starts; `page` is the next layer's."""
        label, name = templates().labels, f"active{self.layer.shift}"
        if self.tape and self.layer.shift == 0:
            name = "tape0"  # x = 256 has no high byte in its sum
        cut = label["BIG_CUT"] * self.layer.saturate + label["BIG_TAPE"] * self.tape
        code = templates().code[name].stamp(page=page, page2=page, cut=cut)
        enter = templates().code["enter_tape" if self.tape else "enter"].stamp()
        return code + enter, label[f"t_{name}_entry"] - label[f"t_{name}"]

    def rows_code(self, at: int, active: int, forms: Sequence[Form]) -> bytes:
        """Code of all rows for the address `at`, each with its list in the next layer."""
        test = templates().code["test"]
        label = templates().labels
        data = templates().code["exit"].stamp(to=label["move_return"], enter=label["list_return"])
        for row in range(self.layer.rows):
            places = forms[row].data
            if not places:
                continue  # nobody reads it
            head = self.sum_code(row)
            behind = at + len(data) + len(head) + len(test)
            after = behind + len(places) + 2
            data += head + test.stamp(next=after & 0xFFFF, list=behind & 0xFFFF, active=active & 0xFFFF) + places
            data += word(after)
        return data

    def tape_code(self, at: int, active: int, forms: Sequence[Form]) -> bytes:
        """The same on a tape: code that reads it, then the tape."""
        label, tape, leave = templates().labels, templates().code["tape"], templates().code["exit"]
        start = at + len(leave)
        resume = start + label["t_tape_resume"] - label["t_tape"]
        records = start + len(tape)
        first = int(self.place.min())
        rows = {int(place): row for row, place in enumerate(self.place[: self.layer.rows])}
        up = start + label["t_tape_up"] - label["t_tape"]
        data = b"".join(
            record(forms[rows[place]], resume) if place in rows else record(Form(b"", 0), up)
            for place in range(first, self.end)
        )
        data += record(Form(b"", 0), records + len(data) + 4)
        head = tape.stamp(
            resume=resume & 0xFFFF,
            records=records & 0xFFFF,
            sums=self.base + 2 * first + 1,
            active=active & 0xFFFF,
            active2=active & 0xFFFF,
        )
        return leave.stamp(to=resume & 0xFFFF, enter=label["tape_list"]) + head + data


def record(form: Form, after: int) -> bytes:
    """A list as it stands on a tape: how long it is, the list, and what follows it, if it does not end by itself."""
    if _starts_with_moves(form):
        up, down = form.data[2:4]
        return bytes([up, up + down]) + form.data[4:]
    data = form.data if form.moves else form.data + word(after)
    if len(data) > 2 * 0xFF:
        raise FitError(f"A column takes {len(data)} bytes on a tape, which can say 510. Train it sparser or narrower.")
    return bytes([_PLACES, len(data) // 2]) + data


def column_record(form: Form, after: int) -> bytes:
    """The same for a column of the first layer, which stands by itself."""
    if _starts_with_moves(form):
        return form.data[2:]
    return bytes([0, _PLACES]) + (form.data if form.moves else form.data + word(after))


def _starts_with_moves(form: Form) -> bool:
    entries = (templates().labels[label] for label in ("move_sums", "move_counts"))
    return form.moves and form.data[:2] in map(word, entries)


def word(value: int) -> bytes:
    """A word, low byte first; what lies beyond the memory is refused elsewhere."""
    return (value & 0xFFFF).to_bytes(2, "little")
