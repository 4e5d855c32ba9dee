"""All of an image at its address: header, texts, tables, lists, and the program of a pass (docs/image-cpm.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FileError
from host_sdk.model.crc import crc16
from host_sdk.model.model import Layer, Model
from host_sdk.pack.cpm_counts import Counts
from host_sdk.pack.cpm_lists import Form, in_counts, moves_in_counts
from host_sdk.pack.cpm_sums import Sums, column_record, record, word
from host_sdk.pack.cpm_templates import templates
from host_sdk.pack.fields import layout
from host_sdk.spec import cpm as spec
from host_sdk.spec.image import MAGIC, VALUE_MARK
from host_sdk.spec.protocol import MAX_QUERY

_HEADER = layout(spec.HEADER)
PAGE = 256
MOST_PREFIXES = 5
QUERY_SHARE = 0.1
"""What a T-state of the query is worth in T-states of a pass: it is spent once per reply."""
SCAN_ROW, ROW, PART, TAPE_ROW, FOLD = 22, 34, 33, 87, 141
"""T-states of a row: counted; with its own code, and each part of it; on a tape; of a virtual row there."""
GRAM_COST = 340
"""T-states of an n-gram's hash and of the way to its column."""
REPLY_GOES_ON = 0.8
"""Share of passes behind which there is another, for the worth of a prefix: each serves one of a reply."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A column that can be a list of moves instead of places."""

    layer: int
    index: int
    saved: int  # bytes
    cost: float  # T-states a pass


@dataclass
class Plan:
    """What is in an image, before its columns have a form."""

    model: Model
    layers: Sequence[Layer]  # kept rows and columns
    counts: Counts | None
    sums: Sequence[Sums]  # of the layers that are summed; the first is missing if it is counted
    reads: Sequence[NDArray[np.float64]]  # per layer: share of passes in which a column is read

    @property
    def tape(self) -> bool:
        """Whether rows lie on tapes."""
        return self.sums[0].tape

    @property
    def max_query(self) -> int:
        """Characters for which the engine is exact."""
        return self.counts.max_query if self.counts else MAX_QUERY

    @property
    def most_prefixes(self) -> int:
        """Pages of counts that can be kept for a reply's beginning."""
        return min(MOST_PREFIXES, self.model.context_length - 2) if self.counts else 0

    @cached_property
    def columns(self) -> list[list[tuple[Form, Form | None]]]:
        """Per layer and input: the column in places, and in moves where that can be."""
        columns = [[one.column(index) for index in range(one.layer.columns)] for one in self.sums]
        if self.counts:
            columns.insert(0, [_counted(column) for column in self.layers[0].weights.T.astype(np.int64)])
        return columns

    def ranking(self) -> list[Choice]:
        """The columns that moves make smaller, the cheapest byte first."""
        choices = []
        for layer, (columns, reads) in enumerate(zip(self.columns, self.reads, strict=True)):
            for index, (places, moves) in enumerate(columns):
                share = float(reads[index])
                if layer == 0 and index < self.model.query_buckets:
                    share *= QUERY_SHARE
                if not moves:
                    continue
                saved = len(places.data) - len(moves.data) + (0 if layer and not self.tape else 2)
                if saved > 0:
                    choices.append(Choice(layer, index, saved, share * (moves.cost - places.cost)))
        return sorted(choices, key=lambda one: (one.cost / one.saved, one.layer, one.index))

    @cached_property
    def _least(self) -> float:
        """T-states a pass that its rows, and its columns behind the query as places, are expected to take."""
        cost = 0.0
        for layer, (columns, reads) in enumerate(zip(self.columns, self.reads, strict=True)):
            behind = slice(0 if layer else self.model.query_buckets, None)
            cost += sum(form.cost * share for (form, _), share in zip(columns[behind], reads[behind], strict=True))
        for one in self.sums:
            rows, virtual = one.layer.rows, one.shared.places - one.layer.rows
            cost += TAPE_ROW * rows + FOLD * virtual if self.tape else ROW * rows + PART * 2 * virtual
        return cost + (TAPE_ROW - SCAN_ROW) * self.layers[0].rows * bool(self.counts and self.tape)

    def cost(self, moved: Sequence[Choice], prefixes: int) -> float:
        """T-states a pass that such a layout is expected to take, what all layouts take left out."""
        length = self.model.context_length
        column = float(np.mean([form.cost for form, _ in self.columns[0][self.model.query_buckets :]] or [0]))
        missing = sum(
            REPLY_GOES_ON**said * (3 * (length - said) - 3) for said in range(prefixes + 1, self.most_prefixes + 1)
        )
        return self._least + sum(one.cost for one in moved) + missing * (column + GRAM_COST) * (1 - REPLY_GOES_ON)


def _counted(column: NDArray[np.int64]) -> tuple[Form, Form | None]:
    plus, minus = (np.maximum(sign * column, 0).astype(np.uint8) for sign in (1, -1))
    return in_counts(plus, minus), moves_in_counts(plus, minus)


def header(data: bytes) -> dict[str, int]:
    """The header fields of an image for CP/M; FileError when it is not one or damaged."""
    if len(data) < spec.HEADER_BYTES:
        raise FileError("This is not a packed model for CP/M (.ulb): it is too short.")
    fields = dict(zip((name for name, _, _ in spec.HEADER), _HEADER.unpack_from(data), strict=True))
    if fields["magic"] != MAGIC or fields["abi"] != spec.ABI or fields["length"] > len(data):
        raise FileError("This is not a packed model for CP/M (.ulb).")
    if crc16(data[spec.CHECK_FROM : fields["length"]]) != fields["check"]:
        raise FileError("The packed model is damaged (CRC-16); pack it again.")
    return fields


class Layout:
    """An image: its bytes, and the first address behind what it uses, which may be beyond the memory."""

    def __init__(self, plan: Plan, moved: Sequence[Choice], prefixes: int):
        self.plan = plan
        self.prefixes = prefixes
        self.moved = [np.zeros(len(columns), bool) for columns in plan.columns]
        for one in moved:
            self.moved[one.layer][one.index] = True
        self._forms = [
            [moves if is_moved and moves else places for (places, moves), is_moved in zip(columns, flags, strict=True)]
            for columns, flags in zip(plan.columns, self.moved, strict=True)
        ]
        self._body = bytearray(spec.HEADER_BYTES)
        fields = self._fields()
        self.end = self._here
        if prefixes:
            self.end = PAGE * (-(-self._here // PAGE) + prefixes)
        fields |= {"length": len(self._body), "end": self.end, "prefix_page": -(-self._here // PAGE)}
        mask = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF}  # what lies beyond the memory is refused later
        _HEADER.pack_into(self._body, 0, *(fields[name] & mask[size] for name, _, size in spec.HEADER))
        struct.pack_into("<H", self._body, 6, crc16(bytes(self._body[spec.CHECK_FROM :])))
        self.data = bytes(self._body)

    def _fields(self) -> dict[str, int]:
        """Lays everything out behind the header; what the header says of it."""
        plan, model, counts = self.plan, self.plan.model, self.plan.counts
        name = self._put(model.name.encode("ascii", "replace")[:15] + b"\0")
        charset = self._put(model.charset.encode("ascii"))
        replies = self._replies()
        words = (counts.start & 0xFFFF).astype("<u2").tobytes() if counts else plan.sums[0].start_words()
        start = self._put(words)
        query_table = self._room(2 * model.query_buckets)
        context_table = self._room(2 * model.context_buckets)
        scan_table = self._room(-self._here % PAGE + 2 * PAGE) if counts and not plan.tape else 0
        scan_table += -scan_table % PAGE
        self._columns(query_table, self._forms[0][: model.query_buckets])
        self._columns(context_table, self._forms[0][model.query_buckets :])
        program = self._program(scan_table)
        return {
            "magic": MAGIC,
            "abi": spec.ABI,
            "kind": model.kind,
            "check": 0,
            "model_crc": model.crc,
            "max_query": plan.max_query,
            "max_reply": model.max_reply,
            "classes": model.classes,
            "context_length": model.context_length,
            "query_mask": model.query_buckets - 1,
            "context_mask": max(model.context_buckets - 1, 0),
            "features": model.features.flags,
            "flags": (spec.FLAG_COUNTS | spec.FLAG_TAPE * plan.tape) if counts else 0,
            "charset": charset,
            "replies": replies,
            "name": name,
            "query_table": query_table,
            "context_table": context_table,
            "start": start,
            "rows": len(words) // 2,
            "floor": counts.floor if counts else 0,
            "zero": counts.zero if counts else 0,
            "prefixes": self.prefixes,
            "shift": plan.layers[-1].shift,
            "program": program,
            "outputs": plan.sums[-1].address(0),
        }

    @property
    def _here(self) -> int:
        """The address of the next byte."""
        return spec.IMAGE_ADDRESS + len(self._body)

    def _put(self, data: bytes) -> int:
        at = self._here
        self._body += data
        return at

    def _room(self, size: int) -> int:
        return self._put(bytes(size))

    def _poke(self, at: int, data: bytes) -> None:
        self._body[at - spec.IMAGE_ADDRESS : at - spec.IMAGE_ADDRESS + len(data)] = data

    def _replies(self) -> int:
        texts = [
            bytes([reply.action]) + reply.text.encode("ascii").replace(b"{}", bytes([VALUE_MARK])) + b"\0"
            for reply in self.plan.model.replies
        ]
        table = self._room(2 * len(texts))
        for index, text in enumerate(texts):
            self._poke(table + 2 * index, word(self._put(text)))
        return table

    def _columns(self, table: int, forms: Sequence[Form]) -> None:
        """Lists of the first layer, and where they are."""
        done = templates().labels["column_done"]
        counts = bool(self.plan.counts)

        def ended(form: Form) -> bytes:
            if counts and self.plan.tape:
                return column_record(form, done)
            return form.data if counts and form.moves else form.data + word(done)

        empty = self._put(ended(Form(b"", 0))) if forms else 0
        for index, form in enumerate(forms):
            self._poke(table + 2 * index, word(self._put(ended(form)) if form.data else empty))

    def _program(self, scan_table: int) -> int:
        """The code of a pass, and what it jumps to."""
        sums, counts = self.plan.sums, self.plan.counts
        forms = self._forms[1:]
        active = []
        for one, other in pairwise(sums):
            code, entry = one.active_code(other.base // PAGE)
            active.append(self._put(code) + entry)
        scanned = forms.pop(0) if counts else []
        tails = self._scan_lists(scan_table, scanned) if scan_table else []
        rest = self._put(counts.rest.astype(np.uint8).tobytes() + bytes(1)) if counts and not scan_table else 0
        program = self._here
        if counts:
            self._put(sums[0].start_code())
            if scan_table:
                self._scan(scan_table, tails)
            else:
                self._tape(rest, scanned)
        for number, one in enumerate(sums):
            if number + 1 < len(sums):
                self._put(sums[number + 1].start_code())
            self._put(one.join_code(self._here))
            if number + 1 < len(sums):
                rows = one.tape_code if one.tape else one.rows_code
                self._put(rows(self._here, active[number], forms[number]))
        label = templates().labels
        self._put(templates().code["exit"].stamp(to=label["move_return"], enter=label["list_return"]))
        self._put(templates().code["choose"].stamp())
        return program

    def _scan_lists(self, table: int, forms: Sequence[Form]) -> list[tuple[int, bool]]:
        """The lists of counted rows, behind the rest of x; where each ends, and whether it says what follows."""
        assert self.plan.counts
        tails = []
        for row, (rest, form) in enumerate(zip(self.plan.counts.rest, forms, strict=True)):
            self._scan_entry(table + row, self._put(bytes([int(rest)]) + form.data))
            tails.append((self._room(2 if form.moves else 4), not form.moves))
        self._scan_entry(table + len(forms), self._put(bytes(1)))
        tails.append((self._room(2), True))
        return tails

    def _scan_entry(self, at: int, address: int) -> None:
        self._poke(at, bytes([address & 0xFF]))
        self._poke(at + PAGE, bytes([address >> 8 & 0xFF]))

    def _scan(self, table: int, tails: Sequence[tuple[int, bool]]) -> None:
        assert self.plan.counts
        label, leave = templates().labels, templates().code["exit"]
        resume = self._here + len(leave) + label["t_scan_resume"] - label["t_scan"]
        page = self.plan.sums[0].base // PAGE
        again = resume + label["t_scan_again"] - label["t_scan_resume"]
        self._put(leave.stamp(to=again & 0xFFFF, enter=label["list_return"]))
        self._put(
            templates()
            .code["scan"]
            .stamp(
                zero=self.plan.counts.zero,
                zero2=self.plan.counts.zero,
                table=table // PAGE,
                table2=table // PAGE,
                page=page,
                page2=page,
                resume=resume & 0xFFFF,
                cut=int(self.plan.layers[0].saturate),
            )
        )
        for row, (tail, follows) in enumerate(tails[:-1]):
            self._poke(tail, (word(resume) if follows else b"") + word(label["count_work"] + row + 1))
        self._poke(tails[-1][0], word(self._here))

    def _tape(self, rest: int, forms: Sequence[Form]) -> None:
        """The scan of counted rows on a tape, and the tape."""
        assert self.plan.counts
        label, counts = templates().labels, templates().code["counts"]
        leave = templates().code["exit"]
        start = self._here + len(leave)
        resume = start + label["t_counts_resume"] - label["t_counts"]
        page = self.plan.sums[0].base // PAGE
        self._put(leave.stamp(to=resume & 0xFFFF, enter=label["tape_list"]))
        self._put(
            counts.stamp(
                records=start + len(counts) & 0xFFFF,
                zero=self.plan.counts.zero,
                rest=rest - 1 & 0xFFFF,
                page=page,
                page2=page,
                resume=resume & 0xFFFF,
                cut=int(self.plan.layers[0].saturate),
            )
        )
        for form in forms:
            self._put(record(form, resume))
        self._put(record(Form(b"", 0), self._here + 4))
