"""Import models published by HarryR/z80ai (numpy `.npz`, MIT or Apache-2.0)."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from host_sdk.errors import FileError
from host_sdk.model.model import Layer, Model
from host_sdk.spec.container import Kind, WeightCode

_BUCKETS = 128
_CONTEXT = 8


def import_z80ai(path: str | Path) -> Model:
    """The character model in a z80ai file; FileError when it is not one."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as data:
            architecture = json.loads(bytes(data["_architecture"].item()))
            charset = bytes(data["_charset"].item()).decode("ascii")
            widths = [*architecture["hidden_sizes"], architecture["num_classes"]]
            layers = tuple(
                Layer(
                    data[f"fc{n}_weight"].astype(np.int8),
                    data[f"fc{n}_bias"].astype(np.int16),
                    WeightCode.TWO_BIT,
                )
                for n in range(1, len(widths) + 1)
            )
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or 'it is no .npz file'}.") from None
    except (KeyError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path} is not a z80ai model ({error}); export it there as .npz.") from None
    if [layer.rows for layer in layers] != widths:
        raise FileError(f"{path} has layers of other widths than it says; export it again.")
    # The end of a reply is the last class; the file's character set does not name it or pads it with NUL.
    return Model(
        kind=Kind.CHARACTER,
        layers=layers,
        query_buckets=_BUCKETS,
        context_buckets=_BUCKETS,
        context_length=_CONTEXT,
        charset=charset.ljust(layers[-1].rows - 1, "\0")[: layers[-1].rows - 1],
        metadata={
            "name": path.stem,
            "data": "HarryR/z80ai",
            "licence": "MIT or Apache-2.0",
        },
    )
