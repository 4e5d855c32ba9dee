"""The model image in bits, above all for an EEPROM: reply models of about a kilobyte (docs/image.md, "Bits").

Weights follow each other column by column: 0 is written 0, 1 is 10, -1 is 11; in a layer with weights of -2, -1 is
110 and -2 is 111. So a sparse ternary layer takes about a bit and a half per weight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FitError
from host_sdk.model.engine import additions
from host_sdk.model.model import Layer, Model
from host_sdk.pack.header import Image, Texts, assemble, header
from host_sdk.pack.image import check_codes
from host_sdk.pack.queries import everyday_queries
from host_sdk.pack.rows import compact, kept_rows
from host_sdk.spec import image as spec
from host_sdk.spec.container import Kind, LayerFlag
from host_sdk.spec.protocol import MAX_QUERY


def pack_bits(model: Model) -> Image:
    """The image of a reply model; FitError when its kind or shape is beyond this form."""
    check_codes(model)
    if model.kind is not Kind.REPLY:
        raise FitError("In bits, as in an EEPROM, there are reply models only; train with --head reply, or pack lists.")
    if model.query_buckets > spec.BIT_BUCKETS:
        raise FitError(
            f"The model has {model.query_buckets} query buckets; in bits, as in an EEPROM, {spec.BIT_BUCKETS} are the "
            "most. Train it with fewer."
        )
    layers = compact(model, kept_rows(model))
    if widest := max((layer.rows for layer in layers if layer.rows > spec.PLACES), default=0):
        raise FitError(f"A layer of {widest} rows: the runtime has {spec.PLACES} places for sums. Train it narrower.")
    texts = Texts.of(model)
    fields = {
        "form": spec.Form.BITS,
        "max_query": MAX_QUERY,
        "first_places": model.query_buckets & 0xFF,
        "output_first": layers[-1].rows & 0xFF,
        "output_groups": 1,
    }
    return Image(
        data=assemble(model, texts, b"".join(_layer(one, one is layers[-1]) for one in layers), fields),
        model_crc=model.crc,
        max_query=MAX_QUERY,
        form=spec.Form.BITS,
        widths=tuple(layer.rows for layer in layers),
        dropped_rows=sum(layer.rows for layer in model.layers) - sum(layer.rows for layer in layers),
        counted=False,
        byte_columns=tuple(0 for _ in layers),
        byte_column_bytes=0,
        additions=additions(model, everyday_queries()),
    )


def unpack_bits(data: bytes) -> list[Layer]:
    """The layers in an image of bits, in its own row order; the packer's tests compare them with the model's."""
    fields = header(data)
    columns = fields["first_places"] or spec.PLACES
    at = fields["second"]
    layers = []
    for number in range(fields["layers"]):
        rows = data[at] or spec.PLACES
        bias = np.frombuffer(data, "<i2", rows, at + 1).astype(np.int16)
        at += 1 + 2 * rows
        bits = iter(np.unpackbits(np.frombuffer(data, np.uint8, offset=at + 1)))
        weights, used = _read(bits, rows * columns, doubles=bool(data[at]))
        at += 1 + -(-used // 8)
        shift, flags = data[at : at + 2]
        at += 2
        if number == fields["layers"] - 1:
            bias = bias - np.int16(spec.PRESET)
        saturate = bool(flags & LayerFlag.SATURATE)
        layers.append(Layer(weights.reshape(columns, rows).T, bias, shift=shift, saturate=saturate))
        columns = rows
    return layers


def _layer(layer: Layer, last: bool) -> bytes:
    """Rows, biases, whether there are weights of -2, the weights, and what makes activations of the sums."""
    doubles = bool((layer.weights == -2).any())
    words = {0: (0,), 1: (1, 0), -1: (1, 1, 0) if doubles else (1, 1), -2: (1, 1, 1)}
    bits = [bit for weight in layer.weights.T.reshape(-1).tolist() for bit in words[weight]]
    bias = layer.bias.astype(np.int64) + (spec.PRESET if last else 0)
    return (
        bytes([layer.rows & 0xFF])
        + (bias & 0xFFFF).astype("<u2").tobytes()
        + bytes([doubles])
        + np.packbits(bits).tobytes()
        + bytes([layer.shift, LayerFlag.SATURATE if layer.saturate else 0])
    )


def _read(bits: Iterator[np.uint8], count: int, doubles: bool) -> tuple[NDArray[np.int8], int]:
    """So many weights, and the bits that they took."""
    weights = np.zeros(count, np.int8)
    used = 0
    for index in range(count):
        used += 1
        if not next(bits):
            continue
        used += 1
        if not next(bits):
            weights[index] = 1
            continue
        used += doubles
        weights[index] = -2 if doubles and next(bits) else -1
    return weights, used
