"""Stream images of any length, which tell each other apart by the CRC in their headers."""

from __future__ import annotations

from functools import cache

from host_sdk.model.crc import crc16
from host_sdk.model.model import Model
from host_sdk.pack.stream import pack_stream
from host_sdk.spec.container import WeightCode
from host_sdk.spec.stream import Form
from tests.synthetic import character_model, endless

BLOCK = 512


def image(seed: int, blocks: int = 40) -> bytes:
    """A small model, in lists if `seed` is odd, else in rows; behind it the image is filled."""
    return _resized(_small(Form.LISTS if seed % 2 else Form.ROWS), seed, blocks)


def long_image(seed: int, blocks: int) -> bytes:
    """One whose passes take a tenth of a second, and whose check takes longer the more blocks it has."""
    return _resized(_packed(_large(), Form.ROWS), seed, blocks)


def numbered(image: bytes, sequence: int) -> bytes:
    """The image as it lies in a slot."""
    return image[:4] + sequence.to_bytes(4, "little") + image[8:]


def shortened(image: bytes, max_query: int) -> bytes:
    """The image for shorter queries."""
    return _checked(bytearray(image[:24] + bytes((max_query,)) + image[25:]))


@cache
def _small(form: Form) -> bytes:
    return _packed(endless(character_model(1, (24, 16))), form)


@cache
def _large() -> Model:
    return endless(character_model(2, (160, 160), 0.5, code=WeightCode.INT8, shift=6, saturate=True))


def _packed(model: Model, form: Form) -> bytes:
    return pack_stream(model, form).data


def _resized(data: bytes, crc: int, blocks: int) -> bytes:
    assert len(data) <= blocks * BLOCK
    body = bytearray(data.ljust(blocks * BLOCK, b"\xa5"))
    body[8:12] = len(body).to_bytes(4, "little")
    body[20:24] = crc.to_bytes(4, "little")
    return _checked(body)


def _checked(body: bytearray) -> bytes:
    body[12:14] = crc16(bytes(body[16:])).to_bytes(2, "little")
    return bytes(body)
