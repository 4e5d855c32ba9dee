"""The error tree, by whose fault it is. Every message says what happened, to what, and what to do now.

Only the command line turns these into exit codes (`exit_code`); nothing below it prints or exits.
"""


class UlmError(Exception):
    """Anything μLM reports to its user in one sentence."""

    exit_code = 1


class UsageError(UlmError):
    """The request makes no sense as given: an unknown board, an impossible option, a query too long."""

    exit_code = 2


class FileError(UlmError):
    """A file is missing, damaged, or of another kind than expected."""

    exit_code = 3


class FitError(UlmError):
    """A model is sound but too large, or of a shape, that the board cannot take."""

    exit_code = 4


class PortError(UlmError):
    """The serial port cannot be opened, or no μLM board answers on it."""

    exit_code = 5


class LinkError(UlmError):
    """The line failed in the middle of a conversation: lost bytes, a cut cable, silence."""

    exit_code = 6


class BoardError(UlmError):
    """The board answered, and refused: no model, another protocol revision, an unsupported request."""

    exit_code = 7


class MissingError(UlmError):
    """An optional package or tool of the host is not installed."""

    exit_code = 8
