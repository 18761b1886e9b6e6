"""Archives: what is in them comes out, and nothing else happens."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from gwm_hazard.records.archives import Limits, expand, is_archive


def tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def found(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path, mode):
    path = tar(tmp_path / "a.data", {"x/a.EW": b"one" * 99, "./b.NS": b"two"}, mode)
    assert is_archive(path)
    out = tmp_path / "out"
    expand(path, out)
    assert found(out) == {"x/a.EW": b"one" * 99, "b.NS": b"two"}


def test_zip_and_gzip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a.ASC", "one")
    (tmp_path / "b.EW.gz").write_bytes(gzip.compress(b"two"))
    for name in ("a.zip", "b.EW.gz"):
        assert is_archive(tmp_path / name)
        expand(tmp_path / name, tmp_path / "out")
    assert found(tmp_path / "out") == {"x/a.ASC": b"one", "b.EW": b"two"}
    assert not is_archive(tmp_path) and not is_archive(tmp_path / "out/b.EW")


def test_archives_in_archives_as_nied_packs_them(tmp_path):
    inner = tar(tmp_path / "i.tar.gz", {"AKT013.EW": b"1", "AKT013.ps.gz": gzip.compress(b"%!PS")})
    outer = tar(tmp_path / "o.tar", {"knet/20110311.tar.gz": inner.read_bytes()}, "w")
    expand(outer, tmp_path / "out")
    assert set(found(tmp_path / "out")) == {
        "knet/20110311.tar.gz.d/AKT013.EW",
        "knet/20110311.tar.gz.d/AKT013.ps.gz",
    }
    for k in range(4):
        outer = tar(tmp_path / f"deep{k}.tar", {"x.tar": outer.read_bytes()}, "w")
    with pytest.raises(ValueError, match="archives in archives, 4 deep"):
        expand(outer, tmp_path / "deep")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "x/../../evil", "C:\\evil", "..\\evil"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    path = tar(tmp_path / "a.tar", {name: b"evil"}, "w")
    with pytest.raises(ValueError, match="leads out of the archive"):
        expand(path, tmp_path / "in" / "out")
    assert not list(tmp_path.rglob("*evil*"))


def test_links_and_devices_are_passed_over(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind!r}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    try:
        expand(path, tmp_path / "out")
    except ValueError as exc:
        assert "not readable" in str(exc)  # a hard link to what the archive does not hold
    assert not (tmp_path / "out").exists()


def test_bombs_are_stopped(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"x" * 50_000_000))
    limits = Limits(file_bytes=1_000_000)
    with pytest.raises(ValueError, match="more than 1,000,000 bytes"):
        expand(tmp_path / "bomb.gz", tmp_path / "out", limits)
    written = sum(map(len, found(tmp_path / "out").values()))
    assert written <= 1_100_000
    many = tar(tmp_path / "many.tar", {f"f{k}": b"x" * 1000 for k in range(50)})
    with pytest.raises(ValueError, match="more than 20,000 bytes"):
        expand(many, tmp_path / "out2", Limits(total_bytes=20_000))
    with pytest.raises(ValueError, match="more than 10 files"):
        expand(many, tmp_path / "out3", Limits(files=10))


@pytest.mark.parametrize("keep", [0.02, 0.4, 0.9])
@pytest.mark.parametrize("kind", ["tar", "zip", "gz"])
def test_damaged_archives(tmp_path, keep, kind):
    import os

    content = os.urandom(20000)
    path = tmp_path / f"a.{kind}"
    if kind == "tar":
        tar(path, {"a": content, "b": content})
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", content)
    else:
        path.write_bytes(gzip.compress(content))
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    assert is_archive(path)
    with pytest.raises(ValueError, match=f"a.{kind}: "):
        expand(path, tmp_path / "out")
