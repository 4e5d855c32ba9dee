"""Commands about data files: lint, split, augment, fetch. None of them needs torch or a board."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from host_sdk.boards import board_named
from host_sdk.cli.show import print_json, progress_bar
from host_sdk.data.augment import augment as vary
from host_sdk.data.files import write_pairs
from host_sdk.data.lint import Finding, Limits
from host_sdk.data.lint import lint as find_faults
from host_sdk.errors import FileError, UsageError
from host_sdk.train.data import HELD_OUT, read_pairs, split_pairs

_SHOWN = 10
"""Findings of one kind that a person is shown."""

_path = click.Path(path_type=Path)
_share = click.FloatRange(0, 1, min_open=True, max_open=True)
_json = click.option("--json", "as_json", is_flag=True, help="One line of JSON on stdout.")


@click.group()
def data() -> None:
    """Check, split, enlarge and fetch files of `query|reply` lines."""


@data.command()
@click.argument("file", type=_path)
@click.option("--for", "board", metavar="BOARD", help="Also what this board cannot take (see `ulm boards`).")
@_json
@click.pass_context
def lint(ctx: click.Context, file: Path, board: str | None, as_json: bool) -> None:
    """Look for faults in FILE: each with its line and what to do.

    Exit code 3 on errors; warnings alone end with 0.
    """
    found = find_faults(file, _limits(board) if board else Limits())
    errors = sum(finding.is_error for finding in found)
    if as_json:
        rows = [{**asdict(finding), "level": _level(finding)} for finding in found]
        print_json({"file": str(file), "errors": errors, "warnings": len(found) - errors, "findings": rows})
    else:
        _show(file, found)
        click.echo(f"{file}: {_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}.")
    if errors:
        ctx.exit(FileError.exit_code)


@data.command()
@click.argument("file", type=_path)
@click.option("--held", type=_share, default=HELD_OUT, show_default=True, help="Share of the distinct queries.")
@click.option("-o", "--output", type=_path, nargs=2, required=True, metavar="FIT HELD", help="The files to write.")
@_json
def split(file: Path, held: float, output: tuple[Path, Path], as_json: bool) -> None:
    """Split FILE by the hash of the queries, as trainings do, into pairs to FIT and pairs HELD out."""
    if output[0] == output[1]:
        raise UsageError("FIT and HELD are the same file. Name two.")
    sides = split_pairs(read_pairs(file), held)
    if not all(sides):
        raise FileError(f"{file} has too few queries to hold out {held:g} of them. Choose another share.")
    for path, pairs in zip(output, sides, strict=True):
        write_pairs(path, pairs)
    if as_json:
        print_json({"fit": len(sides[0]), "held": len(sides[1])})
    else:
        click.echo(f"{output[0]}: {len(sides[0])} pairs; {output[1]}: {len(sides[1])} pairs.")


@data.command()
@click.argument("file", type=_path)
@click.option("-o", "--output", type=_path, required=True, help="The file to write.")
@click.option("--typos", type=float, default=0.0, metavar="N", help="Variants with a typing error, per query.")
@click.option("--paraphrase", type=float, default=0.0, metavar="N", help="Variants in other words, per query.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--held",
    type=click.FloatRange(0, 1, max_open=True),
    default=HELD_OUT,
    show_default=True,
    help="Share that the training holds out and that is not varied; 0 varies all.",
)
@_json
def augment(file: Path, output: Path, typos: float, paraphrase: float, seed: int, held: float, as_json: bool) -> None:
    """Write the pairs of FILE and variants of those that a training fits on."""
    if not typos and not paraphrase:
        raise UsageError("Nothing to make. Say --typos N, --paraphrase N, or both.")
    pairs = read_pairs(file)
    made = vary(pairs, typos, paraphrase, seed, held)
    write_pairs(output, made)
    if as_json:
        print_json({"pairs": len(pairs), "variants": len(made) - len(pairs)})
    else:
        click.echo(f"{output}: {len(pairs)} pairs and {len(made) - len(pairs)} variants.")


@data.group()
def fetch() -> None:
    """Get public data, from the network or from a copy."""


@fetch.command(name="clinc150")
@click.option("-o", "--output", type=_path, default=Path(), help="The folder to write to; default: this one.")
@click.option("--from", "source", type=_path, help="A copy: data_full.json, or a folder of train.tsv and val.tsv.")
@click.option("--replies", type=_path, help="Lines of `intent|reply`: write only these intents, with these replies.")
@click.option(
    "--others", type=click.IntRange(0), default=0, help="With --replies: so many queries per other intent, as `oos`."
)
@_json
def fetch_clinc150(output: Path, source: Path | None, replies: Path | None, others: int, as_json: bool) -> None:
    """Write CLINC150's splits as files of `query|intent`: train.txt, val.txt and, if it is there, test.txt.

    CC BY 3.0, Larson et al. 2019: name them where you use it.
    """
    from host_sdk.data.clinc150 import URL, read_clinc150, with_replies
    from host_sdk.data.fetch import download

    if not output.is_dir():
        raise FileError(f"There is no folder {output} to write to. Make it, or choose another.")
    if others and not replies:
        raise UsageError("--others makes queries of other intents out-of-scope; say which are not, with --replies.")
    table = {pair.query: pair.reply for pair in read_pairs(replies)} if replies else None
    copy = source or output / "data_full.json"
    fetched = not source and not copy.exists()
    if fetched:
        with progress_bar("Fetching CLINC150", as_json) as progress:
            download(URL, copy, progress)
    try:
        splits = read_clinc150(copy)
    except FileError:
        if fetched:
            copy.unlink()  # so that the same command fetches it again
        raise
    counts = {}
    for name, pairs in splits.items():
        chosen = with_replies(pairs, table, others) if table else pairs
        write_pairs(path := output / f"{name}.txt", chosen)
        counts[str(path)] = len(chosen)
    if as_json:
        print_json(counts)
    else:
        for name, count in counts.items():
            click.echo(f"{name}: {count} pairs")


def _limits(name: str) -> Limits:
    from host_sdk.kinds import model_room

    board = board_named(name)
    return Limits(room=model_room(board), board=board.title)


def _level(finding: Finding) -> str:
    return "error" if finding.is_error else "warning"


def _show(file: Path, found: list[Finding]) -> None:
    """The first findings of each kind, as compilers write them."""
    shown: Counter[str] = Counter()
    for finding in found:
        shown[finding.kind] += 1
        if shown[finding.kind] <= _SHOWN:
            click.echo(f"{file}:{finding.line}: {_level(finding)}: {finding.text} [{finding.kind}]")
    for kind, count in shown.items():
        if count > _SHOWN:
            click.echo(f"{file}: {count - _SHOWN} more of [{kind}]; --json lists all.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
