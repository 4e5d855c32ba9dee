"""Times whole characters and the bare loop over the same additions, turn by turn. Runs inside MicroPython.

    micropython character.py RUNTIME IMAGE QUERY...

Prints a line for each pass of each reply: additions, microseconds of the bare loop, of the pass in plain Python, and of
the pass in machine code (-1 without); each the shortest of many.
"""

import sys
from time import ticks_diff, ticks_us

sys.path.insert(0, sys.argv[1])

from ulm_context import context_buckets
from ulm_engine import Engine
from ulm_image import Image
from ulm_read import FileReader

TURNS = 40


def bare(rows, x, acc):
    """What no Python can do without: one addition for each row."""
    for r in rows:
        acc[r] += x


def rows_added(engine):
    """The rows of all additions of the pass that was just made, one behind the other."""
    image, columns = engine.image, engine.columns
    rows = bytearray()

    def add(layer, column):
        for part in (columns[layer].plus[column], columns[layer].minus[column]):
            rows.extend(bytes(part))

    if image.kind == 0:
        for column in context_buckets(engine.context, image.context_mask, image.query_mask + 1):
            add(0, column)
    for layer in range(1, len(columns)):
        limit = 0x8000 - (1 << engine.steps[layer - 1][0])
        for column, y in enumerate(engine.sums[layer - 1]):
            if y & 0xFFFF < limit:
                add(layer, column)
    return bytes(rows)


def shortest(functions):
    """Microseconds of each, measured in turn so that a slow moment of the machine hits all alike."""
    best = [1 << 30] * len(functions)
    for _ in range(TURNS):
        for number, function in enumerate(functions):
            started = ticks_us()
            function()
            best[number] = min(best[number], ticks_diff(ticks_us(), started))
    return best


def main():
    """For every query, every pass."""
    image = Image(FileReader(sys.argv[2]))
    plain, native = Engine(image, False), Engine(image, True)
    for query in sys.argv[3:]:
        for engine in (plain, native):
            engine.ask(query.encode())
        while True:
            context = plain.context

            def whole(engine):
                engine.context = context
                return engine.run()

            best = whole(plain)
            assert whole(native) == best and native.outputs == plain.outputs
            rows, acc = rows_added(plain), [0] * 256
            times = shortest([lambda: bare(rows, 5, acc), lambda: whole(plain), lambda: whole(native)])
            print(len(rows), *times[:2], times[2] if native.kernel == "native" else -1)
            if image.kind or best == image.classes - 1:
                break
            letter = image.charset[best : best + 1]
            for engine in (plain, native):
                engine.spell(letter)


main()
