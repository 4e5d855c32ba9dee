"""The plain kernel: every list of rows is a view into the weights, so that adding a column is nothing but additions.

Fastest without native code; takes about 24 bytes of heap for each list beside the weights.
"""


class Columns:
    """The columns of one layer over `data`, a bytes-like object that holds them."""

    def __init__(self, layer, data, offsets):
        self.plus = [b""] * layer.columns
        self.minus = [b""] * layer.columns
        self.others = {}  # column: (first row, weight, rows) where no view alone says it
        self.general = layer.cap != 0x7FFF or not layer.plain
        for column in range(layer.columns):
            at, end = offsets[column], offsets[column + 1]
            first = 0
            while at < end:
                weight, count = data[at], data[at + 1]
                at += 2
                if weight == 0:
                    first = count << 8
                    continue
                rows = data[at : at + (count or 256)]
                at += count or 256
                if weight == 1 and not first and not self.plus[column]:
                    self.plus[column] = rows
                elif weight == 255 and not first and not self.minus[column]:
                    self.minus[column] = rows
                else:
                    self.others.setdefault(column, []).append((first, (weight ^ 128) - 128, rows))

    def start(self, biases):
        """Sums to begin with."""
        return biases[:]

    def restart(self, sums, start):
        """The same in the sums of the pass before."""
        sums[:] = start

    def add(self, columns, x, sums):
        """Add `x` times each of the columns to the sums."""
        plus, minus, others = self.plus, self.minus, self.others
        for column in columns:
            for row in plus[column]:
                sums[row] += x
            for row in minus[column]:
                sums[row] -= x
            if others and column in others:
                self.add_others(column, x, sums)

    def add_others(self, column, x, sums):
        """What add() leaves out."""
        for first, weight, rows in self.others[column]:
            product = weight * x
            for row in rows:
                sums[first + row] += product

    def push(self, before, shift, cap, sums):
        """Finish the sums of the layer before, which began 2^shift too low, and add its active rows' columns."""
        least = 1 << shift
        limit = 0x8000 - least
        plus, minus = self.plus, self.minus
        if cap != 0x7FFF or self.others:
            for column in range(len(before)):
                x = before[column] & 0xFFFF
                if x < limit:
                    self.add((column,), min(x + least >> shift, cap), sums)
            return
        for column in range(len(before)):
            x = before[column] & 0xFFFF
            if x < limit:
                x = x + least >> shift
                for row in plus[column]:
                    sums[row] += x
                for row in minus[column]:
                    sums[row] -= x
