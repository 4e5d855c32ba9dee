"""What is in an image says what the packer meant: columns in both forms, shared parts, stamped code."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_sdk.errors import FileError, FitError
from host_sdk.model.library import shipped_model
from host_sdk.model.model import Layer, Model
from host_sdk.pack.cpm import pack_cpm
from host_sdk.pack.cpm_layout import header
from host_sdk.pack.cpm_lists import Form, decode, in_counts, in_sums, moves_in_counts, moves_in_sums
from host_sdk.pack.cpm_share import share, unshared, whole
from host_sdk.pack.cpm_templates import templates
from host_sdk.spec.container import Kind
from host_sdk.spec.cpm import IMAGE_ADDRESS
from tests.z80.models import random_model

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "host_sdk" / "pack" / "z80"
END = 0xFFFF
Maker = Callable[..., "Form | None"]


@pytest.mark.parametrize("make", [in_counts, moves_in_counts, in_sums, moves_in_sums])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_list_names_its_places(make: Maker, data: st.DataObject) -> None:
    count = 256 if make in (in_sums, moves_in_sums) else data.draw(st.integers(1, 255))
    density = data.draw(st.floats(0, 1))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    column = np.where(random.random(count) < density, random.integers(-2, 2, count), 0)
    if make is moves_in_sums:
        column[[0, 128]] = 0
    plus, minus = (np.maximum(sign * column, 0).astype(np.uint8) for sign in (1, -1))
    form = make(plus, minus)
    assert form is not None
    named, length = decode(form.data + END.to_bytes(2, "little"), END)
    assert {place: times for place, times in named.items() if times} == {
        place: int(times) for place, times in enumerate(column) if times
    }
    assert length == len(form.data)


def test_the_first_place_of_a_page_takes_no_moves() -> None:
    column = np.zeros(256, np.uint8)
    column[128] = 1
    assert moves_in_sums(column, 0 * column) is None


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40), least=st.floats(0, 4))
@settings(deadline=None, max_examples=40)
def test_rows_are_the_sum_of_their_parts(seed: int, rows: int, least: float) -> None:
    random = np.random.default_rng(seed)
    weights = random.integers(-2, 2, (rows, 30)).astype(np.int8)
    worth = random.integers(0, 3, 30).astype(float)
    shared = share(weights, worth, least, 64)
    assert (whole(shared)[:rows] == weights).all()
    assert shared.places <= 64
    assert shared.additions @ worth <= unshared(weights).additions @ worth


def test_packing_is_deterministic_and_reports() -> None:
    model = random_model(8)
    image = pack_cpm(model)
    assert pack_cpm(model).data == image.data
    fields = header(image.data)
    assert (fields["length"], fields["end"], fields["model_crc"]) == (len(image.data), image.end, model.crc)
    report = image.report()
    assert report["bytes"] == len(image.data)
    assert report["tpa_bytes"] == image.end - 0x100


def test_a_header_is_checked() -> None:
    data = bytearray(pack_cpm(random_model(8)).data)
    data[-1] ^= 1
    for bad, words in ((data, "damaged"), (data[:20], "too short"), (b"UL" + bytes(60), "not a packed model")):
        with pytest.raises(FileError, match=words):
            header(bytes(bad))


def test_what_does_not_fit_is_refused_with_numbers() -> None:
    model = shipped_model("tinychat")
    with pytest.raises(FitError, match=r"needs \d+ bytes of the TPA packed; 20000 are allowed, \d+ too few"):
        pack_cpm(model, tpa=20000)


def test_the_worked_example_of_the_documents() -> None:
    first, second = np.zeros((3, 128), np.int8), np.array([[1, 0, -2], [0, 1, 1]], np.int8)
    first[[0, 1], 0] = first[2, 64] = 1
    first[1, 65] = -1
    layers = (Layer(first, np.array([0, -40, 8], np.int16)), Layer(second, np.array([5, -200], np.int16)))
    model = Model(Kind.CHARACTER, layers, 64, 64, 8, charset="A", metadata={"name": "tiny"})
    data = pack_cpm(model).data
    text = (ROOT / "docs" / "image-cpm.md").read_text("utf-8")
    rows = re.findall(r"^\| ([0-9A-F]{4})h \| `([0-9a-f ]+)", text, re.MULTILINE)
    assert len(rows) > 20
    for address, told in rows:
        at = int(address, 16) - IMAGE_ADDRESS
        due = bytes.fromhex(told)
        assert data[at : at + len(due)] == due, address
    assert f"The image has {len(data):,} bytes" in text


def test_templates_are_current(tmp_path: Path) -> None:
    if not shutil.which("pasmo"):
        pytest.skip("pasmo is not installed (apt install pasmo)")
    made = [tmp_path / name for name in ("templates.bin", "templates.sym")]
    command = ["pasmo", "--alocal", "templates.asm", *map(str, made)]
    subprocess.run(command, cwd=ROOT / "device" / "z80_cpm", check=True, timeout=60)
    for file in made:
        assert (SHIPPED / file.name).read_bytes() == file.read_bytes(), (
            f"make -C device/z80_cpm templates ({file.name})"
        )


def test_every_hole_is_filled() -> None:
    for name, template in templates().code.items():
        values = {hole.name: 0 for hole in template.holes}
        assert len(template.stamp(**values)) == len(template), name
        with pytest.raises(KeyError if values else ValueError):
            template.stamp(**({} if values else {"nothing": 0}))
