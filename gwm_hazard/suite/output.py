"""The folder of a study: waveforms, tables, accelerograms for other tools, figures and the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd

from gwm_hazard.benchmark.section import DPI, FIGURE_FORMATS
from gwm_hazard.benchmark.style import RC
from gwm_hazard.catalogue.export import FORMATS, export_catalogue
from gwm_hazard.catalogue.export.records import open_records
from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.intensity import parse_imt
from gwm_hazard.noise import Noise
from gwm_hazard.provenance import replacing, software_versions
from gwm_hazard.suite import tables
from gwm_hazard.suite.motions import Motions, draw_again, epsilon, measures_of
from gwm_hazard.suite.report import figures, page
from gwm_hazard.suite.report.disaggregation import disaggregation
from gwm_hazard.suite.report.embed import MOST_MOTIONS, Digest, digest
from gwm_hazard.suite.report.page import Drawn
from gwm_hazard.suite.study import Study, Suite
from gwm_hazard.units import CONDITIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WAVEFORMS = "suite.h5"
RESULTS = "results.json"

#: Formats of the exporter that hold accelerograms.
ACCELEROGRAMS = tuple(name for name, known in FORMATS.items() if known.units)

#: What the waveform file keeps of each motion beside its scenario and measures.
_EXTRA = {
    "suite": {"long_name": "number of the suite, from 1"},
    "return_period": {"long_name": "return period of the level of the target", "units": "years"},
    "level": {"long_name": "level of the conditioning measure", "units": "of the measure"},
    "epsilon": {
        "long_name": "standard deviations of the conditioning measure above the branch's median",
        "units": "1",
    },
    "scale": {"long_name": "factor that the acceleration was multiplied with", "units": "1"},
    "weight": {"long_name": "weight of the motion in its suite", "units": "1"},
    "branch": {"long_name": "logic-tree branch of the model"},
    "key": {"long_name": "key of the noise that the unscaled motion is drawn again from"},
}


@dataclass
class _Folder:
    """The output folder and what was written into it: {path inside: what it holds}."""

    path: Path
    files: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, content: str) -> None:
        with replacing(self.path / name) as temporary:
            temporary.write_text(content, encoding="utf-8")

    def table(self, name: str, table: pd.DataFrame, what: str, exact: Collection[str] = ()) -> None:
        """Write a table with 7 digits, but for the columns that must be exact."""
        short = {
            str(column): [float(f"{v:.7g}") for v in table[column]]
            for column in table.select_dtypes("float")
            if column not in exact
        }
        with replacing(self.path / name) as temporary:
            table.assign(**short).to_csv(temporary, index=False)
        self.files[name] = what

    def figure(self, name: str, figure: Figure) -> dict[str, Path]:
        """Save a figure as PNG and PDF; {format: path}."""
        import matplotlib as mpl

        paths = {kind: self.path / "figures" / f"{name}.{kind}" for kind in FIGURE_FORMATS}
        with mpl.rc_context(RC):
            for kind, path in paths.items():
                dated = {"CreationDate": None} if kind == "pdf" else {}
                with replacing(path) as temporary:
                    figure.savefig(temporary, dpi=DPI, format=kind, metadata=dated)
                figure.set_layout_engine("none")  # laid out once, the same in both
        self.files |= {p.relative_to(self.path).as_posix(): "" for p in paths.values()}
        return paths

    def former(self) -> set[str]:
        """What an earlier run wrote here."""
        try:
            return set(json.loads((self.path / RESULTS).read_text(encoding="utf-8"))["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return set()

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders of exports, that an earlier run wrote."""
        for name in names:
            path = (self.path / name).resolve()
            if not path.is_relative_to(self.path.resolve()):
                continue
            if (path / "provenance.json").is_file():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def write(
    study: Study,
    folder: str | Path,
    formats: Sequence[str] = (),
    checks: Sequence[Any] = (),
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write a study as a folder; returns its page, ``index.html``.

    The motions are drawn again from their keys and compared with what they were chosen for. Every
    file is written under a temporary name and renamed, the page last; files of an earlier run that
    this one does not have are removed.

    Parameters
    ----------
    study : what to write. Of ``study.about``, ``command`` (how to make it again) and ``remarks``
        (a list) have their own place on the page; the rest is listed.
    folder : the folder, made where there is none
    formats : of the accelerograms, some of ``ACCELEROGRAMS``; a folder each
    checks : rules of a design code, objects with ``clause``, ``what``, ``required``, ``found``
        and ``passed``: those of the only suite, or one sequence a suite
    progress : called with the share done, 0 to 1

    Raises
    ------
    ValueError
        An unknown format; a motion that is not the one that was chosen.
    OSError
        The folder cannot be written.
    """
    formats = tuple(dict.fromkeys(formats))
    for name in formats:
        if name not in ACCELEROGRAMS:
            raise ValueError(f"format = {name!r}: must be one of {', '.join(ACCELEROGRAMS)}")
    by_suite = _by_suite(checks, len(study.suites))
    tell = progress or (lambda share: None)
    out = _Folder(Path(folder))
    out.path.mkdir(parents=True, exist_ok=True)
    former = out.former()
    out.remove(["index.html"])  # a page that is there belongs to what is there

    digests = _waveforms(study, out, lambda share: tell(0.4 * share))
    with open_records(out.path / WAVEFORMS) as records:
        names = records.table["name"].tolist()
    table = tables.motion_table(study, names, digests)
    what = "a row a motion: scenario, epsilon, scale, measures, key"
    out.table("motions.csv", table, what, exact=(*CONDITIONS, "scale"))  # as the key, they draw it
    out.table("target.csv", tables.target_table(study), "target and suite by measure")
    if not study.consistency.empty:
        out.table("consistency.csv", study.consistency, "rates implied by the suites")
    for k, name in enumerate(formats):
        export_catalogue(out.path / WAVEFORMS, name, out.path / name, overwrite=True)
        out.files[name] = f"the accelerograms as {FORMATS[name].summary}"
        tell(0.4 + 0.1 * (k + 1) / len(formats))

    drawn = []
    for k, (suite, found) in enumerate(zip(study.suites, digests, strict=True)):
        drawn.append(_figures(study, k, suite, found, out))
        tell(0.5 + 0.45 * (k + 1) / len(digests))
    overall = None
    if not study.consistency.empty:
        paths = out.figure("consistency", figures.consistency(study))
        overall = Drawn(*CONSISTENCY, paths)
    out.files |= {RESULTS: "the numbers of the page", "index.html": "the page"}
    listed = {name: what for name, what in out.files.items() if what}
    listed["figures"] = "the figures of the page, PNG and PDF"
    results = _results(study, table, by_suite, sorted(out.files))
    out.text(RESULTS, json.dumps(results, indent=1, allow_nan=False) + "\n")
    out.text("index.html", page(study, digests, drawn, overall, by_suite, table, listed, out.path))
    out.remove(former - set(out.files))
    tell(1.0)
    return out.path / "index.html"


def _by_suite(checks: Sequence[Any], n: int) -> list[Sequence[Any]]:
    """Checks of each suite."""
    if not checks:
        return [()] * n
    every = [checks] if hasattr(checks[0], "clause") else list(checks)
    if len(every) != n:
        raise ValueError(f"checks: {len(every)} lists for {n} suites; give one a suite")
    return every


def _waveforms(study: Study, out: _Folder, tell: Callable[[float], None]) -> list[Digest]:
    """Draw all motions, one suite at a time, and write ``suite.h5``."""
    model, suites = study.model, study.suites
    imts = measures_of(suites[0])
    units = {imt: parse_imt(imt).measure.unit for imt in imts}
    longest = max(int(model.npts(s.scenarios).max()) for s in suites)
    seed = suites[0].candidates.seed
    most = max(1, MOST_MOTIONS // len(suites))
    digests = []
    with replacing(out.path / WAVEFORMS) as temporary:
        with CatalogueWriter(
            temporary, model, longest, seed, units, _EXTRA, _provenance(study)
        ) as writer:
            for k, suite in enumerate(suites):
                motions = draw_again(study, suite)
                _append(writer, study, k, suite, motions)
                digests.append(digest(study, suite, motions, most))
                tell((k + 1) / len(suites))
        with h5py.File(temporary, "r+") as file:  # the writer says RotD50 of any measure
            for imt in imts:
                file[imt].attrs["component"] = study.component
    out.files[WAVEFORMS] = "motions, scenarios, keys and measures (HDF5 for xarray, netCDF readers)"
    return digests


def _append(writer: CatalogueWriter, study: Study, k: int, suite: Suite, motions: Motions) -> None:
    n, target = len(suite), suite.target
    npts = np.array([a.shape[1] for a in motions.acceleration])
    acceleration = np.zeros((n, motions.acceleration[0].shape[0], npts.max()), dtype=np.float32)
    for i, values in enumerate(motions.acceleration):
        acceleration[i, :, : npts[i]] = values
    noise = suite.noise
    if not isinstance(noise, Noise):  # a sum of several keys: numbered, the column key has it
        noise = Noise(
            suite.candidates.seed, writer.records + np.arange(n), suite.candidates.site, 0
        )
    extra = {
        "suite": np.full(n, k + 1),
        "return_period": np.full(n, tables.return_period(target)),
        "level": np.full(n, target.level if target.conditioning else np.nan),
        "epsilon": epsilon(study, suite),
        "scale": suite.scale,
        "weight": np.full(n, 1.0 / n),
        "branch": np.full(n, suite.branch, dtype=object),
        "key": np.array(tables.keys(suite), dtype=object),
    }
    measures = {imt: motions.values[:, m] for m, imt in enumerate(motions.imts)}
    writer.append(acceleration, suite.scenarios, noise, measures, extra, npts)


def _provenance(study: Study) -> dict[str, str]:
    """Attributes of the waveform file."""
    target = study.suites[0].target
    return {
        "target": target.kind,
        "conditioning": target.conditioning,
        "component": study.component,
        "investigation_time_years": f"{study.investigation_time:g}",
        "site": f"lon {study.lon:g}, lat {study.lat:g}, vs30 {study.vs30:g} m/s",
        "about": json.dumps(plain(study.about), allow_nan=False),
    }


#: Key, title and caption of the figures of a suite.
FIGURES = {
    "spectra": (
        "Spectra",
        "Every motion, the median and the 16 to 84 % range of the suite (mean ± one standard "
        "deviation of ln SA), and the target at the periods that were matched.",
    ),
    "errors": (
        "Errors by period",
        "How far the suite is from the target. The shaded band holds what counts as a match.",
    ),
    "disaggregation": (
        "Disaggregation",
        "What the target is made of, by magnitude, distance and epsilon, and the scenarios that "
        "the motions were drawn for.",
    ),
    "measures": (
        "Other measures",
        "Cumulative distributions of the motions. Where the target has the measure: its "
        "distribution, and in grey the bounds that 9 of 10 suites drawn from it stay within "
        "(Kolmogorov and Smirnov).",
    ),
    "correlations": (
        "Correlations",
        "Correlations of ln IM between all pairs of measures, of the target, where it has scatter, "
        "and of the suite. Grey: what does not vary.",
    ),
}
CONSISTENCY = (
    "consistency",
    "Hazard consistency",
    "Annual rates at which motions of all suites together exceed levels of each measure, beside "
    "the mean hazard curves.",
)


def _figures(study: Study, k: int, suite: Suite, found: Digest, out: _Folder) -> dict[str, Drawn]:
    made = {
        "spectra": figures.spectra(suite, found.periods, found.sa, study.component),
        "errors": figures.errors(suite),
        "disaggregation": disaggregation(study, suite),
        "measures": figures.measures(suite, found.imts, found.values),
        "correlations": figures.correlations(suite),
    }
    start = f"suite{k + 1:02d}_" if len(study.suites) > 1 else ""
    return {
        key: Drawn(key, *FIGURES[key], out.figure(start + key, figure))
        for key, figure in made.items()
        if figure is not None
    }


def _results(
    study: Study, table: pd.DataFrame, checks: Sequence[Sequence[Any]], files: Sequence[str]
) -> dict[str, Any]:
    """The numbers for other programs."""
    suites = []
    for suite, of_code in zip(study.suites, checks, strict=True):
        target, got, pool = suite.target, suite.match, suite.candidates
        suites.append(
            {
                "kind": target.kind,
                "conditioning": target.conditioning,
                "level": target.level if target.conditioning else None,
                "annual_rate": target.rate,
                "return_period_years": tables.return_period(target),
                "motions": len(suite),
                "branch": suite.branch,
                "draws": pool.draws,
                "kept": pool.kept,
                "candidates": len(pool),
                "largest_median_error": tables.largest(got.mean_error),
                "largest_sigma_error": tables.largest(got.sigma_error),
                "misfit": got.misfit,
                "imts": target.imts,
                "target": {"mean_ln": target.mean, "covariance_ln": target.covariance},
                "suite": {"mean_ln": got.mean, "sigma_ln": got.sigma},
                "checks": [{name: getattr(c, name) for name in CHECK} for c in of_code],
            }
        )
    found: dict[str, Any] = plain(
        {
            "about": study.about,
            "model": study.model.card.to_dict(),
            "site": {"lon": study.lon, "lat": study.lat, "vs30": study.vs30},
            "component": study.component,
            "investigation_time_years": study.investigation_time,
            "suites": suites,
            "consistency": study.consistency.to_dict("records"),
            "units": tables.units(table),
            "software": software_versions(),
            "files": list(files),
        }
    )
    return found


#: Attributes of a rule of a design code.
CHECK = ("clause", "what", "required", "found", "passed")


def plain(value: Any) -> Any:
    """Plain types for JSON; what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
