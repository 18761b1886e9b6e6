"""Files of records that the tests write, each by the format's own definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np

G = 9.80665


def motion(n=3, nt=1500, dt=0.01, seed=0):
    """(n, nt) m/s2: filtered noise under an envelope, with a mean of zero."""
    rng = np.random.default_rng(seed)
    t = np.arange(nt) * dt
    noise = rng.normal(size=(n, nt)) * (t * np.exp(-t / 2))
    acc = np.apply_along_axis(np.convolve, 1, noise, np.hanning(9), "same")
    return acc - acc.mean(axis=1, keepdims=True)


def at2_text(values_g, dt, component="090", header="west2"):
    lines = ["PEER NGA STRONG MOTION DATABASE RECORD"]
    if header == "west2":
        lines += [f"Tabas, Iran, 9/16/1978, Boshrooyeh, {component}"]
        lines += ["ACCELERATION TIME SERIES IN UNITS OF G"]
        lines += [f"NPTS= {len(values_g):6d}, DT= {dt:.5f} SEC"]
    else:
        lines += [f"KERN COUNTY 07/21/52 11:53, TAFT LINCOLN SCHOOL, {component} (USGS 1095)"]
        lines += ["ACCELERATION TIME HISTORY IN UNITS OF G. FILTER POINTS: HP=0.05 Hz LP=20.0 Hz"]
        lines += [f"{len(values_g)} {dt:.4f}    NPTS, DT"]
    for k in range(0, len(values_g), 5):
        lines.append("".join(f"{v:15.7E}" for v in values_g[k : k + 5]))
    return "\n".join(lines) + "\n"


def write_at2_record(folder: Path, stem, acc, dt, names=("000", "090", "-UP")):
    """The files of one record, acc (3, nt) m/s2."""
    paths = []
    for trace, name in zip(acc, names, strict=True):
        path = folder / f"{stem}{name}.AT2"
        path.write_text(at2_text(trace / G, dt, name.lstrip("-_")))
        paths.append(path)
    return paths


def knet_text(counts, direction, scale="3920(gal)/6182761", station="AKT013"):
    """A K-NET file as its format page defines it: 17 lines of header, 8 columns of counts."""
    seconds = len(counts) // 100
    head = f"""Origin Time       2011/03/11 14:46:00
Lat.              38.103
Long.             142.860
Depth. (km)       24
Mag.              9.0
Station Code      {station}
Station Lat.      39.6069
Station Long.     140.3213
Station Height(m) 34
Record Time       2011/03/11 14:46:51
Sampling Freq(Hz) 100Hz
Duration Time(s)  {seconds}
Dir.              {direction}
Scale Factor      {scale}
Max. Acc. (gal)   1.000
Last Correction   2011/03/11 14:46:36
Memo.
"""
    rows = [counts[k : k + 8] for k in range(0, len(counts), 8)]
    return head + "\n".join("".join(f"{int(c):9d}" for c in row) for row in rows) + "\n"


def stream(acc, dt=0.01, channels="ENZ", station="TEST", start=0.0, band="HN"):
    """An obspy stream of acc (n, nt)."""
    import obspy

    begin = obspy.UTCDateTime(2019, 7, 6, 3, 19, 53) + start
    traces = []
    for data, channel in zip(acc, channels, strict=True):
        head = {"network": "XX", "station": station, "location": "00", "delta": dt}
        head |= {"channel": band + channel, "starttime": begin}
        traces.append(obspy.Trace(np.array(data), head))
    return obspy.Stream(traces)


def write_seisbench(folder: Path, records, dt=0.01, *, unit="mps2", order="ZNE", buckets=False):
    """A SeisBench data set of records [(3, nt) m/s2 in the order given]."""
    import h5py
    import pandas as pd

    folder.mkdir(exist_ok=True)
    names = []
    with h5py.File(folder / "waveforms.hdf5", "w") as file:
        if buckets:
            nt = max(r.shape[1] for r in records)
            block = np.zeros((len(records), 3, nt), dtype="f8")
            for i, r in enumerate(records):
                block[i, :, : r.shape[1]] = r
                names.append(f"bucket0${i},:3,:{r.shape[1]}")
            file["data/bucket0"] = block
        else:
            for i, r in enumerate(records):
                file[f"data/trace{i}"] = r
                names.append(f"trace{i}")
        for key, value in {"dimension_order": "CW", "component_order": order}.items():
            file[f"data_format/{key}"] = value
        if unit:
            file["data_format/unit"] = unit
    frame = pd.DataFrame(
        {
            "trace_name": names,
            "trace_sampling_rate_hz": 1 / dt,
            "source_magnitude": 6.0 + 0.1 * np.arange(len(records)),
            "source_depth_km": 12.5,
            "path_hyp_distance_km": 40.0,
            "station_code": "ABC",
        }
    )
    frame.to_csv(folder / "metadata.csv", index=False)
    return folder
