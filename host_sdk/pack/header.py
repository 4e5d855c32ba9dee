"""What every packed image for AVR begins with: header, name, character set, replies (docs/image.md)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from host_sdk.errors import FileError, FitError
from host_sdk.model.crc import crc16
from host_sdk.model.model import Model
from host_sdk.pack.fields import layout
from host_sdk.spec import image as spec

_HEADER = layout(spec.HEADER)
_LARGEST = 0xFFFF


@dataclass(frozen=True, slots=True)
class Image:
    """A packed model and what the packer did to it."""

    data: bytes
    model_crc: int
    max_query: int  # characters
    form: spec.Form
    widths: tuple[int, ...]  # rows kept of each layer
    dropped_rows: int
    counted: bool  # first layer in counts of one byte
    byte_columns: tuple[int, ...]  # columns in byte code, per layer
    byte_column_bytes: int  # what they take more than in nibbles
    additions: float  # expected in one pass behind the query, those to spare places included

    def report(self) -> dict[str, object]:
        """What the packer chose, for people and `--json`."""
        return {
            "bytes": len(self.data),
            "model_crc": f"{self.model_crc:08x}",
            "max_query": self.max_query,
            "form": self.form.name.lower(),
            "widths": list(self.widths),
            "dropped_rows": self.dropped_rows,
            "counted": self.counted,
            "byte_columns": list(self.byte_columns),
            "byte_column_bytes": self.byte_column_bytes,
            "additions": round(self.additions),
        }


@dataclass(frozen=True, slots=True)
class Texts:
    """Name, character set and replies behind a header, each with its offset in the image."""

    data: bytes
    name: int
    charset: int
    replies: int

    @property
    def end(self) -> int:
        """Offset of what follows them."""
        return self.name + len(self.data)

    @classmethod
    def of(cls, model: Model) -> Texts:
        """Those of a model. FitError when it has more classes than a runtime counts."""
        if model.classes > spec.MAX_CLASSES:
            raise FitError(
                f"The model chooses among {model.classes} replies; the runtime counts at most {spec.MAX_CLASSES}. "
                "Train it with fewer distinct replies."
            )
        name, charset, replies = name_bytes(model), model.charset.encode("ascii"), reply_bytes(model)
        at = spec.HEADER_BYTES
        return cls(name + charset + replies, at, at + len(name), at + len(name) + len(charset))


def name_bytes(model: Model) -> bytes:
    """The name that boards show, NUL-terminated."""
    return model.name.encode("ascii", "replace")[:15] + b"\0"


def reply_bytes(model: Model) -> bytes:
    """All replies: action, text with VALUE_MARK for `{}`, NUL."""
    return b"".join(
        bytes([reply.action]) + reply.text.encode("ascii").replace(b"{}", bytes([spec.VALUE_MARK])) + b"\0"
        for reply in model.replies
    )


def assemble(model: Model, texts: Texts, tape: bytes, fields: Mapping[str, int]) -> bytes:
    """The image of a model from its parts; `fields` are those of the header that the model does not tell."""
    length = texts.end + len(tape)
    if length > _LARGEST:
        raise FitError(
            f"The packed model takes {length} bytes; an image for flash has at most {_LARGEST}. "
            "Train it sparser or smaller."
        )
    values = {
        "magic": spec.MAGIC,
        "abi": spec.ABI,
        "kind": model.kind,
        "length": length,
        "check": 0,
        "model_crc": model.crc,
        "layers": len(model.layers),
        "query_mask": model.query_buckets - 1,
        "context_mask": max(model.context_buckets - 1, 0),
        "context_length": model.context_length,
        "max_reply": model.max_reply,
        "classes": model.classes,
        "zero": 0,
        "floor": 0,
        "lift": 0,
        "features": model.features.flags,
        "output_shift": model.layers[-1].shift,
        "charset": texts.charset,
        "replies": texts.replies,
        "name": texts.name,
        "tape": texts.end,
        "table": 0,
        "second": texts.end,
        **fields,
    }
    data = bytearray(_HEADER.pack(*(values[name] for name, _, _ in spec.HEADER)) + texts.data + tape)
    struct.pack_into("<H", data, 6, crc16(bytes(data[spec.CHECK_FROM :])))
    return bytes(data)


def header(data: bytes) -> dict[str, int]:
    """The header fields of an image; FileError when it is not one or damaged."""
    if len(data) < spec.HEADER_BYTES:
        raise FileError("This is not a packed model image (.ulb): it is too short.")
    fields = dict(zip((name for name, _, _ in spec.HEADER), _HEADER.unpack_from(data), strict=True))
    if fields["magic"] != spec.MAGIC or fields["length"] > len(data):
        raise FileError("This is not a packed model image (.ulb).")
    if crc16(data[spec.CHECK_FROM : fields["length"]]) != fields["check"]:
        raise FileError("The packed model image is damaged (CRC-16); pack it again.")
    return fields
