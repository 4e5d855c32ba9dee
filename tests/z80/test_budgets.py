"""Exact T-states of the engine, and bytes: tests/z80/budgets.json.

A budget is a little above what was measured. Whoever makes a figure smaller lowers it here; raising one needs a reason.
A character is a pass with its digest and its way into the context, the first of a reply and its query apart.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from host_sdk.model.library import shipped_model
from host_sdk.model.z80ai import import_z80ai
from host_sdk.pack.cpm import pack_cpm
from host_sdk.pack.queries import bench_queries
from tests.budget_table import assert_within
from tests.conftest import Show
from tests.synthetic import published_shape
from tests.z80.machine import assert_exact

BUDGETS: dict[str, dict[str, int]] = json.loads((Path(__file__).parent / "budgets.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(BUDGETS))
def test_nothing_is_over_budget(name: str, request: pytest.FixtureRequest, show: Show) -> None:
    source, _, compact = name.partition(" ")
    queries = list(bench_queries())
    if source == "published":
        folder = request.getfixturevalue("reference") / "z80ai"
        model = import_z80ai(folder / "tinychat.npz")
        lines = (folder / "tinychat.vectors.jsonl").read_text("utf-8").splitlines()
        queries = [json.loads(line)["query"] for line in lines]
    else:
        model = published_shape() if source == "synthetic" else shipped_model(source)
    image = pack_cpm(model, compact=bool(compact))
    replies = assert_exact(model, image, queries)
    later = [ticks for reply in replies for ticks in reply.pass_ticks[1:]]
    first = [reply.query_ticks + reply.pass_ticks[0] for reply in replies]
    measured = {
        "image_bytes": len(image.data),
        "tpa_bytes": image.tpa_bytes,
        "ticks_per_char_mean": float(np.mean(later)),
        "ticks_per_char_max": max(later),
        "first_char_ticks_mean": float(np.mean(first)),
        "first_char_ticks_max": max(first),
    }
    assert_within(BUDGETS, {name: measured}, show)
