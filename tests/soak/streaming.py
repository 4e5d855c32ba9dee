"""An adversary of the boards that stream their models: noise, pulled cards, cuts, damaged images and volumes.

    python -m tests.soak.streaming [CASE ...] [--seeds 0:20] [--minutes 10]

Every round is a case and a seed. Whatever happens: each request is answered within a bound of simulated time, with a
status that exists; the firmware never leaves its memory; timed reads are never early; afterwards a sound model, the
old one where there was an upload, answers with the outputs that it should have. Needs mkfs.fat, mcopy and avr-gcc;
no part of ./test.
"""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path

from host_sdk.flash.memory import Memory
from host_sdk.link.frame import Frame, encode
from host_sdk.model.crc import crc16
from host_sdk.pack.stream import pack_stream
from host_sdk.sim.part import FlashChip, SdCard
from host_sdk.spec.protocol import SEQ_FIRST, SEQ_LAST, Op, Status
from host_sdk.spec.stream import CHECK_FROM, HEADER, LAYER_BYTES, Form
from tests.offload.cards import BLOCK, Card
from tests.offload.conftest import CHIP_BYTES, OFFLOAD, card_with, chip_with, part_with
from tests.offload.images import image, long_image, numbered
from tests.offload.talker import Hello, Talker
from tests.synthetic import character_model, endless

BOUND_S = 40.0  # of the board, for an answer; a cheap card that mounts and checks takes a few seconds
PATIENCE_S = 120.0  # of the wall
MEDIA = {"flash": ("typical", "slow"), "sd": ("ideal", "typical", "cheap")}
QUERY = b"hello"


class Patient(Talker):
    """A board that may take its time, as long as it is the board's."""

    _dropped = 0  # bytes that the board did not hear, since it was calm

    def __enter__(self) -> Patient:
        super().__enter__()
        return self

    def receive(self, seq: int, timeout: float = PATIENCE_S) -> Frame:
        """The next answer to a request."""
        first = now = self.board.counters()
        waited_s, end = 0.0, time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            while self._frames:
                if (frame := self._frames.pop(0)).seq == seq:
                    return frame
            self._frames += self._decoder.feed(self._port.read(max(1, self._port.in_waiting)))
            now = self.board.counters()
            waited_s = (now.cycles - first.cycles) / self.hz
            if not self._frames and (waited_s > min(BOUND_S, timeout * 4) or now.resets > first.resets):
                break
        lost = now.dropped - self._dropped
        raise TimeoutError(f"no answer to request {seq:02X}h in {waited_s:.1f} s of the board; {lost} bytes were lost")

    def noise(self, data: bytes) -> None:
        """Bytes on the line, as they are."""
        self._port.write(data)

    def calm(self) -> Hello:
        """Ends whatever frame is open, and greets."""
        self._port.write(b"\x7e\x7e")
        time.sleep(0.05)
        self._port.reset_input_buffer()
        self._forget()
        self._dropped = self.board.counters().dropped
        return self.hello()

    def reply(self, query: bytes = QUERY) -> bytes:
        """What is the same in every reply of a model; AssertionError when there is none."""
        texts: list[bytes] = []
        frame = self.chat(query, lambda each: texts.append(each.payload) if each.type == Op.TEXT else None)
        assert frame.type == Op.END, f"no reply: {frame}"
        return b"".join(texts) + frame.payload[:5]

    def refusal_or_reply(self) -> Frame:
        """END or ACK, with a status that exists."""
        frame = self.chat(QUERY)
        Status(frame.payload[0])
        return frame

    def check_clean(self) -> None:
        """Nothing outside memory, nothing hasty on the bus."""
        counters = self.board.counters()
        assert counters.wild == 0, f"{counters.wild} accesses outside memory"
        assert (counters.spi_early, counters.spi_collisions) == (0, 0), "hasty on the bus"


class Bench:
    """Where boards of one round stand."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.noise = random.Random(seed)
        self.medium = self.noise.choice(("flash", "sd"))
        self.latency = self.noise.choice(MEDIA[self.medium])
        self.notes: list[str] = []  # what was done, for whoever looks for the reason

    def start(self, part: FlashChip | SdCard) -> Patient:
        """A board with a part, powered."""
        medium = "flash" if isinstance(part, FlashChip) else "sd"
        self.notes.append(str(part))
        name = f"{self.noise.choice(('uno', 'lilypad'))}-{medium}"
        return Patient(name, self.folder / "state", runtime(name), part)

    def usual(self, *images: bytes) -> Patient:
        """A board of any kind whose slots hold these images."""
        part = part_with(self.medium, self.folder, *images, latency=self.latency, seed=self.seed + 1)
        return self.start(part)

    def card(self, number: int) -> Path:
        """A card with a model of that number."""
        return card_with(self.folder / f"card{number}.img", numbered(image(number), 1))


@cache
def build() -> Path:
    """The folder of the built runtimes."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    subprocess.run(["make", "-s", "-C", str(OFFLOAD), f"BUILD={folder}"], check=True)
    return folder


@cache
def runtime(name: str) -> bytes:
    """The flash of a board of that name."""
    cells = Memory.from_hex_file(build() / f"{name}.hex").cells
    return bytes(cells.get(at, 0xFF) for at in range(max(cells) + 1))


@cache
def expected(number: int) -> bytes:
    """The reply of image(number) on a board that nobody disturbs."""
    return undisturbed(image(number), (QUERY,))[0]


@cache
def undisturbed(model: bytes, queries: tuple[bytes, ...]) -> list[bytes]:
    """The replies of a model on a flash chip, which never makes the firmware wait."""
    with tempfile.TemporaryDirectory() as folder:
        chip = chip_with(Path(folder) / "chip.bin", numbered(model, 1))
        with Patient("uno-flash", Path(folder) / "state", runtime("uno-flash"), FlashChip(chip, "w25q80")) as board:
            return [board.reply(query) for query in queries]


@cache
def dense(form: Form) -> bytes:
    """A model of many blocks, so that its columns and rows end in any place of one."""
    return pack_stream(endless(character_model(5, (256, 240), 0.3)), form).data


def answers(board: Patient, number: int) -> None:
    """The model of that number is there, and replies as it should."""
    hello = board.calm()
    assert hello.status is Status.OK, f"{hello}"
    assert hello.model_crc == number, f"{hello}, not {number}"
    assert board.reply() == expected(number), "another reply"
    board.check_clean()


# ---- the cases ----


def line(bench: Bench) -> None:
    """Bytes and frames that mean nothing, while it thinks and while it uploads."""
    noise = bench.noise
    new = image(2, 60)
    with bench.usual(numbered(image(1), 5)) as board:
        for _ in range(6):
            if noise.random() < 0.5:
                board.send(Op.CHAT, b"\0\0" + QUERY)
            else:
                board.begin(new)
                board.send_data(new, 0)
            for _ in range(noise.randrange(1, 8)):
                board.noise(_nonsense(noise))
            assert board.calm().status is Status.OK
        answers(board, 1)


def _nonsense(noise: random.Random) -> bytes:
    kind = noise.randrange(4)
    if kind == 0:
        return noise.randbytes(noise.randrange(1, 200))
    ops = [op for op in Op if op.value < ord("a") and op is not Op.COMMIT]
    payload = noise.randbytes(noise.randrange(0, 65))
    frame = bytearray(encode(Frame(noise.choice(ops), noise.randint(SEQ_FIRST, SEQ_LAST), payload), clean=True))
    if kind == 1:
        frame[noise.randrange(len(frame))] ^= 1 << noise.randrange(8)
    if kind == 2:
        del frame[noise.randrange(len(frame)) :]
    return bytes(frame)


def pulled(bench: Bench) -> None:
    """A card pulled out at any byte, and the same or another one put in."""
    noise = bench.noise
    cards = {number: bench.card(number) for number in (1, 2)}
    models = {1: 1, 2: 2}
    here, new = 1, image(3, 60)
    latency = noise.choice(MEDIA["sd"])
    with bench.start(SdCard(cards[here], latency=latency, seed=bench.seed + 1)) as board:
        for _ in range(5):
            uploading = False
            board.board.after_bytes(noise.randrange(1, noise.choice((600, 6_000, 60_000))), "remove")
            if noise.random() < 0.5:
                board.refusal_or_reply()
            else:
                _upload_until_refused(board, new)
                uploading = True
            board.board.after_bytes(0, "remove")
            board.board.remove_card()
            if noise.random() < 0.3:
                hello = board.hello()
                assert hello.status is Status.MEDIUM, f"{hello} without a card"
            board.board.insert_card(cards[here])
            if uploading and board.calm().model_crc == 3:
                models[here] = 3  # it was complete
            answers(board, models[here])
            here = noise.choice((1, 2))
            board.board.insert_card(cards[here])
            answers(board, models[here])


def _upload_until_refused(board: Patient, new: bytes) -> bool:
    """An upload in single steps; whether it was taken to its end."""
    status, blocks = board.begin(new)
    for position in range(blocks * BLOCK, len(new), 60):
        if status != Status.OK:
            return False
        status = board.data(new, position).status
    return status == Status.OK and board.commit(new).status == Status.OK


def faulty(bench: Bench) -> None:
    """A part that fails for a while, in one way or another."""
    noise = bench.noise
    with bench.usual(numbered(image(1), 5)) as board:
        for _ in range(6):
            fault = noise.choice(("silent", "busy", "read", "write"))
            where = noise.randrange(600) if noise.random() < 0.7 else noise.randrange(CHIP_BYTES // BLOCK)
            board.board.fault(fault, where)
            bench.notes.append(f"{fault} {where}")
            act = noise.randrange(3)
            if act == 0:
                board.refusal_or_reply()
            elif act == 1:
                board.hello()
            else:
                _upload_until_refused(board, image(3, 30))
            board.board.fault(None)
            hello = board.calm()
            assert hello.status is Status.OK, f"{hello} after {fault} {where}"
            board.reply()
            board.check_clean()


def cut(bench: Bench) -> None:
    """The supply goes at any byte of an upload."""
    noise = bench.noise
    new = image(2, 60)
    with bench.usual(numbered(image(1), 5), numbered(image(7, 16), 4)) as board:
        for _ in range(5):
            resets = board.board.counters().resets
            board.board.after_bytes(noise.randrange(1, 3 * len(new)), "reset")
            try:
                _upload_until_cut(board, new, resets)
            finally:
                board.board.after_bytes(0, "reset")
            hello = board.calm()
            assert hello.status is Status.OK, f"{hello}"
            assert hello.model_crc in (1, 2), f"{hello}"
            answers(board, hello.model_crc)
            if hello.model_crc == 2:
                return
        board.upload(new)
        answers(board, 2)


def _upload_until_cut(board: Patient, new: bytes, resets: int) -> None:
    try:
        _upload_until_refused(board, new)
    except TimeoutError:
        assert board.board.counters().resets > resets, "no answer, and no cut"


def headers(bench: Bench) -> None:
    """A sound image but for one field of its header, with a check that is right."""
    noise = bench.noise
    number = noise.choice((1, 2))
    wrong = bytearray(image(number))
    field, at, size = noise.choice([field for field in HEADER if field[1] >= CHECK_FROM])
    value = noise.choice((0, 1, (1 << 8 * size) - 1, noise.randrange(1 << 8 * size)))
    wrong[at : at + size] = value.to_bytes(size, "little")
    bench.notes.append(f"image {number}, {field} = {value}")
    _wrong_image(bench, wrong)


def shapes(bench: Bench) -> None:
    """A sound image but for bytes of its layers, their shapes above all, with a check that is right."""
    noise = bench.noise
    number = noise.choice((1, 2, 2))
    wrong = bytearray(image(number))
    first, layers = (int.from_bytes(wrong[at : at + 4], "little") for at in (44, 48))
    places = [*range(first, first + 8), *range(layers, layers + 40)]
    if number == 2:
        places += _shapes_of_rows(wrong, first, layers)
    for _ in range(noise.randrange(1, 4)):
        at = noise.choice(places)
        wrong[at] = noise.choice((0, 1, 2, 0x7F, 0x80, 0xFF, noise.randrange(256)))
        bench.notes.append(f"image {number}, byte {at} = {wrong[at]}")
    _wrong_image(bench, wrong)


def _shapes_of_rows(data: bytearray, at: int, layers: int) -> list[int]:
    """Where the headers of all layers are."""
    places: list[int] = []
    for layer in range(data[19]):
        rows, columns = (int.from_bytes(data[at + offset :][:2], "little") for offset in (0, 2))
        places += range(at, at + LAYER_BYTES)
        row_bytes = 2 + (columns * data[at + 4] + 7) // 8
        at = layers + 2 * rows if layer == 0 else at + LAYER_BYTES + rows * row_bytes
    return places


def _wrong_image(bench: Bench, wrong: bytearray) -> None:
    wrong[12:14] = crc16(bytes(wrong[CHECK_FROM:])).to_bytes(2, "little")
    with bench.usual(numbered(bytes(wrong), 5)) as board:
        for _ in range(2):
            board.hello()
            board.refusal_or_reply()
            board.check_clean()
        board.upload(image(3))
        answers(board, 3)


def volumes(bench: Bench) -> None:
    """Bytes of the partition table, boot sector, FAT or directory are wrong."""
    noise = bench.noise
    card = Card(bench.folder / "card.img", noise.choice((16, 32)), partition=noise.random() < 0.5)
    card.add("ULM-A.ULB", numbered(image(1), 1)).add("ULM-B.ULB", bytes(len(image(1))))
    sound = card.path.read_bytes()
    starts = [at for at in (0, 2048 * BLOCK) if sound[at + 510 : at + 512] == b"\x55\xaa"]
    with bench.start(SdCard(card.path, latency="ideal")) as board:
        for _ in range(6):
            board.board.remove_card()
            damaged = bytearray(sound)
            start = noise.choice(starts)
            for _ in range(noise.randrange(1, 12)):
                at = start + noise.choice((noise.randrange(90), noise.randrange(446, 512), noise.randrange(40 * BLOCK)))
                damaged[at] = noise.choice((0, 0xFF, noise.randrange(256)))
            card.path.write_bytes(damaged)
            board.board.insert_card(card.path)
            board.hello()
            board.refusal_or_reply()
            _upload_until_refused(board, image(3))
            board.check_clean()
        board.board.remove_card()
        card.path.write_bytes(sound)
        board.board.insert_card(card.path)
        answers(board, 1)


def chips(bench: Bench) -> None:
    """A chip full of noise, with marks in it."""
    noise = bench.noise
    memory = bytearray(noise.randbytes(CHIP_BYTES))
    for half in (0, CHIP_BYTES // 2):
        head = bytearray(image(1)[:64])
        for _ in range(noise.randrange(4)):
            head[noise.randrange(4, 64)] = noise.randrange(256)
        memory[half : half + 64] = head if noise.random() < 0.8 else noise.randbytes(64)
    path = bench.folder / "chip.bin"
    path.write_bytes(memory)
    with bench.start(FlashChip(path, "w25q80", latency=noise.choice(MEDIA["flash"]))) as board:
        for _ in range(3):
            board.hello()
            board.refusal_or_reply()
            board.check_clean()
        board.upload(image(3))
        hello = board.hello()
        assert hello.status is Status.OK, f"{hello}"
        board.check_clean()


def replies(bench: Bench) -> None:
    """A card that makes the firmware wait in any place: the outputs are those of a chip."""
    noise = bench.noise
    model = dense(noise.choice((Form.LISTS, Form.ROWS)))
    card = Card(bench.folder / "card.img").add("MODEL.ULB", model)
    words = tuple(bytes(noise.choice(b"abcdefgh ") for _ in range(noise.randrange(20))) for _ in range(2))
    with bench.start(SdCard(card.path, latency=noise.choice(("typical", "cheap")), seed=bench.seed + 1)) as board:
        assert [board.reply(query) for query in words] == undisturbed(model, words), "another reply"
        board.check_clean()


def stopped(bench: Bench) -> None:
    """STOP at any moment of a long reply."""
    noise = bench.noise
    model = numbered(long_image(2, 300), 5)
    part: FlashChip | SdCard
    if bench.medium == "flash":
        part = FlashChip(chip_with(bench.folder / "chip.bin", model), "w25q80")
    else:
        part = SdCard(Card(bench.folder / "card.img").add("MODEL.ULB", model).path, latency=bench.latency)
    with bench.start(part) as board:
        for _ in range(4):
            seq = board.send(Op.CHAT, b"\0\0" + QUERY)
            time.sleep(noise.random() * 0.05)
            board.send(Op.STOP)
            begun = board.seconds()
            while (frame := board.receive(seq)).type not in (Op.END, Op.ACK):
                pass
            assert frame.type == Op.END, f"{frame}"
            assert board.seconds() - begun < BOUND_S
            assert board.calm().status is Status.OK
            board.check_clean()


CASES: dict[str, Callable[[Bench], None]] = {
    case.__name__: case for case in (line, pulled, faulty, cut, headers, shapes, volumes, chips, replies, stopped)
}


def main() -> int:
    """Runs cases and prints what failed; 1 when something did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all of them if none is given")
    parser.add_argument("--seeds", default="0:20", help="first and end, 0:20 if not given")
    parser.add_argument("--minutes", type=float, help="stop then, if not before")
    options = parser.parse_args()
    end_s = time.monotonic() + 60 * options.minutes if options.minutes else math.inf
    first, end = map(int, options.seeds.split(":"))
    failed = rounds = 0
    for seed in range(first, end):
        for name in options.cases or CASES:
            if time.monotonic() > end_s:
                break
            rounds += 1
            with tempfile.TemporaryDirectory() as folder:
                bench = Bench(Path(folder), seed)
                try:
                    CASES[name](bench)
                except (AssertionError, TimeoutError, ValueError):
                    failed += 1
                    print(f"{name} {seed}: {'; '.join(bench.notes)}\n{traceback.format_exc(limit=-3)}", flush=True)
    print(f"{rounds} rounds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
