"""Downloads that go on where they stopped, known by their checksum from the first one on."""

from __future__ import annotations

import hashlib
import json
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from gwm_hazard.errors import ModelError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.models.weights import file_sha256

#: Beside the downloads: name -> SHA-256 when first downloaded.
CHECKSUMS_FILE = "checksums.json"
_CHUNK = 1 << 20
_TIMEOUT_S = 60.0
#: A member may be this many times as large as its compressed form: weights hardly compress.
_LARGEST_RATIO = 10

Progress = Callable[[float], None]


def download(
    url: str, path: Path, *, md5: str | None = None, progress: Progress | None = None
) -> Path:
    """Download a file, or go on with it; a complete one is only checked.

    What has arrived stays in ``path`` + ".part". The SHA-256 is recorded beside it at the first
    download; the same name never stands for other content afterwards.

    Parameters
    ----------
    url : str
        http or https.
    path : Path
        The file to write.
    md5 : str, optional
        As published.
    progress : callable, optional
        Called with the share done, 0 to 1.

    Raises
    ------
    ModelError
        A content that is not the published one, or not the one recorded before.
    OSError
        No connection, or one that broke: call again to go on.
    """
    if not url.startswith(("http://", "https://")):
        raise ModelError(f"url {url!r}: give an http or https address")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        _receive(url, part, progress)
        if md5 is not None and (found := _md5(part)) != md5:
            part.unlink()
            raise ModelError(
                f"{url}: MD5 {found} is not the published {md5}; the download was removed"
            )
        part.rename(path)
    _record(path)
    return path


def extract(archive: Path, members: Sequence[str], folder: Path) -> list[Path]:
    """Take files out of a zip archive by the end of their names, in the order given.

    Raises
    ------
    ModelError
        Not a zip archive, a member that is missing, ambiguous, damaged or suspiciously large.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            return [_extract(source, archive, member, folder) for member in members]
    except zipfile.BadZipFile as exc:
        raise ModelError(
            f"{archive}: damaged, or not a zip archive ({exc}); delete it and fetch again"
        ) from exc


def _extract(source: zipfile.ZipFile, archive: Path, member: str, folder: Path) -> Path:
    found = [i for i in source.infolist() if f"/{i.filename}".endswith(f"/{member}")]
    if len(found) != 1:
        raise ModelError(f"{archive}: {len(found)} files {member!r} inside, expected one")
    (info,) = found
    if info.file_size > _LARGEST_RATIO * max(info.compress_size, 1):
        raise ModelError(
            f"{archive}: refused, {info.filename!r} would grow from {info.compress_size} to "
            f"{info.file_size} bytes"
        )
    path = folder / Path(member).name
    with (
        source.open(info) as compressed,  # reads no further than the announced size
        replacing(path) as temporary,
        temporary.open("wb") as plain,
    ):
        shutil.copyfileobj(compressed, plain, _CHUNK)
    return path


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Append to ``part`` what it lacks of the file."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            resumed = answer.status == 206
            have = have if resumed else 0  # a server without ranges sends everything again
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else 0
            with part.open("ab" if resumed else "wb") as file:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    if progress and total:
                        progress(have / total)
    except urllib.error.HTTPError as exc:
        if exc.code == 416 and have:  # nothing is missing; the checksum decides
            return
        raise OSError(f"{url}: the server answers {exc.code} {exc.reason}") from exc
    except OSError as exc:  # urllib's URLError among them
        reason = getattr(exc, "reason", None) or exc
        raise OSError(f"{url}: no connection, or it broke ({reason})") from exc
    if total and have != total:
        raise OSError(f"{url}: {have} of {total} bytes arrived; fetch again to go on")


def _record(path: Path) -> None:
    """Hold a file against the checksum recorded at its first use, or record it."""
    record = path.parent / CHECKSUMS_FILE
    try:
        known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    except ValueError as exc:
        raise ModelError(f"{record}: not readable ({exc}); delete it") from exc
    found = file_sha256(path)
    if known.get(path.name, found) != found:
        raise ModelError(
            f"{path}: SHA-256 {found} is not {known[path.name]}, recorded at its first download; "
            f"delete it and fetch again, or its line in {record} if the change is meant"
        )
    if path.name not in known:
        with replacing(record) as temporary:
            temporary.write_text(json.dumps(known | {path.name: found}, indent=1) + "\n")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
