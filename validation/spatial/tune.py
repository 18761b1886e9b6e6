"""Tune the spatial correlation of a model's noise to published ones, once, and store it with it.

    python validation/spatial/tune.py [--draws N] [--fields PLAIN CORRELATED ...]

writes gwm_hazard/models/stochastic/tables/spatial.npz: the sensitivities of ln IM to the numbers of
the stream "record" (regression on draws of one event at many sites, over the standard deviation
within events, mean of three scenarios; pairs of draws with the same level tell what the phases add,
and what is left is of the level, but not linear in it), and for each published model the matrices
A_k with which the correlations of the measures come nearest to it. They start at the linear model
of coregionalization of gwm_hazard.core.spatial.tuning and are held to it where measures do not
tell. With ``--fields``, written by fields.py with the matrices that are stored, what these fields
show more than was expected of them is taken off what is aimed at.

Prints these shares by measure, and the difference from the published correlation by distance.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial import published
from gwm_hazard.core.spatial.lattice import LENGTHS_KM
from gwm_hazard.core.spatial.tuning import FITTED_KM, achieved, fields_at, mixing, weights_of
from gwm_hazard.models import stochastic
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.stochastic import spectrum
from gwm_hazard.models.stochastic.model import StochasticModel
from gwm_hazard.models.stochastic.spatial import matrices

sys.path.insert(0, str(Path(__file__).parent))
import fields

Array = NDArray[np.float64]
Excess = dict[str, dict[str, Array]]

OUT = Path(stochastic.__file__).parent / "tables" / "spatial.npz"
MEASURES = (
    "PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)",
)  # fmt: skip
SCENARIOS = ((5.5, 20.0, 500.0), (6.5, 30.0, 400.0), (7.2, 60.0, 350.0))
SHOWN_KM = np.array([1.0, 5.0, 10.0, 20.0, 40.0, 80.0])
#: How firmly the matrices are held to where they start, and steps.
HELD, STEPS = 0.005, 400


def residuals(model: StochasticModel) -> tuple[Array, Array]:
    """Frequencies, Hz (p,), of the residuals that the stream "record" makes, and L (p, size).

    The first number is that of the duration; it stands at 1 Hz.
    """
    root = spectrum.correlation_factor(model.parameters)
    factor = np.eye(1 + len(root))
    factor[1:, 1:] = root
    return np.array([1.0, *spectrum.bayless_abrahamson()["freq_hz"]]), factor


class Twins(Noise):
    """Noise of which two sites each share what carries the level of a record."""

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        """See :meth:`Noise.normal`."""
        if stream == "record":
            return Noise(self.seed, self.event, self.site // 2, 0).normal(stream, size)
        return super().normal(stream, size, per_event=per_event)


def sensitivities(model: StochasticModel, size: int, draws: int) -> tuple[Array, Array]:
    """Of ln IM to the level noise, over the standard deviation within events, (M, size).

    And the share of the variance that follows the level noise, but not linearly, (M,).
    """
    found, linear, level = [], [], []
    for mag, rrup, vs30 in SCENARIOS:
        noise = Twins(21, 1, np.arange(draws), 0)
        at = Scenarios(mag=np.full(draws, mag), rrup=rrup, vs30=vs30, hypo_depth=10.0)
        ln = ln_measures(model, Draws(at, noise), MEASURES)
        z = noise.normal("record", size).astype(np.float64)
        variance = ln.var(axis=0)
        phases = 0.5 * (ln[::2] - ln[1::2]).var(axis=0) / variance
        mean = 0.5 * (ln[::2] + ln[1::2])
        design = np.column_stack([np.ones(draws // 2), z[::2]])
        slope = np.linalg.lstsq(design, mean, rcond=None)[0]
        rest = (mean - design @ slope).var(axis=0) * len(mean) / (len(mean) - len(slope))
        found.append((slope[1:] / np.sqrt(variance)).T)
        level.append(1.0 - phases)
        # Half of the phases' variance is left in a mean of two.
        linear.append(1.0 - phases - np.maximum(rest / variance - 0.5 * phases, 0.0))
        print(f"M {mag:g}, {rrup:g} km, Vs30 {vs30:g}: share of the phases; of level, not linearly")
        for m, x, y in zip(MEASURES, phases, level[-1] - linear[-1], strict=True):
            print(f"  {m:8} {x:.3f} {y:.3f}")
    a = np.mean(found, axis=0)
    of_linear = np.mean(linear, axis=0)
    # Errors of regression and differences between scenarios average out in the mean, not here.
    a *= np.sqrt(of_linear / (a**2).sum(axis=1))[:, None]
    return a, np.mean(level, axis=0) - of_linear


def excess(paths: list[Path], measures: dict[str, Array], bent: dict[str, float]) -> Excess:
    """{published model: {measure: excess (FITTED_KM,)}} of fields over what was expected."""
    if not paths:
        return {}
    apart = fields.distances(*fields.sites())
    i, j = np.triu_indices(len(apart), 1)
    near = [np.stack([i, j])[:, np.abs(apart[i, j] / h - 1.0) < 0.03] for h in fields.KM]
    with np.load(paths[0]) as plain:
        spread = [
            fields.semivariogram(plain["ln"], k, k, np.stack([i, j])).mean()
            for k in range(len(fields.IMTS))
        ]
    found: Excess = {}
    for path in paths[1:]:
        with np.load(path) as file:
            name, ln = str(file["name"]), file["ln"]
        found[name] = {}
        for k, m in enumerate(fields.IMTS):
            shown = [1.0 - fields.semivariogram(ln, k, k, p).mean() / spread[k] for p in near]
            linear = achieved(matrices(name), measures[m], measures[m], fields.KM)
            expected = linear + bent[m] * (linear / (measures[m] ** 2).sum()) ** 2
            over = np.interp(np.log(FITTED_KM), np.log(fields.KM), shown - expected)
            # Farther away what fields show is noise.
            found[name][m] = over * np.clip(2.0 - FITTED_KM / 20.0, 0.0, 1.0)
    return found


def tuned(
    name: str,
    measures: dict[str, Array],
    bent: dict[str, float],
    more_than: dict[str, Array],
    start: Array,
) -> Array:
    """Matrices A_k whose measures have the published correlation, (n_lengths, size, size)."""
    told = [m for m in measures if published.tells(name, m)]
    a = torch.tensor(np.stack([measures[m] for m in told]))
    share = (a**2).sum(dim=1, keepdim=True)
    more = torch.tensor([[bent.get(m, 0.0)] for m in told], dtype=torch.float64)
    aims = [published.correlation(name, m, FITTED_KM) - more_than.get(m, 0.0) for m in told]
    wanted = torch.tensor(np.stack(aims))
    at_km = torch.tensor(fields_at(FITTED_KM))
    eye = torch.eye(start.shape[1], dtype=torch.float64)
    first = torch.tensor(start) @ torch.tensor(start).transpose(1, 2)
    free = torch.linalg.cholesky(first + 1e-6 * eye).contiguous().requires_grad_()

    def made() -> torch.Tensor:
        root = torch.linalg.cholesky((free @ free.transpose(1, 2)).sum(dim=0))
        return torch.linalg.solve_triangular(root, free, upper=False)

    optimizer = torch.optim.LBFGS(
        [free], max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe"
    )

    def cost() -> torch.Tensor:
        optimizer.zero_grad()
        now = made()
        by_field = ((a @ now) ** 2).sum(dim=2)
        linear = by_field.T @ at_km
        # A square of correlated normals is correlated as the square of their correlation.
        error = linear + more * (linear / share) ** 2 - wanted
        moved = (now @ now.transpose(1, 2) - first).square().sum() / len(eye)
        total = error.square().mean() + HELD * moved
        total.backward()
        return total

    optimizer.step(cost)
    return made().detach().numpy()


def main() -> None:
    """Tune, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=3000)
    model = StochasticModel()
    parser.add_argument("--fields", nargs="*", type=Path, default=[])
    given = parser.parse_args()
    f_hz, factor = residuals(model)
    of_measures, not_linear = sensitivities(model, factor.shape[1], given.draws)
    measures = dict(zip(MEASURES, of_measures, strict=True))
    bent = dict(zip(MEASURES, not_linear.tolist(), strict=True))
    for f in (0.2, 0.5, 1.0, 2.0, 5.0, 10.0):
        measures[f"EAS({f:g})"] = factor[1 + int(np.argmin(np.abs(f_hz[1:] - f)))]
    excesses = excess(given.fields, measures, bent)
    store = {
        "lengths_km": LENGTHS_KM,
        "measures": np.array(MEASURES),
        "sensitivity": of_measures.astype(np.float32),
    }
    for name in published.NAMES:
        like = "EAS({:g})" if name == published.OF_FOURIER else "SA({:g})"
        periods = f_hz if name == published.OF_FOURIER else 1.0 / f_hz
        weights = np.stack([weights_of(name, like.format(t)) for t in periods], axis=1)
        found = tuned(name, measures, bent, excesses.get(name, {}), mixing(weights, factor))
        store[name] = found.astype(np.float32)
        print(name, "minus published at", *(f"{h:g}" for h in SHOWN_KM), "km")
        for m in (m for m in measures if published.tells(name, m)):
            linear = achieved(found, measures[m], measures[m], SHOWN_KM)
            difference = linear + bent.get(m, 0.0) * (linear / (measures[m] ** 2).sum()) ** 2
            difference -= published.correlation(name, m, SHOWN_KM)
            print(f"  {m:8}", *(f"{x:+.3f}" for x in difference))
    np.savez_compressed(OUT, **store)
    print(f"{OUT.name}: {OUT.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
