"""AVR flash through a serial bootloader: what it should hold, bringing it there, and what is in it now."""

from host_sdk.flash.avrdude import upload_with_avrdude
from host_sdk.flash.identify import Found, Identity, Resident, identify
from host_sdk.flash.memory import Memory
from host_sdk.flash.stk500 import Port, Stk500
from host_sdk.flash.upload import Progress, UploadResult, check_fits, upload

__all__ = [
    "Found",
    "Identity",
    "Memory",
    "Port",
    "Progress",
    "Resident",
    "Stk500",
    "UploadResult",
    "check_fits",
    "identify",
    "upload",
    "upload_with_avrdude",
]
