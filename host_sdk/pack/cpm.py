"""The model image of the CP/M port (`.ulb`): which forms a model takes in the room there is (docs/image-cpm.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FitError
from host_sdk.model.engine import run
from host_sdk.model.model import Layer, Model
from host_sdk.pack.cpm_counts import Counts
from host_sdk.pack.cpm_layout import Layout, Plan
from host_sdk.pack.cpm_lists import PAGE_PLACES
from host_sdk.pack.cpm_share import share, unshared
from host_sdk.pack.cpm_sums import Sums
from host_sdk.pack.queries import everyday_queries
from host_sdk.pack.rows import compact as compacted
from host_sdk.pack.rows import kept_rows
from host_sdk.spec import cpm as spec
from host_sdk.spec.container import INPUT_SCALE, WeightCode
from host_sdk.spec.image import MAX_CLASSES

_SPARSE_CODES = (WeightCode.BINARY, WeightCode.TERNARY, WeightCode.TWO_BIT)
MOST_ROWS = 2 * PAGE_PLACES
"""Rows, and virtual rows, of one layer: two pages of words."""
MOST_TAPE = MOST_ROWS - 3
"""Rows on a tape: the first place of each page is free, and the last ends the scan."""
FEW_PASSES = 100
"""On which carries are counted."""
COMPACT_TPA = 40960
"""Bytes of the TPA that the compact variant keeps to."""
ROW_COSTS = (36, 4, 110)
"""T-states of an addition, carries included; what an entry less in a list is worth beside that, for its byte; and what
a virtual row costs, for its time and bytes. For rows with code of their own."""
TAPE_COSTS = (70, 20, 600)
"""The same on tapes, where many columns are lists of moves and bytes are worth more."""


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
    moved_columns: tuple[int, ...]  # columns as lists of moves, per layer
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
            "moved_columns": list(self.moved_columns),
            "additions": round(self.additions),
        }


def pack_cpm(model: Model, *, tpa: int | None = None, compact: bool = False) -> CpmImage:
    """The image of a model; FitError with the numbers when it is beyond the runtime or needs more than `tpa` bytes.

    `tpa` counts from 0100h to the last byte in use, runtime and stack included; by default it is what a CP/M system of
    64K has, or, if `compact`, COMPACT_TPA. Within that the packer makes passes as fast as it can. Deterministic.
    """
    if tpa is None:
        tpa = COMPACT_TPA if compact else spec.TPA_END - spec.ORIGIN
    _check(model)
    layers = compacted(model)
    counts = Counts.of(model, layers[0])
    passes = _passes(model)
    fitted = [(plan, *_fitted(plan, spec.ORIGIN + tpa)) for plan in _plans(model, layers, counts, passes)]
    fitting = [one for one in fitted if one[1].end <= spec.ORIGIN + tpa]
    if fitting:
        plan, layout, _ = min(fitting, key=lambda one: one[2])
        return _image(model, plan, layout)
    least = min(layout.end for _, layout, _ in fitted)
    raise FitError(
        f"The model {model.name!r} needs {least - spec.ORIGIN} bytes of the TPA packed; {tpa} are allowed, "
        f"{least - spec.ORIGIN - tpa} too few. Train it sparser or narrower, or allow more with --tpa."
    )


def _image(model: Model, plan: Plan, layout: Layout) -> CpmImage:
    kept = [layer.rows for layer in plan.layers]
    return CpmImage(
        data=layout.data,
        model_crc=model.crc,
        max_query=plan.max_query,
        widths=tuple(kept),
        dropped_rows=sum(layer.rows for layer in model.layers) - sum(kept),
        counted=plan.counts is not None,
        virtual_rows=tuple([0] * bool(plan.counts) + [one.shared.places - one.layer.rows for one in plan.sums]),
        prefixes=layout.prefixes,
        moved_columns=tuple(int(moved.sum()) for moved in layout.moved),
        end=layout.end,
        additions=sum(
            float(one.shared.additions @ read) for one, read in zip(plan.sums[::-1], plan.reads[::-1], strict=False)
        ),
    )


def _plans(
    model: Model, layers: Sequence[Layer], counts: Counts | None, passes: Sequence[NDArray[np.int64]]
) -> Iterator[Plan]:
    """The ways to pack: rows with code of their own, which is fast; rows on tapes, which is small."""

    def base(number: int) -> int:
        return spec.RAM_ADDRESS + (spec.PAIR_BYTES if number % 2 == 0 else 0)

    reads = [(x != 0).mean(axis=0) for x in passes]
    few = slice(None, None, max(1, len(passes[0]) // FEW_PASSES))
    for tape, add, entry, part in ((False, *ROW_COSTS), (True, *TAPE_COSTS)):
        sums = []
        for number, layer in enumerate(layers):
            last = number == len(layers) - 1
            if number == 0 and counts:
                continue
            x = passes[number][few] * (INPUT_SCALE if number == 0 else 1)
            if layer.rows > MOST_TAPE:
                sums.append(Sums(layer, unshared(layer.weights), base(number), x, last))
                continue
            most = PAGE_PLACES - 1 if last else MOST_TAPE
            shared = share(layer.weights, np.round(add * reads[number] + entry), part, most)
            sums.append(Sums(layer, shared, base(number), x, last, tape))
        yield Plan(model, layers, counts, sums, reads)


def _fitted(plan: Plan, limit: int) -> tuple[Layout, float]:
    """The fastest layout that ends at `limit`, or the smallest that there is; and its cost."""
    ranking = plan.ranking()
    best: tuple[float, Layout] | None = None
    for prefixes in range(plan.most_prefixes, -1, -1):
        few, many = 0, len(ranking)  # the fewest columns in moves with which it fits
        layout = Layout(plan, ranking, prefixes)
        fits = layout.end <= limit
        while fits and few < many:
            middle = (few + many) // 2
            trial = Layout(plan, ranking[:middle], prefixes)
            if trial.end <= limit:
                many, layout = middle, trial
            else:
                few = middle + 1
        cost = plan.cost(ranking[:many], prefixes)
        if fits and (best is None or cost < best[0]):
            best = cost, layout
    return (best[1], best[0]) if best else (layout, cost)


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


def _passes(model: Model) -> list[NDArray[np.int64]]:
    """Per layer: the inputs of its kept columns in passes of shipped queries, shape (passes, columns)."""
    kept = kept_rows(model)
    inputs = [np.arange(model.layers[0].columns), *kept[:-1]]
    passes: list[list[NDArray[np.int64]]] = [[] for _ in model.layers]
    run(model, everyday_queries(), lambda number, x: passes[number].append(x[:, inputs[number]]))
    return [np.concatenate(some) for some in passes]
