"""μLM: language models for 8-bit machines. `Device` talks to a board, `Model` is what it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from host_sdk.device import Device, Reply
    from host_sdk.model import Model

__all__ = ["Device", "Model", "Reply"]
__version__ = "0.1.0"

_HOMES = {"Device": "host_sdk.device", "Reply": "host_sdk.device", "Model": "host_sdk.model"}


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used, so that `import host_sdk` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'host_sdk' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
