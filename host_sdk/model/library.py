"""The models this computer has seen, by the CRC of their meaning, so that digests of a board can be recomputed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from platformdirs import user_state_path

from host_sdk.errors import FileError
from host_sdk.model.container import read
from host_sdk.model.model import Model

SHIPPED = ("tinychat", "widechat", "commands", "guess", "smalltalk", "adventure", "clinc150")
"""The models that come with the package, by name."""


def shipped_model(name: str) -> Model:
    """A model that comes with the package; FileError when this installation lacks it."""
    for file in (files("host_sdk") / "shipped" / f"{name}.ulm", _checkout() / name / f"{name}.ulm"):
        if file.is_file():
            return read(file.read_bytes())
    raise FileError(f"This installation has no model {name!r}; install micro-lm again.")


def find_model(source: str | Path) -> Model:
    """The model of this file or, where no file has that name, the shipped model of that name.

    FileError when there is neither.
    """
    if str(source) in SHIPPED and not Path(source).is_file():
        return shipped_model(str(source))
    return Model.load(source)


def remember(model: Model) -> None:
    """Keep a copy. A folder that cannot be written is no error: only digests stay unchecked."""
    path = _path(model.crc)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        model.save(part)
        part.replace(path)
    except OSError:
        pass


def recall(crc: int) -> Model | None:
    """The model with this CRC, if it was seen here or ships with the package."""
    try:
        model = Model.load(_path(crc))
        if model.crc == crc:
            return model
    except FileError:
        pass
    for name in SHIPPED:
        try:
            model = shipped_model(name)
        except FileError:
            continue
        if model.crc == crc:
            return model
    return None


def _path(crc: int) -> Path:
    return user_state_path("ulm") / "models" / f"{crc:08x}.ulm"


def _checkout() -> Path:
    """`models/` of a checkout, for an editable installation."""
    return Path(__file__).parents[2] / "models"
