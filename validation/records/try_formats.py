"""Every record file of a folder: read or refused, and held against its own header.

    python validation/records/try_formats.py FOLDER [UNIT]

A line a format: files, records read, peaks within 2.5 % of what headers tell, hypocentres and
magnitudes that stand as numbers in the header, and the reasons of what was refused. Numbers of a
header are taken from its text without the reader: any number, and degrees, minutes and seconds.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from gwm_hazard.records.find import find_files
from gwm_hazard.records.formats import detect
from gwm_hazard.records.read import scan
from gwm_hazard.records.record import Failure, Record

WITHIN = 0.025
PLACE = ("event_lat", "event_lon", "hypo_depth", "mag")
#: Lines in which a header may tell the event, of any channel of a text file.
HEADER_LINES = 100


def header_numbers(path: Path) -> list[float]:
    """Absolute values of the numbers in the header of a text file; empty for a binary one."""
    raw = path.read_bytes()[:20000]
    if b"\0" in raw:
        return []
    text = "\n".join(raw.decode("latin-1").splitlines()[:HEADER_LINES])
    found = [abs(float(n)) for n in re.findall(r"\d+\.?\d*(?:[Ee][+-]\d+)?|\.\d+", text)]
    degrees = re.findall(r"(\d{1,3}) +(\d{1,2}) +(\d{1,2}) ?[NSEW]\b", text)
    return found + [int(d) + int(m) / 60 + int(s) / 3600 for d, m, s in degrees]


def as_told(record: Record, numbers: list[float]) -> bool:
    """Whether all that is known of the hypocentre stands in the header."""
    told = [abs(float(record.metadata[k])) for k in PLACE if k in record.metadata]
    return all(any(abs(n - v) < 1e-3 for n in numbers) for v in told)


def main(folder: Path, unit: str | None = None) -> None:
    """Print the table; ``unit`` is that of files that tell none, as counts."""
    files: Counter[str] = Counter()
    read: Counter[str] = Counter()
    peaks: dict[str, list[bool]] = defaultdict(list)
    places: dict[str, list[bool]] = defaultdict(list)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    aside: Counter[str] = Counter()
    for group in find_files([folder]):
        with group:
            formats: dict[Path, str] = {}
            for path in group.files:
                try:
                    formats[path] = detect(path)
                    files[formats[path]] += 1
                except ValueError:
                    continue
            for source in scan(group.files, unit=unit):
                paths = [Path(source.record_id)] if isinstance(source, Failure) else source.paths
                name = formats.get(paths[0], "unknown")
                for item in [source] if isinstance(source, Failure) else source:
                    if isinstance(item, Failure):
                        if item.aside:
                            aside[paths[0].suffix] += 1
                            continue
                        reason = re.sub(r"^(\S*/\S*:?,? ?)+", "", str(item)).strip(": ")
                        reasons[name][reason[:110]] += 1
                        continue
                    read[name] += 1
                    if (ratio := item.metadata.get("pga_to_header")) is not None:
                        peaks[name].append(abs(float(ratio) - 1) <= WITHIN)
                        if not peaks[name][-1]:
                            reasons[name][f"peak {ratio} of the header: {paths[0].name}"] += 1
                    if any(k in item.metadata for k in PLACE) and (n := header_numbers(paths[0])):
                        places[name].append(as_told(item, n))
    print(
        f"{'format':10s} {'files':>6s} {'records':>8s} {'PGA in 2.5 %':>13s} {'hypocentre, M':>14s}"
    )
    for name in sorted({*files, *read, *reasons}):
        of = [f"{sum(x)}/{len(x)}" if x else "-" for x in (peaks[name], places[name])]
        print(f"{name:10s} {files[name]:6d} {read[name]:8d} {of[0]:>13s} {of[1]:>14s}")
        for reason, number in reasons[name].most_common(12):
            print(f"{number:17d} x {reason}")
    if aside:
        print("beside them: " + ", ".join(f"{n} {s or 'without suffix'}" for s, n in aside.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
