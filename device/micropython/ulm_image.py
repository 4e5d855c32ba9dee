"""The packed model image for Python boards: its header, texts and layers (docs/image-micropython.md)."""

try:
    from micropython import const
except ImportError:

    def const(number):
        return number


_ABI = const(0x61)
_HEADER_BYTES = const(64)
_CHECK_FROM = const(20)
_LAYER_BYTES = const(24)
_CHECK_BYTES = const(512)  # read at once
_STATUS_NO_MODEL = const(2)
_STATUS_BAD_MODEL = const(3)
_STATUS_BAD_ABI = const(4)


class ImageError(Exception):
    """There is no usable image; the argument is the status code."""


def word(data, at, size=2):
    """A number of so many bytes, low first."""
    return int.from_bytes(bytes(data[at : at + size]), "little")


class Image:
    """An open image. ImageError when there is none, or it is damaged or of another ABI."""

    def __init__(self, reader):
        self.reader = reader
        try:
            head = bytes(reader.read(0, _HEADER_BYTES))
        except OSError:
            raise ImageError(_STATUS_NO_MODEL)
        if head[:4] != b"ULMP":
            raise ImageError(_STATUS_NO_MODEL)
        if head[4] != _ABI:
            raise ImageError(_STATUS_BAD_ABI)
        self.kind = head[5]
        self.features = head[7]
        self.length = word(head, 8, 4)
        self.crc = head[20:24]  # of the model's meaning
        self.query_mask = word(head, 24)
        self.context_mask = word(head, 26)
        self.context_length = head[28]
        self.max_query = head[29]
        self.max_reply = head[30]
        self.classes = word(head, 32)
        self.groups = word(head, 36, 4)
        self.charset_at = word(head, 40, 4)
        self.replies_at = word(head, 44, 4)
        self.layers_at = word(head, 48, 4)
        self.layer_count = head[6]
        try:
            self.check(head)
            self.name = bytes(reader.read(65, reader.read(64, 1)[0]))
            self.charset = bytes(reader.read(self.charset_at, self.classes - 1)) if self.kind == 0 else b""
        except OSError:
            raise ImageError(_STATUS_BAD_MODEL)

    def check(self, head):
        """Compare the check sum: CRC-32 where the board has it ready, else CRC-16."""
        try:
            from binascii import crc32

            crc, wanted = 0, word(head, 12, 4)
        except ImportError:
            from ulm_crc import crc16 as crc32

            crc, wanted = 0xFFFF, word(head, 16) ^ 0xFFFF
        at = _CHECK_FROM
        while at < self.length:
            count = min(_CHECK_BYTES, self.length - at)
            crc = crc32(self.reader.read(at, count), crc)
            at += count
        if crc != wanted:
            raise ImageError(_STATUS_BAD_MODEL)

    def layers(self):
        """The layers, first to last."""
        return [Layer(self.reader, self.layers_at + n * _LAYER_BYTES) for n in range(self.layer_count)]

    def reply(self, number):
        """Action and text of a reply."""
        at = self.replies_at
        while True:
            action, count = self.reader.read(at, 2)
            if not number:
                return action, bytes(self.reader.read(at + 2, count))
            at += 2 + count
            number -= 1


class Layer:
    """The numbers of one layer, without its columns."""

    def __init__(self, reader, at):
        head = bytes(reader.read(at, _LAYER_BYTES))
        self.rows = word(head, 0)
        self.columns = word(head, 2)
        self.shift = head[4]
        self.cap = 255 if head[5] & 1 else 0x7FFF
        self.plain = not head[5] & 2  # only weights of -1 and 1, in rows below 256
        self.lengths_at = word(head, 12, 4)
        self.columns_at = word(head, 16, 4)
        self.columns_bytes = word(head, 20, 4)
        data = reader.read(word(head, 8, 4), 2 * self.rows)
        self.biases = [(data[i] | data[i + 1] << 8 ^ 0x8000) - 0x8000 for i in range(0, 2 * self.rows, 2)]

    def offsets(self, reader):
        """Where each column starts, counted from the first, and where the last ends."""
        from array import array

        offsets = array("i", bytes(4 * self.columns + 4))
        lengths = reader.read(self.lengths_at, 2 * self.columns)
        at = 0
        for i in range(self.columns):
            at += lengths[2 * i] | lengths[2 * i + 1] << 8
            offsets[i + 1] = at
        return offsets
