"""Small data that train in a second."""

from __future__ import annotations

from host_sdk.train.data import Pair
from host_sdk.train.recipe import Recipe

TOPICS = {
    "hi!": ["hello", "hi", "hey", "good morning", "howdy"],
    "i am tiny.": ["who are you", "what are you", "your name", "tell me who you are", "are you a robot"],
    "bye.": ["good bye", "see you", "bye bye", "i have to go", "farewell"],
}
SUFFIXES = ["", " please", " now", " my friend", " then", " again", " today", " ok"]
PAIRS = [Pair(query + suffix, reply) for reply, queries in TOPICS.items() for query in queries for suffix in SUFFIXES]
FILE = "".join(f"{pair.query}|{pair.reply}\n" for pair in PAIRS)

REPLY = Recipe(head="reply", query_buckets=64, hidden=(16,), epochs=12, batch=16)
CHARACTER = Recipe(query_buckets=64, context_buckets=64, context_length=4, hidden=(24,), epochs=6, batch=32)
