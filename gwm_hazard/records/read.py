"""A record of ground motion, and the way in to every format that records are read from."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gwm_hazard.errors import InputError
from gwm_hazard.records.formats import FORMATS, beside, detect
from gwm_hazard.records.record import Failure, Options, Record, Source, _unreadable


def scan(
    paths: str | Path | Iterable[str | Path],
    format: str | None = None,
    *,
    unit: str | None = None,
    dt_s: float | None = None,
    inventory: str | Path | None = None,
    components: Mapping[str, str] | None = None,
    columns: Sequence[str] = (),
) -> list[Source | Failure]:
    """Find the records in files: formats by content, the files of one record put together.

    Parameters are those of `read_records`. The sources stand in the order of the first file of
    each; a file that cannot be told is a `Failure` in that order. Waveforms are not read yet.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    options = Options(
        unit,
        dt_s,
        Path(inventory) if inventory is not None else None,
        dict(components or {}),
        tuple(columns),
    )
    return sources([Path(p) for p in given], format, options)


def sources(paths: Sequence[Path], format: str | None, options: Options) -> list[Source | Failure]:
    """What `scan` finds, with what the user tells of the files in ``options``."""
    files = list(dict.fromkeys(paths))  # a file given twice is read once
    if format is not None and format not in FORMATS:
        raise InputError(f"format = {format!r}: give one of {', '.join(FORMATS)}")
    found: list[tuple[int, Source | Failure]] = []
    by_format: dict[str, list[Path]] = {}
    order = {path: i for i, path in enumerate(files)}
    for path in files:
        try:
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise InputError(f"{path}: neither a file nor a folder, but a device or a pipe")
            if format is None and (what := beside(path)) is not None:
                failure = Failure(str(path), f"{path}: {what}, no record", aside=True)
                found.append((order[path], failure))
                continue
            by_format.setdefault(format or detect(path), []).append(path)
        except Exception as exc:
            found.append((order[path], _unreadable(str(path), exc)))
    for name, members in by_format.items():
        reader = importlib.import_module(FORMATS[name])
        for item in _scan(reader, members, options):
            first = Path(item.record_id) if isinstance(item, Failure) else item.paths[0]
            found.append((order[first], item))
    # stable: records of one file keep the reader's order
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def _scan(reader: Any, members: list[Path], options: Options) -> list[Source | Failure]:
    try:
        return cast("list[Source | Failure]", reader.scan(members, options))
    except Exception as exc:
        if len(members) == 1:
            return [_unreadable(str(members[0]), exc)]
        return [item for path in members for item in _scan(reader, [path], options)]


def read_records(
    paths: str | Path | Iterable[str | Path],
    format: str | None = None,
    *,
    unit: str | None = None,
    dt_s: float | None = None,
    inventory: str | Path | None = None,
    components: Mapping[str, str] | None = None,
    columns: Sequence[str] = (),
    on_failure: Callable[[Failure], None] | None = None,
) -> Iterator[Record]:
    """Records of files, one at a time; a file larger than the memory is read in blocks.

    Parameters
    ----------
    paths : file, SeisBench folder, or several; components of one record in several files (PEER
        AT2, SAC, K-NET) are put together when their files are given together
    format : one of `FORMATS`; by default found by content
    unit : acceleration unit of the samples, for files that do not tell it (miniSEED, SAC, plain
        text without units): m/s2, cm/s2 or gal, mm/s2, nm/s2, g, %g, mg
    dt_s : time step of text files without a time column, s
    inventory : StationXML (or what obspy reads) whose sensitivity turns counts into m/s2
    components : what components are, by their names in the files: H1, H2, N, E, an azimuth of three
        digits, Z, or "-" for one that is left out
    columns : names of the columns of text files that do not name them, in their order
    on_failure : called with what cannot be read; by default the first one raises

    Raises
    ------
    ValueError
        A record that cannot be read, when ``on_failure`` is not given; the message names the
        file, the line where there is one, and the remedy.
    """

    def failed(failure: Failure) -> None:
        if on_failure is None:
            raise InputError(str(failure))
        on_failure(failure)

    sources = scan(paths, format, unit=unit, dt_s=dt_s, inventory=inventory,
                   components=components, columns=columns)  # fmt: skip
    for source in sources:
        for item in [source] if isinstance(source, Failure) else source:
            if isinstance(item, Failure):
                failed(item)
            else:
                yield item
