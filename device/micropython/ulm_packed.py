"""The frugal kernel: reads each column as it stands in the image, from memory or piece by piece from a medium."""


def add_column(data, at, end, x, sums):
    """Add `x` times the column that lies in data[at:end] to the sums."""
    first = 0
    while at < end:
        weight, count = data[at], data[at + 1]
        at += 2
        if weight == 0:
            first = count << 8
            continue
        product = x * ((weight ^ 128) - 128)
        count = count or 256
        for row in data[at : at + count]:
            sums[first + row] += product
        at += count


class Columns:
    """The columns of one layer, through `fetch(offset, count)`."""

    def __init__(self, layer, fetch, offsets):
        self.fetch, self.offsets = fetch, offsets

    def start(self, biases):
        """Sums to begin with."""
        return biases[:]

    def restart(self, sums, start):
        """The same in the sums of the pass before."""
        sums[:] = start

    def add(self, columns, x, sums):
        """Add `x` times each of the columns to the sums."""
        offsets = self.offsets
        for column in columns:
            count = offsets[column + 1] - offsets[column]
            if count:
                add_column(self.fetch(offsets[column], count), 0, count, x, sums)

    def push(self, before, shift, cap, sums):
        """Finish the sums of the layer before, which began 2^shift too low, and add its active rows' columns."""
        least = 1 << shift
        limit = 0x8000 - least
        for column in range(len(before)):
            x = before[column] & 0xFFFF
            if x < limit:
                self.add((column,), min(x + least >> shift, cap), sums)
