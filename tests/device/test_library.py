"""The models that this computer has seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_sdk.model import library
from host_sdk.model.library import recall, remember
from host_sdk.model.model import Model
from tests.synthetic import character_model


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "ulm" / "models"


def test_a_model_is_recalled_by_its_meaning(state: Path, small: Model) -> None:
    assert recall(small.crc) is None
    remember(small.with_metadata(name="under another name"))
    found = recall(small.crc)
    assert found is not None
    assert (found.crc, found.name) == (small.crc, "under another name")
    assert recall(small.crc ^ 1) is None
    assert [path.name for path in state.iterdir()] == [f"{small.crc:08x}.ulm"]


def test_damaged_and_swapped_files_are_not_believed(state: Path, small: Model) -> None:
    remember(small)
    path = state / f"{small.crc:08x}.ulm"
    path.write_bytes(path.read_bytes()[:-1])
    assert recall(small.crc) is None
    character_model(61, (20,), name="other").save(path)
    assert recall(small.crc) is None
    remember(small)
    assert recall(small.crc) is not None


def test_a_folder_that_cannot_be_written_is_no_error(state: Path, small: Model) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("a file where the folder should be")
    remember(small)
    assert recall(small.crc) is None


def test_a_damaged_shipped_model_is_passed_over(state: Path, small: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    (state.parent / "tinychat").mkdir(parents=True)
    (state.parent / "tinychat" / "tinychat.ulm").write_bytes(b"damaged")
    monkeypatch.setattr(library, "_checkout", lambda: state.parent)
    assert recall(small.crc) is None
