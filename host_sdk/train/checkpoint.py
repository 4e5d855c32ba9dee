"""A training's state between two epochs, in `<out>.part`: what makes it resumable. A numpy archive without pickles."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host_sdk.train.data import Pair
from host_sdk.train.recipe import Recipe

Arrays = dict[str, NDArray[Any]]


def part_path(out: str | Path) -> Path:
    """Where the checkpoint of a training for this model file is kept."""
    return Path(f"{out}.part")


def fingerprint(pairs: Sequence[Pair], recipe: Recipe, program: str) -> str:
    """Equal exactly when data, options and program are: only then may a training go on."""
    text = json.dumps([pairs, recipe.to_dict(), program], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def save(path: Path, key: str, epoch: int, arrays: Arrays) -> None:
    """Replace the checkpoint in one step, so that a kill leaves the old or the new one."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        np.savez(file, allow_pickle=False, key=np.array(key), epoch=np.array(epoch), **arrays)
    fresh.replace(path)


def load(path: Path, key: str) -> tuple[int, Arrays] | None:
    """(finished epochs, arrays); None when the file is of another training or unreadable."""
    try:
        with np.load(path, allow_pickle=False) as data:
            if str(data["key"]) != key:
                return None
            names = set(data.files) - {"key", "epoch"}
            return int(data["epoch"]), {name: data[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
