"""More training queries from those at hand: seeded typing errors and simple paraphrases.

Only queries that a training fits on are varied, and no variant lands among the held-out ones: figures stay honest.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from host_sdk.errors import UsageError
from host_sdk.spec.protocol import MAX_QUERY
from host_sdk.train.data import HELD_OUT, Pair, hash_share, normalise

MOST = 20.0
"""Variants per query; more would be noise."""

_TRIES = 8
"""Attempts for one variant that is new and stays on the training side."""
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_CONTRACTIONS = (
    ("don't", "do not"), ("doesn't", "does not"), ("didn't", "did not"), ("can't", "can not"), ("won't", "will not"),
    ("isn't", "is not"), ("aren't", "are not"), ("wasn't", "was not"), ("haven't", "have not"), ("hasn't", "has not"),
    ("shouldn't", "should not"), ("wouldn't", "would not"), ("couldn't", "could not"), ("i'm", "i am"),
    ("i've", "i have"), ("i'd", "i would"), ("i'll", "i will"), ("you're", "you are"), ("you've", "you have"),
    ("you'll", "you will"), ("it's", "it is"), ("that's", "that is"), ("there's", "there is"), ("what's", "what is"),
    ("where's", "where is"), ("who's", "who is"), ("how's", "how is"), ("when's", "when is"), ("let's", "let us"),
    ("we're", "we are"), ("they're", "they are"), ("gonna", "going to"), ("wanna", "want to"),
)  # fmt: skip
_OPENERS = ("please ", "hey, ", "ok, ", "so ", "well, ", "um, ", "and ", "hi, ", "excuse me, ", "now ")
_CLOSERS = (" please", ", please", "?", "!", " now", ", thanks", ", ok?", " then")
_FILLERS = ("just", "really", "um", "maybe", "like")


def neighbours(letter: str) -> str:
    """The keys beside, above and below a letter or digit on a US keyboard; empty for other characters.

    >>> neighbours("g"), neighbours("p"), neighbours("?")
    ('fhtyvb', 'o0l', '')
    """
    for number, row in enumerate(_ROWS):
        if (place := row.find(letter.lower())) >= 0 and letter:
            beside = row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
            above = _ROWS[number - 1][place : place + 2] if number > 1 else _ROWS[0][place] if number else ""
            below = _ROWS[number + 1][max(place - 1, 0) : place + 1] if 0 < number < 3 else ""
            below = below if number else _ROWS[1][place]
            return beside + above + below
    return ""


def typo(query: str, chance: random.Random) -> str:
    """The query with one typing error: a neighbouring key, two letters swapped, one dropped, or one doubled.

    Words of fewer than four letters stay: an error makes another word of them. Without longer ones the query stays.
    """
    letters = [place for word in re.finditer(r"[A-Za-z]{4,}", query) for place in range(word.start(), word.end())]
    if not letters:
        return query
    place = chance.choice(letters)
    before, letter, after = query[:place], query[place], query[place + 1 :]
    kind = chance.randrange(4)
    if kind == 0:
        return before + chance.choice(neighbours(letter)) + after
    if kind == 1 and place + 1 in letters:
        return before + after[0] + letter + after[1:]
    if kind == 2:
        return before + after
    return before + letter * 2 + after


def paraphrase(query: str, chance: random.Random) -> str:
    """The query in other words: a contraction made or undone, an apostrophe dropped, a frame, or a filling word."""
    ways = [way for way in (_contraction(query, chance), query.replace("'", "")) if way != query]
    ways.append(chance.choice(_OPENERS) + query)
    ways.append(query.rstrip("?!. ") + chance.choice(_CLOSERS))
    words = query.split(" ")
    if len(words) > 2:
        place = chance.randrange(1, len(words))
        ways.append(" ".join([*words[:place], chance.choice(_FILLERS), *words[place:]]))
    return chance.choice(ways)


def augment(
    pairs: Sequence[Pair], typos: float = 0.0, paraphrases: float = 0.0, seed: int = 0, held_out: float = HELD_OUT
) -> list[Pair]:
    """The pairs, then variants of those that a training with this share fits on.

    `typos` and `paraphrases` are variants per query; 0.5 makes one of every other query. A variant is new, at most 160
    characters long, and never normalises to a held-out query or one that is there already. The same pairs and seed
    give the same variants, and those of a query do not depend on the other queries' number or order, as long as none
    collide.
    """
    for name, amount in (("typos", typos), ("paraphrases", paraphrases)):
        if not 0 <= amount <= MOST:
            raise UsageError(f"{amount:g} {name} per query are impossible; choose 0 to {MOST:g}.")
    taken = {normalise(pair.query) for pair in pairs}
    made = list(pairs)
    for way, amount in ((paraphrase, paraphrases), (typo, typos)):
        for pair in dict.fromkeys(pairs):
            if hash_share("split", pair.query) < held_out:
                continue
            chance = random.Random(f"{way.__name__}:{seed}:{pair.query}:{pair.reply}")
            for _ in range(int(amount) + (chance.random() < amount % 1)):
                query = _variant(pair.query, way, chance, taken, held_out)
                if query is not None:
                    taken.add(normalise(query))
                    made.append(Pair(query, pair.reply))
    return made


def _variant(
    query: str, way: Callable[[str, random.Random], str], chance: random.Random, taken: set[str], held_out: float
) -> str | None:
    for _ in range(_TRIES):
        other = way(query, chance).strip()
        if (
            normalise(other)
            and normalise(other) not in taken
            and len(other) <= MAX_QUERY
            and hash_share("split", other) >= held_out
        ):
            return other
    return None


def _contraction(query: str, chance: random.Random) -> str:
    """The query with one contraction made or undone, if it has any."""
    ways = []
    for short, long in _CONTRACTIONS:
        for old, new in ((short, long), (long, short)):
            if re.search(pattern := rf"\b{old}\b", query):
                ways.append(re.sub(pattern, new, query, count=1))
    return chance.choice(ways) if ways else query
