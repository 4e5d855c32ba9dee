"""CLINC150: 150 intents and out-of-scope, crowd-sourced (Larson et al. 2019, clinc/oos-eval, CC BY 3.0).

Read from the public data_full.json or from a folder of `SPLIT.tsv` files with `label<TAB>text` lines, and checked by
the SHA-256 of a canonical form, so that both layouts are one data set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from host_sdk.errors import FileError
from host_sdk.train.data import Pair, hash_share, parse_line

URL = "https://raw.githubusercontent.com/clinc/oos-eval/master/data/data_full.json"
OUT_OF_SCOPE = "oos"
SPLITS = ("train", "val", "test")
COUNTS: Mapping[str, int] = {"train": 15_100, "val": 3_100, "test": 5_500}
"""Utterances per split, the out-of-scope ones included."""
CANONICAL_SHA256: Mapping[str, str] = {
    "train": "4967246ef13918d50fb2959117c34c9165670927ff08d93334186ded23dd4441",
    "val": "f8471ad75dc5660d91ec1e52a13be5b99b7c8c729bc729fdfb00a78871fddb49",
}
"""Of the sorted lines `text<TAB>label`, UTF-8, each with its line feed, no blanks at the ends of a text.

Computed from a copy of the data, not published by its authors. That of the test split is not known here.
"""

Utterances = list[tuple[str, str]]
"""(text, label) each."""


def read_clinc150(path: Path) -> dict[str, list[Pair]]:
    """Split -> pairs of text and intent; FileError unless the splits are those of CLINC150, to the byte.

    A split that is absent is left out; the test split is checked by its size alone.
    """
    splits = _from_folder(path) if path.is_dir() else _from_json(path)
    if not splits:
        raise FileError(f"{path} has none of {', '.join(f'{split}.tsv' for split in SPLITS)}. Name another folder.")
    return {split: _checked(path, split, utterances) for split, utterances in splits.items()}


def with_replies(pairs: Sequence[Pair], replies: Mapping[str, str], others: int = 0) -> list[Pair]:
    """The pairs of the intents in the table, with its replies for them.

    `others`: so many queries of every other intent follow, chosen by their hashes, with the reply of out-of-scope.
    FileError when the table names an unknown intent, or no reply for what others need.
    """
    intents = dict.fromkeys(pair.reply for pair in pairs)
    if unknown := sorted(replies.keys() - intents.keys()):
        raise FileError(f"CLINC150 has no intent {unknown[0]!r}. Correct the file of replies.")
    if others and OUT_OF_SCOPE not in replies:
        raise FileError(f"Other intents need a reply for {OUT_OF_SCOPE!r}. Add it to the file of replies.")
    chosen = [Pair(pair.query, replies[pair.reply]) for pair in pairs if pair.reply in replies]
    for intent in [intent for intent in intents if others and intent not in replies]:
        queries = sorted((pair.query for pair in pairs if pair.reply == intent), key=lambda q: hash_share("others", q))
        chosen += [Pair(query, replies[OUT_OF_SCOPE]) for query in queries[:others]]
    return chosen


def canonical_sha256(utterances: Sequence[tuple[str, str]]) -> str:
    """SHA-256 of the sorted lines, in hexadecimal digits."""
    return hashlib.sha256("".join(sorted(f"{text}\t{label}\n" for text, label in utterances)).encode()).hexdigest()


def _checked(path: Path, split: str, utterances: Utterances) -> list[Pair]:
    wrong = len(utterances) != COUNTS[split]
    wrong |= canonical_sha256(utterances) != CANONICAL_SHA256.get(split, canonical_sha256(utterances))
    if wrong:
        raise FileError(
            f"The {split} split of {path} is not that of CLINC150 ({len(utterances)} utterances, "
            f"{COUNTS[split]} expected, or other text). Fetch data_full.json again from {URL}."
        )
    return [parse_line(f"{text}|{label}") for text, label in utterances]


def _from_folder(folder: Path) -> dict[str, Utterances]:
    found: dict[str, Utterances] = {}
    for split in SPLITS:
        file = folder / f"{split}.tsv"
        if not file.exists():
            continue
        lines = [line.split("\t") for line in _text(file).split("\n") if line]
        if any(len(line) != 2 for line in lines):
            raise FileError(f"{file} is no table of label, tab and text. Name another folder.")
        found[split] = _utterances([(text, label) for label, text in lines])
    return found


def _from_json(path: Path) -> dict[str, Utterances]:
    try:
        data = json.loads(_text(path))
        return {split: _utterances(data[split]) + _utterances(data[f"oos_{split}"]) for split in SPLITS}
    except (ValueError, KeyError, TypeError):
        raise FileError(f"{path} is not CLINC150's data_full.json. Fetch it again from {URL}.") from None


def _utterances(rows: Any) -> Utterances:
    return [(str(text).strip(), str(label)) for text, label in rows]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
    except UnicodeDecodeError:
        raise FileError(f"{path} is not UTF-8 text. Fetch it again.") from None
