"""Text mode: a line editor of one screen line; a line gets a line."""

_LINE_BYTES = 80


class Console:
    """What a person types, and what is shown to them. `answer(query, show)` makes a reply."""

    def __init__(self, write, board, ready, answer):
        self.write, self.ready, self.answer = write, ready, answer
        self.line = b""
        self.noise = False  # what comes is no line that a person typed
        write(b"\r\nmicroLM on " + board + (b"" if ready else b": no sound model, flash one"))
        self.prompt()

    def prompt(self):
        """Wait for a new line."""
        self.write(b"\r\n> ")
        self.line = b""
        self.noise = False

    def feed(self, data):
        """Take typed bytes."""
        for code in data:
            if code in (13, 10):
                if not self.line and code == 10 and not self.noise:
                    continue  # of CR LF
                query = self.line.strip(b" ")
                if query and not self.noise and self.ready:
                    self.write(b"\r\n")
                    self.answer(query, self.write)
                self.prompt()
            elif self.noise:
                continue
            elif code in (8, 127):
                if self.line:
                    self.line = self.line[:-1]
                    self.write(b"\b \b")
            elif code < 32 or code > 126 or len(self.line) == _LINE_BYTES:
                self.write(b"\r\nline refused")
                self.noise = True
            else:
                letter = bytes((code,))
                self.line += letter
                self.write(letter)
