"""Time that only goes forward: microseconds to measure with, milliseconds to wait with, seconds to count.

CircuitPython's `monotonic()` is a float of 22 bits: 31 ms are its smallest step after a day. It does to count seconds.
"""

try:  # MicroPython
    from time import ticks_diff, ticks_us

    try:
        from time import time as seconds
    except ImportError:  # 1.20 in WebAssembly
        from time import ticks_ms

        def seconds():
            """Whole ones."""
            return ticks_ms() // 1000

except ImportError:
    from time import monotonic as seconds
    from time import monotonic_ns

    def ticks_us():
        """Microseconds."""
        return monotonic_ns() // 1000

    def ticks_diff(later, earlier):
        """Of two times."""
        return later - earlier


STARTED = seconds()


def uptime():
    """Seconds since the runtime was loaded."""
    return int(seconds() - STARTED)
