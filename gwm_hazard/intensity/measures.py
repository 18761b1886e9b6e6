"""Intensity measures by their OpenQuake names: the table of what is supported, and the way in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.intensity import duration, motion, oscillator
from gwm_hazard.intensity._batch import check_records

if TYPE_CHECKING:
    import xarray

_BLOCK = 1024  # records read and measured at a time by `intensity_measures`


@dataclass(frozen=True)
class Measure:
    """One supported intensity measure: OpenQuake's string, unit, definition and source."""

    imt: str
    unit: str
    long_name: str
    definition: str
    source: str


MEASURES: tuple[Measure, ...] = (
    Measure(
        "PGA",
        "g",
        "peak ground acceleration",
        "largest absolute acceleration, band-limited between samples",
        "Boore (2010); Boore and Goulet (2014)",
    ),
    Measure(
        "PGV",
        "cm/s",
        "peak ground velocity",
        "largest absolute velocity: cumulative trapezoid of the acceleration as given, from rest, "
        "no baseline correction",
        "Boore (2010)",
    ),
    Measure(
        "PGD",
        "cm",
        "peak ground displacement",
        "largest absolute displacement: cumulative trapezoid of that velocity",
        "Boore (2010)",
    ),
    Measure(
        "SA(T)",
        "g",
        "pseudo-spectral acceleration",
        "(2 pi / T)^2 times the largest absolute displacement of a damped oscillator of period "
        "T s, band-limited input, free vibration after the record included",
        "Nigam and Jennings (1969); Boore (2010)",
    ),
    Measure(
        "IA",
        "m/s",
        "Arias intensity",
        "pi / (2 g) times the integral of the squared acceleration",
        "Arias (1970)",
    ),
    Measure(
        "CAV",
        "g s",
        "cumulative absolute velocity",
        "integral of the absolute acceleration",
        "EPRI (1988); Reed and Kassawara (1990)",
    ),
    Measure(
        "RSD595",
        "s",
        "5-95 % significant duration",
        "time between 5 % and 95 % of the final Arias intensity",
        "Trifunac and Brady (1975)",
    ),
    Measure(
        "RSD575",
        "s",
        "5-75 % significant duration",
        "time between 5 % and 75 % of the final Arias intensity",
        "Somerville et al. (1997)",
    ),
    Measure(
        "RSD2080",
        "s",
        "20-80 % significant duration",
        "time between 20 % and 80 % of the final Arias intensity",
        "Boore and Thompson (2014)",
    ),
)

_BY_NAME = {measure.imt: measure for measure in MEASURES}
_DURATIONS = {"RSD595": (0.05, 0.95), "RSD575": (0.05, 0.75), "RSD2080": (0.20, 0.80)}
_SA = re.compile(r"SA\((\d*\.?\d+(?:[eE][-+]?\d+)?|\d+\.)\)")


class ParsedIMT(NamedTuple):
    """An IMT string taken apart: the table's entry and the period in s (NaN without one)."""

    measure: Measure
    period: float


def parse_imt(imt: str) -> ParsedIMT:
    """Take an OpenQuake IMT string apart; ValueError names an unknown one and lists the known."""
    match = _SA.fullmatch(imt)
    if match and float(match[1]) > 0:
        return ParsedIMT(_BY_NAME["SA(T)"], float(match[1]))
    if imt in _BY_NAME and imt != "SA(T)":
        return ParsedIMT(_BY_NAME[imt], np.nan)
    raise ValueError(f"unknown intensity measure {imt!r}: give one of {', '.join(_BY_NAME)}")


_COMPONENTS = "RotDnn (nn from 00 to 100), geometric_mean, larger, H1, H2, vertical"


def _percentile_of(component: str) -> float | None:
    """50.0 for "RotD50"; None for the components that are not rotated."""
    match = re.fullmatch(r"RotD(\d{2}|100)", component)
    if match:
        return float(match[1])
    if component in ("geometric_mean", "larger", "H1", "H2", "vertical"):
        return None
    raise ValueError(f"unknown component {component!r}: give one of {_COMPONENTS}")


def _evaluate(
    pairs: NDArray[np.floating],
    dt: float,
    parsed: list[ParsedIMT],
    percentile: float,
    damping: float,
) -> NDArray[np.float64]:
    """All measures of (n, 2, nt) records at one percentile over the angles, (n, n_imts)."""
    out = np.empty((len(pairs), len(parsed)))
    names = [p.measure.imt for p in parsed]
    percentiles = (percentile,)

    def where(*wanted: str) -> list[int]:
        return [column for column, name in enumerate(names) if name in wanted]

    spectral = where("SA(T)", "PGA")
    if spectral:
        periods = [0.0 if names[c] == "PGA" else parsed[c].period for c in spectral]
        out[:, spectral] = oscillator.rotd(pairs, dt, periods, percentiles, damping)[:, 0]
    whole = where("IA", *_DURATIONS)
    if whole:
        timed = where(*_DURATIONS)
        fractions = np.array([_DURATIONS[names[c]] for c in timed]).reshape(-1, 2)
        arias, durations = duration.husid_measures(pairs, dt, fractions, percentiles)
        out[:, where("IA")] = arias
        out[:, timed] = durations[:, :, 0]
    if where("CAV"):
        out[:, where("CAV")] = duration.cumulative_absolute_velocity(pairs, dt, percentiles)
    if where("PGV", "PGD"):
        pgv, pgd = motion.velocity_and_displacement(pairs, dt, percentiles)
        out[:, where("PGV")], out[:, where("PGD")] = pgv, pgd
    return out


def _evaluate_single(
    component: NDArray[np.floating], dt: float, parsed: list[ParsedIMT], damping: float
) -> NDArray[np.float64]:
    """All measures of one component (n, nt): RotD100 of the pair with a component of zeros."""
    pairs = np.stack([component, np.zeros_like(component)], axis=1)
    return _evaluate(pairs, dt, parsed, 100.0, damping)


def intensity_measures_array(
    acc: ArrayLike,
    dt: float,
    imts: Iterable[str],
    component: str = "RotD50",
    damping: float = 0.05,
    *,
    npts: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Intensity measures of records as an array (n, n_imts) float64, in OpenQuake's units.

    acc : (n, n_components, nt) m/s2, float32 or float64; the horizontal components first, the
        vertical last. Two components are two horizontals.
    dt : time step, s.
    imts : OpenQuake strings, see `MEASURES`: PGA, SA(T) in g; PGV cm/s; PGD cm; IA m/s; CAV g s;
        RSD595, RSD575, RSD2080 s.
    component : "RotDnn" with nn from 00 to 100 (percentile over rotation angles), or, of the
        components as recorded, "geometric_mean", "larger", "H1", "H2", or "vertical".
    damping : fraction of critical, for SA.
    npts : (n,) the true number of samples of each record, if later ones are zero padding.

    Durations of an all-zero record are NaN, its other measures 0. Raises ValueError naming an
    unknown measure or component, a wrong shape or samples that are not finite.
    """
    parsed = [parse_imt(imt) for imt in imts]
    percentile = _percentile_of(component)
    array = np.asarray(acc)
    if array.ndim != 3 or array.shape[1] not in (2, 3):
        raise ValueError(
            f"acc has shape {array.shape}: must be (n, 2 or 3, nt), horizontal components first"
        )
    if component == "vertical" and array.shape[1] != 3:
        raise ValueError("component = 'vertical': acc has two components; give three")
    if npts is not None and array.shape[0]:
        lengths = np.asarray(npts)
        if lengths.shape != (len(array),) or lengths.min() < 2 or lengths.max() > array.shape[2]:
            raise ValueError(f"npts must be ({len(array)},) integers from 2 to {array.shape[2]}")
        array = array[:, :, : lengths.max()]
    records = check_records(array, dt, array.shape[1])
    if percentile is not None:
        return _evaluate(records[:, :2], dt, parsed, percentile, damping)
    if component in ("H1", "H2", "vertical"):
        index = {"H1": 0, "H2": 1, "vertical": 2}[component]
        return _evaluate_single(records[:, index], dt, parsed, damping)
    first, second = (_evaluate_single(records[:, c], dt, parsed, damping) for c in (0, 1))
    return np.maximum(first, second) if component == "larger" else np.sqrt(first * second)


def intensity_measures(
    wf: "xarray.Dataset",
    imts: Iterable[str],
    component: str = "RotD50",
    damping: float = 0.05,
) -> "xarray.Dataset":
    """Intensity measures of a waveform dataset, one variable an IMT, in OpenQuake's units.

    wf : dataset with `acceleration` (..., component, time) m/s2, horizontal components first and
        the vertical last; the step is `wf.attrs["dt_s"]` or that of the coordinate `time`, s.
    imts, component, damping : as in `intensity_measures_array`.

    The result keeps the leading dimensions and their coordinates. Records are read in blocks, so
    that a lazily opened file of any size can be measured.
    """
    import xarray

    names = list(imts)
    parsed = [parse_imt(imt) for imt in names]
    if "acceleration" not in wf:
        raise ValueError("the dataset has no variable 'acceleration' (..., component, time)")
    acceleration = wf["acceleration"]
    if acceleration.dims[-2:] != ("component", "time"):
        raise ValueError(
            f"acceleration has dimensions {acceleration.dims}: the last two must be component, time"
        )
    dims, shape = acceleration.dims[:-2], acceleration.shape[:-2]
    dt = time_step(wf)
    out = np.empty((int(np.prod(shape, dtype=int)), len(names)))
    done = 0
    for block in _blocks(shape):
        # variables, not arrays with coordinates, so that nothing but this block is read
        values = acceleration.variable[block].values
        values = values.reshape(-1, *values.shape[-2:])
        measured = intensity_measures_array(values, dt, names, component, damping)
        out[done : done + len(values)] = measured
        done += len(values)
    coords = {
        name: value
        for name, value in wf.coords.items()
        if not {"component", "time"} & set(value.dims)
    }
    result = xarray.Dataset(coords=coords)
    for column, (name, (measure, period)) in enumerate(zip(names, parsed, strict=True)):
        attrs: dict[str, object] = {
            "units": measure.unit,
            "long_name": measure.long_name,
            "component": component,
        }
        if period > 0:
            attrs |= {"damping": damping, "period_s": period}
        result[name] = (dims, out[:, column].reshape(shape), attrs)
    return result


def time_step(wf: "xarray.Dataset") -> float:
    """Time step of a waveform dataset in s: attribute `dt_s`, else the coordinate `time`."""
    if "dt_s" in wf.attrs:
        return float(wf.attrs["dt_s"])
    if "time" not in wf.coords or wf.sizes["time"] < 2:
        raise ValueError("the time step is unknown: give the attribute dt_s or a coordinate time")
    times = np.asarray(wf["time"].values, dtype=np.float64)
    return float((times[-1] - times[0]) / (len(times) - 1))


def _blocks(shape: tuple[int, ...]) -> Iterable[tuple[int | slice, ...]]:
    """Index tuples that cut an array of records (leading dimensions) in blocks, in C order."""
    if not shape:
        yield ()
        return
    inner = int(np.prod(shape[1:], dtype=int))
    if inner > _BLOCK:
        for i in range(shape[0]):
            yield from ((i, *rest) for rest in _blocks(shape[1:]))
        return
    step = max(1, _BLOCK // max(inner, 1))
    for i in range(0, shape[0], step):
        yield (slice(i, i + step),)
