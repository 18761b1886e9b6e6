"""Intensity measures by their OpenQuake names: the ways in."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity import duration, fourier, level, motion, oscillator, spectrum
from gwm_hazard.intensity._batch import check_records
from gwm_hazard.intensity.components import (
    Component,
    geometric_means,
    gmroti_rotation,
    parse_component,
)
from gwm_hazard.intensity.fiv3 import filtered_incremental_velocity
from gwm_hazard.intensity.jma import jma_intensity
from gwm_hazard.intensity.one_component import component_ratios, conversion_attributes
from gwm_hazard.intensity.table import ParsedIMT, parse_imt

if TYPE_CHECKING:
    import xarray

_BLOCK = 1024  # records read and measured at a time by `intensity_measures`
_BLOCK_ANGLES = 128  # records whose values at all angles are held at a time

#: Names under which files hold a vertical component.
VERTICALS = ("V", "Z", "UD")

_OF_A_VECTOR = ("PGA", "PGV", "PGD", "SA", "Sa_avg2", "Sa_avg3", "SI", "ASI", "DSI")


def _evaluate(
    pairs: NDArray[np.floating],
    dt: float,
    parsed: Sequence[ParsedIMT],
    percentiles: Sequence[float] | None,
    damping: float,
) -> NDArray[np.float64]:
    """Measures of (n, 2, nt) records at percentiles over the angles, (n, n_percentiles, n_imts).

    Percentiles None stands for every angle. EAS is that of the two components.
    """
    names = [p.name for p in parsed]
    n_values = 180 if percentiles is None else len(percentiles)
    out = np.empty((len(pairs), n_values, len(parsed)))

    def where(*wanted: str) -> list[int]:
        return [column for column, name in enumerate(names) if name in wanted]

    def parameters(columns: list[int]) -> list[float]:
        return [parsed[c].parameter for c in columns]

    if columns := where(*spectrum.SPECTRAL):
        of = [parsed[c] for c in columns]
        periods = spectrum.ordinates(of)
        sa = oscillator.rotd(pairs, dt, periods, percentiles, damping)
        out[:, :, columns] = spectrum.from_spectrum(of, periods, sa)
    if columns := where("IA", "RSD"):
        timed = where("RSD")
        fractions = np.array([parsed[c].fractions for c in timed]).reshape(-1, 2)
        arias, durations = duration.husid_measures(pairs, dt, fractions, percentiles)
        out[:, :, where("IA")] = arias[:, :, None]
        out[:, :, timed] = np.moveaxis(durations, 1, 2)
    if columns := where("CAV"):
        cav = duration.cumulative_absolute_velocity(pairs, dt, percentiles)
        out[:, :, columns] = cav[:, :, None]
    if where("PGV", "PGD"):
        pgv, pgd = motion.velocity_and_displacement(pairs, dt, percentiles)
        out[:, :, where("PGV")], out[:, :, where("PGD")] = pgv[:, :, None], pgd[:, :, None]
    if columns := where("FIV3"):
        out[:, :, columns] = filtered_incremental_velocity(
            pairs, dt, parameters(columns), percentiles
        )
    for k, name in enumerate(("DB", "DU")):
        if columns := where(name):
            durations = level.level_durations(pairs, dt, parameters(columns), percentiles)[k]
            out[:, :, columns] = durations
    if columns := where("FAS"):
        out[:, :, columns] = fourier.fourier_amplitude(pairs, dt, parameters(columns), percentiles)
    if columns := where("EAS"):
        eas = fourier.effective_amplitude(pairs, dt, parameters(columns))
        out[:, :, columns] = eas[:, None]
    return out


def _evaluate_single(
    component: NDArray[np.floating], dt: float, parsed: Sequence[ParsedIMT], damping: float
) -> NDArray[np.float64]:
    """All measures of one component (n, nt): RotD100 of the pair with a component of zeros."""
    pairs = np.stack([component, np.zeros_like(component)], axis=1)
    out = _evaluate(pairs, dt, parsed, [100.0], damping)[:, 0]
    out[:, [p.name == "EAS" for p in parsed]] *= np.sqrt(2.0)  # of one component, not of two
    return out


def _evaluate_means(
    pairs: NDArray[np.floating],
    dt: float,
    parsed: Sequence[ParsedIMT],
    component: Component,
    damping: float,
) -> NDArray[np.float64]:
    """GMRotDnn and GMRotI50 from the values at every angle, (n, n_imts)."""
    out = np.empty((len(pairs), len(parsed)))
    for start in range(0, len(pairs), _BLOCK_ANGLES):
        block = pairs[start : start + _BLOCK_ANGLES]
        means = geometric_means(_evaluate(block, dt, parsed, None, damping))
        if component.name == "GMRotD":
            values = np.percentile(means, component.percentile, axis=1)
        else:
            rotation = gmroti_rotation(block, dt, damping)
            values = np.take_along_axis(means, rotation[:, None, None], axis=1)[:, 0]
        out[start : start + _BLOCK_ANGLES] = values
    return out


def _evaluate_component(
    records: NDArray[np.floating],
    dt: float,
    parsed: Sequence[ParsedIMT],
    component: Component,
    damping: float,
) -> NDArray[np.float64]:
    """Measures (n, n_imts) of records (n, n_components, nt), those that `component` needs."""
    pairs, name = records[:, :2], component.name
    if name in ("RotD", "vector_sum"):
        # the longest vector is the largest component at its own angle, at most 0.5 degrees away
        percentile = 100.0 if name == "vector_sum" else component.percentile
        return _evaluate(pairs, dt, parsed, [percentile], damping)[:, 0]
    if name.startswith("GMRot"):
        return _evaluate_means(pairs, dt, parsed, component, damping)
    if name in ("H1", "H2", "vertical"):
        index = {"H1": 0, "H2": 1, "vertical": 2}[name]
        return _evaluate_single(records[:, index], dt, parsed, damping)
    if name == "V/H":
        vertical = _evaluate_single(records[:, 2], dt, parsed, damping)
        with np.errstate(invalid="ignore", divide="ignore"):
            return vertical / _evaluate(pairs, dt, parsed, [50.0], damping)[:, 0]
    first, second = (_evaluate_single(records[:, c], dt, parsed, damping) for c in (0, 1))
    out = np.maximum(first, second) if name == "larger" else np.sqrt(first * second)
    if columns := [c for c, p in enumerate(parsed) if p.name == "EAS"]:
        out[:, columns] = np.sqrt((first[:, columns] ** 2 + second[:, columns] ** 2) / 2)
    return out


def _check_asked(component: str, parsed: Sequence[ParsedIMT], n_components: int) -> None:
    """Refuse what the component definition or the number of components does not give."""
    for p in parsed:
        if p.name == "JMA" and n_components != 3:
            raise InputError(f"JMA is of three components, acc has {n_components}: give three")
        if component == "V/H" and p.name == "JMA":
            raise InputError("JMA is one value of all components: there is no V/H of it")
        if component == "vector_sum" and p.name not in (*_OF_A_VECTOR, "EAS", "JMA"):
            raise InputError(
                f"component = 'vector_sum' has no {p.measure.imt}: it is of "
                f"{', '.join(_OF_A_VECTOR)}"
            )
    if component in ("vertical", "V/H") and n_components == 2:
        raise InputError(f"component = {component!r}: acc has two components; give three")


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
        vertical last. Two components are two horizontals, one is a horizontal, of which RotD50
        is its measure times a published ratio (`gwm_hazard.intensity.one_component`), "H1" the
        measure itself, and no other component is given.
    dt : time step, s.
    imts : OpenQuake strings, see `MEASURES` for definitions and units: PGA, PGV, PGD, SA(T),
        Sa_avg2(T), Sa_avg3(T), FIV3(T), SI, ASI, DSI, FAS(f), EAS(f), JMA, IA, CAV, RSD595 (and
        any other pair of percentages), DB(a), DU(a).
    component : see `COMPONENTS`: "RotDnn" with nn from 00 to 100 (percentile over rotation
        angles), "GMRotDnn", "GMRotI50", "vector_sum", or, of the components as recorded,
        "geometric_mean", "larger", "H1", "H2", "vertical"; "V/H" is vertical over RotD50. EAS
        and JMA join the components in their own way and are the same for all horizontal ones.
    damping : fraction of critical, for SA and what is made of it.
    npts : (n,) the true number of samples of each record, if later ones are zero padding.

    Durations of an all-zero record are NaN (those above a level 0), its other measures 0 (JMA
    -inf). Raises ValueError naming an unknown measure or component, a wrong shape or samples
    that are not finite.
    """
    names = list(imts)
    parsed = [parse_imt(imt) for imt in names]
    asked = parse_component(component)
    array = np.asarray(acc)
    if array.ndim != 3 or array.shape[1] not in (1, 2, 3):
        raise InputError(
            f"acc has shape {array.shape}: must be (n, 1 to 3, nt), horizontal components first"
        )
    _check_asked(component, parsed, array.shape[1])
    ratios = component_ratios(component, names) if array.shape[1] == 1 else 1.0
    if array.shape[1] == 1:
        asked = parse_component("H1")
    if npts is not None and array.shape[0]:
        lengths = np.asarray(npts)
        if lengths.shape != (len(array),) or lengths.min() < 2 or lengths.max() > array.shape[2]:
            raise InputError(f"npts must be ({len(array)},) integers from 2 to {array.shape[2]}")
        array = array[:, :, : lengths.max()]
    records = check_records(array, dt, array.shape[1])
    out = np.empty((len(records), len(parsed)))
    is_jma = np.array([p.name == "JMA" for p in parsed], dtype=bool)
    if is_jma.any():
        out[:, is_jma] = jma_intensity(records, dt)[:, None]
    others = [p for p in parsed if p.name != "JMA"]
    if others:
        out[:, ~is_jma] = _evaluate_component(records, dt, others, asked, damping)
    return out * ratios


def intensity_measures(
    wf: "xarray.Dataset",
    imts: Iterable[str],
    component: str = "RotD50",
    damping: float = 0.05,
) -> "xarray.Dataset":
    """Intensity measures of a waveform dataset, one variable an IMT, in OpenQuake's units.

    wf : dataset with `acceleration` (..., component, time) m/s2, horizontal components first and
        the vertical last; the step is `wf.attrs["dt_s"]` or that of the coordinate `time`, s.
    imts, component, damping : as in `intensity_measures_array`; measures that are inferred from
        one horizontal say so in their attributes.

    The result keeps the leading dimensions and their coordinates. Records are read in blocks, so
    that a lazily opened file of any size can be measured.
    """
    import xarray

    names = list(imts)
    parsed = [parse_imt(imt) for imt in names]
    if "acceleration" not in wf:
        raise InputError("the dataset has no variable 'acceleration' (..., component, time)")
    acceleration = wf["acceleration"]
    if acceleration.dims[-2:] != ("component", "time"):
        raise InputError(
            f"acceleration has dimensions {acceleration.dims}: the last two must be component, time"
        )
    single = acceleration.sizes["component"] == 1
    if single and "component" in wf.coords and str(wf["component"].values[0]) in VERTICALS:
        raise InputError(
            f"the only component is {wf['component'].values[0]}, the vertical: select a horizontal"
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
    for column, (name, p) in enumerate(zip(names, parsed, strict=True)):
        attrs: dict[str, object] = {
            "units": "-" if component == "V/H" else p.measure.unit,
            "long_name": p.measure.long_name,
            "component": component,
        }
        if p.name in spectrum.SPECTRAL and p.name != "PGA":
            attrs["damping"] = damping
        if p.period > 0:
            attrs["period_s"] = p.period
        if single and component == "RotD50":
            attrs |= conversion_attributes(name)
        result[name] = (dims, out[:, column].reshape(shape), attrs)
    return result


def time_step(wf: "xarray.Dataset") -> float:
    """Time step of a waveform dataset in s: attribute `dt_s`, else the coordinate `time`."""
    if "dt_s" in wf.attrs:
        return float(wf.attrs["dt_s"])
    if "time" not in wf.coords or wf.sizes["time"] < 2:
        raise InputError("the time step is unknown: give the attribute dt_s or a coordinate time")
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
