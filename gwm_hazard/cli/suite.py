"""``gwm-hazard suite``: accelerograms that together carry the hazard of a site."""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gwm_hazard.cli._options import Bars, folder_option, listed, seed_option

if TYPE_CHECKING:
    from gwm_hazard.suite.codes import Check
    from gwm_hazard.suite.motions import Motions
    from gwm_hazard.suite.study import Study, Suite

_DEFAULT_PERIODS = "0.1:3:20"


@click.command(
    context_settings={"ignore_unknown_options": True},  # -1 is a calculation
    epilog="\b\nExample:\n"
    '  gwm-hazard suite demos/managua/job.ini --poe 0.02 --imt "SA(0.5)" -n 20 -o suite',
)
@click.argument("calculation", metavar="CALC_ID|JOB.INI")
@folder_option("Folder of motions, tables and page.")
@click.option(
    "--poe",
    type=float,
    default=None,
    help="Probability of exceedance in the job's investigation time; of all targets but scenario.",
)
@click.option(
    "--target",
    type=click.Choice(["cs", "gcim", "uhs", "scenario"]),
    default="cs",
    show_default=True,
    help="Conditional spectrum, generalized conditional intensity "
    "measures, uniform hazard spectrum, or all ruptures as they occur.",
)
@click.option("--imt", default="", help='Conditioning measure, e.g. "SA(0.5)".')
@click.option("-n", "n", default=20, show_default=True, help="Motions.")
@click.option(
    "--site",
    default="0",
    show_default=True,
    help="Id of the site, or LON,LAT (the nearest site of the job).",
)
@click.option(
    "--branch",
    "branches",
    multiple=True,
    help="GWM branch that draws; needed where a tectonic region has several. Repeat for "
    "those of several regions.",
)
@click.option(
    "--periods",
    default="",
    help="Of the target: FROM:TO:COUNT, log-spaced, or a list, s; by default "
    f"{_DEFAULT_PERIODS}, or those that the code asks for.",
)
@click.option(
    "--imts",
    default="",
    help="Further measures of the target; of gcim by default PGA,PGV,CAV,RSD595.",
)
@click.option(
    "--correlation",
    default="measured",
    show_default=True,
    help="Between measures: measured from the branch's own ensembles, or a published "
    "model (see docs/suites.md).",
)
@click.option(
    "--stripes",
    type=click.IntRange(0),
    default=0,
    help="Suites at so many levels, for consistency with the hazard curves.",
)
@click.option("--max-scale", default=1.0, show_default=True, help="Largest factor on a motion.")
@click.option(
    "--pool", type=int, default=None, help="Candidates; by default 40 a motion, 800 at least."
)
@click.option("--budget", default=400_000, show_default=True, help="Waveforms to draw, at most.")
@click.option(
    "--tolerance",
    default=0.05,
    show_default=True,
    help="Half-width of the band about the level, ln units.",
)
@click.option(
    "--method",
    type=click.Choice(["walk", "direct"]),
    default="walk",
    show_default=True,
    help="A walk in the model's noise, or plain draws.",
)
@click.option(
    "--weights",
    type=click.Choice(["occurrence", "exceedance"]),
    default="occurrence",
    show_default=True,
    help="Disaggregation: level equalled, or exceeded.",
)
@click.option(
    "--code",
    type=click.Choice(["asce7-22", "ec8"]),
    default=None,
    help="Check the match rules of a design code as well.",
)
@click.option(
    "--first-mode",
    default="",
    metavar="T[,T]",
    help="For the code: first-mode periods of the two directions, s.",
)
@click.option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    help="Format of the exporter for the accelerograms; repeat.",
)
@click.option(
    "--shape",
    default="",
    metavar="MODEL",
    help="Published GMMs draw too: waveforms of MODEL, matched to the spectra of each.",
)
@seed_option()
@click.option("--device", default="auto", show_default=True, help="cpu, cuda or auto.")
def suite(
    calculation: str,
    output: Path,
    poe: float | None,
    target: str,
    imt: str,
    n: int,
    site: str,
    branches: tuple[str, ...],
    periods: str,
    imts: str,
    correlation: str,
    stripes: int,
    max_scale: float,
    pool: int | None,
    budget: int,
    tolerance: float,
    method: str,
    weights: str,
    code: str | None,
    first_mode: str,
    formats: tuple[str, ...],
    shape: str,
    seed: int,
    device: str,
) -> None:
    """Accelerograms that together carry the hazard of a site, and the proof that they do.

    From a classical or disaggregation calculation of OpenQuake (its number, -1 for the last; the
    path of its calc_N.hdf5; or a job.ini, which is run first): the distribution of spectra given
    the hazard level, candidates drawn for the ruptures that control it, and a choice among them
    that matches its mean and scatter at all periods. Started again after it was stopped, it keeps
    the suites that were finished.
    """
    from gwm_hazard.openquake.datastore import is_job, opened
    from gwm_hazard.openquake.suites import GCIM, Request, make_study
    from gwm_hazard.suite import design, parts
    from gwm_hazard.suite.build import Settings
    from gwm_hazard.suite.codes import remarks
    from gwm_hazard.suite.output import ACCELEROGRAMS, write

    if poe is None and target != "scenario":
        raise click.UsageError(f"--target {target} needs --poe")
    for name in formats:
        if name not in ACCELEROGRAMS:
            raise click.BadParameter(f"--format {name}: must be one of {', '.join(ACCELEROGRAMS)}")

    settings = Settings(
        target=target,
        imt=imt.strip(),
        n=n,
        pool=pool if pool is not None else max(40 * n, 800),
        tolerance=tolerance,
        max_scale=max_scale,
        budget=budget,
        seed=seed,
        weights=weights,
        method=method,
    )
    modes = first_modes(code, first_mode)
    grid = spread(periods or ("" if code else _DEFAULT_PERIODS))
    wanted = [f"SA({t})" for t in apart(grid, imt.strip())]
    if code:
        wanted += design.measures(code, *modes)
    further = listed(imts) or (GCIM if target == "gcim" else ())
    request = Request(
        poe=poe,
        settings=settings,
        imts=(*wanted, *further),
        site=place(site),
        branches=branches,
        correlation=correlation,
        stripes=stripes,
        device=device,
        shape=shape,
        about={"command": shlex.join(["gwm-hazard", *sys.argv[1:]])},
    )
    is_job(calculation)  # refuses a path that is none
    output.mkdir(parents=True, exist_ok=True)  # before hours of work
    dstore = opened(calculation)
    # OpenQuake logs all that is said in the process, also how fonts go into a PDF
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    with dstore, Bars() as progress:
        study, model = make_study(dstore, request, progress, output)
        notes = remarks(code) if code else ()

        def check(suite: Suite, motions: Motions) -> list[Check]:
            return design.code_checks(study.component, suite, motions, str(code), *modes)

        rules = check if code else None
        page = write(
            study, model, output, formats, rules, lambda share: progress("page", share), notes
        )
        parts.remove(output)
    click.echo(summary(study))
    click.echo(f"{page}")


def spread(text: str) -> list[float]:
    """Periods: "0.1:3:20" are 20 log-spaced ones, to 3 digits; else a list, "0.2,0.5,1"."""
    import numpy as np

    if not text:
        return []
    try:
        if ":" in text:
            low, high, count = text.split(":")
            found = np.geomspace(float(low), float(high), int(count)).tolist()
        else:
            found = [float(t) for t in text.split(",") if t.strip()]
        if not found or min(found) <= 0:
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"--periods {text}: write FROM:TO:COUNT, 0.1:3:20, or a list, 0.2,0.5,1"
        ) from None
    return sorted({float(f"{t:.3g}") for t in found})


#: Periods that differ by less, as a share, are one.
SAME_PERIOD = 0.03


def apart(periods: list[float], imt: str) -> list[float]:
    """Periods without those that the conditioning measure, SA(T), stands for."""
    from gwm_hazard.intensity import parse_imt

    given = parse_imt(imt) if imt else None
    if given is None or given.name != "SA":
        return periods
    return [t for t in periods if abs(t / given.period - 1.0) >= SAME_PERIOD]


def first_modes(code: str | None, text: str) -> tuple[float, float]:
    """First-mode periods of the two directions, the smaller first; T stands for both."""
    if not code:
        return (0.0, 0.0)
    try:
        found = [float(t) for t in text.split(",")]
        if len(found) not in (1, 2) or min(found) <= 0:
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"--code {code} needs --first-mode T or T,T, the first-mode periods of the building "
            f"in s; it was {text!r}"
        ) from None
    return min(found), max(found)


def place(text: str) -> int | tuple[float, float]:
    """A site: its id, or LON,LAT."""
    try:
        if "," in text:
            lon, lat = text.split(",")
            return float(lon), float(lat)
        return int(text)
    except ValueError:
        raise click.BadParameter(f"--site {text}: write an id, or LON,LAT in degrees") from None


def summary(study: Study) -> str:
    """What was found, in a few lines."""
    import numpy as np

    from gwm_hazard.suite.tables import component_text

    lines = []
    for suite in study.suites:
        t, m, pool = suite.target, suite.match, suite.candidates
        at = f"{t.conditioning} = {t.level:.4g}, " if t.conditioning else ""
        at += f"{1.0 / t.rate:,.0f} years" if t.kind != "scenario" else "all ruptures"
        scatter = np.abs(m.sigma_error[np.isfinite(m.sigma_error)])
        lines.append(
            f"{t.kind}, {at}, {component_text(study.component)}: {len(suite)} of {len(pool)} "
            f"candidates ({pool.draws:,} draws); "
            f"median within {100 * np.abs(m.mean_error).max():.1f} %"
            + (f", sigma within {100 * scatter.max():.1f} %" if len(scatter) else "")
        )
    if len(study.consistency):
        ratio = study.consistency["ratio"]
        lines.append(
            "implied rates (a lognormal fitted to each suite) over the hazard's: "
            f"{ratio.min():.2f} to {ratio.max():.2f}"
        )
    lines.append(f"{study.about['seconds']:.0f} s")
    return "\n".join(lines)
