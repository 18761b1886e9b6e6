"""Files of agencies' formats that the tests write, each by the format's own definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def shaking(n=3, nt=6000, dt=0.01, p_s=12.0, s_minus_p_s=4.0, seed=0, noise=2e-4, peak=1.0):
    """(n, nt) m/s2: noise, a P wave from ``p_s``, an S wave later; the vertical comes last."""
    rng = np.random.default_rng(seed)
    t = np.arange(nt) * dt
    p_s = min(p_s, 0.3 * t[-1])
    s_minus_p_s = min(s_minus_p_s, 0.3 * t[-1])

    def wave(onset, length, scale):
        x = np.clip(t - onset, 0, None)
        envelope = scale * (1 - np.exp(-x / 0.05)) * np.exp(-x / length) * (t >= onset)
        return envelope * np.apply_along_axis(
            np.convolve, 1, rng.normal(size=(n, nt)), np.hanning(5) / 2, "same"
        )

    acc = wave(p_s, 4.0, 0.3) + wave(p_s + s_minus_p_s, 6.0, 1.0)
    if n == 3:
        acc[2] *= 0.7
    acc *= peak / np.abs(acc).max()
    return acc + rng.normal(size=(n, nt)) * noise


def dyna_text(acc_m_s2, stream, dt=0.01, unit="cm/s^2", per_unit=100.0, npts=None, **changes):
    """A component of ESM: 64 lines of header, one value a line."""
    header = {
        "EVENT_NAME": "CENTRAL_ITALY", "EVENT_ID": "EMSC-20161030_0000029",
        "EVENT_DATE_YYYYMMDD": "20161030", "EVENT_TIME_HHMMSS": "064018",
        "EVENT_LATITUDE_DEGREE": "42.8322", "EVENT_LONGITUDE_DEGREE": "13.1107",
        "EVENT_DEPTH_KM": "9.2", "HYPOCENTER_REFERENCE": "INGV", "MAGNITUDE_W": "6.5",
        "MAGNITUDE_W_REFERENCE": "RCMT", "MAGNITUDE_L": "6.1", "MAGNITUDE_L_REFERENCE": "INGV",
        "FOCAL_MECHANISM": "Normal faulting", "NETWORK": "IT", "STATION_CODE": "ACC",
        "STATION_NAME": "ACCUMOLI", "STATION_LATITUDE_DEGREE": "42.6960",
        "STATION_LONGITUDE_DEGREE": "13.2420", "STATION_ELEVATION_M": "1", "LOCATION": "",
        "SENSOR_DEPTH_M": "", "VS30_M/S": "696", "SITE_CLASSIFICATION_EC8": "B*",
        "MORPHOLOGIC_CLASSIFICATION": "", "EPICENTRAL_DISTANCE_KM": "18.6",
        "EARTHQUAKE_BACKAZIMUTH_DEGREE": "324.6",
        "DATE_TIME_FIRST_SAMPLE_YYYYMMDD_HHMMSS": "20161030_064009.500",
        "DATE_TIME_FIRST_SAMPLE_PRECISION": "milliseconds", "SAMPLING_INTERVAL_S": f"{dt:.6f}",
        "NDATA": str(len(acc_m_s2) if npts is None else npts),
        "DURATION_S": f"{dt * len(acc_m_s2):.3f}", "STREAM": stream, "UNITS": unit,
        "HEADER_FORMAT": "DYNA 1.2", "DATA_TYPE": "ACCELERATION", "PROCESSING": "none",
    } | changes  # fmt: skip
    lines = [f"{k}: {v}" for k, v in header.items()]
    lines += [f"USER{k}: " for k in range(64 - len(lines))]
    return "\n".join([*lines, *(f"{v * per_unit:.6f}" for v in acc_m_s2)]) + "\n"


def write_dyna(folder: Path, acc, dt=0.01, **changes):
    paths = []
    for data, stream in zip(acc, ("HNE", "HNN", "HNZ"), strict=True):
        path = folder / f"IT.ACC..{stream}.D.20161030.064018.U.ACC.ASC"
        path.write_text(dyna_text(data, stream, dt, **changes))
        paths.append(path)
    return paths


def afad_text(acc_m_s2, dt=0.01, unit="gal", npts=None):
    """acc (3, nt): N-S, E-W, U-D."""
    gal = acc_m_s2 * 100
    peaks = np.abs(gal - gal.mean(axis=1, keepdims=True)).max(axis=1)
    n = acc_m_s2.shape[1] if npts is None else npts
    head = f"""STRONG GROUND MOTION RECORDS OF TURKIYE
PLACE                   : KüTAHYA GEDIZ METEOROLOJI MUDURLUGU
EARTHQUAKE DATE         : 2017/07/20 22:31:09 (GMT)
EPICENTER COORDINATES   : 36.91980N-27.44350E
EARTHQUAKE DEPTH (km)   : 19.44
EARTHQUAKE MAGNITUDE    : 6.5 Mw
STATION ID              : 4804
STATION COORDINATES     : 37.03300N-27.44000E
STATION ALTITUDE (m)    : 735
RECORDER TYPE           : Guralp cmg5td
RECORDER SERIAL NO      : 5B02
RECORD TIME             : 20/07/2017 22:31:01.500000 (GMT)
NUMBER OF DATA          : {n}
SAMPLING INTERVAL (sec) : {dt:g}
RAW PGA VALUES ({unit})    : (N-S) {peaks[0]:.6f} (E-W) {peaks[1]:.6f} (U-D) {peaks[2]:.6f}
Copyright EARTHQUAKE DEPARTMENT
DISASTER AND EMERGENCY MANAGEMENT PRESIDENCY
       N-S          E-W          U-D
"""
    return head + "\n".join("".join(f"{v:13.6f}" for v in row) for row in gal.T) + "\n"


def cosmos_channel(acc_m_s2, azimuth, dt=0.01, unit=4, stage=1, npts=None, stated=None):
    """One channel of COSMOS 1.20, with a block of velocity after it."""
    per_unit = {4: 100.0, 2: 1 / 9.80665, 10: 100.0, 50: 1.0, 5: 100.0}[unit]
    integers = np.full(100, -999)
    integers[[0, 1, 2, 3]] = stage, 1, unit, 120
    integers[[39, 40, 41, 42, 43, 44]] = 2014, 236, 8, 24, 10, 20
    integers[[49, 53]] = 1, azimuth
    reals = np.full(100, -999.0)
    reals[:4] = 38.2, -122.0, 10.0, 400.0
    # counted from 1: 10 latitude, 11 longitude, 12 depth, 13 moment magnitude
    reals[9:13] = 38.215, -122.312, 11.1, 6.02
    reals[[29, 61, 62]] = 38.5, dt * 1000, dt * len(acc_m_s2)
    name = {2: "g", 4: "cm/sec2", 10: "gal", 50: "counts", 5: "cm/sec"}[unit]
    text = ["Uncorrected acceleration data (Format v01.20 with 13 text lines) Src: test"]
    text += ["Record of test", "Hypocenter: test", "Origin: test"]
    text += ["Statn No: 06-000000 Code:NP-1737         El Cerrito"]
    text += [f"line {k}" for k in range(6, 14)]
    lines = [*text, " 100 Integer-header values follow on  10 lines, Format= (10I8)"]
    lines += ["".join(f"{v:8d}" for v in integers[k : k + 10]) for k in range(0, 100, 10)]
    lines += [" 100 Real-header values follow on  20 lines, Format= (5F15.6)"]
    lines += ["".join(f"{v:15.6f}" for v in reals[k : k + 5]) for k in range(0, 100, 5)]
    lines += ["   2 Comment line(s) follow, each starting with a |", "| one", "| two"]
    n = len(acc_m_s2) if npts is None else npts
    lines += [
        f"{n:8d} acceleration pts, approx {dt * n:.0f} secs, "
        f"units={name} ({stated or unit:02d}),Format={'(10I8)' if unit == 50 else '(8F10.4)'}"
    ]
    x = acc_m_s2 * per_unit
    if unit == 50:
        lines += ["".join(f"{int(v):8d}" for v in x[k : k + 10]) for k in range(0, len(x), 10)]
    else:
        lines += ["".join(f"{v:10.4f}" for v in x[k : k + 8]) for k in range(0, len(x), 8)]
    lines += [f"{4:8d} velocity     pts, approx 0 secs, units=cm/sec (05),Format=(8F10.4)"]
    lines += ["".join(f"{v:10.4f}" for v in (1, 2, 3, 4)), "End-of-data for Chan 1"]
    return "\n".join(lines) + "\n"


#: 100 integers and 50 reals of a volume 1.
_HEADERS = "\n".join(
    [" -999" * k for k in (*[16] * 6, 4)] + [" -999.0000" * k for k in (*[8] * 6, 2)]
)


def csmip_channel(acc_m_s2, direction, dt=0.01, unit="g", npts=None):
    """One channel of a CSMIP volume 1 as CESMD wrote them in 2019."""
    per_unit = {"g": 1 / 9.80665, "cm/sec2": 100.0}[unit]
    n = len(acc_m_s2) if npts is None else npts
    head = f"""Uncorrected Accelerogram Data             Processed: 07/06/19, CGS  ciclc--f
Rcrd of Fri Jul  5, 2019 20:16:08.0 PDT               (Avol1 v2.0, 4/18 CSMIP)
                                        (Origin:  To be determined)
38457487.CI.CLC.--.HN                Start time:  7/06/19, 03:16: 8.0 UTC (GPS)
Station Id. CLC     35.816N, 117.598W    Q330    s/n 4323  (3 Chns of  3 at Sta)
China Lake, G2 Tower Rd.                 SCSN   Data: Acceleration
Chan  1: {direction}
Units of uncor data are sec and g.
{_HEADERS}
{n:6d} Accelerogram points at {1 / dt:g} pts/sec in units of {unit}.       Format: (8f9.6)
"""
    x = acc_m_s2 * per_unit
    rows = ["".join(f"{v:9.6f}" for v in x[k : k + 8]) for k in range(0, len(x), 8)]
    return head + "\n".join(rows) + "\n"


def write_asdf(path: Path, acc, *, counts_per_m_s2=None, level=None, unit=None, dt=0.01):
    """Three traces of one station and event, as gmprocess lays them out.

    level : what the station's description says of unprocessed traces; unit : in the provenance of
    processed ones.
    """
    import io
    import json

    import h5py
    import obspy
    from obspy.core.event import Catalog, Event, Magnitude, Origin, ResourceIdentifier
    from obspy.core.inventory import Channel, Inventory, Network, Response, Station
    from obspy.core.inventory.response import InstrumentSensitivity

    start = obspy.UTCDateTime(2014, 8, 24, 10, 20, 38)
    time = obspy.UTCDateTime(2014, 8, 24, 10, 20, 44)
    event = Event(resource_id=ResourceIdentifier("smi:local/nc72282711"))
    event.origins = [Origin(time=time, latitude=38.215, longitude=-122.312, depth=11120.0)]
    event.magnitudes = [Magnitude(mag=6.02, magnitude_type="mw")]
    sensitivity = InstrumentSensitivity(
        counts_per_m_s2 or 1.0, 1.0, input_units="M/S**2", output_units="COUNTS"
    )
    channels = [
        Channel(f"HN{c}", "", 38.2, -122.0, 0, 0, azimuth=a, response=Response("", sensitivity))
        for c, a in zip("ENZ", (90.0, 0.0, 0.0), strict=True)
    ]
    description = json.dumps({"standard": {"process_level": level}}) if level else None
    station = Station("1737", 38.2, -122.0, 0, channels, description=description)
    xml = io.BytesIO()
    Inventory([Network("NP", [station])]).write(xml, "STATIONXML")
    quakes = io.BytesIO()
    Catalog([event]).write(quakes, "QUAKEML")
    tag = "nc72282711_unprocessed" if level else "nc72282711_default"
    with h5py.File(path, "w") as file:
        file.attrs["file_format"], file.attrs["file_format_version"] = b"ASDF", b"1.0.3"
        file["QuakeML"] = np.frombuffer(quakes.getvalue(), dtype="i1")
        group = file.create_group("Waveforms/NP.1737")
        group["StationXML"] = np.frombuffer(xml.getvalue(), dtype="i1")
        for trace, letter in zip(acc, "ENZ", strict=True):
            name = f"NP.1737..HN{letter}"
            if counts_per_m_s2:
                trace = np.round(trace * counts_per_m_s2).astype("i4")
            group[f"{name}__2014-08-24T10:20:38__2014-08-24T10:21:38__{tag}"] = trace
            data = group[f"{name}__2014-08-24T10:20:38__2014-08-24T10:21:38__{tag}"]
            data.attrs["event_id"] = b"nc72282711"
            data.attrs["sampling_rate"] = 1 / dt
            data.attrs["starttime"] = np.int64(start.ns)
            if unit:
                text = f"<seis_prov:output_units>{unit}</seis_prov:output_units>".encode()
                file[f"Provenance/{name}_{tag}"] = np.frombuffer(text, dtype="i1")
    return path
