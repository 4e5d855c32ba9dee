"""Public data: a server that breaks off, lies or is absent; both layouts of CLINC150; checksums that can fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from host_sdk.data import clinc150
from host_sdk.data.fetch import download
from host_sdk.errors import FileError, LinkError, PortError

CONTENT = bytes(range(256)) * 1000


class _Server(BaseHTTPRequestHandler):
    """/good; /breaks: half of what is left comes; /whole: ranges are ignored; /silent: nothing comes."""

    asked: list[str | None] = []  # noqa: RUF012
    stop = threading.Event()

    def do_GET(self) -> None:
        self.asked.append(wanted := self.headers["Range"])
        if self.path == "/silent":
            self.stop.wait(5)
            return
        if self.path not in ("/good", "/breaks", "/whole"):
            self.send_error(404)
            return
        if wanted == f"bytes={len(CONTENT)}-":
            self.send_error(416)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.path != "/whole" else 0
        rest = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if self.path == "/breaks" else rest)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    _Server.asked.clear()
    _Server.stop.clear()
    with HTTPServer(("127.0.0.1", 0), _Server) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        _Server.stop.set()
        httpd.shutdown()
        thread.join()


def test_a_broken_download_goes_on(server: str, tmp_path: Path) -> None:
    file = tmp_path / "data.bin"
    with pytest.raises(LinkError, match="the same command goes on"):
        download(f"{server}/breaks", file)
    assert not file.exists()
    seen: list[tuple[int, int]] = []
    download(f"{server}/good", file, lambda done, total: seen.append((done, total)))
    assert file.read_bytes() == CONTENT
    assert _Server.asked == [None, f"bytes={len(CONTENT) // 2}-"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert list(tmp_path.iterdir()) == [file]


def test_a_server_without_ranges_starts_anew(server: str, tmp_path: Path) -> None:
    file = tmp_path / "data.bin"
    (tmp_path / "data.bin.part").write_bytes(b"other beginnings")
    download(f"{server}/whole", file)
    assert file.read_bytes() == CONTENT


def test_a_part_that_is_all_of_it_is_fetched_anew(server: str, tmp_path: Path) -> None:
    file = tmp_path / "data.bin"
    (tmp_path / "data.bin.part").write_bytes(bytes(len(CONTENT)))
    download(f"{server}/good", file)
    assert file.read_bytes() == CONTENT


def test_no_such_file_no_network_no_answer(server: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="404"):
        download(f"{server}/absent", tmp_path / "x")
    with pytest.raises(PortError, match="say --from with a copy"):
        download("http://host.invalid/x", tmp_path / "x")
    with pytest.raises((LinkError, PortError), match="timed out"):
        download(f"{server}/silent", tmp_path / "x", timeout_s=0.2)
    with pytest.raises(FileError, match="Choose another place"):
        download(f"{server}/good", tmp_path / "absent" / "x")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A data set of CLINC150's layout, and its checksums in the place of the true ones."""
    data = {
        "train": [["who are you", "name"], ["tell me a joke", "joke"]],
        "val": [["your name?", "name"]],
        "test": [["name", "name"]],
        "oos_train": [["why", "oos"]],
        "oos_val": [],
        "oos_test": [["when", "oos"]],
    }
    sums = {}
    for split in ("train", "val"):
        sums[split] = clinc150.canonical_sha256([(text, label) for text, label in data[split] + data[f"oos_{split}"]])
    monkeypatch.setattr(clinc150, "CANONICAL_SHA256", sums)
    monkeypatch.setattr(clinc150, "COUNTS", {"train": 3, "val": 1, "test": 2})
    return data


def test_both_layouts_are_one_data_set(tiny: dict[str, list[list[str]]], tmp_path: Path) -> None:
    file = tmp_path / "data_full.json"
    file.write_text(json.dumps(tiny), "utf-8")
    from_json = clinc150.read_clinc150(file)
    assert from_json["train"] == [("who are you", "name"), ("tell me a joke", "joke"), ("why", "oos")]
    assert set(from_json) == {"train", "val", "test"}
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "train.tsv").write_text("oos\twhy\nname\twho are you\njoke\ttell me a joke\n", "utf-8")
    (folder / "val.tsv").write_text("name\tyour name?\n", "utf-8")
    from_folder = clinc150.read_clinc150(folder)
    assert {split: sorted(pairs) for split, pairs in from_folder.items()} == {
        split: sorted(from_json[split]) for split in ("train", "val")
    }


@pytest.mark.parametrize("change", [("why", "how"), ("joke", "name"), ("\n", "\nname\tone more\n")])
def test_other_data_are_refused(tiny: dict[str, list[list[str]]], tmp_path: Path, change: tuple[str, str]) -> None:
    text = "oos\twhy\nname\twho are you\njoke\ttell me a joke\n"
    (tmp_path / "train.tsv").write_text(text.replace(*change, 1), "utf-8")
    with pytest.raises(FileError, match=r"train split .* is not that of CLINC150"):
        clinc150.read_clinc150(tmp_path)


def test_files_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}", "utf-8")
    (tmp_path / "train.tsv").write_text("no tab\n", "utf-8")
    for path, words in (("a.json", "is not CLINC150's"), ("", "no table"), ("absent.json", "Cannot read")):
        with pytest.raises(FileError, match=words):
            clinc150.read_clinc150(tmp_path / path)


def test_the_reference_copy_is_the_data_set(reference: Path) -> None:
    splits = clinc150.read_clinc150(reference / "clinc150")
    assert {split: len(pairs) for split, pairs in splits.items()} == {"train": 15_100, "val": 3_100}
    assert len({pair.reply for pair in splits["train"]}) == 151


def test_replies_choose_the_intents(tiny: dict[str, list[list[str]]], tmp_path: Path) -> None:
    file = tmp_path / "data_full.json"
    file.write_text(json.dumps(tiny), "utf-8")
    train = clinc150.read_clinc150(file)["train"]
    made = clinc150.with_replies(train, {"oos": "no idea.", "name": "mu."})
    assert made == [("who are you", "mu."), ("why", "no idea.")]
    assert clinc150.with_replies(train, {"oos": "no."}, others=5) == [
        ("why", "no."),
        ("who are you", "no."),
        ("tell me a joke", "no."),
    ]
    with pytest.raises(FileError, match="need a reply for 'oos'"):
        clinc150.with_replies(train, {"name": "mu."}, others=1)
    with pytest.raises(FileError, match="no intent 'joker'"):
        clinc150.with_replies(train, {"joker": "ha."})
