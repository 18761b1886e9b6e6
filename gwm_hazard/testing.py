"""What a waveform model of any package must keep, as one check; and a double for tests.

::

    from gwm_hazard.testing import check_model

    def test_my_model():
        check_model(MyModel())
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.abilities import ConditionsOnLowFrequencies
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.devices import available
from gwm_hazard.models.double import RandomModel

__all__ = ["RandomModel", "check_model"]

#: Largest difference between the same draw in two batches, as a share of its peak: networks round
#: sums of other batches in another order.
ROUNDING = 1e-3

#: What is compared of draws whose samples are not.
MEASURES = ("PGA", "PGV", "SA(0.3)", "SA(1.0)", "IA")

#: Rows that are drawn together.
ROWS = 5


def check_model(
    model: WaveformModel,
    rounding: float = ROUNDING,
    conditions: Mapping[str, tuple[float, float]] | None = None,
    *,
    by: Literal["samples", "measures"] = "samples",
) -> None:
    """Check what the package relies on; an AssertionError says what does not hold.

    Parameters
    ----------
    model : WaveformModel
    rounding : float
        Largest difference between two draws of one key in batches of another size, order or
        device, or with conditions rounded to single precision: of samples as a share of the peak,
        of measures in ln units.
    conditions : {name: (low, high)}, optional
        Draw within these, where a model is slow or large at the ends of its own ranges.
    by : "samples" or "measures"
        What of two draws is compared. Measures (MEASURES, of the first component) are for a model
        whose phases are retrieved by iterations from a network of low precision: rounding then
        moves single samples far, and the motion little.

    It checks that the card survives JSON, that every condition has a range and scenarios outside
    are refused, and that a draw is float32, finite, of the card's components and its ``npts``,
    depends on its key and conditions only (not on n, the order, the batch, the device or the last
    digits of conditions, of which OpenQuake stores seven) and is asked for in batches no larger
    than given.
    """
    same = partial(_same, rounding=rounding, dt_s=model.dt_s if by == "measures" else None)
    _check_card(model)
    if isinstance(model, ConditionsOnLowFrequencies):  # type: ignore[misc]
        model = _OnMotion(model)
    scenarios = _scenarios(model, dict(conditions or {}))
    noise = Noise(3, np.arange(ROWS), np.arange(ROWS) + 7, np.arange(ROWS) % 2)
    drawn = _drawn(model, scenarios, noise)
    _check_shapes(model, scenarios, drawn)
    _check_ranges(model, scenarios)
    order = np.arange(ROWS)[::-1]
    back = _drawn(model, scenarios.take(order), noise.take(order))
    same(drawn, [back[i] for i in order], "rows in another order")
    same(drawn, _drawn(model, scenarios, noise, 1), "batches of one")
    few = np.array([1, 3])
    some = _drawn(model, scenarios.take(few), noise.take(few))
    same([drawn[i] for i in few], some, "fewer rows")
    # as OpenQuake's datastores and catalogues hold them
    stored = Scenarios(**{name: np.float32(scenarios[name]) for name in scenarios})
    same(drawn, _drawn(model, stored, noise), "conditions in single precision")
    one = scenarios.take(np.zeros(2, dtype=int))
    first, second = _drawn(model, one, Noise(3, np.arange(2), 0, 0))
    assert not np.array_equal(first, second), "two keys draw the same waveform"
    _check_generate(model, scenarios, same)
    device = model.device
    if available("cuda") == "cuda" and not device.startswith("cuda"):
        try:
            model.device = "cuda"
            same(drawn, _drawn(model, scenarios, noise), "another device")
        finally:
            model.device = device


class _OnMotion(WaveformModel):
    """A model that adds high frequencies to motions, on one that is made up."""

    def __init__(self, model: Any) -> None:
        self.model, self.card = model, model.card
        self.bytes_per_sample = model.bytes_per_sample

    @property
    def device(self) -> str:  # type: ignore[override]
        return str(self.model.device)

    @device.setter
    def device(self, value: str) -> None:
        self.model.device = value

    def _motions(self, n: int) -> LowFrequency:
        return LowFrequency.trial(n, self.model.crossovers_hz[0])

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        n = len(scenarios)
        return np.asarray(self.model.lengths(scenarios, low_frequency=self._motions(n)))

    def draw(self, scenarios: Scenarios, noise: Noise) -> Any:
        return self.model.draw(scenarios, noise, self._motions(len(scenarios)))


def _check_card(model: WaveformModel) -> None:
    told = model.card.to_dict()
    try:
        plain = json.loads(json.dumps(told))
    except (TypeError, ValueError) as exc:
        raise AssertionError(f"the card does not survive JSON: {exc}") from exc
    from gwm_hazard.models.registry import rebuilt

    again = rebuilt(model, **plain["parameters"])
    assert again.card.to_dict()["parameters"] == told["parameters"], (
        "the card's parameters do not make the same model again"
    )


def _scenarios(model: WaveformModel, within: dict[str, tuple[float, float]]) -> Scenarios:
    """Spread over the ranges of the card, the ends left out."""
    share = np.linspace(0.1, 0.9, ROWS)
    columns = {}
    for i, r in enumerate(model.card.conditions):
        low, high = within.get(r.name, (r.low, r.high))
        columns[r.name] = low + (high - low) * np.roll(share, i)
    return Scenarios(**columns)


def _drawn(
    model: WaveformModel, scenarios: Scenarios, noise: Noise, size: int | None = None
) -> list[NDArray[np.float32]]:
    """One array a row; the batches are no larger than asked for."""
    out: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(scenarios)
    lengths = model.npts(scenarios)
    for rows, acceleration in model.batches(scenarios, noise, size):
        most = size or model.batch_size(int(lengths[rows[0]]))
        assert len(rows) <= most, f"{len(rows)} records at once, the memory is for {most}"
        for row, values in zip(rows, acceleration, strict=True):
            out[row] = values
    return out


def _check_shapes(
    model: WaveformModel, scenarios: Scenarios, drawn: list[NDArray[np.float32]]
) -> None:
    lengths = model.npts(scenarios)
    assert lengths.shape == (len(scenarios),), "npts gives one number a scenario"
    for npts, values in zip(lengths, drawn, strict=True):
        want = (len(model.card.components), int(npts))
        assert values.shape == want, f"a draw has shape {values.shape}, the card says {want}"
        assert values.dtype == np.float32, f"a draw is {values.dtype}, not float32"
        assert np.isfinite(values).all() and values.any(), "a draw is not finite, or zero"
    assert model.batch_size(10**9) == 1, "batch_size does not fall with the length of records"


def _check_ranges(model: WaveformModel, scenarios: Scenarios) -> None:
    for r in model.card.conditions:
        if r.high >= ALL_CONDITIONS[r.name].high:
            continue  # nothing beyond is a scenario
        outside = {name: scenarios[name][:1] for name in scenarios}
        outside[r.name] = np.array([np.nextafter(r.high, np.inf)])
        assert model.card.outside(Scenarios(**outside)).all(), f"{r.name} above its range passes"


def _check_generate(model: WaveformModel, scenarios: Scenarios, same: Callable[..., None]) -> None:
    two = scenarios.take(np.arange(2))
    few = model.generate(two, n=1, seed=11)["acceleration"].values
    more = model.generate(two, n=3, seed=11)["acceleration"].values
    same(list(few[:, 0]), list(more[:, 0]), "more realizations")
    first = model.generate(two.take(np.arange(1)), n=1, seed=11)["acceleration"].values[0, 0]
    same([few[0, 0][:, : first.shape[1]]], [first], "other scenarios beside it")


def _same(
    these: list[NDArray[np.float32]],
    those: list[NDArray[np.float32]],
    what: str,
    *,
    rounding: float,
    dt_s: float | None,
) -> None:
    """Samples, or, where a time step is given, measures."""
    for one, other in zip(these, those, strict=True):
        assert one.shape == other.shape, f"{what} change the shape of a draw"
        if dt_s is None:
            worst = float(np.abs(one - other).max() / np.abs(one).max())
            assert worst <= rounding, f"{what} change a draw by {worst:.2g} of its peak"
        else:
            ln = [
                np.log(intensity_measures_array(x[None, :1], dt_s, list(MEASURES), "H1"))
                for x in (one, other)
            ]
            worst = float(np.abs(ln[0] - ln[1]).max())
            assert worst <= rounding, f"{what} change a measure by {worst:.2g} ln units"
