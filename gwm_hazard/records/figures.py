"""What an engineer looks at first: traces, response spectra, Husid curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.units import GRAVITY_M_S2
from gwm_hazard.files.atomic import replacing
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.records.record import Record
from gwm_hazard.report.style import OKABE_ITO

PERIODS_S = np.geomspace(0.01, 10.0, 91)

#: Records drawn one by one; of more, the spectra only.
SINGLE = 3

_CONDITIONS = (("mag", "M {:.1f}"), ("rrup", "Rrup {:.0f} km"), ("rhypo", "Rhypo {:.0f} km"),
               ("repi", "Repi {:.0f} km"), ("vs30", "Vs30 {:.0f} m/s"))  # fmt: skip


class Gallery:
    """Collects what the picture shows while records pass: spectra of all, the first few whole."""

    def __init__(self, damping: float = 0.05) -> None:
        self.damping = damping
        self.first: list[Record] = []
        self.spectra: list[NDArray[np.float64]] = []
        self.components: set[str] = set()

    def add(self, record: Record) -> None:
        """Take a record in: RotD50, or its only component."""
        if len(self.first) < SINGLE:
            self.first.append(record)
        name, acc = _main_component(record)
        self.components.add(name)
        self.spectra.append(_spectrum(acc, record.dt_s, name, self.damping))

    def save(self, path: Path) -> None:
        """Draw and write the picture; its suffix tells the format, png, pdf or svg."""
        if not self.spectra:
            return
        figure = self._single() if len(self.spectra) <= SINGLE else self._many()
        kind = path.suffix.lstrip(".") or "png"
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=130, format=kind)

    def _single(self) -> Any:
        from matplotlib.figure import Figure

        n = len(self.first)
        figure = Figure(figsize=(13.0, 3.9 * n + 0.3), layout="constrained")
        parts = figure.subfigures(n, 1, squeeze=False)[:, 0]
        for record, part in zip(self.first, parts, strict=True):
            _draw_record(part, record, self.damping)
        return figure

    def _many(self) -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.5, 5.6), layout="constrained")
        axes = figure.subplots()
        log = np.log(np.maximum(np.array(self.spectra), 1e-12))
        for spectrum in log[:: max(1, len(log) // 500)]:
            axes.loglog(PERIODS_S, np.exp(spectrum), color="0.55", lw=0.5, alpha=0.5)
        low, middle, high = np.exp(np.percentile(log, (16, 50, 84), axis=0))
        axes.fill_between(
            PERIODS_S, low, high, color=OKABE_ITO[1], alpha=0.25, label="16 to 84 %", zorder=3
        )
        axes.loglog(PERIODS_S, middle, color=OKABE_ITO[1], lw=2.2, label="median", zorder=4)
        axes.plot([], [], color="0.55", lw=0.8, label="each record")
        shown = np.exp(np.percentile(log, (0.5, 99.5)))
        axes.set_ylim(shown[0] / 2, shown[1] * 2.5)
        _dress_spectrum(axes, self.damping)
        axes.legend(frameon=False)
        components = " or ".join(sorted(self.components))
        axes.set_title(f"Response spectra of {len(log):,} records ({components})")
        return figure


def _main_component(record: Record) -> tuple[str, NDArray[np.floating]]:
    if record.n_horizontal == 2:
        return "RotD50", record.acceleration[:2]
    return record.components[0], _alone(record.acceleration[0])


def _alone(trace: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.stack([trace, np.zeros_like(trace)])


def _spectrum(
    acc: NDArray[np.floating], dt: float, component: str, damping: float
) -> NDArray[np.float64]:
    """SA in g at `PERIODS_S` of (2, nt) m/s2: RotD50, or the first component alone."""
    imts = [f"SA({period:.9g})" for period in PERIODS_S]
    kind = component if component == "RotD50" else "H1"
    return intensity_measures_array(acc[None], dt, imts, kind, damping)[0]


def _draw_record(part: Any, record: Record, damping: float) -> None:
    n = len(record.components)
    grid = part.add_gridspec(n, 3, width_ratios=(1.9, 1.15, 1.0))
    times = np.arange(record.acceleration.shape[1]) * record.dt_s
    traces = [part.add_subplot(grid[c, 0]) for c in range(n)]
    limit = 1.12 * np.abs(record.acceleration).max() / GRAVITY_M_S2 or 1.0
    for c, (name, axes) in enumerate(zip(record.components, traces, strict=True)):
        acc = record.acceleration[c] / GRAVITY_M_S2
        at = int(np.argmax(np.abs(acc)))
        axes.plot(times, acc, color=OKABE_ITO[c], lw=0.6)
        axes.plot(times[at], acc[at], "o", ms=4.5, mfc="none", mec="black")
        pga = intensity_measures_array(
            _alone(record.acceleration[c])[None], record.dt_s, ["PGA"], "H1"
        )[0, 0]
        title = f"{name}: PGA {pga:.3g} g at {times[at]:.2f} s"
        axes.set_title(title, loc="right", fontsize=8.5, pad=2)
        axes.set(xlim=(0, times[-1]), ylim=(-limit, limit))
        axes.axhline(0, color="0.7", lw=0.5, zorder=0)
        axes.tick_params(labelbottom=c == n - 1)
    traces[-1].set_xlabel("time (s)")
    traces[n // 2].set_ylabel("acceleration (g)")
    _draw_spectra(part.add_subplot(grid[:, 1]), record, damping)
    _draw_husid(part.add_subplot(grid[:, 2]), record, times)
    conditions = [
        text.format(float(record.metadata[key]))
        for key, text in _CONDITIONS
        if isinstance(record.metadata.get(key), int | float)
    ]
    part.suptitle(", ".join([record.record_id, *conditions]), fontsize=11, fontweight="bold")


def _draw_spectra(axes: Any, record: Record, damping: float) -> None:
    names: Sequence[str] = record.components
    for c, name in enumerate(names):
        spectrum = _spectrum(_alone(record.acceleration[c]), record.dt_s, name, damping)
        axes.loglog(PERIODS_S, spectrum, color=OKABE_ITO[c], lw=1.0, label=name)
    if record.n_horizontal == 2:
        spectrum = _spectrum(record.acceleration[:2], record.dt_s, "RotD50", damping)
        axes.loglog(PERIODS_S, spectrum, color="black", lw=1.8, label="RotD50")
    _dress_spectrum(axes, damping)
    axes.legend(frameon=False, fontsize=8.5, loc="lower left")


def _dress_spectrum(axes: Any, damping: float) -> None:
    axes.set(
        xlim=(PERIODS_S[0], PERIODS_S[-1]),
        xlabel="period (s)",
        ylabel=f"SA (g), {100 * damping:g} % damping",
    )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(True, which="major", color="0.85", lw=0.6)


def _draw_husid(axes: Any, record: Record, times: NDArray[np.floating]) -> None:
    imts = ("IA", "RSD595")
    for c, name in enumerate(record.components):
        acc = record.acceleration[c]
        squared = np.concatenate([[0.0], np.cumsum(0.5 * (acc[1:] ** 2 + acc[:-1] ** 2))])
        arias, duration = intensity_measures_array(_alone(acc)[None], record.dt_s, imts, "H1")[0]
        label = f"{name}: IA {arias:.3g} m/s, 5–95 % {duration:.1f} s"
        share = 100 * squared / (squared[-1] or 1.0)
        axes.plot(times, share, color=OKABE_ITO[c], lw=1.3, label=label)
    for level in (5, 95):
        axes.axhline(level, color="0.6", lw=0.7, ls="--", zorder=0)
    axes.set(xlim=(0, times[-1]), ylim=(0, 125), xlabel="time (s)",
             ylabel="share of Arias intensity (%)", yticks=[0, 5, 25, 50, 75, 95])  # fmt: skip
    axes.legend(frameon=False, fontsize=8, loc="upper left")
