"""The serial protocol in numbers: frame bytes, opcodes, status codes, limits. Prose: docs/protocol.md."""

from enum import IntEnum, IntFlag

REVISION = 1
"""Protocol revision. Only another revision is refused; new opcodes and status codes do not raise it."""

FRAME_FLAG = 0x7E
FRAME_ESCAPE = 0x7D
FRAME_HIGH = 0x7C
"""On 7-bit lines: the next decoded byte has bit 7 set."""
FRAME_XOR = 0x20
SEQ_FIRST = 0x30
SEQ_LAST = 0x6F
"""Sequence numbers stay printable, so that they never need an escape."""

MAX_PAYLOAD = 64
"""Payload bytes in one frame that every board accepts; HELLO may announce more."""
MAX_QUERY = 160
MAX_REPLY = 50
"""Characters of a reply."""


class Op(IntEnum):
    """Frame types. Requests are capital letters, answers are small ones."""

    HELLO = ord("H")
    INFO = ord("I")
    QUERY = ord("Q")
    CHAT = ord("C")
    STOP = ord("S")
    LOAD = ord("L")
    BEGIN = ord("B")
    DATA = ord("D")
    COMMIT = ord("K")
    SLEEP = ord("Z")

    ACK = ord("a")
    IS_HELLO = ord("h")
    IS_INFO = ord("i")
    TEXT = ord("t")
    LOGITS = ord("l")
    PROGRESS = ord("p")
    END = ord("e")


class Status(IntEnum):
    """How a request ended. Codes below 32 are the whole of revision 1; a host shows unknown ones by number."""

    OK = 0
    STOPPED = 1
    NO_MODEL = 2
    BAD_MODEL = 3
    BAD_ABI = 4
    TOO_LARGE = 5
    TOO_LONG = 6
    BAD_LENGTH = 7
    BAD_ORDER = 8
    BAD_CRC = 9
    UNKNOWN = 10
    UNSUPPORTED = 11
    BUSY = 12
    MEDIUM = 13


class Fault(IntEnum):
    """What is wrong with a card or chip, beside Status.MEDIUM: in HELLO behind the status, in an ACK as its value."""

    NO_CARD = 1
    CARD_SILENT = 2
    """It does not answer in time, or was pulled out."""
    READ = 3
    WRITE = 4
    NOT_FAT = 5
    EXFAT = 6
    FRAGMENTED = 7
    NO_FILE = 8
    NO_CHIP = 9
    CHIP_UNKNOWN = 10
    PROTECTED = 11
    """It refuses to be written: worn out, or write-protected."""


class HelloFlag(IntFlag):
    """Properties of the line and the runtime, announced in HELLO."""

    SEVEN_BIT = 1
    HALF_DUPLEX = 2
    CYCLES = 4
    """The counters in END are CPU cycles; without it they are all zero."""
    UPLOAD = 8
    """BEGIN, DATA and COMMIT are understood."""
    CLEAN = 16
    """Nothing eats control characters on the way to the board: only 7Ch to 7Eh need an escape there."""
    WINDOW = 32
    """Two DATA requests may be on the way at once."""


class ChatFlag(IntFlag):
    """What a CHAT request asks for beside the reply."""

    VERIFY = 1
    """Send the outputs of the last layer of every pass."""


class Slot(IntEnum):
    """Where an upload goes."""

    MAIN = 0
    """The board's own changeable memory: a disk, a card, a flash chip."""
    EEPROM = 1
    """The EEPROM of an AVR board, beside the model in flash."""


class Action(IntEnum):
    """What a reply does on the board before it is sent; its value fills `{}` in the text."""

    NONE = 0
    LED_ON = 1
    LED_OFF = 2
    LED_BLINK = 3
    READ_ANALOG = 4
    READ_DIGITAL = 5
    SUPPLY_VOLTAGE = 6
    TEMPERATURE = 7
    UPTIME = 8
    DICE = 9
