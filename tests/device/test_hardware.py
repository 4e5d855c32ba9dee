"""A real board with a runtime and a model: `pytest tests/device/test_hardware.py --port /dev/ttyACM0`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host_sdk.boards import BOARDS
from host_sdk.device import Device
from host_sdk.pack.queries import bench_queries

pytestmark = pytest.mark.hardware


@pytest.fixture(scope="module")
def device(hardware_port: str) -> Iterator[Device]:
    with Device(hardware_port) as opened:
        yield opened


def test_it_is_known(device: Device) -> None:
    assert device.board in BOARDS
    assert not device.simulated
    assert device.model is not None, "name its file once: ulm chat PORT --model FILE"


def test_every_output_is_exact(device: Device) -> None:
    result = device.verify()
    assert result.mismatches == []
    assert result.queries > 0


def test_replies_are_checked(device: Device) -> None:
    for query in bench_queries()[:10]:
        assert device.chat(query).digest_checked


def test_a_closed_stream_leaves_the_board_ready(device: Device) -> None:
    device.stream("hello").close()
    stream = device.stream("who are you")
    next(stream, None)
    stream.close()
    assert device.chat("hello").digest_checked
