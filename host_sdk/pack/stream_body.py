"""What both forms of a stream image hand to the packer: the two parts of its layers, and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass

from host_sdk.spec.stream import Form


@dataclass(frozen=True, slots=True)
class Body:
    """The layers of a model as a stream."""

    form: Form
    first: bytes  # the first layer's columns where a pass begins apart from them; else empty
    lead: int  # bytes of `first` before its first column
    passed: bytes  # what a pass reads from front to back
    max_query: int  # characters
    kept: bool  # in rows: there is room to keep the query's share of the first layer's sums
    arena_bytes: int  # most that is used at once, a query of max_query characters included
