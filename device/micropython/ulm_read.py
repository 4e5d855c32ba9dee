"""Where the bytes of an image come from. A reader has `read(offset, count)`: so many bytes, valid until the next read.

`view` is a memoryview of everything where the memory is mapped, else None. OSError when the medium fails.
"""


class MemoryReader:
    """An image that lies in memory."""

    def __init__(self, data):
        self.view = memoryview(data)

    def read(self, offset, count):
        """A slice, not copied."""
        return self.view[offset : offset + count]


class FileReader:
    """A file; on a ROMFS it is mapped and never copied."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.view = None
        if path.startswith("/rom/"):
            try:
                self.view = memoryview(self.file)
            except TypeError:
                pass  # this board's ROMFS is not mapped

    def read(self, offset, count):
        """Bytes of the file."""
        if self.view:
            return self.view[offset : offset + count]
        self.file.seek(offset)
        data = self.file.read(count)
        if len(data) != count:
            raise OSError("the model's file is cut off")
        return data


class PartitionReader:
    """A data partition of an ESP32, by its label."""

    view = None

    def __init__(self, label):
        import esp32

        found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)
        if not found:
            raise OSError("there is no partition " + label)
        self.partition = found[0]
        self.block_bytes = self.partition.ioctl(5, 0)

    def read(self, offset, count):
        """Bytes of the partition."""
        data = bytearray(count)
        self.partition.readblocks(offset // self.block_bytes, data, offset % self.block_bytes)
        return data
