"""The folder of a study: waveforms, tables, accelerograms for other tools, figures and the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gwm_hazard.catalogue.export import FORMATS, export_catalogue
from gwm_hazard.catalogue.export.records import record_names
from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.intensity import parse_imt
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.suite import tables
from gwm_hazard.suite.folder import RESULTS, Folder
from gwm_hazard.suite.motions import Motions, branches_of, draw_again, epsilon, measures_of
from gwm_hazard.suite.page import figures, page
from gwm_hazard.suite.page.disaggregation import disaggregation
from gwm_hazard.suite.page.embed import MOST_MOTIONS, Digest, digest
from gwm_hazard.suite.page.page import DrawnFigure
from gwm_hazard.suite.results import plain, results
from gwm_hazard.suite.study import Study, Suite

WAVEFORMS = "suite.h5"

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


def write(
    study: Study,
    model: WaveformModel,
    folder: str | Path,
    formats: Sequence[str] = (),
    check: Callable[[Suite, Motions], Sequence[Any]] | None = None,
    progress: Callable[[float], None] | None = None,
    code_notes: Sequence[str] = (),
) -> Path:
    """Write a study as a folder; returns its page, ``index.html``.

    The motions are drawn again from their keys and compared with what they were chosen for. Every
    file is written under a temporary name and renamed, the page last; files of an earlier run that
    this one does not have are removed.

    Parameters
    ----------
    study : what to write. Of ``study.about``, ``command`` (how to make it again) and ``remarks``
        (a list) have their own place on the page; the rest is listed.
    model : draws the motions again
    folder : the folder, made where there is none
    formats : of the accelerograms, some of ``ACCELEROGRAMS``; a folder each
    check : the rules of a design code for a suite, objects with ``clause``, ``what``,
        ``required``, ``found`` and ``passed``; None for no code
    progress : called with the share done, 0 to 1
    code_notes : what the code asks beyond ``check``

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
            raise InputError(f"format = {name!r}: must be one of {', '.join(ACCELEROGRAMS)}")
    tell = progress or (lambda share: None)
    out = Folder(Path(folder))
    out.path.mkdir(parents=True, exist_ok=True)
    former = out.former()
    out.remove(["index.html"])  # a page that is there belongs to what is there

    digests, by_suite = _waveforms(study, model, out, check, lambda share: tell(0.4 * share))
    names = record_names(sum(map(len, study.suites)))
    table = tables.motion_table(study, names, digests)
    what = "a row a motion: scenario, epsilon, scale, measures, key"
    out.table(
        "motions.csv", table, what, exact=(*ALL_CONDITIONS, "scale")
    )  # as the key, they draw it
    out.table(
        "columns.csv",
        tables.column_table(table, study.component),
        "units of motions.csv, column by column",
    )
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
        overall = DrawnFigure(*CONSISTENCY, paths)
    out.files |= {RESULTS: "the numbers of the page", "index.html": "the page"}
    listed = {name: what for name, what in out.files.items() if what}
    listed["figures"] = "the figures of the page, PNG and PDF"
    numbers = results(study, table, by_suite, sorted(out.files))
    out.text(RESULTS, json.dumps(numbers, indent=1, allow_nan=False) + "\n")
    html = page(study, digests, drawn, overall, by_suite, code_notes, table, listed, out.path)
    out.text("index.html", html)
    out.remove(former - set(out.files))
    tell(1.0)
    return out.path / "index.html"


def _waveforms(
    study: Study,
    model: WaveformModel,
    out: Folder,
    check: Callable[[Suite, Motions], Sequence[Any]] | None,
    tell: Callable[[float], None],
) -> tuple[list[Digest], list[Sequence[Any]]]:
    """Draw all motions, one suite at a time, and write ``suite.h5``; digest and check them."""
    suites = study.suites
    imts = measures_of(suites[0])
    units = {imt: parse_imt(imt).measure.unit for imt in imts}
    longest = max(int(model.npts(s.scenarios).max()) for s in suites)
    seed = suites[0].candidates.seed
    most = max(1, MOST_MOTIONS // len(suites))
    digests: list[Digest] = []
    checks: list[Sequence[Any]] = []
    with (
        replacing(out.path / WAVEFORMS) as temporary,
        CatalogueWriter(
            temporary,
            model,
            longest,
            seed,
            units,
            _EXTRA,
            _provenance(study),
            component=study.component,
        ) as writer,
    ):
        for k, suite in enumerate(suites):
            motions = draw_again(study, suite, model)
            _append(writer, study, k, suite, motions)
            digests.append(digest(study, suite, motions, most))
            checks.append(check(suite, motions) if check else ())
            tell((k + 1) / len(suites))
    out.files[WAVEFORMS] = "motions, scenarios, keys and measures (HDF5 for xarray, netCDF readers)"
    return digests, checks


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
        "branch": np.array(branches_of(study, suite), dtype=object),
        "key": np.array(suite.candidates.keys(suite.rows), dtype=object),
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


#: Titles and captions of the figures of a suite.
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
        "What the target is made of, by magnitude, distance and, given a level, epsilon, and the "
        "scenarios that the motions were drawn for.",
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
    "Hazard consistency",
    "Annual rates at which motions of all suites together exceed levels of each measure, beside "
    "the mean hazard curves: of a lognormal fitted to each suite, and of its motions counted. "
    "Counts scatter where few motions lie above a level.",
)


def _figures(
    study: Study, k: int, suite: Suite, found: Digest, out: Folder
) -> dict[str, DrawnFigure]:
    made = {
        "spectra": figures.spectra(suite, found.periods, found.sa, study.component),
        "errors": figures.errors(suite),
        "disaggregation": disaggregation(study, suite),
        "measures": figures.measures(suite, found.imts, found.values),
        "correlations": figures.correlations(suite),
    }
    start = f"suite{k + 1:02d}_" if len(study.suites) > 1 else ""
    return {
        key: DrawnFigure(*FIGURES[key], out.figure(start + key, figure))
        for key, figure in made.items()
        if figure is not None
    }
