"""Frechet distances of spectra and embeddings, and how well draws can be told from records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.fft
from numpy.typing import NDArray

from gwm_hazard.benchmark.classifiers import Classifier
from gwm_hazard.benchmark.comparable import (
    DT_S,
    SPLITS,
    Motion,
    PairedRecords,
    aligned,
    sample,
)
from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.metrics.arrivals import onsets_s
from gwm_hazard.benchmark.metrics.envelope import start_s
from gwm_hazard.benchmark.metrics.memorisation import features
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.records.usable_band import longest_period_s
from gwm_hazard.report.style import OBSERVED, grid_of_axes
from gwm_hazard.statistics.frechet import frechet_diagonal, frechet_samples
from gwm_hazard.statistics.splits import halves_by_event
from gwm_hazard.statistics.two_samples import discriminant_accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "frechet", "Fréchet distances and telling draws from records"

NPTS = 4096
BEFORE_S = 10.0
BAND_HZ = (0.1, 25.0)

#: Records, at least, with which a distance is given.
LEAST = 40

#: P onset of the waveforms that a classifier takes, s.
P_AT_S = 5.0

_TINY = 1e-12

TEXT = """\
The Fréchet distance compares whole distributions: (difference of means)² + (difference of \
standard deviations)² of the log Fourier amplitudes at every frequency from 0.1 to 25 Hz in the \
usable band, averaged over frequencies and components (Palgunadi et al. 2025, equation 14). \
Records are cut to 40.96 s around the start of strong motion. Between finite samples the \
distance is not 0, so every value stands beside that between disjoint halves of the \
observations, of the same size: draws for one half of the events against records of the other \
half, and records of one half against records of the other. The multiple of the two is 1 for a \
model that is right.

Told apart: how often a linear discriminant, trained on some events and asked about others, \
says rightly whether a motion is a record or a draw, from its log envelope, band-averaged log \
spectrum and level. 50 % means that it cannot tell; what it reaches between two halves of the \
observations stands beside it. It sees what the eye sees first, and much that the eye does not."""

EMBEDDING_TEXT = """\
The last table compares embeddings (equation 15): a neural network that was trained to tell \
magnitude and distance from the log spectrograms of three components describes each motion by a \
few numbers, and the distance is the full Fréchet distance of two Gaussians of these. Accuracy is \
the share of motions that the network puts in the bin of magnitude and distance of their \
scenario: draws should reach what records reach, no less, and no more either. The network sees \
what told magnitudes and distances apart in the motions that it was trained on, and nothing \
else; a model that was made from the same motions has an advantage. Its distances are in units \
of its own: compare them within this table only. They do not enter the ranking."""


def section(data: Comparison) -> Section | Skipped:
    """See `TEXT`."""
    if isinstance(chosen := sample(data, KEY, TITLE), Skipped):
        return chosen
    frequency = scipy.fft.rfftfreq(NPTS, DT_S)
    band = (frequency >= BAND_HZ[0]) & (frequency <= BAND_HZ[1])
    usable = frequency[band] >= 1.0 / longest_period_s(chosen.table)[:, None]
    usable = np.tile(usable, 3)
    spectra, seen = _of(chosen, None, band)
    spectra = np.where(usable, spectra, np.nan)
    event = chosen.event
    rows: dict[str, dict[str, float]] = {}
    curves: dict[str, NDArray[np.float64]] = {}
    for p in data.generative:
        drawn, drawn_seen = _of(chosen, p.name, band)
        drawn = np.where(np.isfinite(spectra), drawn, np.nan)
        real = np.where(np.isfinite(drawn), spectra, np.nan)
        at = np.flatnonzero(np.isfinite(real).any(axis=1))
        if len(at) < LEAST or len(np.unique(event[at])) < 4:
            continue
        rows[p.name] = _compare(real[at], drawn[at], seen[at], drawn_seen[at], event[at], data.seed)
        curves[p.name] = _by_frequency(real[at], drawn[at], int(band.sum()))
    if not rows:
        return Skipped(KEY, TITLE, f"no model has {LEAST} records with waveforms in its range")
    table = pd.DataFrame(rows).T.rename_axis("model")
    out = Section(
        KEY,
        TITLE,
        TEXT,
        tables={"Fréchet distances of spectra, and accuracy of telling apart": table},
        figures={"Fréchet distance by frequency": _figure(data, frequency[band], curves)},
        captions={
            "Fréchet distance by frequency": "Squared distance of log amplitudes by frequency: "
            "first horizontal, drawn against observed records of the same scenarios.",
        },
        scores={
            "Fréchet distance, multiple of real against real": _rounded(table["multiple"]),
            "told from records (0.5: not)": _rounded(table["told apart"]),
        },
        limits=[
            f"{SPLITS} random halves by event; a distance is given from {LEAST} records on.",
            "The discriminant is linear: what it cannot tell apart, a network may.",
        ],
    )
    _add_embeddings(chosen, out)
    return out


def _of(
    chosen: PairedRecords, name: str | None, band: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """ln Fourier amplitudes (n, 3 n_frequencies), and features for the discriminant."""
    n = int(band.sum())

    def of(motion: Motion) -> NDArray[np.floating]:
        cut = aligned(motion, start_s(motion.acceleration, DT_S), BEFORE_S, NPTS)
        amplitude = np.abs(scipy.fft.rfft(cut, axis=-1))[..., band] * DT_S
        silent = ~cut.any(axis=-1)
        values = np.log(np.maximum(amplitude, _TINY))
        values[silent] = np.nan
        first = features(cut[:, :1], DT_S)
        level = 0.5 * np.log((cut[:, :1].astype(np.float64) ** 2).sum(axis=-1) + _TINY)
        return np.concatenate([values.reshape(len(cut), -1), first, level], axis=1)

    width = 3 * n
    n_features = features(np.zeros((1, 1, NPTS)), DT_S).shape[1] + 1
    both = chosen.collect(name, of, (width + n_features,))
    return both[:, :width], both[:, width:]


def _compare(
    real: NDArray[np.floating], drawn: NDArray[np.floating], seen: NDArray[np.floating],
    drawn_seen: NDArray[np.floating], event: NDArray[np.int64], seed: int,
) -> dict[str, float]:  # fmt: skip
    distances, told = [], []
    for number, first in enumerate(halves_by_event(event, SPLITS, seed)):
        a, b = np.flatnonzero(first), np.flatnonzero(~first)
        distances.append(
            (
                0.5 * (frechet_diagonal(drawn[a], real[b]) + frechet_diagonal(drawn[b], real[a])),
                frechet_diagonal(real[a], real[b]),
            )
        )
        if number < SPLITS // 4:
            # the baseline's halves are told apart as draws of one half from records of the other
            told.append(
                (
                    discriminant_accuracy(drawn_seen[a], seen[b], event[a], event[b], seed=number),
                    discriminant_accuracy(seen[a], seen[b], event[a], event[b], seed=number),
                )
            )
    d = np.array(distances)
    t = np.array(told)
    return {
        "records": len(real),
        "model against real": d[:, 0].mean(),
        "5 %": np.percentile(d[:, 0], 5),
        "95 %": np.percentile(d[:, 0], 95),
        "real against real": d[:, 1].mean(),
        "multiple": d[:, 0].mean() / d[:, 1].mean(),
        "told apart": np.nanmean(t[:, 0]),
        "told apart, halves of the records": np.nanmean(t[:, 1]),
    }


def _by_frequency(
    real: NDArray[np.floating], drawn: NDArray[np.floating], n: int
) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = real[:, :n].astype(np.float64), drawn[:, :n].astype(np.float64)
        mean = np.nanmean(a, axis=0) - np.nanmean(b, axis=0)
        return np.asarray(mean**2 + (np.nanstd(a, axis=0) - np.nanstd(b, axis=0)) ** 2)


def _rounded(values: pd.Series[float]) -> dict[str, float]:
    return {str(name): round(float(v), 4) for name, v in values.items()}


def _figure(
    data: Comparison, frequency: NDArray[np.float64], curves: dict[str, NDArray[np.float64]]
) -> Figure:
    figure, (ax,) = grid_of_axes(1, columns=1, width=6.5, height=3.4)
    edges = np.geomspace(*BAND_HZ, 41)
    index = np.digitize(frequency, edges) - 1
    for name, values in curves.items():
        smooth = [
            np.nanmean(values[index == k]) if (index == k).any() else np.nan for k in range(40)
        ]
        known = np.isfinite(smooth)
        middle = np.sqrt(edges[1:] * edges[:-1])
        ax.loglog(
            middle[known], np.array(smooth)[known], color=data.colour(name), lw=1.6, label=name
        )
    ax.axhline(0.01, color=OBSERVED, lw=0.7, ls=":")
    ax.text(BAND_HZ[0], 0.0105, " 0.1 ln units", fontsize=7.5, va="bottom")
    ax.set_xlabel("frequency (Hz)")
    ax.set_ylabel("(difference)², ln units²")
    ax.legend(fontsize=8.5, frameon=False)
    return figure


def _add_embeddings(chosen: PairedRecords, out: Section) -> None:
    """Distances of embeddings (equation 15), where a classifier is at hand."""
    classifier = chosen.data.classifier
    if classifier is None:
        out.limits.append("No distance of classifier embeddings (equation 15) was asked for.")
        return
    rows = embedding_rows(chosen, classifier)
    if not rows:
        out.limits.append(
            f"No distance of classifier embeddings (equation 15): no model has {LEAST} records of "
            "three components with a clear P onset."
        )
        return
    table = pd.DataFrame(rows).T.rename_axis("model")
    title = "Fréchet distances of embeddings"
    out.text += "\n\n" + EMBEDDING_TEXT
    out.tables[title] = table
    out.captions[title] = (
        "Records with three components and a clear P onset, which is put at 5 s; the same halves "
        "of events as above."
    )
    out.limits += _told(classifier)


def _told(classifier: Classifier) -> list[str]:
    """What a reader must know of a classifier."""
    about = classifier.about
    lines = [f"Classifier {about['name']}, trained on {about['training_data']}."]
    if held := about.get("held_out"):
        lines[0] += (
            f" On {held['records']:.0f} records of {held['events']:.0f} events that did not train "
            f"it, it is right in {held['accuracy']:.0%} of cases (the commonest class: "
            f"{held['chance']:.0%})."
        )
    return [*lines, *about.get("limitations", ())]


def embedding_rows(chosen: PairedRecords, classifier: Classifier) -> dict[str, dict[str, float]]:
    """Distances of embeddings and accuracies, a row a model; see `EMBEDDING_TEXT`."""
    event, data, table = chosen.event, chosen.data, chosen.table
    real, rows = _embedded(chosen, None, classifier), {}
    for p in data.generative:
        drawn = _embedded(chosen, p.name, classifier)
        if drawn.shape != real.shape:
            continue
        at = np.flatnonzero(np.isfinite(real).all(axis=1) & np.isfinite(drawn).all(axis=1))
        if len(at) < LEAST or len(np.unique(event[at])) < 4:
            continue
        found = []
        for first in halves_by_event(event[at], SPLITS, data.seed):
            a, b = at[first], at[~first]
            cross = frechet_samples(drawn[a], real[b]), frechet_samples(drawn[b], real[a])
            found.append((0.5 * sum(cross), frechet_samples(real[a], real[b])))
        model, base = np.mean(found, axis=0)
        low, high = np.percentile(np.array(found)[:, 0], (5, 95))
        rows[p.name] = {
            "records": len(at),
            "model against real": float(model),
            "5 %": float(low),
            "95 %": float(high),
            "real against real": float(base),
            "multiple": float(model / base),
            "accuracy, draws": classifier.accuracy(drawn[at], table.iloc[at]),
            "accuracy, records": classifier.accuracy(real[at], table.iloc[at]),
        }
    return rows


def _embedded(
    chosen: PairedRecords, name: str | None, classifier: Classifier
) -> NDArray[np.float32]:
    """Embeddings (n, d) of records with three components and a clear P onset, NaN of others."""
    found = []
    for motion in chosen.motions(name):
        if motion.vertical:
            p = onsets_s(motion.acceleration, motion.npts, DT_S, motion.n_horizontal)[:, 0]
            if (clear := np.isfinite(p)).any():
                cut = aligned(motion, p, P_AT_S, NPTS)[clear]
                found.append((motion.rows[clear], classifier.embed(cut)))
    width = found[0][1].shape[1] if found else 1
    out = np.full((len(chosen), width), np.nan, dtype=np.float32)
    for index, values in found:
        out[index] = values
    return out
