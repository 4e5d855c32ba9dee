"""Devices on virtual boards: real firmware, real bootloaders."""

from __future__ import annotations

import pytest

from host_sdk.device import Device
from host_sdk.model.model import Model
from host_sdk.sim.avr_board import AvrBoard
from tests.conftest import FULL_BOARDS, OpenBoard
from tests.synthetic import character_model, published_shape


def chip(device: Device) -> AvrBoard:
    """The simulated chip behind a Device: its pins, memories and counters."""
    board = device._connection.virtual
    assert board is not None
    return board


@pytest.fixture(scope="session")
def published() -> Model:
    return published_shape()


@pytest.fixture(scope="session")
def small() -> Model:
    return character_model(1, name="small")


@pytest.fixture(scope="module", params=FULL_BOARDS)
def talker(request: pytest.FixtureRequest, open_board: OpenBoard, published: Model) -> Device:
    """Each board in turn, with a model of the published shape."""
    return open_board(request.param, published)


@pytest.fixture(scope="module")
def uno(open_board: OpenBoard, small: Model) -> Device:
    """An UNO with a small character model."""
    return open_board("uno", small)
