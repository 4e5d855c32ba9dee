"""The stream image of a model, for boards whose weights come from a card or a flash chip (docs/image-stream.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from host_sdk.errors import FileError, FitError
from host_sdk.model.crc import crc16
from host_sdk.model.model import Layer, Model
from host_sdk.pack.fields import layout
from host_sdk.pack.header import name_bytes, reply_bytes
from host_sdk.pack.rows import compact
from host_sdk.pack.stream_body import Body
from host_sdk.pack.stream_lists import pack_lists, unpack_lists
from host_sdk.pack.stream_rows import pack_rows, unpack_rows
from host_sdk.spec import stream as spec
from host_sdk.spec.container import Kind

_HEADER = layout(spec.HEADER)


@dataclass(frozen=True, slots=True)
class StreamImage:
    """A packed model and what the packer did to it."""

    data: bytes
    model_crc: int
    max_query: int  # characters
    form: spec.Form
    widths: tuple[int, ...]  # rows kept of each layer
    dropped_rows: int
    stream_bytes: int  # that a pass reads from front to back, were nothing skipped
    arena_bytes: int  # SRAM of the engine that is used

    def report(self) -> dict[str, object]:
        """What the packer chose, for people and `--json`."""
        return {
            "bytes": len(self.data),
            "model_crc": f"{self.model_crc:08x}",
            "max_query": self.max_query,
            "form": self.form.name.lower(),
            "widths": list(self.widths),
            "dropped_rows": self.dropped_rows,
            "stream_bytes": self.stream_bytes,
            "arena_bytes": self.arena_bytes,
        }


def pack_stream(model: Model, form: spec.Form | None = None) -> StreamImage:
    """The image of a model: lists where they can say it, else rows; FitError with the numbers when `form` cannot."""
    if model.classes > spec.MAX_CLASSES:
        raise FitError(
            f"The model chooses among {model.classes} replies; the runtime counts at most {spec.MAX_CLASSES}. "
            "Train it with fewer distinct replies."
        )
    layers = compact(model)
    body = _body(model, layers, form)
    data = _assemble(model, body)
    return StreamImage(
        data=data,
        model_crc=model.crc,
        max_query=body.max_query,
        form=body.form,
        widths=tuple(layer.rows for layer in layers),
        dropped_rows=sum(layer.rows for layer in model.layers) - sum(layer.rows for layer in layers),
        stream_bytes=len(body.passed),
        arena_bytes=body.arena_bytes,
    )


def unpack_stream(data: bytes) -> list[Layer]:
    """The layers in an image, in its own row order; the packer's tests compare them with the model's."""
    fields = stream_header(data)
    return (unpack_lists if fields["form"] == spec.Form.LISTS else unpack_rows)(data, fields)


def stream_header(data: bytes) -> dict[str, int]:
    """The header fields of an image; FileError when it is not one or damaged."""
    if len(data) < spec.BLOCK_BYTES:
        raise FileError("This is not a stream image (.ulb): it is too short.")
    fields = dict(zip((name for name, _, _ in spec.HEADER), _HEADER.unpack_from(data), strict=True))
    if fields["magic"] != spec.MAGIC:
        raise FileError("This is not a stream image (.ulb).")
    if fields["abi"] != spec.ABI:
        raise FileError(f"The stream image is of another revision ({fields['abi']}); pack it again.")
    if fields["length"] > len(data):
        raise FileError(f"The stream image is cut: it has {len(data)} of {fields['length']} bytes; pack it again.")
    if crc16(data[spec.CHECK_FROM : fields["length"]]) != fields["check"]:
        raise FileError("The stream image is damaged (CRC-16); pack it again.")
    return fields


def describe(data: bytes) -> dict[str, object]:
    """What an image holds, for people and `--json`. FileError when it is damaged."""
    fields = stream_header(data)
    layers = unpack_stream(data)
    name = data[fields["name"] : data.index(0, fields["name"])].decode("ascii")
    return {
        "name": name,
        "kind": Kind(fields["kind"]).name.lower(),
        "model_crc": f"{fields['model_crc']:08x}",
        "form": spec.Form(fields["form"]).name.lower(),
        "shape": "-".join(str(n) for n in (layers[0].columns, *(layer.rows for layer in layers))),
        "bytes": fields["length"],
        "stream_bytes": fields["stream_bytes"],
        "max_query": fields["max_query"],
        "sequence": fields["sequence"],
    }


def _body(model: Model, layers: list[Layer], form: spec.Form | None) -> Body:
    if form is spec.Form.LISTS:
        return pack_lists(model, layers)
    if form is spec.Form.ROWS:
        return pack_rows(model, layers)
    try:
        return pack_lists(model, layers)
    except FitError:
        return pack_rows(model, layers)


def _assemble(model: Model, body: Body) -> bytes:
    """Header and texts; the first layer's columns, where they are apart; a pass; the character set. In whole blocks.

    The first column and the pass begin on a block, so that little is read in vain.
    """
    name, replies = name_bytes(model), reply_bytes(model)
    if (texts := spec.HEADER_BYTES + len(name) + len(replies)) > 0xFFFF:
        raise FitError(f"Name and replies take {texts} bytes; 65535 are the most. Train it with shorter replies.")
    first = _whole(texts + body.lead) - body.lead
    passed = _whole(first + len(body.first))
    charset = passed + len(body.passed)
    length = _whole(charset + len(model.charset))
    values = {
        "magic": spec.MAGIC,
        "sequence": 0,
        "length": length,
        "check": 0,
        "ones": 0xFFFF,
        "abi": spec.ABI,
        "form": body.form,
        "kind": model.kind,
        "layers": len(model.layers),
        "model_crc": model.crc,
        "max_query": body.max_query,
        "max_reply": model.max_reply,
        "classes": model.classes & 0xFF,
        "context_length": model.context_length,
        "query_mask": model.query_buckets - 1,
        "context_mask": max(model.context_buckets - 1, 0),
        "features": model.features.flags,
        "kept": body.kept,
        "name": spec.HEADER_BYTES,
        "charset": charset,
        "replies": spec.HEADER_BYTES + len(name),
        "zeros": 0,
        "first": first,
        "pass": passed,
        "stream_bytes": len(body.passed),
    }
    data = bytearray(b"\xff" * length)
    head = _HEADER.pack(*(values[field] for field, _, _ in spec.HEADER)).ljust(spec.HEADER_BYTES, b"\0")
    for at, part in (
        (0, head + name + replies),
        (first, body.first),
        (passed, body.passed + model.charset.encode("ascii")),
    ):
        data[at : at + len(part)] = part
    check = crc16(bytes(data[spec.CHECK_FROM :]))
    struct.pack_into("<H", data, 12, check)
    return bytes(data)


def _whole(count: int) -> int:
    """So many bytes in whole blocks."""
    return -(-count // spec.BLOCK_BYTES) * spec.BLOCK_BYTES
