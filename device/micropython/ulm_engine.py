"""Sparse integer network (docs/semantics.md): one pass after another, every output as on every other board."""

import gc
from array import array

from ulm_crc import crc16
from ulm_context import context_buckets
from ulm_text import query_buckets

_SCALE = 32  # of counts to inputs
_PIECE_BYTES = 512  # read at once
_SPARE_BYTES = 6000  # of heap that stay free for frames and texts


def native_kernel():
    """The module of native kernels if this Python has an emitter and they compute what the plain ones do."""
    try:
        import ulm_viper
        from ulm_packed import add_column
    except (ImportError, SyntaxError, NameError, AttributeError):  # Blinka has a module micropython, too
        return None
    column = b"\x00\x01\x01\x02\x00\xff\xff\x01\x07\xfe\x01\x02\x00\x00\x7f\x01\x03"
    plain, native = [0] * 512, array("i", [0] * 512)
    for x in (1, 255, 32767):
        add_column(column, 0, len(column), x, plain)
        ulm_viper.add_column(column, 0, len(column), x, native)
    sums = array("i", [0] * 512)
    before = array("i", (-8, 32000 - 65536, 1021, 70000))
    offsets = array("i", (0, 0, 17, 17, 17))
    wanted = [0] * 512
    add_column(column, 0, len(column), min((before[1] & 0xFFFF) + 4 >> 2, 255), wanted)
    ulm_viper.push_columns(column, offsets, before, array("i", (4, 2, 255)), sums)
    same = not any((a ^ b) & 0xFFFF for a, b in zip(plain, native))
    return ulm_viper if same and list(sums) == wanted else None


class Engine:
    """Runs one image. MemoryError when the heap is too small for it."""

    def __init__(self, image, native=True):
        self.image = image
        layers = image.layers()
        for layer in layers[:-1]:
            # A row is active from 2^shift on: begun so much lower, from 0 on.
            layer.biases = [bias - (1 << layer.shift) for bias in layer.biases]
        self.steps = [(layer.shift, layer.cap) for layer in layers]
        self.pulse = None  # called in a pass: after each layer, and before a column that comes from the medium
        self.layer = 0  # of the pass that runs
        self.context = b""
        self.outputs = []
        self.digest = 0xFFFF
        # CRC-16 a byte at a time: digests are a part of every pass.
        self.table = array("H", [crc16((byte,), 0) for byte in range(256)])
        self.build(layers, native)

    def build(self, layers, native):
        """Columns and sums of all layers, in the fastest form that leaves some of the heap free."""
        for name, columns, source in self.forms(native):
            self.kernel = name
            try:
                self.fill(layers, columns, source)
                gc.collect()
                if not hasattr(gc, "mem_free") or gc.mem_free() > _SPARE_BYTES:
                    return
            except MemoryError:
                pass
            # The next form's module needs heap, too.
            self.columns = self.starts = self.sums = self.half = None
            gc.collect()
        raise MemoryError

    def fill(self, layers, columns, source):
        """Columns and sums of all layers in one form."""
        self.columns, self.starts, self.sums = [], [], []
        for layer in layers:
            one = columns(layer, source(layer), layer.offsets(self.image.reader))
            self.columns.append(one)
            self.starts.append(one.start(layer.biases))
            self.sums.append(one.start(layer.biases))
        self.half = self.columns[0].start(self.starts[0])

    def forms(self, native):
        """Fastest first: name, class of columns, and what these are made over."""
        module = native_kernel() if native else None
        if module:
            yield "native", module.Columns, self.held
        import ulm_views

        yield "views", ulm_views.Columns, self.held
        import ulm_packed

        yield "packed", ulm_packed.Columns, self.slices
        yield "streamed", ulm_packed.Columns, self.pieces

    def held(self, layer):
        """The bytes of its columns: where they lie, or copied into the heap."""
        reader = self.image.reader
        if reader.view:
            return reader.view[layer.columns_at : layer.columns_at + layer.columns_bytes]
        data = bytearray(layer.columns_bytes)
        for at in range(0, len(data), _PIECE_BYTES):
            part = reader.read(layer.columns_at + at, min(_PIECE_BYTES, len(data) - at))
            data[at : at + len(part)] = part
        return memoryview(data)

    def slices(self, layer):
        """A function that gives a part of the columns, from memory."""
        data = self.held(layer)
        return lambda at, count: data[at : at + count]

    def pieces(self, layer):
        """A function that gives a part of the columns, from the medium."""
        read, first = self.image.reader.read, layer.columns_at

        def fetch(at, count):
            if self.pulse:
                self.pulse()
            return read(first + at, count)

        return fetch

    def ask(self, query):
        """Take a query."""
        image = self.image
        first = self.columns[0]
        first.restart(self.half, self.starts[0])
        buckets = []
        query_buckets(query, image.features, image.query_mask, buckets)
        first.add(buckets, _SCALE, self.half)
        self.context = b" " * image.context_length
        self.digest = 0xFFFF

    def run(self):
        """One pass; its class."""
        image, columns, sums = self.image, self.columns, self.sums
        self.layer = 0
        columns[0].restart(sums[0], self.half)
        if image.kind == 0:
            grams = context_buckets(self.context, image.context_mask, image.query_mask + 1)
            columns[0].add(grams, _SCALE, sums[0])
        for n in range(1, len(columns)):
            self.layer = n
            if self.pulse:
                self.pulse()
            columns[n].restart(sums[n], self.starts[n])
            shift, cap = self.steps[n - 1]
            columns[n].push(sums[n - 1], shift, cap, sums[n])
        shift = self.steps[-1][0]
        outputs = [((y & 0xFFFF ^ 0x8000) - 0x8000) >> shift for y in sums[-1]]
        self.outputs = outputs
        crc, table = self.digest, self.table
        for y in outputs:
            crc = crc >> 8 ^ table[(crc ^ y) & 255]
            crc = crc >> 8 ^ table[(crc ^ y >> 8) & 255]
        self.digest = crc
        return outputs.index(max(outputs))

    def spell(self, character):
        """Append a character to the context."""
        self.context = self.context[1:] + character.lower()
