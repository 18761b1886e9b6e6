"""What the page says of how a study was made, from the study itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from gwm_hazard.intensity import parse_imt
from gwm_hazard.suite.build import UHS_SIGMA
from gwm_hazard.suite.motions import STANDARD_MEASURES
from gwm_hazard.suite.study import Study, Suite
from gwm_hazard.suite.tables import component_text, poe, return_period, years_text

KINDS = {
    "cs": "conditional spectrum",
    "gcim": "generalised conditional intensity measures",
    "uhs": "uniform hazard spectrum",
    "scenario": "scenario spectrum",
}

#: Entries of ``Study.about`` that have their own place on the page.
TOLD = ("command", "correlation", "remarks", "software")

#: Options that say nothing for a target: one without a conditioning measure, one without a level.
UNCONDITIONED = ("imt", "weights")
WITHOUT_LEVEL = ("poe", "stripes", "tolerance", "max_scale", "method", *UNCONDITIONED)

MATCHING = (
    "The motions are not matched to the target spectrum one by one, and this program does not do "
    "so. Spectral matching changes amplitudes and phases until each motion has the target's "
    "spectrum: it takes away the scatter between motions that a conditional or a scenario target "
    "prescribes, and with it the scatter of the response. A motion drawn for its scenario needs no "
    "such change to fit. Where a project asks for matched motions all the same (a code that "
    "demands it, few motions for a mean response), take the exported accelerograms to a program "
    "made for it, such as those of the time-domain method of Al Atik and Abrahamson (2010), and "
    "check velocity, displacement and Arias build-up after it."
)

SOURCES = {
    "cs": (
        "Baker (2011), J. Struct. Eng. 137(3): 322-331 (conditional mean spectrum)",
        "Lin, Harmsen, Baker and Luco (2013), BSSA 103(2A): 1103-1116 (conditional spectrum over "
        "several ruptures and ground-motion models)",
    ),
    "gcim": (
        "Bradley (2010), Earthquake Eng. Struct. Dyn. 39(12): 1321-1342 (generalised conditional "
        "intensity measure)",
    ),
    "choice": (
        "Jayaram, Lin and Baker (2011), Earthquake Spectra 27(3): 797-815; Baker and Lee (2018), "
        "J. Earthquake Eng. 22(3): 438-451 (selection for mean and variance)",
        "Al Atik and Abrahamson (2010), Earthquake Spectra 26(3): 601-617 (spectral matching)",
    ),
    "consistency": (
        "Lin, Haselton and Baker (2013), Earthquake Eng. Struct. Dyn. 42(12): 1847-1865 (hazard "
        "consistency of suites)",
    ),
}  # fmt: skip


def level_text(suite: Suite) -> str:
    """The level that all motions share, in words; "" without one."""
    target = suite.target
    if not target.conditioning:
        return ""
    unit = parse_imt(target.conditioning).measure.unit
    return f"{target.conditioning} = {target.level:.3g} {unit}"


def hazard_text(study: Study, suite: Suite) -> str:
    """How rare the level of a suite is."""
    years = return_period(suite.target)
    if np.isnan(years):
        return "given that one of the earthquakes of the calculation occurs"
    time, chance = study.investigation_time, poe(suite.target, study.investigation_time)
    return f"return period {years_text(years)} years ({100 * chance:.3g} % in {time:g} years)"


def paragraphs(study: Study) -> list[tuple[str, str]]:
    """How it was made: (heading, text)."""
    return [
        ("Target", _target(study)),
        ("Candidates", _candidates(study)),
        ("Selection and scaling", _selection(study)),
        ("Spectral matching", MATCHING),
        ("Measures", _measures(study)),
    ]


def _target(study: Study) -> str:
    target, c = study.suites[0].target, study.contributions
    n = f"{len(target.weight):,}"
    where = f"{n} pairs of a rupture and a ground-motion branch ({', '.join(c.branches)})"
    text = {
        "cs": f"For each of {where} the spectrum given the level of `{target.conditioning}` is "
        "multivariate lognormal (Baker 2011). The target is their mixture, weighted by the "
        "disaggregation of that level: mean and covariance are exact over all ruptures and "
        "branches (method 4 of Lin et al. 2013), not those of one mean scenario.",
        "gcim": f"For each of {where} the measures given the level of `{target.conditioning}` are "
        "multivariate lognormal (Bradley 2010). The target is their mixture, weighted by the "
        "disaggregation of that level: mean and covariance are exact over all ruptures and "
        "branches.",
        "uhs": f"The uniform hazard spectrum, over {where}: each ordinate is exceeded at the same "
        "rate on its own. No single earthquake has this spectrum, and it states no scatter. The "
        "choice brings the median of the suite to it and keeps the scatter about it small, with "
        f"a weight of {UHS_SIGMA:g} to the median's 1.",
        "scenario": f"The distribution of the measures given that one of the ruptures occurs, "
        f"over {where}.",
    }[target.kind]  # fmt: skip
    if len(c.branches) > 1:
        share = np.bincount(c.branch, target.weight, len(c.branches))
        parts = [f"{name} {100 * s:.0f} %" for name, s in zip(c.branches, share, strict=True)]
        at = f" at {hazard_text(study, study.suites[0])}" if len(study.suites) > 1 else ""
        text += f" Shares of the branches in the target{at}: {', '.join(parts)}."
    if target.kind != "uhs" and study.about.get("correlation"):
        text += f" Correlation between the measures: {study.about['correlation']}."
    return text


def _candidates(study: Study) -> str:
    suites, card = study.suites, study.card
    draws, kept, pool, n = (
        sum(values)
        for values in zip(
            *((s.candidates.draws, s.candidates.kept, len(s.candidates), len(s)) for s in suites),
            strict=True,
        )
    )
    ruptures = len(next(iter(suites[0].conditions.values())))
    text = (
        f"All motions are drawn by the generative model `{card.name}` {card.version} "
        f"({_drawing(study)}), {_count(len(card.components))} at once, for the {ruptures:,} "
        "ruptures of the calculation"
    )
    settings = study.about.get("settings") or {}
    near = _near(suites[0], settings)
    if suites[0].target.kind == "scenario":
        text += f". The pool is {pool:,} draws, of which {n:,} were chosen."
    elif settings.get("method") == "walk":
        text += (
            ", by a search in the space of the model's noise: populations of pairs of a rupture "
            "and a noise walk towards the noise that this needs, by moves that keep the noise "
            "standard normal (preconditioned Crank-Nicolson), so that a motion is as likely as one "
            f"found by plain draws. It took {draws:,} waveforms to find the pool of {pool:,} with "
            f"{near}, of which {n:,} were chosen, no two of much the same noise."
        )
    else:
        text += (
            f". It took {draws:,} waveforms to find {kept:,} with {near}; {pool:,} of them, "
            "thinned by their importance weights so that each counts alike, are the pool that "
            f"{n:,} were chosen from."
        )
    if len(study.contributions.branches) > 1:
        text += (
            f" The target rests on {len(study.contributions.branches)} branches, the motions are "
            f"those of {_this(study)}: the choice brings them to the target of all."
        )
    return text


def _drawing(study: Study) -> str:
    """The branches that draw."""
    names = _own_branches(study)
    if len(names) == 1:
        return f"branch {names[0]}"
    return f"branches {', '.join(names)}, each for the ruptures of its tectonic region"


def _this(study: Study) -> str:
    return "this one" if len(_own_branches(study)) == 1 else "these"


def _own_branches(study: Study) -> list[str]:
    """Names of the branches under which the pool's ruptures are."""
    c = study.contributions
    return [c.branches[b] for b in np.unique(c.branch[study.suites[0].origin])]


def _near(suite: Suite, settings: dict[str, Any]) -> str:
    """What all candidates share: the conditioning level, or the mean of a uniform hazard."""
    what, of = f"`{suite.target.conditioning}`", "its level"
    if suite.target.kind == "uhs":
        what, of = "the geometric mean of the spectrum over its periods", "the target's"
    if settings.get("max_scale", 1.0) > 1.0:
        return f"{what} within a factor of {settings['max_scale']:g} of {of}"
    if "tolerance" in settings:
        return f"{what} within {100 * settings['tolerance']:.3g} % of {of}"
    return f"{what} near {of}"


def _count(components: int) -> str:
    return {1: "one component", 2: "two components", 3: "three components"}[components]


def _selection(study: Study) -> str:
    scale = np.concatenate([s.scale for s in study.suites])
    text = (
        "The suite is the set of candidates whose mean and standard deviation of ln are together "
        "closest to the target's at all measures: first those nearest to random realizations of "
        "the target, then each is replaced by the candidate that lowers the misfit most, until "
        "none does (Jayaram et al. 2011; Baker and Lee 2018). "
    )
    if (scale == 1).all():
        return text + "No motion is scaled."
    return text + (
        f"Motions are scaled by factors from {scale.min():.3g} to {scale.max():.3g}; files, tables "
        "and figures show them scaled."
    )


def _measures(study: Study) -> str:
    extra = [m for m in STANDARD_MEASURES if m not in study.suites[0].target.imts]
    of = "the two horizontal components"
    if len(study.card.components) == 1:
        of = "horizontal motion, inferred from the one component that the model draws"
    said = (
        f"Measures, in target and motions alike, are the {component_text(study.component)} of "
        f"{of}, 5 % damping. "
    )
    if extra:
        said += f"{', '.join(extra)} are not in the target: they follow from the motions. "
    return said + (
        "Velocity and displacement are integrated from rest, in double precision, without any "
        "baseline correction or filter: an offset at the end is the motion's own, so check the "
        "displacement of long-period or multi-support models."
    )


def limits(study: Study) -> list[str]:
    """What a user must know before relying on the motions."""
    out = [
        "Synthetic motions: they are no records of earthquakes. Codes and reviewers may ask for "
        "recorded motions beside them."
    ]
    if len(study.card.components) == 3:
        out.append(
            f"Target, choice and checks are of the horizontals ({component_text(study.component)})"
            ". The vertical component comes with each motion as the model draws it, and is "
            "scaled with it; it is matched to nothing."
        )
    outside = sum(int(study.card.outside(s.scenarios).sum()) for s in study.suites)
    if outside:
        total = sum(len(s) for s in study.suites)
        out.append(f"{outside} of {total} motions lie outside the model's range of validity.")
    n = min(len(s) for s in study.suites)
    error = 1.0 / np.sqrt(max(n - 1, 1))
    out.append(
        f"{n} motions fix a correlation to about ±{error:.2f} (one standard error, where it is "
        "0): the selection looks at means and standard deviations, not at correlations."
    )
    return out + list(study.card.limitations)


def sources(study: Study) -> list[str]:
    """What the methods are from."""
    kind = study.suites[0].target.kind
    topics = ["cs", "gcim"] if kind == "gcim" else [kind]
    topics += ["choice"] if study.consistency.empty else ["choice", "consistency"]
    return [line for t in topics for line in SOURCES.get(t, ())] + list(study.card.citation)


def entries(study: Study) -> list[tuple[str, str]]:
    """The rest of ``Study.about`` as names and values, groups one level deep."""
    without = {"scenario": WITHOUT_LEVEL, "uhs": UNCONDITIONED}
    left_out = TOLD + without.get(study.suites[0].target.kind, ())
    out: list[tuple[str, Any]] = []
    for name, value in study.about.items():
        if name not in TOLD:
            out.extend(value.items() if isinstance(value, dict) else [(name, value)])
    return [
        (str(name).replace("_", " "), _text(value))
        for name, value in out
        if name not in left_out and _text(value)
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value)
    return "" if value is None else str(value)
