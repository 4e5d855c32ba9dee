"""Getting a public file: with time-outs, going on where a download broke off, and a sentence where no network is."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from host_sdk.errors import FileError, LinkError, PortError

Progress = Callable[[int, int], None]

TIMEOUT_S = 20.0
"""Of the connection and of every read."""
MOST_BYTES = 64 << 20
"""A public data set of this size is another file than the one asked for."""
_CHUNK = 1 << 16


def download(url: str, path: Path, progress: Progress | None = None, timeout_s: float = TIMEOUT_S) -> None:
    """Write what `url` gives to `path`; a broken download goes on from `<path>.part` at the next call.

    PortError when nobody answers, LinkError when the line fails in the middle, FileError when the server has no such
    file or `path` cannot be written.
    """
    part = path.with_name(path.name + ".part")
    host = urlsplit(url).hostname
    have = part.stat().st_size if part.exists() else 0
    try:
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            _receive(answer, part, have if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0, progress)
        part.replace(path)
    except urllib.error.HTTPError as error:
        error.close()
        part.unlink(missing_ok=True)
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return download(url, path, progress, timeout_s)  # all of it had come, or it has changed
        raise FileError(
            f"{host} refuses {url}: {error.code} {error.reason}. Get the file by hand, say --from."
        ) from None
    except urllib.error.URLError as error:
        raise PortError(f"No way to {host}: {error.reason}. Check the network, or say --from with a copy.") from None
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise LinkError(f"The download from {host} broke off ({error}); the same command goes on.") from None
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}. Choose another place.") from None


def _receive(answer: http.client.HTTPResponse, part: Path, have: int, progress: Progress | None) -> None:
    total = have + int(answer.headers.get("Content-Length") or 0)
    with part.open("ab" if have else "wb") as file:
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            if have > MOST_BYTES:
                file.truncate(0)
                raise http.client.HTTPException("the file is far larger than expected")
            if progress:
                progress(have, max(total, have))
        os.fsync(file.fileno())
    if have < total:
        raise ConnectionError(f"{have} of {total} bytes came")
