"""Moments of OpenQuake's ground-motion models at observed records, as RotD50.

Any GSIM by its TOML name, for a table of conditions. Each has a definition of the horizontal
component of its own (``DEFINED_FOR_INTENSITY_MEASURE_COMPONENT``); medians are converted to RotD50
by published ratios, which the notes name. Also here: the published models of significant duration
and of the correlation between spectral periods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from openquake.hazardlib import const, imt, valid
from openquake.hazardlib.contexts import ContextMaker
from openquake.hazardlib.cross_correlation import BakerJayaram2008

from gwm_hazard.errors import InputError
from gwm_hazard.intensity.one_component import ln_rotd50_ratio


class PublishedRange(NamedTuple):
    """Limits of the conditions in which a published model holds, and where they are from."""

    limits: Mapping[str, tuple[float, float]]
    source: str


_KANNO = (
    "depth: Kanno et al. 2006, p. 895, as OpenQuake quotes it; magnitude and distance: about what "
    "its data span, not confirmed from the paper"
)

#: By class; of others nothing is known here. Each source stands in the notes of the page.
RANGES: dict[str, PublishedRange] = {
    "BooreEtAl2014": PublishedRange(
        {"mag": (3.0, 8.5), "rjb": (0.0, 400.0), "vs30": (150.0, 1500.0)},
        "Boore et al. 2014, Earthquake Spectra 30(3), p. 1081",
    ),
    "Kanno2006Shallow": PublishedRange(
        {"mag": (5.0, 8.2), "rrup": (1.0, 450.0), "hypo_depth": (0.0, 30.0)}, _KANNO
    ),
    "Kanno2006Deep": PublishedRange(
        {"mag": (5.0, 8.2), "rrup": (30.0, 450.0), "hypo_depth": (30.0, 180.0)}, _KANNO
    ),
    "AfshariStewart2016": PublishedRange(
        {"mag": (3.0, 7.9), "rrup": (0.0, 300.0), "vs30": (200.0, 1000.0)},
        "Afshari and Stewart 2016, Earthquake Spectra 32(4), conclusions",
    ),
}

#: Boore and Kishida (2017, BSSA 107(1): 334-343): ratios of components by period, linear in ln T
#: between, constant beyond; PGA as the shortest period. Of PGV no ratio is at hand there: that at
#: 1 s stands in, which ``validation/benchmark/components.py`` holds against observed pairs.
_ROTD100 = (np.array([0.12, 0.41, 3.14, 10.0]), np.array([1.188, 1.225, 1.241, 1.287]))
_LARGER = (np.array([0.10, 0.45, 4.36, 8.78]), np.array([1.107, 1.133, 1.149, 1.178]))
_PGV_PERIOD_S = 1.0

_NAMES = const.IMC
#: Components by whose median theirs is: of RotD50, RotD100, the geometric mean as recorded.
_AS_ROTD50 = (_NAMES.RotD50,)
_AS_ROTD100 = (_NAMES.RotD100, _NAMES.PEAK_SRSS_HORIZONTAL)
_AS_GEOMETRIC = (
    _NAMES.GEOMETRIC_MEAN,
    _NAMES.MEDIAN_HORIZONTAL,
    _NAMES.HORIZONTAL,
    _NAMES.RANDOM_HORIZONTAL,
    _NAMES.GMRotI50,  # within 1 % of the mean as recorded at all periods: Beyer and Bommer (2006)
)


@dataclass(frozen=True)
class GmmMoments:
    """Moments of ln IM (RotD50) of one GSIM, each (n, n_imts); NaN where it gives none.

    ``tau`` is NaN for a model without a split of its sigma. ``outside`` (n,) marks records outside
    its published range or without an input; ``about`` tells class, component and range.
    """

    name: str
    mean: NDArray[np.float64]
    sigma: NDArray[np.float64]
    tau: NDArray[np.float64]
    phi: NDArray[np.float64]
    outside: NDArray[np.bool_]
    notes: list[str]
    about: dict[str, Any]


def check(text: str) -> str:
    """The class name of a GSIM; ValueError for what OpenQuake does not know."""
    return type(gsim_of(text)).__name__


def gsim_of(text: str) -> Any:
    """A GSIM by its TOML name; InputError for what OpenQuake does not know."""
    source = text.strip()
    try:
        return valid.gsim(source if source.startswith("[") else f"[{source}]")
    except Exception as exc:  # OpenQuake raises many kinds
        raise InputError(
            f"GMM {text!r}: not one that OpenQuake can make ({exc}); `oq info gsims` lists them"
        ) from None


def moments(text: str, table: pd.DataFrame, imts: Sequence[str]) -> GmmMoments:
    """Moments of a GSIM at the records of a table.

    Parameters
    ----------
    text : TOML name, "BooreEtAl2014" or "[Class]\\nargument = value"
    table : conditions under OpenQuake's names, gaps filled where they are to be
        (:mod:`gwm_hazard.records.completion`)
    imts : measures; those that the GSIM does not give are NaN

    Raises
    ------
    ValueError
        An unknown GSIM, one that needs what no flatfile tells, or a component that has no
        conversion.
    """
    gsim = gsim_of(text)
    name = type(gsim).__name__
    n, columns = len(table), inputs_of(gsim)
    notes: list[str] = []
    for column in columns:
        if column not in table:
            raise InputError(f"GMM {name} needs {column!r}, which the records do not tell")
    values = {c: table[c].to_numpy(np.float64) for c in columns}
    missing = np.zeros(n, dtype=bool)
    for column, x in values.items():
        gap = ~np.isfinite(x)
        if gap.any():
            notes.append(f"{column} of {int(gap.sum())} records is unknown: they are left out.")
        missing |= gap
    known = RANGES.get(name)
    limits = dict(known.limits) if known else {}
    beyond = np.zeros(n, dtype=bool)
    for column, (low, high) in limits.items():
        x = table[column].to_numpy(np.float64)
        beyond |= (x < low) | (x > high) | ~np.isfinite(x)
    outside = missing | beyond
    if known:
        told = ", ".join(f"{k} {a:g} to {b:g}" for k, (a, b) in limits.items())
        notes.append(
            f"Its range: {told} ({known.source}); {int((beyond & ~missing).sum())} records outside "
            "are left out."
        )
    else:
        notes.append("Its published range is not known here: it is used at every record.")

    rows = np.flatnonzero(~outside)
    given = [i for i in imts if gives(gsim, i)]
    shape = (n, len(imts))
    out = {k: np.full(shape, np.nan) for k in ("mean", "sigma", "tau", "phi")}
    if rows.size and given:
        found = evaluate(gsim, {c: x[rows] for c, x in values.items()}, given)
        places = np.array([list(imts).index(i) for i in given])
        for key, got in zip(out, found, strict=True):
            out[key][np.ix_(rows, places)] = got.T
    component = gsim.DEFINED_FOR_INTENSITY_MEASURE_COMPONENT
    shift = np.array([ln_to_rotd50(component, i) if i in given else 0.0 for i in imts])
    out["mean"] += shift
    if (shift != 0).any():
        notes.append(
            f"Component {component.value!r}: medians converted to RotD50 by published ratios "
            f"(factor {np.exp(shift).min():.3f} to {np.exp(shift[shift != 0]).max():.3f}; Boore "
            "and Kishida 2017); sigma is as published."
        )
    absent = [i for i in imts if i not in given]
    if absent:
        notes.append(f"Gives no {', '.join(absent)}.")
    split = const.StdDev.INTER_EVENT in gsim.DEFINED_FOR_STANDARD_DEVIATION_TYPES
    if not split:
        notes.append("Publishes its total sigma only.")
        out["tau"][:] = np.nan
        out["phi"] = out["sigma"].copy()
    about = {
        "gsim": text,
        "class": name,
        "component": component.value,
        "range": limits,
        "range_source": known.source if known else None,
    }
    return GmmMoments(name, outside=outside, notes=notes, about=about, **out)


def inputs_of(gsim: Any) -> list[str]:
    """Names of the columns that a GSIM reads."""
    return sorted(
        {*gsim.REQUIRES_SITES_PARAMETERS, *gsim.REQUIRES_RUPTURE_PARAMETERS}
        | {*gsim.REQUIRES_DISTANCES, "mag"}
    )


def gives(gsim: Any, name: str) -> bool:
    """Whether a GSIM has a measure, and its period among those tabulated."""
    try:
        asked = imt.from_string(name)
    except (KeyError, ValueError):
        return False
    kinds = {k.__name__ for k in gsim.DEFINED_FOR_INTENSITY_MEASURE_TYPES}
    if asked.string.split("(")[0] not in kinds:
        return False
    tables = [v for k, v in vars(type(gsim)).items() if k.startswith("COEFFS")]
    try:
        for table in tables:
            table[asked]
    except (KeyError, ValueError):  # a period beyond those tabulated
        return False
    except (TypeError, AttributeError):
        return True
    return True


def evaluate(
    gsim: Any, columns: dict[str, NDArray[np.float64]], imts: Sequence[str]
) -> NDArray[np.float64]:
    """(4, n_imts, n): mean of ln IM, sigma, tau, phi."""
    maker = ContextMaker("*", [gsim], {"imtls": {i: [0.0] for i in imts}})
    n = len(columns["mag"])
    ctx = maker.new_ctx(n)
    for name, values in columns.items():
        ctx[name] = values
    # in the order of magnitude, by which OpenQuake splits contexts
    order = np.argsort(columns["mag"], kind="stable")
    found = maker.get_mean_stds([ctx[order].view(np.recarray)])[:, 0]
    out = np.empty_like(found)
    out[:, :, order] = found
    return out


def variance_parts(text: str, mags: Sequence[float], imts: Sequence[str]) -> dict[float, float]:
    """tau^2 / sigma^2 of a GSIM by magnitude, the mean over measures that it gives.

    At 30 km on Vs30 400 m/s, vertical strike-slip.
    """
    gsim = gsim_of(text)
    kinds = [i for i in imts if gives(gsim, i)]
    usual = {"vs30": 400.0, "vs30measured": 1.0, "z1pt0": 200.0, "z2pt5": 1.0, "ztor": 5.0,
             "dip": 90.0, "width": 10.0, "hypo_depth": 10.0, "rake": 0.0}  # fmt: skip
    columns = {
        name: np.asarray(mags, dtype=np.float64)
        if name == "mag"
        else np.full(len(mags), usual.get(name, 30.0 if name.startswith("r") else 0.0))
        for name in inputs_of(gsim)
    }
    _, sigma, tau, _ = evaluate(gsim, columns, kinds)
    if not (tau > 0).any():
        raise InputError(f"GMM {text!r} has no between-event standard deviation: take another")
    parts = (tau**2 / sigma**2).mean(axis=0)
    return {float(m): float(p) for m, p in zip(mags, parts, strict=True)}


def ln_to_rotd50(component: Any, name: str) -> float:
    """What is added to the mean of ln IM of a component to have that of RotD50.

    Durations are the same for all components. Raises ValueError for a component without a
    published ratio (vertical, V/H, vectorial).
    """
    kind = imt.from_string(name)
    if kind.string.startswith("RSD") or component in _AS_ROTD50:
        return 0.0
    period = _PGV_PERIOD_S if kind.string == "PGV" else float(kind.period)
    if component in _AS_ROTD100:
        return -_interpolated(_ROTD100, period)
    if component is _NAMES.GREATER_OF_TWO_HORIZONTAL:
        return -_interpolated(_LARGER, period)
    if component in _AS_GEOMETRIC and (kind.string == "PGV" or kind.string[:2] in ("PG", "SA")):
        return ln_rotd50_ratio(name)
    raise InputError(
        f"component {component.value!r} of {name} has no published ratio to RotD50: take another "
        "GMM"
    )


def _interpolated(table: tuple[NDArray[np.float64], NDArray[np.float64]], period: float) -> float:
    periods, ratios = table
    x = np.log(np.clip(max(period, 1e-3), periods[0], periods[-1]))
    return float(np.log(np.interp(x, np.log(periods), ratios)))


def durations(
    table: pd.DataFrame, imts: Sequence[str], text: str = "AfshariStewart2016"
) -> GmmMoments:
    """Moments of ln of significant durations after Afshari and Stewart (2016)."""
    return moments(text, table, imts)


def period_correlation(imts: Sequence[str]) -> NDArray[np.float64]:
    """Correlation of SA residuals between periods after Baker and Jayaram (2008), (n, n).

    imts : "SA(T)", T from 0.01 to 10 s; PGA stands for 0.01 s.
    """
    kinds = [imt.from_string("SA(0.01)" if i == "PGA" else i) for i in imts]
    return np.asarray(BakerJayaram2008().get_cross_correlation_mtx(kinds), dtype=np.float64)
