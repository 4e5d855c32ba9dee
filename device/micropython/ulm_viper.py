"""The native kernel: machine code where MicroPython has an emitter. Importing it elsewhere is a SyntaxError."""

import micropython
from array import array


@micropython.viper
def add_column(data: ptr8, at: int, end: int, x: int, sums: ptr32):  # noqa: F821
    """As in ulm_packed.py; sums wrap modulo 2^32, of which 16 bits count."""
    first = 0
    while at < end:
        weight = data[at]
        count = data[at + 1]
        at += 2
        if weight == 0:
            first = count << 8
        else:
            product = x * ((weight ^ 128) - 128)
            if count == 0:
                count = 256
            stop = at + count
            while at < stop:
                row = first + data[at]
                sums[row] = sums[row] + product
                at += 1


@micropython.viper
def push_columns(data: ptr8, offsets: ptr32, before: ptr32, numbers: ptr32, sums: ptr32):  # noqa: F821
    """`numbers`: how many columns, shift, cap."""
    columns = numbers[0]
    shift = numbers[1]
    cap = numbers[2]
    least = 1 << shift
    limit = 0x8000 - least
    column = 0
    while column < columns:
        x = before[column] & 0xFFFF
        if x < limit:
            x = (x + least) >> shift
            if x > cap:
                x = cap
            at = offsets[column]
            end = offsets[column + 1]
            first = 0
            while at < end:
                weight = data[at]
                count = data[at + 1]
                at += 2
                if weight == 0:
                    first = count << 8
                else:
                    product = x * ((weight ^ 128) - 128)
                    if count == 0:
                        count = 256
                    stop = at + count
                    while at < stop:
                        row = first + data[at]
                        sums[row] = sums[row] + product
                        at += 1
        column += 1


@micropython.viper
def copy(to: ptr32, source: ptr32, count: int):  # noqa: F821
    """So many words."""
    while count > 0:
        count -= 1
        to[count] = source[count]


class Columns:
    """The columns of one layer over `data`, a bytes-like object that holds them."""

    def __init__(self, layer, data, offsets):
        self.data, self.offsets = data, offsets

    def start(self, biases):
        """Sums to begin with."""
        return array("i", biases)

    def restart(self, sums, start):
        """The same in the sums of the pass before."""
        copy(sums, start, len(sums))

    def add(self, columns, x, sums):
        """Add `x` times each of the columns to the sums."""
        data, offsets = self.data, self.offsets
        for column in columns:
            add_column(data, offsets[column], offsets[column + 1], x, sums)

    def push(self, before, shift, cap, sums):
        """Finish the sums of the layer before, which began 2^shift too low, and add its active rows' columns."""
        push_columns(self.data, self.offsets, before, array("i", (len(before), shift, cap)), sums)
