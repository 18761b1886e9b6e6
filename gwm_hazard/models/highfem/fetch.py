"""The published weights of HighFEM: where they are, and how to get them."""

from __future__ import annotations

from pathlib import Path

from gwm_hazard.models.fetch import Progress, download, extract

#: Software and weights, version of 24 July 2025; 3.6 GB, MD5 as the record states it.
RECORD = "https://zenodo.org/records/16405538"
ARCHIVE = "tqdne-0.2.1.zip"
MD5 = "cb33aedbeed03d63b6ecbb65aa1704d0"
MEMBERS = ("weights/edm.ckpt", "weights/autoencoder.ckpt")


def fetch(folder: Path, *, url: str | None = None, progress: Progress | None = None) -> list[Path]:
    """Download the archive with the weights and take the two checkpoints out of it.

    Parameters
    ----------
    folder : Path
        Where the archive and the checkpoints go; an interrupted download goes on from there.
    url : str, optional
        Another archive with ``weights/edm.ckpt`` and ``weights/autoencoder.ckpt`` inside; by
        default that of the published record.
    progress : callable, optional
        Called with the share done, 0 to 1.

    Returns
    -------
    list of Path
        edm.ckpt, autoencoder.ckpt: what the importer takes.

    Raises
    ------
    ModelError
        An archive that is not the published one.
    OSError
        No connection; the message says how to do without.
    """
    address = url or f"{RECORD}/files/{ARCHIVE}"
    name = address.partition("?")[0].rstrip("/").rpartition("/")[2]
    try:
        archive = download(address, folder / name, md5=None if url else MD5, progress=progress)
    except OSError as exc:
        raise OSError(
            f"{exc}; what arrived is kept, the same command goes on. Without a connection: "
            f"download {ARCHIVE} of {RECORD} elsewhere, take {' and '.join(MEMBERS)} out of it, "
            "and run `gwm-hazard models import highfem edm.ckpt autoencoder.ckpt`"
        ) from exc
    return extract(archive, MEMBERS, folder)
