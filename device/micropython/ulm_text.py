"""Text to buckets, to the bit as docs/semantics.md has it."""

try:
    from micropython import const
except ImportError:

    def const(number):
        return number


_QUERY_ZONES = const(7)
_QUERY_WORDS = const(8)
_ZONE_WINDOWS = const(8)
_WORD_START = const(1)


def query_buckets(query, features, mask, buckets):
    """Appends the bucket of every window, and of every word where `features` says so, with repetitions."""
    zones = features & _QUERY_ZONES
    a, b = 32, 32  # the last two characters; the window is (a, b, c)
    zone = -1
    word = -1
    for c in query.lower() + b" ":
        if zone >= 0:
            start = 7 * min(zone // _ZONE_WINDOWS, zones)
            buckets.append(((start * 31 + a) * 961 + b * 31 + c) & mask)
        zone += 1
        if features & _QUERY_WORDS:
            if c != 32:
                word = ((_WORD_START if word < 0 else word) * 31 + c) & 0xFFFF
            elif word >= 0:
                buckets.append(word & mask)
                word = -1
        a, b = b, c
