from __future__ import annotations

import pytest

from host_sdk.flash import stk500


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake board resets in no time."""
    monkeypatch.setattr(stk500, "RESET_OFF_S", 0)
    monkeypatch.setattr(stk500, "RESET_ON_S", 0)
