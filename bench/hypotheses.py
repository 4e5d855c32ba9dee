"""Accuracy, bytes and cycles of small networks on one task: hypotheses 2 and 4 of the founding plan.

    python bench/hypotheses.py [--json] [--update docs/hypotheses.md]

The task is models/commands: ten replies, measured on the queries that training holds out and on paraphrases.txt,
which no training sees. Every network is trained with every seed; recipes are models/commands/recipe.toml but for
what stands in NETWORKS. Cycles are those of the runtime on a virtual UNO. Takes about eight minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.programs import Variant, measure  # noqa: E402
from bench.runtime import measure_runtime  # noqa: E402
from bench.tables import number, table, update  # noqa: E402
from host_sdk.model.engine import run  # noqa: E402
from host_sdk.model.model import Model  # noqa: E402
from host_sdk.pack.image import pack  # noqa: E402
from host_sdk.train.baselines import BASELINES  # noqa: E402
from host_sdk.train.data import Pair, read_pairs, split_pairs  # noqa: E402
from host_sdk.train.loop import train  # noqa: E402
from host_sdk.train.recipe import Recipe  # noqa: E402

COMMANDS = ROOT / "models/commands"
SEEDS = (0, 1, 2)
NETWORKS: dict[str, dict[str, Any]] = {
    "64-32-16-10": {"query_buckets": 64, "hidden": (32, 16)},
    "256-16-10": {"query_buckets": 256, "hidden": (16,)},
    "512-64-32-10": {"query_buckets": 512, "hidden": (64, 32)},
}
CODES: dict[str, dict[str, Any]] = {
    "2bit": {},
    "ternary": {},
    "binary": {"sparsity": 0.0},  # no weight can be 0
}
FULL = {
    "query_buckets": 128,
    "context_buckets": 128,
    "hidden": (256, 192, 128),
    "steps": 1500,
}
"""The unreduced network of the founding plan, which spells its replies; fewer steps, each of which takes longer."""
KERNELS = {"2bit": "dense2.h", "ternary": "dense3.h", "binary": "dense1.h"}


@dataclass(frozen=True, slots=True)
class Trained:
    """One model and its figures. Cycles are simulated and per answer."""

    network: str
    code: str
    seed: int
    held: float  # exact replies among the held-out pairs
    paraphrases: float  # the same among the paraphrases
    nonzero: float  # share of the weights
    dense_bytes: int  # of the weights alone, packed without skipping zeros
    image_bytes: int  # of the packed image, biases and reply texts included
    cycles: float
    dense_cycles: float | None  # of a plain C program with the weights packed densely


@dataclass(frozen=True, slots=True)
class Task:
    """What is fitted and what is asked."""

    fit: Sequence[Pair]
    held: Sequence[Pair]
    paraphrases: Sequence[Pair]

    @staticmethod
    def read() -> Task:
        """The command model's data, split as its training splits them."""
        fit, held = split_pairs(read_pairs(COMMANDS / "data.txt"))
        return Task(fit, held, read_pairs(COMMANDS / "paraphrases.txt"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--update", type=Path, metavar="PAGE", help="a page of docs/ whose tables are replaced")
    options = parser.parse_args()
    task = Task.read()
    baselines = {
        name: tuple(_baseline(name, task, side) for side in (task.held, task.paraphrases)) for name in BASELINES
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        trained = [
            one_model(network, code, seed, task, Path(folder))
            for network, code in [*((n, c) for n in NETWORKS for c in CODES), ("full", "2bit")]
            for seed in SEEDS
        ]
    if options.json:
        print(json.dumps({"baselines": baselines, "models": [asdict(one) for one in trained]}))
        return
    text = show(trained, baselines)
    print(f"\n{text}\n")
    if options.update:
        update(options.update, "bench/hypotheses.py", text)


def recipe_of(network: str, code: str, seed: int) -> Recipe:
    """The recipe of one model."""
    base = Recipe.load(COMMANDS / "recipe.toml")
    if network == "full":
        return replace(base.with_head("character"), **FULL, seed=seed, name="full")
    return replace(base, **NETWORKS[network], **CODES[code], code=code, seed=seed, name=f"{code}{seed}")


def one_model(network: str, code: str, seed: int, task: Task, folder: Path) -> Trained:
    """Trains a model and measures it."""
    recipe = recipe_of(network, code, seed)
    model = train(task.fit, recipe).with_metadata(name=recipe.name)
    queries = [pair.query for pair in task.paraphrases][::4]
    place = folder / f"{network} {code} {seed}"
    place.mkdir()
    dense = None
    if network != "full":
        result = measure(model, Variant(code, KERNELS[code]), queries, place)
        assert result.exact, f"{network} {code} {seed}: not the integers of the reference engine"
        dense = result.answer_cycles
    on_uno = measure_runtime("uno", model, queries, place, proof=seed == 0)
    assert on_uno.exact or seed, f"{network} {code}: not the integers of the reference engine"
    found = Trained(
        model.shape,
        code,
        seed,
        held=_exact(model, task.held),
        paraphrases=_exact(model, task.paraphrases),
        nonzero=sum(int((layer.weights != 0).sum()) for layer in model.layers) / model.weight_count,
        dense_bytes=_dense_bytes(model, code),
        image_bytes=len(pack(model).data),
        cycles=on_uno.answer_cycles,
        dense_cycles=dense,
    )
    print(f"{found.network} {code} seed {seed}: {found.held:.3f} {found.paraphrases:.3f}", file=sys.stderr, flush=True)
    return found


def show(trained: Sequence[Trained], baselines: dict[str, tuple[float, ...]]) -> str:
    """The table: mean of the seeds, and in brackets the smallest and the largest."""
    head = ["network", "weights", "held-out exact", "paraphrases exact", "non-zero", "dense bytes", "image bytes"]
    head += ["cycles an answer, runtime", "ms, 16 MHz", "the same, dense C"]
    rows = [
        [f"baseline: {name}", "", *(f"{share:.3f}" for share in both), *[""] * 6] for name, both in baselines.items()
    ]
    for network, code in dict.fromkeys((one.network, one.code) for one in trained):
        group = [one for one in trained if (one.network, one.code) == (network, code)]

        def mean(value: Callable[[Trained], float], group: Sequence[Trained] = group) -> float:
            return float(np.mean([value(one) for one in group]))

        cycles = mean(lambda one: one.cycles)
        rows.append(
            [
                network,
                code,
                _spread([one.held for one in group]),
                _spread([one.paraphrases for one in group]),
                f"{mean(lambda one: one.nonzero):.2f}",
                number(mean(lambda one: one.dense_bytes)),
                number(mean(lambda one: one.image_bytes)),
                number(cycles),
                f"{cycles / 16e3:.2f}",
                "–" if group[0].dense_cycles is None else number(mean(lambda one: one.dense_cycles or 0.0)),
            ]
        )
    return table(head, rows)


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} – {max(values):.3f})"


def _exact(model: Model, pairs: Sequence[Pair]) -> float:
    answers = run(model, [pair.query for pair in pairs])
    return float(np.mean([answer.text == pair.reply for answer, pair in zip(answers, pairs, strict=True)]))


def _baseline(name: str, task: Task, side: Sequence[Pair]) -> float:
    answers = BASELINES[name](task.fit, [pair.query for pair in side])
    return float(np.mean([answer == pair.reply for answer, pair in zip(answers, side, strict=True)]))


def _dense_bytes(model: Model, code: str) -> int:
    per_byte = {"2bit": 4, "ternary": 5, "binary": 8}[code]
    return sum(layer.rows * -(-layer.columns // per_byte) for layer in model.layers)


if __name__ == "__main__":
    main()
