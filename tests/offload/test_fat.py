"""device/offload_sd/fat.c, compiled for this computer, on cards made by mkfs.fat and mcopy."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host_sdk.spec.protocol import Fault, Status
from tests.offload.cards import BLOCK, Card, add_partition, fragmented

OFFLOAD = Path(__file__).parents[2] / "device" / "offload_sd"
NATIVE = Path(__file__).with_name("native")
IMAGE = b"ULMS" + bytes(range(256)) * 160 + b"end!"  # 80 blocks and 8 bytes
OTHER = b"ULMX" + bytes(5000)

Mount = Callable[[Path], str]


@pytest.fixture(scope="session")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Mount:
    """What fat_mount() makes of a card, as the harness prints it."""
    for tool in ("cc", "mkfs.fat", "mcopy"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    program = tmp_path_factory.mktemp("native") / "fat"
    options = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize=alignment")
    folders = [f"-I{folder}" for folder in (NATIVE, OFFLOAD, OFFLOAD.parent / "common")]
    sources = [str(NATIVE / "fat.c"), str(OFFLOAD / "fat.c")]
    subprocess.run(["cc", *options, *folders, *sources, "-o", str(program)], check=True)

    def run(card: Path) -> str:
        answer = subprocess.run([str(program), str(card)], capture_output=True, text=True, timeout=10, check=True)
        assert not answer.stderr
        return answer.stdout.strip()

    return run


def place_of(card: Path, data: bytes) -> str:
    """What is printed for a file that lies there in one piece."""
    at = card.read_bytes().index(data)
    assert at % BLOCK == 0
    return f"{at // BLOCK} {len(data) // BLOCK}"


@pytest.mark.parametrize("partition", [False, True])
@pytest.mark.parametrize(("bits", "cluster"), [(16, 1), (16, 4), (16, 8), (32, 1), (32, 2)])
def test_a_file_among_others(mount: Mount, tmp_path: Path, bits: int, cluster: int, partition: bool) -> None:
    card = Card(tmp_path / "card.img", bits, partition=partition, cluster=cluster)
    card.add("README.TXT", b"hello" * 999).add("a long name of a file.dat", b"q" * 70_000)
    card.make_folder("SUB.ULB").add("SUB.ULB/MODEL.ULB", IMAGE[:4] + b"no" * 600)
    card.add("GONE.ULB", IMAGE[:1024]).remove("GONE.ULB")
    card.add("FOREIGN.ULB", OTHER).add("my model.ulb", IMAGE).add("LATER.ULB", IMAGE[:2048] + b"later")
    assert mount(card.path) == place_of(card.path, IMAGE)


@pytest.mark.parametrize("bits", [16, 32])
def test_the_two_files_of_a_card_for_uploads(mount: Mount, tmp_path: Path, bits: int) -> None:
    a, b = b"A" * 100 * BLOCK, b"B" * 100 * BLOCK
    card = Card(tmp_path / "card.img", bits).add("MODEL.ULB", IMAGE).add("ULM-B.ULB", b).add("ULM-A.ULB", a)
    assert mount(card.path).splitlines() == [place_of(card.path, a), place_of(card.path, b)]


def test_one_of_the_two_is_a_file_like_others(mount: Mount, tmp_path: Path) -> None:
    card = Card(tmp_path / "card.img").add("ULM-A.ULB", OTHER).add("MODEL.ULB", IMAGE)
    assert mount(card.path) == place_of(card.path, IMAGE)


@pytest.mark.parametrize("bits", [16, 32])
def test_a_root_directory_with_many_files(mount: Mount, tmp_path: Path, bits: int) -> None:
    """In FAT32 it is longer than a cluster."""
    card = Card(tmp_path / "card.img", bits)
    for number in range(60):
        card.add(f"file number {number}.text", b"x")
    assert mount(card.add("MODEL.ULB", IMAGE).path) == place_of(card.path, IMAGE)


def test_a_second_partition(mount: Mount, tmp_path: Path) -> None:
    card = Card(tmp_path / "card.img", 32, partition=True).add("MODEL.ULB", IMAGE)
    table = card.path.read_bytes()[446:462]
    add_partition(card.path, 0x83, 1, 100)
    with card.path.open("r+b") as file:
        file.seek(462)
        file.write(table)
    assert mount(card.path) == place_of(card.path, IMAGE)


def test_a_raw_image(mount: Mount, tmp_path: Path) -> None:
    (tmp_path / "card.img").write_bytes(IMAGE.ljust(100 * BLOCK, b"\0"))
    assert mount(tmp_path / "card.img").split()[0] == "0"


@pytest.mark.parametrize("bits", [16, 32])
def test_a_file_in_pieces(mount: Mount, tmp_path: Path, bits: int) -> None:
    card = fragmented(tmp_path / "card.img", "MODEL.ULB", IMAGE * 3, bits)
    assert mount(card) == f"fault {Fault.FRAGMENTED}"


def test_no_file(mount: Mount, tmp_path: Path) -> None:
    card = Card(tmp_path / "card.img").add("README.TXT", IMAGE)
    assert mount(card.path) == f"fault {Fault.NO_FILE}"


def test_a_foreign_file(mount: Mount, tmp_path: Path) -> None:
    card = Card(tmp_path / "card.img").add("UNO.ULB", OTHER)
    assert mount(card.path) == f"status {Status.BAD_ABI}"


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"\x55\xaa", b"UL"])
def test_not_fat(mount: Mount, tmp_path: Path, filler: bytes) -> None:
    (tmp_path / "card.img").write_bytes(filler * (100 * BLOCK // len(filler)))
    assert mount(tmp_path / "card.img") in (f"fault {Fault.NOT_FAT}", f"fault {Fault.READ}")


def test_fat12_is_too_small(mount: Mount, tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    path.write_bytes(bytes(1 << 20))
    subprocess.run(["mkfs.fat", "-F", "12", str(path)], check=True, capture_output=True)
    assert mount(path) == f"fault {Fault.NOT_FAT}"


def exfat_volume() -> bytes:
    """The first block of one, as far as anybody looks at it, and some more."""
    return (b"\xeb\x76\x90EXFAT   " + bytes(499) + b"\x55\xaa").ljust(8 * BLOCK, b"\0")


def test_exfat(mount: Mount, tmp_path: Path) -> None:
    path = tmp_path / "card.img"
    path.write_bytes(exfat_volume())
    assert mount(path) == f"fault {Fault.EXFAT}"
    path.write_bytes(bytes(8 * BLOCK) + exfat_volume())
    add_partition(path, 0x07, 8, 8)
    assert mount(path) == f"fault {Fault.EXFAT}"


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_volume_does_not_hang(mount: Mount, tmp_path: Path, bits: int, seed: int) -> None:
    """Whatever is in its tables: an answer comes. The time-out is the harness's."""
    noise = random.Random(seed)
    card = Card(tmp_path / "card.img", bits).add("A.TXT", b"a" * 3000).add("MODEL.ULB", IMAGE)
    data = bytearray(card.path.read_bytes())
    for _ in range(seed + 1):
        data[noise.randrange(11, 64 * BLOCK if seed % 2 else 60)] = noise.randrange(256)
    card.path.write_bytes(data)
    assert mount(card.path)
