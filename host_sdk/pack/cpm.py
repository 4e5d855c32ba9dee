"""The model image of the CP/M port (`.ulb`): lists that SP walks, and code stamped from templates (docs/image-cpm.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_sdk.errors import FileError, FitError
from host_sdk.model.crc import crc16
from host_sdk.model.engine import run
from host_sdk.model.model import Layer, Model
from host_sdk.pack.cpm_counts import Counts
from host_sdk.pack.cpm_lists import PAGE_PLACES, in_counts, in_sums
from host_sdk.pack.cpm_share import Shared, share, unshared
from host_sdk.pack.cpm_templates import templates
from host_sdk.pack.image import compact as compacted
from host_sdk.pack.image import kept_rows
from host_sdk.pack.queries import everyday_queries
from host_sdk.spec import cpm as spec
from host_sdk.spec import image as flash
from host_sdk.spec.container import INPUT_SCALE, Kind, WeightCode
from host_sdk.spec.protocol import MAX_QUERY
