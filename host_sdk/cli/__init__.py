"""The command `ulm`. The only room that prints or exits; every command's module is loaded when it is called."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from host_sdk import __version__
from host_sdk.boards import virtual_boards
from host_sdk.errors import UlmError

# Command -> (module, name in it, help of one line).
_COMMANDS = {
    "demo": ("host_sdk.cli.demo", "demo", "A virtual UNO is flashed and talks; no hardware needed."),
    "chat": ("host_sdk.cli.talk", "chat", "Talk with a board."),
    "flash": ("host_sdk.cli.talk", "flash", "Put runtime and model on a board."),
    "provision": ("host_sdk.cli.provision", "provision", "Fill a flash chip outside of its board."),
    "info": ("host_sdk.cli.files", "info", "Show what a model file holds, or a board."),
    "verify": ("host_sdk.cli.talk", "verify", "Prove a board bit by bit."),
    "bench": ("host_sdk.cli.talk", "bench", "Measure a board's speed and memory."),
    "models": ("host_sdk.cli.files", "models", "List the models that come with μLM."),
    "train": ("host_sdk.cli.train", "train", "Train a model from query|reply lines."),
    "eval": ("host_sdk.cli.train", "evaluate", "Measure a model's replies beside six baselines."),
    "data": ("host_sdk.cli.data", "data", "Check, split, enlarge and fetch query|reply files."),
    "sweep": ("host_sdk.cli.sweep", "sweep", "Search for the best recipes of a data file."),
    "import": ("host_sdk.cli.files", "import_", "Import a model that others published."),
    "pack": ("host_sdk.cli.files", "pack", "Make the packed image of a model for one kind of memory."),
    "boards": ("host_sdk.cli.files", "boards", "List the boards that μLM knows."),
    "ports": ("host_sdk.cli.files", "ports", "List the serial ports of this computer."),
}


class _Commands(click.Group):
    """Loads a command's module only when the command runs, so that `ulm --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[name]
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UlmError as error:
            click.echo(f"ulm: {error}", err=True)
            ctx.exit(error.exit_code)


_HELP = f"""Language models for 8-bit machines: train, flash, chat.

An ADDRESS is a serial port (/dev/ttyACM0, COM3), any pyserial URL, or a virtual board
({virtual_boards()}).
"""


@click.command(cls=_Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ulm")
def cli() -> None:
    """Run one command of `ulm`."""


def main() -> None:
    """Entry point of the console command."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        code = cli.main(standalone_mode=False)
    except click.Abort:
        click.echo("ulm: Stopped.", err=True)
        sys.exit(1)
    except click.ClickException as error:
        _complain(error)
        sys.exit(error.exit_code)
    sys.exit(code)


def _complain(error: click.ClickException) -> None:
    """One sentence, where click itself would print three lines; the help, where no arguments were given."""
    text = error.format_message()
    if "\n" in text:
        error.show()
        return
    context = getattr(error, "ctx", None)
    hint = f" See `{context.command_path} --help`." if context else ""
    click.echo(f"ulm: {text}{hint}", err=True)
