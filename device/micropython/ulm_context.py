"""The context of a character model to buckets, to the bit as docs/semantics.md has it."""


def context_buckets(context, mask, first):
    """The buckets of all 1-, 2- and 3-grams of a context, each higher by `first`."""
    buckets = []
    length = len(context)
    for start in range(length):
        code = start * 217 + context[start]
        buckets.append((code & mask) + first)
        if start + 1 < length:
            code = code * 31 + context[start + 1]
            buckets.append((code & mask) + first)
            if start + 2 < length:
                buckets.append(((code * 31 + context[start + 2]) & mask) + first)
    return buckets
