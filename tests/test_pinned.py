"""A few numbers of everything that draws, measures or compares, as they were when last looked at.

They say that a change of the code is no change of results. Where a result changes on purpose, run
``python -m tests.test_pinned`` and say in the commit which numbers changed and why.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from openquake.hazardlib.contexts import simple_cmaker

import gwm_hazard as gwm
from gwm_hazard.cli import cli
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from tests.suite import made_up

FILE = Path(__file__).with_name("pinned.json")
IMTS = ("PGA", "PGV", "SA(0.3)", "SA(1.0)", "RSD595")
SCENARIOS = {"mag": [5.2, 6.8], "vs30": [760.0, 300.0], "hypo_depth": [12.0, 8.0]}


def draws(name: str) -> list[float]:
    """Samples and measures of two scenarios, two realizations each."""
    model = gwm.load_model(name, device="cpu")
    distance = "rrup" if "rrup" in model.card.condition_names else "rhypo"
    more = (
        {"azimuthal_gap": [100.0, 150.0]} if "azimuthal_gap" in model.card.condition_names else {}
    )
    waves = model.generate(
        gwm.Scenarios(**SCENARIOS, **{distance: [40.0, 25.0]}, **more), 2, seed=3
    )
    samples = waves.acceleration.values[:, :, :, 700:1100:97]
    measures = gwm.intensity_measures(waves, list(IMTS), component="RotD50")
    return [*samples.ravel(), *(v for imt in IMTS for v in measures[imt].values.ravel())]


def moments(**arguments: object) -> list[float]:
    """What OpenQuake gets for three pairs."""
    gsim = GenerativeWaveformGMM(**arguments)
    maker = simple_cmaker([gsim], ["PGA", "SA(0.3)", "SA(1.0)"], truncation_level=3.0)
    ctx = maker.new_ctx(3)
    ctx["mag"] = 6.3
    ctx["rrup"] = [8.0, 25.0, 90.0]
    ctx["vs30"] = [300.0, 500.0, 800.0]
    ctx["hypo_depth"] = 10.0
    ctx["sids"] = [0, 1, 2]
    return maker.get_mean_stds([ctx]).ravel().tolist()


def suite() -> list[float]:
    """Motions chosen for a conditional spectrum at a made-up site."""
    study = made_up.make_study(gwm.load_model("stochastic", device="cpu"), "cs")
    (chosen,) = study.suites
    return [*chosen.rows.tolist(), *chosen.target.mean, *chosen.ln.ravel()]


def benchmark() -> list[float]:
    """Scores of a model by its surface, of one by draws, and of two GMMs, on a made-up flatfile."""
    rng = np.random.default_rng(11)
    n = 24
    mag = np.repeat([5.0, 5.6, 6.3], n // 3)
    rrup = rng.uniform(10.0, 120.0, n)
    table = pd.DataFrame(
        {
            "event_id": np.repeat(["a", "b", "c"], n // 3),
            "station_id": [f"s{i}" for i in range(n)],
            "mag": mag,
            "rrup": rrup,
            "rjb": rrup - 1.0,
            "rhypo": rrup + 2.0,
            "vs30": rng.uniform(250.0, 900.0, n),
            "hypo_depth": 10.0,
            "rake": 0.0,
            "ztor": 3.0,
        }
    )
    for i, imt in enumerate(("PGA", "SA(1)")):
        table[imt] = np.exp(1.2 * mag - 1.6 * np.log(rrup) - 4.0 - i + rng.normal(0, 0.6, n))
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder, "flat.csv"), Path(folder, "out")
        table.to_csv(data, index=False)
        words = ["benchmark", "--model", "stochastic", "--model", "highfem-small", "--data", data]
        words += [
            "--imts",
            "PGA,SA(1)",
            "--sections",
            "probabilities,variability",
            "--draws",
            "8",
            "-o",
            out,
        ]
        words += ["--waveforms", "0", "--device", "cpu"]
        done = CliRunner().invoke(cli, [str(w) for w in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        found = [pd.read_csv(path) for path in sorted(out.rglob("*.csv"))]
        assert found
        return [float(v) for f in found for v in f.select_dtypes("number").to_numpy(float).ravel()]


PINNED: dict[str, Callable[[], list[float]]] = {
    "draws of stochastic": lambda: draws("stochastic"),
    "draws of highfem-small": lambda: draws("highfem-small"),
    "draws of highfem-observed": lambda: draws("highfem-observed"),
    "draws of cvae-gan-small": lambda: draws("cvae-gan-small"),
    "draws of wgan-small": lambda: draws("wgan-small"),
    "moments from the surface": moments,
    "moments of draws": lambda: moments(estimator="direct", realizations=16),
    "suite": suite,
    "benchmark": benchmark,
}


@pytest.mark.parametrize("name", PINNED)
def test_as_last_looked_at(name: str) -> None:
    expected = json.loads(FILE.read_text(encoding="utf-8"))[name]
    got = PINNED[name]()
    assert len(got) == len(expected) and sum(map(math.isfinite, got)) > 8
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=1e-6)


if __name__ == "__main__":
    values = {name: [float(v) for v in make()] for name, make in PINNED.items()}
    FILE.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
