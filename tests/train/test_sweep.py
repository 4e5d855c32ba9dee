"""The sweep: fronts by hand and by property, studies that go on, and what `ulm sweep` shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.cli import cli
from host_sdk.errors import FileError, UsageError
from host_sdk.train.data import Pair, split_pairs
from host_sdk.train.recipe import Recipe
from host_sdk.train.sweep import JUDGED, Trial, front, plot, storage_of, sweep
from tests.train.samples import FILE, PAIRS, REPLY

QUICK = replace(REPLY, epochs=1)


def trial(number: int, accuracy: float, size: int, additions: int, board: str = "uno") -> Trial:
    return Trial(number, REPLY, accuracy, additions, {board: size})


def test_a_front_by_hand() -> None:
    trials = [trial(0, 0.9, 900, 90), trial(1, 0.9, 900, 90), trial(2, 0.8, 900, 80), trial(3, 0.8, 950, 85)]
    trials += [trial(4, 0.7, 100, 99), trial(5, 0.99, 1, 1, "lilypad")]
    assert [one.number for one in front(trials, "uno")] == [0, 2, 4]
    assert front(trials, "nano") == []


FIGURES = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))


@given(st.lists(FIGURES, max_size=30))
def test_every_trial_is_on_the_front_or_beaten_by_it(figures: list[tuple[int, int, int]]) -> None:
    trials = [trial(number, a / 5, b, c) for number, (a, b, c) in enumerate(figures)]
    best = front(trials, "uno")

    def beats(one: Trial, other: Trial) -> bool:
        no_worse = one.accuracy >= other.accuracy and one.additions <= other.additions
        return no_worse and one.bytes["uno"] <= other.bytes["uno"]

    for one in trials:
        assert one in best or any(beats(other, one) for other in best)
    assert not any(beats(one, other) for one in best for other in best if one is not other)


def test_a_study_goes_on_and_judges_on_queries_not_trained_on(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    loop = pytest.importorskip("host_sdk.train.loop")
    seen: list[set[str]] = []

    def train(pairs: Sequence[Pair], recipe: Recipe) -> Any:
        seen.append({pair.query for pair in pairs})
        return loop.train(pairs, recipe)

    storage = storage_of(tmp_path / "data.txt")
    assert len(sweep(PAIRS, QUICK, ["uno"], 2, storage, train=train)) == 2
    trials = sweep(PAIRS, QUICK, ["uno"], 1, storage, train=train)
    assert [one.number for one in trials] == [0, 1, 2]
    assert sweep(PAIRS, QUICK, ["uno", "lilypad"], 0, storage, train=train) == []
    fit, judged = split_pairs(PAIRS, JUDGED, "sweep")
    assert all(queries == {pair.query for pair in fit} for queries in seen)
    assert judged
    assert all(0 <= one.accuracy <= 1 and one.recipe.epochs == 1 for one in trials)
    with pytest.raises(UsageError, match="Cannot open the storage"):
        sweep(PAIRS, QUICK, ["uno"], 0, "apple://pie", train=train)


def test_the_command(tmp_path: Path) -> None:
    for name in ("optuna", "matplotlib", "torch"):
        pytest.importorskip(name)
    data = tmp_path / "data.txt"
    data.write_text(FILE)
    recipe = tmp_path / "r.toml"
    recipe.write_text(QUICK.to_toml())
    command = ["sweep", str(data), "--recipe", str(recipe), "--trials", "2", "--for", "uno,lilypad"]
    shown = CliRunner().invoke(cli, [*command, "--plot", str(tmp_path / "f.png"), "--recipes", str(tmp_path / "best")])
    assert shown.exit_code == 0, shown.output
    assert "lilypad: " in shown.output
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    made = json.loads(
        CliRunner().invoke(cli, [*command[:-4], "--trials", "0", "--for", "uno,lilypad", "--json"]).output
    )
    assert made["trials"] == 2
    for best in made["fronts"]["uno"]:
        kept = Recipe.load(tmp_path / "best" / f"trial{best['trial']}.toml")
        assert kept == Recipe.from_dict(best["recipe"])
    refused = CliRunner().invoke(cli, ["sweep", str(data), "--for", "apple"])
    assert refused.exit_code == UsageError.exit_code
    assert "no board" in refused.output


def test_a_plot_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(FileError, match="Choose another file"):
        plot([trial(0, 0.9, 900, 90)], ["uno"], tmp_path / "no" / "f.png")
