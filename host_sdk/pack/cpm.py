"""The model image of the CP/M port (`.ulb`): lists that SP walks, and code stamped from templates (docs/image-cpm.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FileError, FitError
from host_sdk.model.crc import crc16
from host_sdk.model.engine import run
from host_sdk.model.model import Layer, Model
from host_sdk.pack.cpm_counts import Counts
from host_sdk.pack.cpm_lists import in_counts
from host_sdk.pack.cpm_share import share
from host_sdk.pack.cpm_sums import Sums
from host_sdk.pack.cpm_templates import templates
from host_sdk.pack.image import compact as compacted
from host_sdk.pack.image import kept_rows
from host_sdk.pack.queries import everyday_queries
from host_sdk.spec import cpm as spec
from host_sdk.spec.container import WeightCode
from host_sdk.spec.image import MAGIC, MAX_CLASSES, VALUE_MARK
from host_sdk.spec.protocol import MAX_QUERY

_FORMATS = {1: "B", 2: "H", 4: "I"}
_HEADER = struct.Struct("<" + "".join(_FORMATS[size] for _, _, size in spec.HEADER))
_SPARSE_CODES = (WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT)
MOST_ROWS = 256
"""Rows, and virtual rows, of one layer: two pages of words."""
MOST_PREFIXES = 6
ADD_COST, PART_COST = 36, 70
"""T-states of an addition, its carries included, and of a virtual row that is a part of two rows."""


@dataclass(frozen=True, slots=True)
class CpmImage:
    """A packed model and what the packer did to it."""

    data: bytes
    model_crc: int
    max_query: int  # characters
    widths: tuple[int, ...]  # rows kept of each layer
    dropped_rows: int
    counted: bool  # first layer in counts of one byte
    virtual_rows: tuple[int, ...]  # per layer
    prefixes: int  # pages that keep the query's counts with a blank context
    end: int  # first address behind what the image uses
    additions: float  # expected in one pass behind the query

    @property
    def tpa_bytes(self) -> int:
        """From 0100h to the last byte in use."""
        return self.end - spec.ORIGIN

    def report(self) -> dict[str, object]:
        """What the packer chose, for people and `--json`."""
        return {
            "bytes": len(self.data),
            "tpa_bytes": self.tpa_bytes,
            "model_crc": f"{self.model_crc:08x}",
            "max_query": self.max_query,
            "widths": list(self.widths),
            "dropped_rows": self.dropped_rows,
            "counted": self.counted,
            "virtual_rows": list(self.virtual_rows),
            "prefixes": self.prefixes,
            "additions": round(self.additions),
        }


def pack_cpm(model: Model, *, tpa: int = spec.TPA_END - spec.ORIGIN, compact: bool = False) -> CpmImage:
    """The image of a model; FitError with the numbers when it is beyond the runtime or needs more than `tpa` bytes.

    `tpa` counts from 0100h to the last byte in use, runtime and stack included.
    """
    _check(model)
    layers = compacted(model)
    counts = Counts.of(model, layers[0])
    reads = _reads(model)
    plans = []
    for number, layer in enumerate(layers):
        if number == 0 and counts:
            continue
        shared = share(layer.weights, np.round(ADD_COST * reads[number]), PART_COST, MOST_ROWS)
        base = spec.RAM_ADDRESS + (spec.PAIR_BYTES if number % 2 == 0 else 0)
        plans.append(Sums(layer, shared, base, last=number == len(layers) - 1))
    image = _Image(model, layers, counts, plans, tpa)
    return CpmImage(
        data=image.data,
        model_crc=model.crc,
        max_query=image.max_query,
        widths=tuple(layer.rows for layer in layers),
        dropped_rows=sum(layer.rows for layer in model.layers) - sum(layer.rows for layer in layers),
        counted=counts is not None,
        virtual_rows=tuple([0] * bool(counts) + [plan.shared.places - plan.layer.rows for plan in plans]),
        prefixes=image.prefixes,
        end=image.end,
        additions=sum(
            float(plan.shared.additions @ read) for plan, read in zip(plans[::-1], reads[::-1], strict=False)
        ),
    )


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


class _Image:
    """Lays everything out behind the header."""

    def __init__(self, model: Model, layers: Sequence[Layer], counts: Counts | None, plans: Sequence[Sums], tpa: int):
        self.body = bytearray(spec.HEADER_BYTES)
        self.counts = counts
        self.cut = layers[0].saturate
        name = self._put(model.name.encode("ascii", "replace")[:15] + b"\0")
        charset = self._put(model.charset.encode("ascii"))
        replies = self._replies(model)
        start = self._put((counts.start & 0xFFFF).astype("<u2").tobytes() if counts else plans[0].start_words())
        query_table = self._room(2 * model.query_buckets)
        context_table = self._room(2 * model.context_buckets)
        scan_table = self._aligned(512) if counts else 0
        self._columns(model.query_buckets, query_table, 0, layers, plans)
        self._columns(model.context_buckets, context_table, model.query_buckets, layers, plans)
        program = self._program(plans, scan_table)
        self.max_query = counts.max_query if counts else MAX_QUERY
        self._fit(model, tpa)
        pages = -(-self.here // 256)
        fields = {
            "magic": MAGIC,
            "abi": spec.ABI,
            "kind": model.kind,
            "length": len(self.body),
            "check": 0,
            "model_crc": model.crc,
            "end": self.end & 0xFFFF,
            "max_query": self.max_query,
            "max_reply": model.max_reply,
            "classes": model.classes,
            "context_length": model.context_length,
            "query_mask": model.query_buckets - 1,
            "context_mask": max(model.context_buckets - 1, 0),
            "features": model.features.flags,
            "flags": spec.FLAG_COUNTS if counts else 0,
            "charset": charset,
            "replies": replies,
            "name": name,
            "query_table": query_table,
            "context_table": context_table,
            "start": start,
            "rows": layers[0].rows if counts else plans[0].shared.places,
            "floor": counts.floor if counts else 0,
            "prefixes": self.prefixes,
            "prefix_page": pages,
            "shift": layers[-1].shift,
            "program": program,
            "outputs": plans[-1].base,
            "zero": counts.zero if counts else 0,
        }
        _HEADER.pack_into(self.body, 0, *(fields[name] for name, _, _ in spec.HEADER))
        check = crc16(bytes(self.body[spec.CHECK_FROM :]))
        struct.pack_into("<H", self.body, 6, check)
        self.data = bytes(self.body)

    @property
    def here(self) -> int:
        """The address of the next byte."""
        return spec.IMAGE_ADDRESS + len(self.body)

    def _put(self, data: bytes) -> int:
        at = self.here
        self.body += data
        return at

    def _room(self, size: int) -> int:
        return self._put(bytes(size))

    def _aligned(self, size: int) -> int:
        self._room(-self.here % 256)
        return self._room(size)

    def _poke(self, at: int, data: bytes) -> None:
        self.body[at - spec.IMAGE_ADDRESS : at - spec.IMAGE_ADDRESS + len(data)] = data

    def _replies(self, model: Model) -> int:
        texts = [
            bytes([reply.action]) + reply.text.encode("ascii").replace(b"{}", bytes([VALUE_MARK])) + b"\0"
            for reply in model.replies
        ]
        at = self._room(2 * len(texts))
        for index, text in enumerate(texts):
            self._poke(at + 2 * index, _word(self._put(text)))
        return at

    def _columns(self, count: int, table: int, first: int, layers: Sequence[Layer], plans: Sequence[Sums]) -> None:
        """The lists of `count` inputs from `first` on."""
        ends = templates().labels["column_done"]
        empty = self._put(_word(ends)) if count else 0
        for index in range(count):
            if self.counts:
                column = layers[0].weights[:, first + index].astype(np.int64)
                data = in_counts(np.maximum(column, 0).astype(np.uint8), np.maximum(-column, 0).astype(np.uint8))
            else:
                data = plans[0].column(first + index)
            at = self._put(data + _word(ends)) if data else empty
            self._poke(table + 2 * index, _word(at))

    def _program(self, plans: Sequence[Sums], scan_table: int) -> int:
        """The code of a pass, and what it jumps to."""
        active = [self._put(one.active_code(other.base >> 8)) for one, other in pairwise(plans)]
        lists = self._scan_lists(plans[0], scan_table) if self.counts else 0
        program = self.here
        if self.counts:
            self._put(plans[0].start_code())
            self._scan(plans[0], scan_table, lists)
        for number, plan in enumerate(plans):
            if number + 1 < len(plans):
                self._put(plans[number + 1].start_code())
            self._put(plan.join_code())
            if number + 1 < len(plans):
                self._put(plan.rows_code(self.here, active[number], plans[number + 1].column))
        self._put(templates().code["choose"].stamp())
        return program

    def _scan_lists(self, target: Sums, table: int) -> int:
        """Room for the lists of the scan: they say where the scan is, and it follows them. Returns where they start."""
        assert self.counts
        rows = self.counts.rest.size
        at = self.here
        for row in range(rows):
            here = self._put(bytes([int(self.counts.rest[row])]) + target.column(row) + bytes(4))
            self._poke(table + row, bytes([here & 0xFF]))
            self._poke(table + 256 + row, bytes([here >> 8]))
        end = self._put(bytes(3))
        self._poke(table + rows, bytes([end & 0xFF]))
        self._poke(table + 256 + rows, bytes([end >> 8]))
        return at

    def _scan(self, target: Sums, table: int, lists: int) -> None:
        assert self.counts
        label, scan = templates().labels, templates().code["scan"]
        resume = self.here + label["t_scan_resume"] - label["t_scan"]
        page = target.base >> 8
        self._put(
            scan.stamp(
                zero=self.counts.zero,
                table=table >> 8,
                table2=table >> 8,
                page=page,
                page2=page,
                resume=resume,
                cut=int(self.cut),
            )
        )
        at = lists
        rows = self.counts.rest.size
        for row in range(rows):
            at += 1 + len(target.column(row))
            self._poke(at, _word(resume) + _word(label["count_work"] + row + 1))
            at += 4
        self._poke(at + 1, _word(self.here))

    def _fit(self, model: Model, tpa: int) -> None:
        limit = spec.ORIGIN + tpa
        pages = -(-self.here // 256)
        self.prefixes = 0
        self.end = self.here
        if self.end > limit:
            raise FitError(
                f"The model {model.name!r} needs {self.end - spec.ORIGIN} bytes of the TPA packed; {tpa} are allowed, "
                f"{self.end - limit} too few. Train it sparser or narrower, or allow more with --tpa."
            )
        if self.counts:
            room = limit // 256 - pages
            self.prefixes = max(0, min(MOST_PREFIXES, model.context_length - 1, room))
            if self.prefixes:
                self.end = 256 * (pages + self.prefixes)


def _check(model: Model) -> None:
    for number, layer in enumerate(model.layers, 1):
        if layer.code not in _SPARSE_CODES:
            raise FitError(
                f"Layer {number} has {layer.code.name} weights; a Z80 runs binary, ternary and 2-bit ones. "
                "Train with --code 2bit."
            )
    if model.classes > MAX_CLASSES:
        raise FitError(
            f"The model chooses among {model.classes} replies; the runtime counts at most {MAX_CLASSES}. "
            "Train it with fewer distinct replies."
        )
    for number, rows in enumerate(kept_rows(model), 1):
        if rows.size > MOST_ROWS:
            raise FitError(
                f"Layer {number} has {rows.size} rows; the runtime has room for {MOST_ROWS} sums. Train it narrower."
            )


def _reads(model: Model) -> list[NDArray[np.float64]]:
    """Per layer: the share of passes in which each kept column is read, on shipped queries."""
    kept = kept_rows(model)
    inputs = [np.arange(model.layers[0].columns), *kept[:-1]]
    reads = [np.zeros(layer.columns) for layer in model.layers]
    passes = 0

    def watch(number: int, x: NDArray[np.int64]) -> None:
        nonlocal passes
        reads[number] += (x != 0).sum(axis=0)
        passes += x.shape[0] if number == 0 else 0

    run(model, everyday_queries(), watch)
    return [read[one] / passes for read, one in zip(reads, inputs, strict=True)]


def _word(value: int) -> bytes:
    return value.to_bytes(2, "little")
