"""The command that searches for good recipes: sweep."""

from __future__ import annotations

from pathlib import Path

import click

from host_sdk.cli.show import print_json, progress_bar, table
from host_sdk.errors import UsageError
from host_sdk.train.data import read_pairs, split_pairs
from host_sdk.train.fit import room_on
from host_sdk.train.recipe import HEADS, Recipe
from host_sdk.train.sweep import Trial, front, plot, storage_of
from host_sdk.train.sweep import sweep as search

_INTERRUPTED = 130


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--for", "boards", default="uno", show_default=True, metavar="BOARDS", help="Boards to fit: uno,lilypad.")
@click.option("--trials", type=click.IntRange(0), default=20, show_default=True, help="Models to train now.")
@click.option("--recipe", "recipe_file", type=click.Path(path_type=Path), help="What the search does not choose.")
@click.option("--head", type=click.Choice(list(HEADS)), help="Spell replies, or choose among the data's.")
@click.option("--steps", type=int, help="Of each training: fewer are a quicker and rougher search.")
@click.option("--storage", metavar="URL", help="Optuna's database; default: a file beside DATA.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), metavar="FILE", help="A picture: .png or .svg.")
@click.option("--recipes", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the front's recipes here.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON on stdout.")
def sweep(
    data: Path,
    boards: str,
    trials: int,
    recipe_file: Path | None,
    head: str | None,
    steps: int | None,
    storage: str | None,
    picture: Path | None,
    recipes: Path | None,
    as_json: bool,
) -> None:
    """Search shapes, codes, features and sparsity for DATA: the front of accuracy, bytes and additions.

    Trials are judged on a part of the training queries, never on those held out. Stopped with Ctrl-C, the same
    command goes on; with the same --storage, many machines share the work.
    """
    names = tuple(dict.fromkeys(boards.split(",")))
    for name in names:
        room_on(name)
    base = Recipe.load(recipe_file) if recipe_file else Recipe()
    base = base.with_head(head or base.head)
    if steps is not None:
        base = Recipe.from_dict(base.to_dict() | {"steps": steps, "epochs": 0})
    fit, _ = split_pairs(read_pairs(data, base.max_reply), base.held_out)
    try:
        with progress_bar("searching") as show:
            found = search(fit, base, names, trials, storage or storage_of(data), show or (lambda done, total: None))
    except KeyboardInterrupt:
        click.echo("\nStopped. The same command goes on.", err=True)
        raise click.exceptions.Exit(_INTERRUPTED) from None
    fronts = {name: front(found, name) for name in names}
    if picture:
        plot(found, names, picture)
    if recipes:
        _write_recipes(recipes, fronts)
    if as_json:
        fronts_json = {name: [trial.to_dict() for trial in best] for name, best in fronts.items()}
        print_json({"trials": len(found), "fronts": fronts_json})
        return
    for name, best in fronts.items():
        click.echo(f"{name}: {len(best)} of {len(found)} trials are best in accuracy, bytes or additions")
        rows = [_row(trial, name) for trial in best]
        table([("trial", "exact", "bytes", "additions", "shape", "code", "zones", "words", "sparsity"), *rows])


def _row(trial: Trial, board: str) -> tuple[object, ...]:
    recipe = trial.recipe
    inputs = f"{recipe.query_buckets}+{recipe.context_buckets}" if recipe.context_buckets else recipe.query_buckets
    shape = "-".join(map(str, (inputs, *recipe.hidden)))
    features = recipe.zones, "yes" if recipe.words else "no", f"{recipe.sparsity:.1g}"
    return trial.number, f"{trial.accuracy:.3f}", trial.bytes[board], trial.additions, shape, recipe.code, *features


def _write_recipes(folder: Path, fronts: dict[str, list[Trial]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for best in fronts.values():
            for trial in best:
                (folder / f"trial{trial.number}.toml").write_text(trial.recipe.to_toml(), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot write recipes to {folder}: {error.strerror}. Choose another folder.") from None
