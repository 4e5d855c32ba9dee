"""Text mode of a BBC micro:bit: a line gets a line."""

import ulm_tiny_answer as answer
import ulm_tiny_engine as engine
from microbit import uart


def typed(line, data):
    """Take what a person typed; the line as it is now."""
    for code in data:
        if code == 13:
            query = line.strip()
            if query and not answer.status:
                found = engine.outputs(answer.model[0], answer.model[2], query)
                uart.write(b"\r\n" + engine.reply(answer.model[0], found.index(max(found))))
            uart.write(b"\r\n> ")
            line = b""
        elif 31 < code < 127 and len(line) < 80:
            line += bytes((code,))
            uart.write(line[-1:])
    return line
