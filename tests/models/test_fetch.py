"""Downloads from a server on this machine: whole, broken off, changed, not there."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from gwm_hazard.cli.models import models
from gwm_hazard.errors import ModelError
from gwm_hazard.models.fetch import download, extract
from gwm_hazard.models.highfem.fetch import MD5, RECORD, fetch

CONTENT = bytes(range(256)) * 20000  # 5 MB


class Server:
    """Serves ``content``; breaks off after ``limit`` bytes; notes the ranges asked for."""

    def __init__(self):
        self.content, self.limit, self.ranges, self.asked = CONTENT, None, True, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/files/archive.zip"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request):
        asked = request.headers.get("Range")
        self.asked.append(asked)
        if "missing" in request.path:
            request.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start >= len(self.content):
            request.send_error(416)
            return
        body = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.limit])


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_whole(server, tmp_path):
    shares = []
    path = download(server.url, tmp_path / "new" / "a.zip", progress=shares.append)
    assert path.read_bytes() == CONTENT
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    known = json.loads((tmp_path / "new" / "checksums.json").read_text())
    assert known == {"a.zip": sha256(CONTENT)}
    download(server.url, path)
    assert len(server.asked) == 1  # a complete file is not fetched again


def test_goes_on_where_it_stopped(server, tmp_path):
    server.limit = 3_000_000
    with pytest.raises(OSError, match=r"broke|3000000 of 5120000 bytes arrived; fetch again"):
        download(server.url, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
    have = (tmp_path / "a.zip.part").stat().st_size
    assert have > 0
    server.limit = None
    download(server.url, tmp_path / "a.zip", md5=hashlib.md5(CONTENT).hexdigest())
    assert server.asked == [None, f"bytes={have}-"]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert not (tmp_path / "a.zip.part").exists()


def test_server_without_ranges(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(b"left from before")
    server.ranges = False
    assert download(server.url, tmp_path / "a.zip").read_bytes() == CONTENT


def test_nothing_was_missing(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    assert download(server.url, tmp_path / "a.zip").read_bytes() == CONTENT


def test_not_the_published_content(server, tmp_path):
    with pytest.raises(ModelError, match=r"MD5 .* is not the published 0000"):
        download(server.url, tmp_path / "a.zip", md5="0000")
    assert list(tmp_path.iterdir()) == []


def test_changed_since_its_first_use(server, tmp_path):
    path = download(server.url, tmp_path / "a.zip")
    path.unlink()
    server.content = b"other"
    with pytest.raises(ModelError, match=f"{sha256(b'other')} is not {sha256(CONTENT)}"):
        download(server.url, path)


def test_not_there(server, tmp_path):
    with pytest.raises(OSError, match="the server answers 404"):
        download(server.url.replace("archive", "missing"), tmp_path / "a.zip")
    with pytest.raises(ModelError, match="give an http or https address"):
        download("file:///etc/hostname", tmp_path / "a.zip")


def archive(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"tqdne-0.2.1/weights/{name}.ckpt", data)
    return out.getvalue()


def test_members(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(archive(edm=b"abc", autoencoder=b"de"))
    paths = extract(path, ["weights/edm.ckpt", "weights/autoencoder.ckpt"], tmp_path)
    assert [p.read_bytes() for p in paths] == [b"abc", b"de"]
    assert [p.parent for p in paths] == [tmp_path, tmp_path]
    with pytest.raises(ModelError, match=r"0 files 'weights/other.ckpt' inside"):
        extract(path, ["weights/other.ckpt"], tmp_path)


def test_bad_archives(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(archive(edm=b"\0" * 10**7))
    with pytest.raises(ModelError, match=r"would grow from \d+ to 10000000 bytes"):
        extract(path, ["weights/edm.ckpt"], tmp_path)
    whole = archive(edm=bytes(range(256)) * 10)
    for damaged in (whole[:50], whole.replace(b"\x10\x11\x12", b"\x10\x10\x12")[:-30]):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="damaged, or not a zip archive"):
            extract(path, ["weights/edm.ckpt"], tmp_path)
    assert not (tmp_path / "edm.ckpt").exists()


def test_the_published_address(tmp_path, monkeypatch):
    """The default is the published record with its checksum; nothing is downloaded here."""
    asked = {}

    def stand_in(url, path, *, md5, progress):
        asked.update(url=url, md5=md5)
        path.write_bytes(archive(edm=b"abc", autoencoder=b"de"))
        return path

    monkeypatch.setattr("gwm_hazard.models.highfem.fetch.download", stand_in)
    assert [p.name for p in fetch(tmp_path)] == ["edm.ckpt", "autoencoder.ckpt"]
    assert asked == {"url": f"{RECORD}/files/tqdne-0.2.1.zip", "md5": MD5}


def test_offline(tmp_path):
    args = ["fetch", "highfem", "--url", "http://127.0.0.1:9/a.zip", "--downloads", str(tmp_path)]
    found = CliRunner().invoke(models, args)
    assert isinstance(found.exception, OSError)
    message = str(found.exception)
    assert "no connection" in message
    assert RECORD in message
    assert "models import highfem edm.ckpt autoencoder.ckpt" in message


def test_fetch_and_import(server, tmp_path, shared):
    folder = shared / "reference/highfem"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    names = ("edm", "autoencoder")
    server.content = archive(**{n: (folder / f"{n}_small.ckpt").read_bytes() for n in names})
    out = tmp_path / "model"
    args = ["fetch", "highfem", "--url", server.url, "--downloads", str(tmp_path / "d"), "-o"]
    found = CliRunner().invoke(models, [*args, str(out), "--option", "weights=ema"])
    assert found.exit_code == 0, found.output
    assert json.loads((out / "card.json").read_text())["parameters"]["averaging"] == "ema"
    assert (tmp_path / "d" / "archive.zip").exists()
