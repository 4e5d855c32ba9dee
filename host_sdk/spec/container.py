"""The model file `.ulm` in numbers. Prose: docs/model-file.md."""

from enum import IntEnum, IntFlag

MAGIC = b"\x89ULM\r\n\x1a\n"
"""A non-ASCII byte and both line ends, so that a transfer in text mode is noticed (as in PNG)."""
REVISION = 1


class Section:
    """Four-letter names. Those of MEANING alone decide what the model computes and answers."""

    SHAPE = b"SHAP"
    WEIGHTS = b"WGHT"
    CHARSET = b"CHRS"
    REPLIES = b"REPL"
    METADATA = b"META"
    GOLDEN = b"GOLD"
    ORDER = b"ORDR"
    ACTIVITY = b"ACTV"

    MEANING = (SHAPE, WEIGHTS, CHARSET, REPLIES)


class Kind(IntEnum):
    """What the last layer means."""

    CHARACTER = 0
    """The class is the next character; the last class ends the reply."""
    REPLY = 1
    """The class is the index of the reply."""


class WeightCode(IntEnum):
    """How the weights of one tensor are stored, and thereby which values they may take."""

    BINARY = 1
    TERNARY = 2
    TWO_BIT = 3
    INT4 = 4
    INT8 = 5


class LayerFlag(IntFlag):
    """Options of one layer."""

    SATURATE = 1
    """Activations are cut at 255 after the ReLU."""
    COUNTS = 2
    """Packed images only: the sums of the layer are counts of one byte."""


class QueryFlag(IntFlag):
    """What of a query is hashed; in a model file above log2 of the query buckets, in an image a byte of its own."""

    ZONES = 7
    """Mask: zones less one."""
    WORDS = 8
    """Words are hashed, too."""


ZONE_WINDOWS = 8
"""Windows of a query in one zone; the last zone takes all that follow."""
WORD_START = 1
"""Where the hash of a word starts."""
QUERY_BITS = range(6, 12)
"""log2 of the numbers of buckets: 64 to 2048."""
CONTEXT_LENGTHS = range(3, 33)
INPUT_SCALE = 32
"""Network input = count of the bucket * 32."""
MAX_SHIFT = 7
MAX_LAYERS = 8
MAX_WIDTH = 4096
