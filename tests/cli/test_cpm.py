"""The command line and machines under CP/M: the same commands, the same keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from intelhex import IntelHex

pytest.importorskip("z80", reason="the package z80 is not installed: pip install 'micro-lm[sim]'")

from host_sdk.boards import BOARDS, Cpm
from host_sdk.errors import BoardError, FileError, FitError, PortError, UsageError
from host_sdk.flash.cpm_files import shipped_com
from host_sdk.flash.fit import fitted_com, fitted_cpm
from host_sdk.kinds import fitted
from host_sdk.model.engine import run
from host_sdk.model.model import Model
from host_sdk.pack.queries import bench_queries
from host_sdk.spec.cpm import IMAGE_ADDRESS, ORIGIN
from tests.cli.conftest import sentence, ulm
from tests.cli.test_contract import BENCH_KEYS, CHAT_KEYS, FLASH_KEYS
from tests.synthetic import character_model

CPM = BOARDS["cpm"]
assert isinstance(CPM, Cpm)


@pytest.fixture(scope="module")
def cpm(small_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a machine with the small model, switched off."""
    address = f"sim://cpm?state={tmp_path_factory.mktemp('cpm')}"
    assert ulm("flash", address, small_file).code == 0
    return address


def answer(*arguments: str | Path) -> Any:
    done = ulm(*arguments, "--json")
    assert (done.code, done.err) == (0, ""), done.err
    return json.loads(done.out)


def test_chat(cpm: str, small: Model) -> None:
    shown = answer("chat", cpm, "--once", "hello")
    due = run(small, ["hello"])[0]
    assert list(shown) == CHAT_KEYS
    assert (shown["reply"], shown["digest"], shown["digest_checked"]) == (due.text, f"{due.digest:04x}", True)
    assert (shown["board"], shown["model"], shown["simulated"]) == ("cpm", "small", True)
    assert shown["ms_per_char"] == pytest.approx(shown["cycles_per_char"] / 4000)
    done = ulm("chat", cpm, typed="hello\n")
    assert done.out == due.text + "\n"
    assert "small on cpm (simulated)" in done.err


def test_flash(cpm: str, small: Model, small_file: Path, tmp_path: Path) -> None:
    other = character_model(21, (16, 12), name="other")
    other.save(tmp_path / "other.ulm")
    address = f"sim://cpm?state={tmp_path / 'state'}"
    shown = answer("flash", address, tmp_path / "other.ulm")
    assert list(shown) == FLASH_KEYS
    assert (shown["board"], shown["model"], shown["model_crc"]) == ("cpm", "other", f"{other.crc:08x}")
    assert (shown["model_bytes"], shown["pages_written"]) == (len(fitted(other, CPM).data), None)
    assert shown["runtime_build"] == shipped_com().build
    assert "cpm now runs other" in ulm("flash", address, tmp_path / "other.ulm").out
    assert answer("chat", address, "--model", small_file, "--once", "hi")["reply"] == small.reply("hi")
    assert answer("chat", address, "--once", "hi")["model"] == "small"


def test_verify_and_bench(cpm: str, small: Model, tmp_path: Path) -> None:
    assert answer("verify", cpm) == {"queries": len(small.golden), "exact": len(small.golden), "mismatches": []}
    (tmp_path / "q").write_text("\n".join(bench_queries()[:5]))
    shown = answer("bench", cpm, "--queries", tmp_path / "q")
    assert list(shown) == BENCH_KEYS
    assert (shown["flash_bytes"], shown["sram_bytes"], shown["energy"]) == (None, None, None)
    assert shown["model_bytes"] < shown["tpa_bytes"] < CPM.tpa_bytes
    done = ulm("bench", cpm, "--queries", tmp_path / "q")
    assert "small on cpm at 4 MHz (simulated)" in done.out
    assert f"TPA {shown['tpa_bytes']} B" in done.out


def test_pack_for_the_disk(small: Model, small_file: Path, tmp_path: Path) -> None:
    image = fitted(small, CPM).data
    shown = answer("pack", small_file, "--for", "cpm", "-o", tmp_path / "x.ulb")
    assert (tmp_path / "x.ulb").read_bytes() == image
    assert (shown["bytes"], shown["file_bytes"]) == (len(image), len(image))
    assert shown["model_crc"] == f"{small.crc:08x}"
    program = fitted_com(small, CPM)[1]
    assert answer("pack", small_file, "--for", "cpm", "-o", tmp_path / "X.COM")["file_bytes"] == len(program)
    assert (tmp_path / "X.COM").read_bytes() == program
    assert program[IMAGE_ADDRESS - ORIGIN :] == image


def test_pack_for_load(small_file: Path, small: Model, tmp_path: Path) -> None:
    """CP/M's LOAD wants ascending addresses from 0100h, and lines that end in CR and LF."""
    answer("pack", small_file, "--for", "cpm", "-o", tmp_path / "X.HEX")
    text = (tmp_path / "X.HEX").read_bytes()
    assert text.endswith(b":00000001FF\r\n")
    assert text.count(b"\r\n") == text.count(b"\n")
    addresses = [int(line[3:7], 16) for line in text.splitlines()[:-1]]
    assert addresses == sorted(addresses)
    assert {line[7:9] for line in text.splitlines()} == {b"00", b"01"}
    code = IntelHex(str(tmp_path / "X.HEX"))
    assert bytes(code.tobinarray(start=ORIGIN)) == fitted_com(small, CPM)[1]


def test_pack_the_runtime_alone(tmp_path: Path) -> None:
    assert answer("pack", "--for", "cpm", "-o", tmp_path / "ULM.COM") == {"file_bytes": len(shipped_com().code)}
    assert (tmp_path / "ULM.COM").read_bytes() == shipped_com().code
    assert ulm("pack", "--for", "cpm", "-o", tmp_path / "ulm.hex").code == 0


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["--for", "cpm", "-o", "x.ulb"], UsageError, "Name the model to pack"),
        (["--for", "uno", "-o", "x.com"], UsageError, "Name the model to pack"),
        (["SMALL", "--for", "uno", "--tpa", "20000", "-o", "x.ulb"], UsageError, "--tpa is for"),
        (["SMALL", "--for", "cpm", "--tpa", "100", "-o", "x.ulb"], UsageError, "--tpa"),
        (["SMALL", "--for", "cpm", "--tpa", "12288", "-o", "x.ulb"], FitError, "TPA"),
        (["SMALL", "--for", "cpm", "-o", "no/such/folder/x.com"], FileError, "Cannot write"),
    ],
)
def test_packing_that_makes_no_sense(
    words: list[str], error: type[UsageError], said: str, small_file: Path, tmp_path: Path
) -> None:
    given = [str(small_file) if word == "SMALL" else word for word in words]
    given[-1] = str(tmp_path / given[-1])
    assert said in sentence(ulm("pack", *given), error)
    assert list(tmp_path.iterdir()) == []


def test_a_smaller_tpa_is_kept(small_file: Path, tmp_path: Path) -> None:
    shown = answer("pack", small_file, "--for", "cpm", "--tpa", "20000", "-o", tmp_path / "x.ulb")
    assert shown["tpa_bytes"] <= 20000


def test_compact(small: Model, small_file: Path, tmp_path: Path) -> None:
    assert answer("pack", small_file, "--for", "cpm", "--compact", "-o", tmp_path / "x.ulb")["tpa_bytes"] <= 40960
    assert (tmp_path / "x.ulb").read_bytes() == fitted_cpm(small, CPM, compact=True).data


def test_info_and_boards(small: Model, small_file: Path) -> None:
    room = answer("info", small_file)["boards"]["cpm"]
    assert room == {"fits": True, "bytes": len(fitted(small, CPM).data), "room": ORIGIN + CPM.tpa_bytes - IMAGE_ADDRESS}
    (row,) = [row for row in answer("boards") if row["name"] == "cpm"]
    assert (row["mcu"], row["virtual"], row["baud"]) == ("z80", "sim://cpm", 9600)


def test_nothing_runs_there(cpm: str, small_file: Path) -> None:
    for command in (["chat", f"{cpm}&run=", "--once", "hi"], ["flash", f"{cpm}&run=", str(small_file)]):
        text = sentence(ulm(*command), PortError)
        assert "ULM.COM does not run on" in text
        assert "docs/cpm.md" in text


def test_a_full_disk(cpm: str, tmp_path: Path) -> None:
    state = cpm.partition("state=")[2]
    used = sum(-(-path.stat().st_size // 2048) * 2 for path in (Path(state) / "disk").iterdir())
    character_model(33, (16, 12), name="third").save(tmp_path / "third.ulm")
    text = sentence(ulm("flash", f"{cpm}&disk={used}", tmp_path / "third.ulm"), BoardError)
    assert "disk" in text
    assert answer("chat", cpm, "--once", "hello")["model"] == "small"


def test_wrong_options(cpm: str) -> None:
    assert "no option 'speed'" in sentence(ulm("chat", f"{cpm}&speed=9", "--once", "x"), UsageError)
    assert "no option 'clock'" in sentence(ulm("chat", "sim://uno?clock=9", "--once", "x"), UsageError)


def test_a_machine_has_no_eeprom(cpm: str, small_file: Path) -> None:
    done = ulm("flash", cpm, small_file, "--memory", "eeprom")
    assert "No model goes into the eeprom of CP/M machine; leave out --memory" in sentence(done, UsageError)


@pytest.mark.parametrize(
    "words", [("--programmer", "avrdude"), ("--at-start",), ("--compact",)], ids=lambda words: words[0]
)
def test_options_of_other_boards(cpm: str, small_file: Path, words: tuple[str, ...]) -> None:
    assert f"leave out {words[0]}" in sentence(ulm("flash", cpm, small_file, *words), UsageError)
