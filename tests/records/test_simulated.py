"""Readers of simulated motions: closed forms written in each format, and published outputs."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid
from scipy.signal import butter, resample_poly, sosfiltfilt

from gwm_hazard.errors import InputError
from gwm_hazard.records.formats import detect
from gwm_hazard.records.low_frequency import read_simulations
from gwm_hazard.records.simulated import acceleration, quantity_of

DT, NT = 0.1, 400
T = DT * np.arange(NT)
#: A pulse and what it is of: displacement in m of north, east and up, and its derivatives.
W, AT = 1.5, np.array([14.0, 16.0, 18.0])[:, None]
X = (T - AT) / W
SCALE = np.array([0.02, 0.03, 0.01])[:, None]
DISPLACEMENT = SCALE * np.exp(-0.5 * X**2)
VELOCITY = -X / W * DISPLACEMENT
ACCELERATION = (X**2 - 1.0) / W**2 * DISPLACEMENT


def table(path: Path, header: str, columns: np.ndarray, t: np.ndarray = T) -> Path:
    rows = "\n".join(" ".join(f"{v:.9e}" for v in row) for row in np.vstack([t, columns]).T)
    path.write_text(header + rows + "\n")
    return path


def bbp(path: Path, columns: np.ndarray, unit: str | None = "cm/s") -> Path:
    label = f"#  time(sec)  N-S({unit})  E-W({unit})  U-D({unit})\n" if unit else ""
    return table(path, "# Sim NGAH, stat=s01\n" + label, columns)


def grm(path: Path, columns: np.ndarray, variations: int = 1, flags: int = 7) -> Path:
    data = b""
    for variation in range(variations):
        data += struct.pack(
            "<8s8s8s3if2i2f", b"12.10", b"USC", b"", 124, 261, variation, DT, NT, flags, 1.0, -1.0
        )
        data += (columns * (1 + variation)).astype("<f4").tobytes()
    path.write_bytes(data)
    return path


def sw4(path: Path, columns: np.ndarray, names: tuple[str, ...] = ("X", "Y", "Z")) -> Path:
    lines = ["Author: SW4", "Scenario: test", "Station: sta01", "nColumns: 4", "Column 1: Time (s)"]
    lines += [f"Column {k + 2}: {n} displacement (m)" for k, n in enumerate(names)]
    return table(path, "".join(f"# {line}\n" for line in lines), columns)


def near(low, want: np.ndarray = ACCELERATION, rtol: float = 2e-3) -> bool:
    return bool(np.abs(low.acceleration[0] - want).max() < rtol * np.abs(want).max())


def test_bbp_takes_the_quantity_from_its_name(tmp_path):
    velocity = bbp(tmp_path / "s01.vel.bbp", 100 * VELOCITY)
    # the label of these says cm/s, as in files that exist
    site = bbp(tmp_path / "s01-lf-site.bbp", 100 * ACCELERATION)
    low, (record,) = read_simulations(velocity, valid_hz=1.0)
    assert near(low)
    assert record.metadata["quantity"] == "velocity"
    assert record.metadata["orientation"] == "H1 north, H2 east, up"
    assert near(read_simulations(site, valid_hz=1.0)[0])
    assert detect(velocity) == "bbp"


def test_bbp_is_not_believed_where_only_its_label_says_velocity(tmp_path):
    path = bbp(tmp_path / "s01-lf.bbp", 100 * VELOCITY)
    with pytest.raises(InputError, match=r"s01-lf.bbp.*--unit"):
        read_simulations(path, valid_hz=1.0)
    assert near(read_simulations(path, valid_hz=1.0, unit="cm/s")[0])
    liar = bbp(tmp_path / "s01.vel.bbp", 100 * VELOCITY, "cm/s/s")
    with pytest.raises(InputError, match=r"says cm/s and cm/s2"):
        read_simulations(liar, valid_hz=1.0)


def test_cybershake_has_a_motion_a_variation_and_tells_its_frequency(tmp_path):
    east_first = 100 * VELOCITY[[1, 0, 2]]
    low, records = read_simulations(grm(tmp_path / "a.grm", east_first, 2))
    assert (len(low), low.valid_hz, records[1].record_id) == (2, 1.0, "USC.124.261.1")
    assert near(low)
    assert np.allclose(low.acceleration[1], 2 * low.acceleration[0], rtol=1e-4, atol=1e-7)
    with pytest.raises(InputError, match=r"fc = 2 Hz: .* right up to 1 Hz"):
        read_simulations(tmp_path / "a.grm", valid_hz=2.0)


def test_cybershake_without_a_vertical_says_so(tmp_path, caplog):
    low, _ = read_simulations(grm(tmp_path / "a.grm", 100 * VELOCITY[[1, 0]], flags=3))
    assert "no vertical was simulated" in caplog.text
    assert np.array_equal(low.acceleration[0, 2], low.acceleration[0, 0])


def test_a_cut_grm_is_refused(tmp_path):
    path = grm(tmp_path / "a.grm", 100 * VELOCITY, 2)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"variation 1 .*damaged"):
        read_simulations(path)


def test_sw4_is_turned_up(tmp_path):
    down = DISPLACEMENT * np.array([[1.0], [1.0], [-1.0]])
    low, (record,) = read_simulations(sw4(tmp_path / "sta01.txt", down), valid_hz=1.0)
    assert near(low)
    assert "turned from Z down" in str(record.metadata["orientation"])
    named = sw4(tmp_path / "b.txt", DISPLACEMENT[[1, 0, 2]], ("East-west", "North-south", "Up"))
    assert near(read_simulations(named, valid_hz=1.0)[0])


@pytest.mark.parametrize(
    ("suffix", "samples"),
    [("semd", DISPLACEMENT), ("semv", VELOCITY), ("sema", ACCELERATION)],
)
def test_specfem_puts_components_together(tmp_path, suffix, samples):
    paths = [
        table(tmp_path / f"DB.X20.MX{letter}.{suffix}", "", row[None], T - 1.2)
        for letter, row in zip("YXZ", samples, strict=True)
    ]
    low, (record,) = read_simulations(paths, valid_hz=1.0)
    assert near(low)
    assert low.origin_s is not None and low.origin_s[0] == -1.2
    assert record.metadata["station"] == "X20"


def test_sac_points_up_whatever_its_header_says(tmp_path):
    obspy = pytest.importorskip("obspy")
    paths = []
    for channel, azimuth, inclination, row in (
        ("BHN", 0, 90, VELOCITY[0]), ("BHE", 90, 90, VELOCITY[1]), ("BHZ", 0, 180, -VELOCITY[2]),
    ):  # fmt: skip
        header = {"station": "S1", "channel": channel, "delta": DT}
        trace = obspy.Trace(row.astype(np.float32), header)
        trace.stats.sac = {"cmpaz": azimuth, "cmpinc": inclination}
        paths.append(tmp_path / f"{channel}.sac")
        trace.write(str(paths[-1]), format="SAC")
    with pytest.raises(InputError, match="--unit"):
        read_simulations(paths, valid_hz=1.0)
    assert near(read_simulations(paths, valid_hz=1.0, unit="m/s")[0])


def test_what_nobody_tells_is_asked_for(tmp_path):
    path = bbp(tmp_path / "s01.acc.bbp", 100 * ACCELERATION)
    with pytest.raises(InputError, match=r"--fc"):
        read_simulations(path)
    with pytest.raises(InputError, match=r"'furlongs' is not one of"):
        read_simulations(path, valid_hz=1.0, unit="furlongs")
    other = table(tmp_path / "b.acc.bbp", "", 100 * ACCELERATION, 2 * T)
    with pytest.raises(InputError, match=r"time step 0.2 s"):
        read_simulations([path, other], valid_hz=1.0)


def test_units_tell_quantities():
    assert [quantity_of(u) for u in ("cm/s", "m", "mm/sec")] == [(1, 0.01), (2, 1.0), (1, 1e-3)]
    assert quantity_of("gal") == (0, 0.01)
    wave = np.sin(2 * np.pi * T)  # ten samples a period
    error = acceleration(wave, DT, "m/s") - 2 * np.pi * np.cos(2 * np.pi * T)
    assert np.abs(error[20:-20]).max() < 1e-2


def test_bbp_merge_is_rebuilt_from_its_parts(shared):
    """Section 6 of the reference: 4th order, two passes, corners that cross at -3 dB at 1 Hz."""
    folder = shared / "reference" / "broadband" / "examples"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")

    def read(name, **keywords):
        return read_simulations(folder / name, valid_hz=1.0, **keywords)[0]

    low, high = read("s01-lf-site.bbp.gz"), read("s01-hf-site.bbp.gz")
    theirs = np.loadtxt(folder / "s01.merged.bbp.gz", comments="#").T[1:]  # cm/s
    n, dt = high.acceleration.shape[2], high.dt_s
    k = (np.sqrt(2.0) - 1.0) ** 0.125
    long = np.zeros((3, n))
    upsampled = resample_poly(low.acceleration[0], round(low.dt_s / dt), 1, axis=-1)
    long[:, : upsampled.shape[1]] = upsampled[:, :n]
    merged = sosfiltfilt(butter(4, 1 / k, "low", fs=1 / dt, output="sos"), long)
    merged += sosfiltfilt(butter(4, k, "high", fs=1 / dt, output="sos"), high.acceleration[0])
    ours = 100 * dt * np.cumsum(merged, axis=1)  # the platform sums rectangles
    difference = np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)
    assert (difference < 0.006).all()


def test_published_sw4_and_cybershake_are_read(shared, caplog):
    folder = shared / "reference" / "broadband" / "examples"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    low, (record,) = read_simulations(folder / "sw4_LOH1_sta10.txt.gz", valid_hz=2.0)
    first = cumulative_trapezoid(low.acceleration[0], dx=low.dt_s, initial=0.0)
    last = cumulative_trapezoid(first, dx=low.dt_s, initial=0.0)[:, -1]
    # displacement at the end of the file, as its last line says
    want = [-8.94642520e-3, -6.79470825e-3, 1.15246306e-1]
    assert np.allclose(last, want, atol=2e-3 * np.abs(want).max())
    low, (record,) = read_simulations(folder / "Seismogram_USC_9306_124_261_38.grm")
    assert (low.valid_hz, low.dt_s, record.metadata["station"]) == (1.0, 0.05, "USC")
    velocity = cumulative_trapezoid(low.acceleration[0], dx=low.dt_s, initial=0.0)
    # largest samples of Y (north) and X (east), cm/s
    assert np.allclose(100 * np.abs(velocity[:2]).max(axis=1), [1.6812487, 2.736559], rtol=2e-3)
