"""What scripts rely on: commands, JSON keys, exit codes, and that nothing heavy is loaded for nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from host_sdk.boards import BOARDS
from host_sdk.conformance import Vector
from host_sdk.kinds import fitted
from host_sdk.model.engine import run
from host_sdk.model.library import SHIPPED
from host_sdk.model.model import Model
from host_sdk.pack.queries import bench_queries
from tests.cli.conftest import ULM, ulm
from tests.conftest import Prepare, address_of
from tests.synthetic import character_model

CHAT_KEYS = [
    "reply", "chars", "passes", "digest", "digest_checked", "stopped", "cycles_per_char", "ms_per_char", "board",
    "model", "simulated", "timing",
]  # fmt: skip
BENCH_KEYS = [
    "cycles_per_char", "ms_per_char", "query_cycles", "first_char_cycles", "flash_bytes", "model_bytes",
    "sram_bytes", "stack_bytes", "clock_hz",
    "active_cycles_per_reply", "line_bytes_per_reply", "part_cycles_per_reply", "tpa_bytes", "queries", "passes",
    "board", "model", "simulated", "timing", "energy",
]  # fmt: skip
FLASH_KEYS = [
    "board", "model", "model_crc", "model_bytes", "memory", "runtime_bytes", "runtime_build", "pages_written",
    "pages_kept", "seconds_wall", "files_written", "files_kept",
]  # fmt: skip
INFO_KEYS = [
    "name", "kind", "crc", "shape", "codes", "weights", "nonzero", "query_buckets", "context_buckets",
    "context_length", "charset", "replies", "safe_query_length", "golden_queries", "boards", "metadata",
]  # fmt: skip

BOARD_KEYS = [
    "board", "simulated", "timing", "model", "model_crc", "max_query", "runtime_build", "clock_hz", "model_address",
    "model_capacity", "runtime_bytes", "sram_bytes", "model_bytes", "stack_bytes", "uptime_s", "slot", "tpa_bytes",
    "trouble",
]  # fmt: skip


def one_line_of_json(text: str) -> Any:
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return json.loads(text)


# chat


@pytest.mark.parametrize("where", ["uno", "lilypad"])
def test_chat_json(request: pytest.FixtureRequest, where: str, small: Model) -> None:
    done = ulm("chat", request.getfixturevalue(where), "--once", "hello", "--json")
    assert (done.code, done.err) == (0, "")
    shown = one_line_of_json(done.out)
    assert list(shown) == CHAT_KEYS
    due = run(small, ["hello"])[0]
    assert (shown["reply"], shown["chars"], shown["passes"]) == (due.text, len(due.text), due.passes)
    assert (shown["digest"], shown["digest_checked"]) == (f"{due.digest:04x}", True)
    assert (shown["board"], shown["model"], shown["simulated"]) == (where, "small", True)
    assert shown["timing"] == "simulated"
    khz = {"uno": 16_000, "lilypad": 8_000}[where]
    assert shown["ms_per_char"] == pytest.approx(shown["cycles_per_char"] / khz)


def test_chat_once(uno: str, small: Model) -> None:
    done = ulm("chat", uno, "--once", "hello")
    assert (done.code, done.out) == (0, small.reply("hello") + "\n")
    assert re.fullmatch(r"  (0\.\d\d|[1-9]\d*\.\d) ms per character \(simulated\), every number proved\n", done.err)


def test_chat_asks_for_lines(uno: str, small: Model) -> None:
    done = ulm("chat", uno, typed="hello\n  who are you  \n\nnot asked\n")
    assert done.code == 0
    assert done.out == small.reply("hello") + "\n" + small.reply("who are you") + "\n"
    assert "small on uno (simulated)" in done.err
    assert done.err.count("ms per character (simulated)") == 2


def test_chat_json_of_many_lines(uno: str, small: Model) -> None:
    done = ulm("chat", uno, "--json", typed="hello\nwho are you\n")
    shown = [json.loads(line) for line in done.out.splitlines()]
    assert [one["reply"] for one in shown] == [small.reply("hello"), small.reply("who are you")]


def test_a_query_is_sent_as_it_is(uno: str, small: Model) -> None:
    shown = one_line_of_json(ulm("chat", uno, "--once", "  hello  ", "--json").out)
    assert shown["digest"] == f"{run(small, ['  hello  '])[0].digest:04x}"


def test_chat_with_a_model_flashes_it(prepare: Prepare, small: Model, tmp_path: Path) -> None:
    other = character_model(21, name="other")
    other.save(tmp_path / "other.ulm")
    address = address_of("uno", prepare("uno", small))
    shown = one_line_of_json(ulm("chat", address, "--model", tmp_path / "other.ulm", "--once", "hi", "--json").out)
    assert (shown["model"], shown["reply"], shown["digest_checked"]) == ("other", other.reply("hi"), True)
    assert one_line_of_json(ulm("chat", address, "--once", "hi", "--json").out)["model"] == "other"


def test_chat_writes_a_trace(uno: str, tmp_path: Path) -> None:
    assert ulm("chat", uno, "--once", "hello", "--trace", tmp_path / "trace").code == 0
    whos = {line.split()[1] for line in (tmp_path / "trace").read_text("ascii").splitlines()}
    assert whos == {"host", "board"}


# verify


def test_verify_json(uno: str, small: Model) -> None:
    done = ulm("verify", uno, "--json")
    assert (done.code, done.err) == (0, "")
    assert one_line_of_json(done.out) == {"queries": len(small.golden), "exact": len(small.golden), "mismatches": []}


def test_verify_against_a_file(uno: str, small: Model, tmp_path: Path) -> None:
    queries = bench_queries()[:3]
    vectors = [Vector(q, r.text, tuple(r.logits_crc32)) for q, r in zip(queries, run(small, queries), strict=True)]
    file = tmp_path / "vectors.jsonl"
    file.write_text("".join(v.to_json() + "\n" for v in vectors), "utf-8")
    assert one_line_of_json(ulm("verify", uno, file, "--json").out)["exact"] == 3
    assert "3 of 3 queries exact" in ulm("verify", uno, file).out

    wrong = Vector(queries[1], "NO", vectors[1].logits_crc32)
    file.write_text("".join(v.to_json() + "\n" for v in (vectors[0], wrong, vectors[2])), "utf-8")
    done = ulm("verify", uno, file, "--json")
    assert (done.code, done.err) == (1, "")
    assert one_line_of_json(done.out) == {
        "queries": 3,
        "exact": 2,
        "mismatches": [
            {"query": queries[1], "expected": "NO", "got": vectors[1].reply, "first_bad_pass": None},
        ],
    }
    done = ulm("verify", uno, file)
    assert done.code == 1
    assert "2 of 3 queries exact" in done.out
    assert "expected 'NO'" in done.out


# bench


def test_bench_json(uno: str, small: Model, tmp_path: Path) -> None:
    queries = tmp_path / "queries.txt"
    queries.write_text("hello\n\nwho are you\n", "utf-8")
    done = ulm("bench", uno, "--queries", queries, "--json")
    assert (done.code, done.err) == (0, "")
    shown = one_line_of_json(done.out)
    assert list(shown) == BENCH_KEYS
    for key in BENCH_KEYS[:4]:
        assert list(shown[key]) == ["mean", "max"]
        assert 0 < shown[key]["mean"] <= shown[key]["max"]
    assert (shown["queries"], shown["passes"]) == (2, sum(r.passes for r in run(small, ["hello", "who are you"])))
    assert shown["model_bytes"] == len(fitted(small, BOARDS["uno"]).data) < shown["flash_bytes"]
    assert (shown["clock_hz"], shown["board"], shown["model"], shown["simulated"]) == (16_000_000, "uno", "small", True)


def test_bench_for_people(lilypad: str) -> None:
    done = ulm("bench", lilypad)
    assert done.code == 0
    assert "small on lilypad at 8 MHz (simulated), 80 queries" in done.out
    assert "ms per character" in done.out


# flash


def test_flash_json(prepare: Prepare, small: Model, small_file: Path) -> None:
    address = address_of("uno", prepare("uno"))
    done = ulm("flash", address, small_file, "--json")
    assert (done.code, done.err) == (0, "")
    shown = one_line_of_json(done.out)
    assert list(shown) == FLASH_KEYS
    image = -(-len(fitted(small, BOARDS["uno"]).data) // 128)
    assert (shown["board"], shown["model"], shown["model_crc"]) == ("uno", "small", f"{small.crc:08x}")
    assert (shown["pages_written"], shown["model_bytes"]) == (image, len(fitted(small, BOARDS["uno"]).data))
    again = one_line_of_json(ulm("flash", address, small_file, "--json").out)
    assert (again["pages_written"], again["pages_kept"]) == (0, image + shown["pages_kept"])
    assert "uno now runs small" in ulm("flash", address, small_file).out


# info


def test_info_of_a_board(uno: str, small: Model, prepare: Prepare) -> None:
    shown = one_line_of_json(ulm("info", uno, "--json").out)
    assert list(shown) == BOARD_KEYS
    assert (shown["board"], shown["model"], shown["model_crc"]) == ("uno", "small", f"{small.crc:08x}")
    assert (shown["model_bytes"], shown["trouble"]) == (len(fitted(small, BOARDS["uno"]).data), None)
    assert re.search(r"^model +small$", ulm("info", uno).out, re.MULTILINE)
    empty = ulm("info", address_of("lilypad", prepare("lilypad")))
    assert re.search(r"^trouble +The board has no model; flash one with `ulm flash`\.$", empty.out, re.MULTILINE)


# Without a board


def test_info_json(small: Model, small_file: Path) -> None:
    shown = one_line_of_json(ulm("info", small_file, "--json").out)
    assert list(shown) == INFO_KEYS
    assert (shown["name"], shown["kind"], shown["crc"]) == ("small", "character", f"{small.crc:08x}")
    assert (shown["shape"], shown["weights"]) == (small.shape, small.weight_count)
    assert shown["boards"]["uno"]["bytes"] == len(fitted(small, BOARDS["uno"]).data) < shown["boards"]["uno"]["room"]
    assert "on lilypad: " in ulm("info", small_file).out


def test_pack_json(small: Model, small_file: Path, tmp_path: Path) -> None:
    shown = one_line_of_json(ulm("pack", small_file, "--for", "uno", "-o", tmp_path / "x.ulb", "--json").out)
    assert (tmp_path / "x.ulb").read_bytes() == fitted(small, BOARDS["uno"]).data
    assert shown["bytes"] == len(fitted(small, BOARDS["uno"]).data)
    assert list(shown) == [
        "bytes",
        "model_crc",
        "max_query",
        "form",
        "widths",
        "dropped_rows",
        "counted",
        "byte_columns",
        "byte_column_bytes",
        "additions",
    ]


def test_boards_json() -> None:
    shown = one_line_of_json(ulm("boards", "--json").out)
    assert {"uno", "lilypad"} <= {row["name"] for row in shown}
    for row in shown:
        assert list(row) == ["name", "title", "mcu", "clock_hz", "baud", "model_bytes", "memories", "virtual"]


def test_models_json() -> None:
    shown = one_line_of_json(ulm("models", "--json").out)
    assert [row["name"] for row in shown] == list(SHIPPED)
    for row in shown:
        assert list(row) == ["name", "kind", "shape", "crc", "licence"]
        assert one_line_of_json(ulm("info", row["name"], "--json").out)["crc"] == row["crc"]


def test_ports_json() -> None:
    done = ulm("ports", "--json")
    assert done.code == 0
    assert all(list(row) == ["address", "description"] for row in one_line_of_json(done.out))


def test_help_and_version() -> None:
    done = ulm("--help")
    assert done.code == 0
    for command in (
        "chat",
        "flash",
        "verify",
        "bench",
        "info",
        "train",
        "eval",
        "data",
        "import",
        "pack",
        "boards",
        "ports",
    ):
        assert f"\n  {command} " in done.out
        one = ulm(command, "--help")
        assert (one.code, one.err) == (0, "")
        assert one.out.startswith(f"Usage: ulm {command}")
    assert ulm("--version").out.startswith("ulm, version ")


# What is loaded


def loaded(program: str) -> set[str]:
    """The modules in memory after a program."""
    guard = "import sys, contextlib\nwith contextlib.suppress(SystemExit):\n    "
    code = f"{guard}{program}\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return {name.partition(".")[0] for name in done.stderr.splitlines()} | set(done.stderr.splitlines())


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import host_sdk", {"torch", "serial", "numpy", "click", "intelhex"}),
        ("from host_sdk import Model", {"torch", "serial", "click", "intelhex", "subprocess"}),
        ("from host_sdk import Device", {"torch", "click", "host_sdk.train"}),
        ("from host_sdk.cli import cli; cli(['--help'])", {"torch", "serial", "numpy", "intelhex"}),
        ("from host_sdk.cli import cli; cli(['--version'])", {"torch", "serial", "numpy", "intelhex"}),
        ("from host_sdk.cli import cli; cli(['chat', '--help'])", {"torch", "host_sdk.train"}),
        ("from host_sdk.cli import cli; cli(['boards'])", {"torch", "host_sdk.train"}),
    ],
)
def test_nothing_heavy_is_loaded_for_nothing(program: str, absent: set[str]) -> None:
    modules = loaded(program)
    assert "host_sdk" in modules
    assert not absent & modules


def test_the_command_is_the_package() -> None:
    assert "host_sdk.cli" in ULM.read_text("utf-8")
