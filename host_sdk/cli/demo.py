"""`ulm demo`: a virtual UNO is flashed through its bootloader and talks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from platformdirs import user_state_path

from host_sdk.cli.show import progress_bar
from host_sdk.cli.talk import converse, say
from host_sdk.device import Device
from host_sdk.model.library import shipped_model

_QUESTIONS: Sequence[str] = (
    "hello",
    "what is your name?",
    "how much memory do you have?",
    "tell me a joke",
    "what is the capital of peru",
    "good night",
)


@click.command()
def demo() -> None:
    """Flash the shipped model into a virtual Arduino UNO and talk with it. Needs no hardware."""
    model = shipped_model("tinychat")
    address = f"sim://uno?state={_state('demo')}&blank"
    click.echo(
        "A virtual Arduino UNO: ATmega328P at 16 MHz, 2 KB of SRAM, 32 KB of flash. Every figure is simulated,\n"
        "cycle by cycle, by the firmware that runs on a real one."
    )
    with Device(address, bare=True) as board:
        with progress_bar(f"Flashing {model.name} through optiboot") as progress:
            result = board.flash(model, progress=progress)
        info = board.info()
        click.echo(
            f"{result.model_bytes} bytes of model and {info.runtime_bytes} of runtime are in flash; "
            f"{info.sram_bytes} of 2,048 bytes of SRAM are in use.\n"
        )
        _ask(board, _QUESTIONS)
        _from_a_chip()
        if sys.stdin.isatty():
            click.echo("\nYour turn. An empty line leaves.")
            converse(board)


def _from_a_chip() -> None:
    """The same model on a board that streams it."""
    click.echo(
        "\nAnother UNO, with a flash chip on its SPI pins: the weights pass through the processor once for each\n"
        "character, so a model may be as large as the chip. The integers are the same."
    )
    with Device(f"sim://uno-flash?state={_state('demo-chip')}") as board:
        _ask(board, _QUESTIONS[:2])


def _ask(board: Device, questions: Sequence[str]) -> None:
    for question in questions:
        click.secho(f"> {question}", bold=True)
        say(board, question)


def _state(name: str) -> Path:
    """The folder of a board of the demo."""
    return user_state_path("ulm") / "sim" / name
