"""Writes or checks the generated C header and Z80 include: `python -m host_sdk.cli.emit [--check]`."""

from __future__ import annotations

from pathlib import Path

import click

from host_sdk.spec.emit import files


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a committed file is stale.")
@click.option("--root", type=click.Path(path_type=Path), default=Path(), help="The repository.")
def emit(check: bool, root: Path) -> None:
    """Bring generated files in line with host_sdk/spec."""
    stale = [name for name, text in files().items() if not _is_current(root / name, text)]
    if check and stale:
        raise click.ClickException(f"Stale: {', '.join(stale)}. Run `python -m host_sdk.cli.emit`.")
    for name in stale:
        (root / name).write_text(files()[name], "utf-8")
        click.echo(f"wrote {name}")


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    emit()
