from __future__ import annotations
def card_image(data: bytes) -> bytes:
    return data
