"""`ulm train` and `ulm eval`: tables, stable JSON, Ctrl-C, and errors in one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from host_sdk.cli import cli
from host_sdk.errors import FileError, UsageError
from host_sdk.model import Model
from host_sdk.train.recipe import Recipe
from tests.train.samples import FILE, REPLY

EVALUATION = {"pairs", "exact", "exact_interval", "any", "any_interval", "baselines", "baselines_fit_on"}
EVALUATION |= {"additions_per_char"}
BASELINES = {"majority", "keyword", "centroid", "nearest", "linear", "float network"}
SMALL = ["--head", "reply", "--query-buckets", "64", "--hidden", "16", "--epochs", "8"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.txt"
    file.write_text(FILE)
    return file


def ulm(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_trains_and_shows_the_held_out_figures(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.ulm"
    shown = ulm("train", data, "-o", out, *SMALL, "--name", "toy", "--licence", "MIT")
    assert "held-out pairs" in shown
    for name in BASELINES:
        assert f"baseline: {name}" in shown
    assert "left out" not in shown
    assert "additions per character" in shown
    model = Model.load(out)
    assert (model.name, model.shape, model.metadata["licence"]) == ("toy", "64-16-3", "MIT")


def test_json_of_train_and_eval(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.ulm"
    trained = json.loads(ulm("train", data, "-o", out, *SMALL, "--json"))
    assert trained["shape"] == "64-16-3"
    measured = json.loads(ulm("eval", out, data, "--json"))
    assert set(measured) == EVALUATION
    assert set(measured["baselines"]) == BASELINES
    assert None not in measured["baselines"].values()
    assert measured["pairs"] == len(FILE.splitlines())
    held = json.loads(ulm("eval", out, data, "--split", "held", "--json"))
    fit = json.loads(ulm("eval", out, data, "--split", "fit", "--json"))
    assert held == trained["held_out"]
    assert held["pairs"] + fit["pairs"] == measured["pairs"]
    fitted = json.loads(ulm("eval", out, data, "--fit", data, "--json"))
    assert fitted["baselines"]["nearest"] == 1.0


def test_quick_leaves_the_trained_baselines_out_and_says_so(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.ulm"
    shown = ulm("train", data, "-o", out, *SMALL, "--quick")
    assert shown.count("left out") == 2
    assert ulm("eval", out, data, "--quick").count("left out") == 2
    measured = json.loads(ulm("eval", out, data, "--quick", "--json"))
    assert {name for name, share in measured["baselines"].items() if share is None} == {"linear", "float network"}


def test_eval_without_torch_leaves_them_out_with_a_sentence(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.ulm"
    ulm("train", data, "-o", out, *SMALL, "--quick")
    code = "import sys; sys.modules['torch'] = None\nfrom host_sdk.cli import main; main()"
    command = [sys.executable, "-c", code, "eval", str(out), str(data), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout)["baselines"]["linear"] is None
    assert done.stderr.count("\n") == 1
    assert "need PyTorch" in done.stderr


def test_eval_shows_replies_scope_and_another_model(data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.ulm", tmp_path / "b.ulm"
    for out, seed in ((first, 0), (second, 1)):
        ulm("train", data, "-o", out, *SMALL, "--seed", seed)
    more = ("eval", first, data, "--replies", "--oos", "bye.", "--against", second)
    measured = json.loads(ulm(*more, "--json"))
    assert set(measured) == EVALUATION | {"out_of_scope", "against", "replies", "confusions"}
    assert {row["reply"] for row in measured["replies"]} == {"hi!", "i am tiny.", "bye."}
    assert measured["out_of_scope"]["label"] == "bye."
    assert measured["against"]["model"] == "b"
    shown = ulm(*more)
    for words in ("in scope:", "'bye.': recall", "against b", "95 % interval", "answered"):
        assert words in shown


def test_options_go_before_the_recipe(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(REPLY.to_toml())
    out = tmp_path / "m.ulm"
    ulm("train", data, "-o", out, "--recipe", recipe, "--epochs", "1", "--seed", "5", "--code", "binary", "--all-data")
    made = Recipe.from_dict(Model.load(out).metadata["recipe"])
    assert (made.hidden, made.epochs, made.seed, made.code, made.held_out) == ((16,), 1, 5, "binary", 0.0)
    ulm("train", data, "-o", out, "--recipe", recipe, "--head", "character", "--epochs", "1", "--hold-out")
    made = Recipe.from_dict(Model.load(out).metadata["recipe"])
    assert (made.head, made.hidden, made.context_length) == ("character", Recipe().hidden, Recipe().context_length)


def test_a_board_is_named_and_the_choice_explained(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.ulm"
    command = ("train", data, "-o", out, "--head", "reply", "--for", "uno", "--epochs", "1", "--hidden", "0", "--words")
    shown = ulm(*command)
    assert "uno has" in shown
    assert "the largest shape that fits" in shown
    model = Model.load(out)
    assert (model.shape, model.features.words) == ("128-3", True)
    assert model.metadata["recipe"]["bytes"] > 20_000


def test_errors_are_one_sentence(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.ulm"
    bad = tmp_path / "bad.txt"
    bad.write_text("hello\n")
    shown = ulm("train", bad, "-o", out, code=FileError.exit_code)
    assert "bad.txt, line 1" in shown
    assert shown.count("\n") == 1
    assert "no list of widths" in ulm("train", data, "-o", out, "--hidden", "a,b", code=UsageError.exit_code)
    assert "100 query buckets" in ulm("train", data, "-o", out, "--query-buckets", "100", code=UsageError.exit_code)
    assert "Cannot read" in ulm("eval", out, data, code=FileError.exit_code)


def test_ctrl_c_keeps_the_epochs_and_the_same_command_goes_on(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from host_sdk.cli import main; main()", "train", str(data), *SMALL[:-1], "400"]
    command += ["--name", "same", "-o"]
    out, whole = tmp_path / "m.ulm", tmp_path / "whole.ulm"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [*command, str(out)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    part = tmp_path / "m.ulm.part"
    deadline = time.monotonic() + 60
    while not part.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130, shown
    assert "The same command goes on." in shown
    assert "Traceback" not in shown
    assert part.exists()
    for target in (out, whole):
        done = subprocess.run([*command, str(target)], capture_output=True, text=True, check=True, env=environment)
        assert ("Going on after epoch" in done.stderr) == (target == out)
    assert out.read_bytes() == whole.read_bytes()
    assert not part.exists()
