"""Commands that make and measure models: train, eval."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host_sdk.cli.show import print_json, progress_bar, table
from host_sdk.errors import MissingError, UsageError
from host_sdk.model.library import find_model
from host_sdk.model.model import Model
from host_sdk.train.checkpoint import part_path
from host_sdk.train.data import HELD_OUT, Pair, read_pairs, split_pairs
from host_sdk.train.evaluate import (
    Evaluation,
    Share,
    by_reply,
    compare,
    confusions,
    out_of_scope,
    replies,
    with_trained_baselines,
    without_trained_baselines,
)
from host_sdk.train.evaluate import evaluate as measure
from host_sdk.train.fit import shaped
from host_sdk.train.recipe import CODES, DEVICES, HEADS, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from host_sdk.train.loop import Progress

_INTERRUPTED = 130
_BAR = 24

_path = click.Path(path_type=Path)
_json = click.option("--json", "as_json", is_flag=True, help="One line of JSON on stdout.")
_quick = click.option("--quick", is_flag=True, help="Leave out the two baselines that are trained.")


@click.command()
@click.argument("data", type=_path)
@click.option("-o", "--output", type=_path, required=True, help="The model file to write.")
@click.option("--recipe", "recipe_file", type=_path, help="Options from a TOML file; those given here go first.")
@click.option("--head", type=click.Choice(list(HEADS)), help="Spell replies, or choose among the data's.")
@click.option("--for", "board", metavar="BOARD", help="Choose a shape that fills the room of this board.")
@click.option("--additions", type=int, help="Of a pass, at most: asks for speed.")
@click.option("--bytes", "bytes_", type=int, help="Packed with all texts, at most: asks for a small model.")
@click.option("--hidden", help="Widths of the hidden layers: 64,48,32; 0 for none.")
@click.option("--query-buckets", type=int, help="64 to 2048: more cost flash, not time.")
@click.option("--context-buckets", type=int, help="64 to 2048, character head only.")
@click.option("--zones", type=int, help="1 to 8 parts of a query that hash apart: the order of words counts.")
@click.option("--words/--no-words", default=None, help="Hash whole words, too.")
@click.option("--teacher", type=float, help="0 to 1: share of a float teacher in the targets.")
@click.option("--variants", type=int, help="Of every query, answered by the teacher: helps where data are few.")
@click.option("--epochs", type=int, help="Passes over the data; default: as many as make 4,000 steps.")
@click.option("--seed", type=int, help="Another seed gives another model, the same one the same file.")
@click.option("--patience", type=int, help="Validations without a better accuracy until it stops; 0: never.")
@click.option("--device", type=click.Choice(DEVICES), help="A GPU gives another model for the same seed.")
@click.option("--code", type=click.Choice(list(CODES)), help="Values of a weight.")
@click.option("--name", help="What boards show; default: the name of the model file.")
@click.option("--licence", help="Of the model, kept in the file.")
@click.option("--all-data/--hold-out", default=None, help="Train on everything, or measure on every tenth query.")
@_quick
@_json
def train(
    data: Path,
    output: Path,
    recipe_file: Path | None,
    head: str | None,
    board: str | None,
    bytes_: int | None,
    hidden: str | None,
    all_data: bool | None,
    quick: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model on the file DATA: one `query|reply` per line.

    Stopped with Ctrl-C, the same command goes on where it was.
    """
    from host_sdk.train.build import build

    recipe = Recipe.load(recipe_file) if recipe_file else Recipe()
    given = {name: value for name, value in options.items() if value is not None}
    if hidden is not None:
        given["hidden"] = _widths(hidden)
    if all_data is not None:
        given["held_out"] = 0.0 if all_data else recipe.held_out or HELD_OUT
    if bytes_ is not None:
        given["bytes"] = bytes_
    recipe = recipe.with_head(head or recipe.head)
    if board:
        recipe, why = shaped(recipe, read_pairs(data, recipe.max_reply), board)
        click.echo(why, err=True)
    recipe = replace(recipe, **given)
    watching = sys.stderr.isatty()
    try:
        model, evaluation = build(
            data, output, recipe, _show if watching else lambda progress: None, lambda text: click.echo(text, err=True)
        )
    except KeyboardInterrupt:
        kept = part_path(output).exists()
        click.echo("\nStopped. " + ("The same command goes on." if kept else "Nothing is kept yet."), err=True)
        raise click.exceptions.Exit(_INTERRUPTED) from None
    if evaluation:
        fit, held = split_pairs(read_pairs(data, recipe.max_reply), recipe.held_out)
        try:
            evaluation = _beside(evaluation, model, held, fit, quick)
        except KeyboardInterrupt:  # the model is written already
            evaluation = without_trained_baselines(evaluation)
    if as_json:
        held_out = evaluation.to_dict() if evaluation else None
        print_json({"model": str(output), "crc": f"{model.crc:08x}", "shape": model.shape, "held_out": held_out})
        return
    click.echo(f"{output}: {model.name}, {model.shape}, {model.weight_count} weights")
    if evaluation:
        _report(model, evaluation, "held-out pairs")


@click.command(name="eval")
@click.argument("model", type=_path)
@click.argument("data", type=_path)
@click.option("--fit", "fit_file", type=_path, help="Fit the baselines on this file instead of by cross-validation.")
@click.option(
    "--split",
    type=click.Choice(["all", "held", "fit"]),
    default="all",
    show_default=True,
    help="All pairs of DATA, or those that its training holds out or fits on.",
)
@click.option("--oos", metavar="REPLY", help="The reply that stands for out of scope: measure both sides of it.")
@click.option("--against", type=_path, metavar="B.ulm", help="The difference to another model, with its interval.")
@click.option("--replies", "per_reply", is_flag=True, help="A line per reply, and the most frequent confusions.")
@_quick
@_json
def evaluate(
    model: Path,
    data: Path,
    fit_file: Path | None,
    split: str,
    oos: str | None,
    against: Path | None,
    per_reply: bool,
    quick: bool,
    as_json: bool,
) -> None:
    """Ask MODEL, a file or a shipped model, every query of DATA, beside six baselines."""
    loaded = find_model(model)
    other = find_model(against) if against else None
    fit, held = split_pairs(pairs := read_pairs(data), _held_out(loaded))
    chosen = {"all": pairs, "held": held, "fit": fit}[split]
    known = read_pairs(fit_file) if fit_file else fit if split == "held" else None
    result = _beside(measure(loaded, chosen, known), loaded, chosen, known, quick)
    answers = replies(loaded, chosen) if oos or other or per_reply else []
    scope = out_of_scope(answers, chosen, oos) if oos else None
    comparison = compare(answers, other, chosen) if other else None
    if as_json:
        values = result.to_dict()
        if scope:
            values["out_of_scope"] = scope.to_dict()
        if comparison:
            values["against"] = comparison.to_dict()
        if per_reply:
            values["replies"] = [row.to_dict() for row in by_reply(answers, chosen)]
            names = ("listed", "answered", "pairs")
            values["confusions"] = [dict(zip(names, row, strict=True)) for row in confusions(answers, chosen)]
        print_json(values)
        return
    _report(loaded, result, {"all": "pairs", "held": "held-out pairs", "fit": "fitted pairs"}[split])
    if scope:
        click.echo(f"in scope: {_share(scope.in_scope)}")
        click.echo(f"{scope.label!r}: recall {_share(scope.recall)}; precision {_share(scope.precision)}")
    if comparison:
        low, high = comparison.interval
        click.echo(
            f"against {comparison.name} ({comparison.exact.value:.3f}): {comparison.difference:+.3f}, "
            f"95 % interval {low:+.3f} to {high:+.3f}"
        )
    if per_reply:
        lines = [
            (row.reply, str(row.recall.count), f"{row.recall.value:.3f}", f"{row.precision.value:.3f}")
            for row in by_reply(answers, chosen)
        ]
        table([("listed reply", "pairs", "recall", "precision"), *lines])
        wrong = [(listed, answer, str(count)) for listed, answer, count in confusions(answers, chosen)]
        table([("listed reply", "answered", "pairs"), *wrong])


def _held_out(model: Model) -> float:
    """The share that the model's own training held out."""
    recipe = model.metadata.get("recipe")
    share = recipe.get("held_out") if isinstance(recipe, dict) else None
    return float(share) if isinstance(share, int | float) and 0 < share < 1 else HELD_OUT


def _widths(text: str) -> tuple[int, ...]:
    try:
        return () if text == "0" else tuple(int(width) for width in text.split(","))
    except ValueError:
        raise UsageError(f"--hidden {text!r} is no list of widths. Write 64,48,32.") from None


def _beside(
    result: Evaluation, model: Model, pairs: Sequence[Pair], fit: Sequence[Pair] | None, quick: bool
) -> Evaluation:
    """The evaluation with the trained baselines, where they are wanted and can be had."""
    if not quick:
        try:
            with progress_bar("baselines") as watch:
                return with_trained_baselines(result, model, pairs, fit, watch or (lambda done, total: None))
        except MissingError as error:
            click.echo(error, err=True)
    return without_trained_baselines(result)


def _report(model: Model, result: Evaluation, what: str) -> None:
    low, high = result.exact.interval
    rows = [(model.name, f"{result.exact.value:.3f}", f"{low:.3f} to {high:.3f}")]
    rows += [
        (f"baseline: {name}", "left out" if share is None else f"{share:.3f}", "")
        for name, share in result.baselines.items()
    ]
    table([(f"{result.exact.count} {what}", "exact", "95 % interval"), *rows])
    click.echo(f"any listed reply: {_share(result.any)}; {result.additions_per_char:.0f} additions per character")
    click.echo(f"baselines fitted on {result.baselines_fit_on}")


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.3f} ({low:.3f} to {high:.3f}, of {share.count})"


def _show(progress: Progress) -> None:
    done = _BAR * progress.epoch // progress.epochs
    accuracy = "" if progress.accuracy is None else f"  exact {progress.accuracy:.3f}"
    bar = "#" * done + "-" * (_BAR - done)
    line = f"\rtraining  [{bar}]  {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}{accuracy}"
    click.echo(line, nl=progress.epoch == progress.epochs, err=True)
