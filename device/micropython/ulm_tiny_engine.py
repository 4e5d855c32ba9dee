"""The engine of boards with some KB of heap: reply models, streamed from a file that can only be read onwards."""

from ulm_text import query_buckets

PATH = "ulm_model.ulb"
columns = []  # that are active; the loop gives it room


def skip(file, count):
    """Move on in a file; ValueError at its end."""
    while count > 0:
        got = len(file.read(min(count, 64)))
        if not got:
            raise ValueError
        count -= got


def number(data, at, size=2):
    """A number of so many bytes, low first."""
    return int.from_bytes(data[at : at + size], "little")


def open_head():
    """Header, name and layers of the model; ValueError or IndexError when the file is none, or is cut off."""
    with open(PATH, "rb") as file:
        head = file.read(64)
        if head[:6] != b"ULMP\x62\x01":
            raise ValueError
        name = file.read(file.read(1)[0])
        at = number(head, 48)
        skip(file, at - 65 - len(name))
        layers = []
        for _ in range(head[6]):
            layers.append(file.read(24))
        skip(file, number(head, 8, 4) - at - 24 * head[6] - 1)
        if not file.read(1):
            raise ValueError
    return head, name, layers


def outputs(head, layers, query):
    """Those of the last layer."""
    del columns[:]
    query_buckets(query, head[7], number(head, 24), columns)
    columns.sort()
    found = None
    for layer in layers:
        found = add_up(layer, found)
        shift = layer[4]
        cap = 255 if layer[5] & 1 else 0x7FFF
        del columns[:]
        for row in range(len(found)):
            y = ((found[row] & 0xFFFF ^ 0x8000) - 0x8000) >> shift
            if y > 0:
                columns.append(row)
            found[row] = min(y, cap) if layer is not layers[-1] else y
    return found


def add_up(layer, values):
    """A layer's sums of the `columns`, which are in order; without values each stands for one count."""
    rows = number(layer, 0)
    stride = rows + 3 >> 2  # bytes of a column: two bits a row
    with open(PATH, "rb") as file:
        skip(file, number(layer, 8))
        sums = []
        for _ in range(rows):
            sums.append(number(file.read(2), 0))
        at = 0
        for column in columns:
            if column >= at:
                skip(file, (column - at) * stride)
                data = file.read(stride)
                at = column + 1
            x = values[column] if values else 32
            for row in range(rows):
                sums[row] += x * ((data[row >> 2] >> 2 * (row & 3) & 3) - 2)
    return sums


def reply(head, index):
    """The text of a reply."""
    with open(PATH, "rb") as file:
        skip(file, number(head, 44))
        while index:
            skip(file, file.read(2)[1])
            index -= 1
        return file.read(file.read(2)[1])
