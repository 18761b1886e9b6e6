"""Finished suites of a run that was stopped: kept beside its output, taken up by the next one.

A file a suite holds what was chosen (:mod:`gwm_hazard.files.parts`). One that was made of other
hazard, model or settings, or whose motions the model does not draw as they were, is left aside.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gwm_hazard.core.noise import Noise, noise_from_text
from gwm_hazard.files.parts import digest, keep, kept
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.suite.build import DrawingBranch, Settings
from gwm_hazard.suite.candidates import Candidates, Proposal, measured
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.motions import TOLERANCE
from gwm_hazard.suite.study import Suite
from gwm_hazard.suite.target import Correlation, Target, correlation_matrix

#: Folder of the parts, in that of the output.
FOLDER = "suite.parts"


class Parts:
    """The finished suites of a run.

    Parameters
    ----------
    output : folder of the study
    contributions, drawing, correlation, settings : what all suites of the run follow from
    """

    def __init__(
        self,
        output: Path,
        contributions: Contributions,
        drawing: DrawingBranch,
        correlation: Correlation,
        settings: Settings,
    ) -> None:
        self.folder = output / FOLDER
        self.drawing = drawing
        c, model = contributions, drawing.model
        weights = model.weights.sha256 if model.weights is not None else ""
        self._common = digest(
            {
                "settings": asdict(settings),
                "drawing": [drawing.branch, drawing.site, drawing.component],
                "model": [model.card.to_dict(), weights, str(model.device)],
                "software": software_versions(),
                "truncation": c.truncation,
            },
            *(c.rate, c.mean, c.sigma, c.rupture, c.branch, drawing.rows),
            *drawing.conditions.values(),
            correlation_matrix(c.imts, correlation),
        )

    def find(self, number: int, target: Target) -> Suite | None:
        """The suite of a number, from 0, if it was finished for this target."""
        drawing = self.drawing
        if (held := kept(self._path(number), self._fingerprint(target))) is None:
            return None
        mixed = noise_from_text(held["keys"].tolist())
        pool = Candidates(
            held["rupture"],
            held["ln"],
            int(held["draws"]),
            int(held["kept"]),
            int(held["seed"]),
            drawing.site,
            mixed.parts[0] if held["plain"] else mixed,
            held["family"],
        )
        suite = Suite(
            target,
            pool,
            drawing.conditions,
            held["rows"],
            held["scale"],
            drawing.branch,
            drawing.rows,
        )
        rows = suite.rows
        proposal = Proposal(drawing.conditions, np.ones(len(drawing.rows)), None)
        again = measured(
            drawing.model,
            proposal,
            pool.rupture[rows],
            pool.noise(rows),
            target.imts,
            drawing.component,
        )
        return suite if (np.abs(again - pool.ln[rows]) <= TOLERANCE).all() else None

    def keep(self, number: int, suite: Suite) -> None:
        """Write a finished suite."""
        pool = suite.candidates
        keep(
            self._path(number),
            self._fingerprint(suite.target),
            rupture=pool.rupture,
            ln=pool.ln,
            draws=pool.draws,
            kept=pool.kept,
            seed=np.array(pool.seed, dtype=np.uint64),
            keys=np.array(pool.keys(np.arange(len(pool)))),
            plain=isinstance(pool.source, Noise),
            family=pool.family,
            rows=suite.rows,
            scale=suite.scale,
        )

    def _path(self, number: int) -> Path:
        return self.folder / f"suite{number + 1:02d}.npz"

    def _fingerprint(self, target: Target) -> str:
        words = [self._common, target.kind, target.imts, target.conditioning]
        numbers = np.array([target.level, target.rate])
        return digest(words, numbers, target.mean, target.covariance, target.weight)


def remove(output: Path) -> None:
    """Forget the parts: the study is written."""
    folder = output / FOLDER
    for path in folder.glob("suite*.npz"):
        path.unlink()
    with contextlib.suppress(OSError):  # not there, or with something that is not ours
        folder.rmdir()
