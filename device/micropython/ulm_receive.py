"""Parts what comes from a line into frames and typed text."""

from ulm_frame import decode

_LONGEST = 300  # more bytes than any frame has: noise


class Receiver:
    """Parts what is received into frames and typed text."""

    def __init__(self):
        self.raw = None  # since the last flag; None outside frames

    def feed(self, data):
        """A list of frames, as decode() gives them, and the bytes outside of frames."""
        frames = []
        typed = b""
        while data:
            at = data.find(b"~")
            part = data if at < 0 else data[:at]
            data = b"" if at < 0 else data[at + 1 :]
            if self.raw is None:
                typed += part
            elif len(self.raw) + len(part) > _LONGEST:
                self.raw = None
            else:
                self.raw += part
            if at >= 0:
                frame = decode(self.raw) if self.raw else None
                # A flag that ends no sound frame begins one.
                self.raw = None if frame else b""
                if frame:
                    frames.append(frame)
        return frames, typed

    def abandon(self):
        """A person typed "~": what came since is text."""
        typed = b"~" + (self.raw or b"")
        self.raw = None
        return typed
