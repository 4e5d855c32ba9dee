"""`ulm data`: what people see, stable JSON, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from host_sdk.cli import cli
from host_sdk.data import clinc150
from host_sdk.errors import FileError, UsageError
from host_sdk.train.data import read_pairs, split_pairs
from tests.cli.conftest import ulm
from tests.train.samples import FILE


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.txt"
    file.write_text(FILE, "utf-8")
    return file


def test_lint_for_people_and_scripts(tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    file.write_text("hi|ok\n\nhi!|no\n", "utf-8")
    done = ulm("data", "lint", file, "--for", "uno")
    assert done.code == FileError.exit_code
    assert f"{file}:2: warning: An empty line. Remove it. [blank]\n" in done.out
    assert f"{file}:3: error: 'hi!' has the reply 'no' here and 'ok' in line 1. Keep one. [contradiction]\n" in done.out
    assert done.out.endswith(f"{file}: 1 error, 3 warnings.\n")
    shown = json.loads(ulm("data", "lint", file, "--json").out)
    assert list(shown) == ["file", "errors", "warnings", "findings"]
    assert (shown["errors"], shown["warnings"]) == (1, 3)
    assert list(shown["findings"][0]) == ["kind", "line", "text", "level"]


def test_lint_shows_ten_of_a_kind(tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    file.write_text("\n" * 30 + "hi|ok\n", "utf-8")
    done = ulm("data", "lint", file)
    assert done.code == 0
    assert done.out.count("[blank]\n") == 10
    assert "20 more of [blank]; --json lists all." in done.out


def test_split_is_that_of_trainings(data: Path, tmp_path: Path) -> None:
    fit, held = tmp_path / "fit.txt", tmp_path / "held.txt"
    counts = json.loads(ulm("data", "split", data, "--held", "0.2", "-o", fit, held, "--json").out)
    due = split_pairs(read_pairs(data), 0.2)
    assert (read_pairs(fit), read_pairs(held)) == due
    assert counts == {"fit": len(due[0]), "held": len(due[1])}
    assert ulm("data", "split", data, "-o", fit, fit).code == UsageError.exit_code
    (tmp_path / "one.txt").write_text("hi|ok\n", "utf-8")
    assert ulm("data", "split", tmp_path / "one.txt", "-o", fit, held).code == FileError.exit_code


def test_augment_keeps_the_held_out_side(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "more.txt"
    made = json.loads(ulm("data", "augment", data, "-o", out, "--typos", "1", "--paraphrase", "0.5", "--json").out)
    pairs = read_pairs(data)
    assert made["pairs"] == len(pairs)
    assert made["variants"] == len(read_pairs(out)) - len(pairs) > 0
    assert split_pairs(read_pairs(out))[1] == split_pairs(pairs)[1]
    assert "Say --typos" in ulm("data", "augment", data, "-o", out).err


def test_fetch_from_a_copy(reference: Path, tmp_path: Path) -> None:
    done = ulm("data", "fetch", "clinc150", "--from", reference / "clinc150", "-o", tmp_path, "--json")
    assert json.loads(done.out) == {str(tmp_path / "train.txt"): 15_100, str(tmp_path / "val.txt"): 3_100}
    assert read_pairs(tmp_path / "val.txt")[0] == ("in spanish, meet me tomorrow is said how", "translate")


def test_a_wrong_download_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}", "utf-8")
    monkeypatch.setattr(clinc150, "URL", wrong.as_uri())
    done = CliRunner().invoke(cli, ["data", "fetch", "clinc150", "-o", str(tmp_path)])
    assert done.exit_code == FileError.exit_code
    assert "is not CLINC150's data_full.json" in done.output
    assert not (tmp_path / "data_full.json").exists()
    assert ulm("data", "fetch", "clinc150", "-o", tmp_path / "absent").code == FileError.exit_code
