"""Time of TFCGAN a waveform: noise, network, phase retrieval, measures; and of a surface.

    python validation/tfcgan/benchmark.py MODEL_FOLDER [--threads 2] [--draws 64]

Prints the time of each stage, as the clock on the wall and as the processor's (both divided by
the number of waveforms): where they differ by other than the number of threads, the machine had
other work. Of the surface that ``gwm-hazard surface build`` makes for the model by default, it
prints the draws of the first round and the time they take at this rate.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import torch

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.build import (
    HELD_OUT,
    IMTS,
    NODES_A_SHAPE,
    REALIZATIONS,
    SAMPLED,
    SHAPE_SCENARIOS,
    default_axes,
)
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import load_model
from gwm_hazard.models.tfcgan import TFCGANModel
from gwm_hazard.models.tfcgan.model import PORTION_CPU, in_threads

#: A grid of all four conditions of the stochastic model's size.
LARGE_NODES = 2160


def milliseconds(work: Callable[[], object], n: int, repeats: int = 3) -> tuple[float, float]:
    """Wall and processor time of one of n records, ms: the fastest of some repeats."""
    work()
    wall, processor = [], []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return 1e3 * min(wall) / n, 1e3 * min(processor) / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--draws", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    numba.set_num_threads(arguments.threads)
    n = arguments.draws
    model = load_model(arguments.model, "cpu")
    assert isinstance(model, TFCGANModel) and model.weights is not None
    gla = TFCGANModel(weights=model.weights, phase_retrieval="griffin_lim", iterations=30)
    sc = Scenarios(mag=[5.5], rhypo=[30.0], vs30=[400.0]).repeat(n)
    noise = Noise(1, np.arange(n), 0, 0)
    label = torch.tensor([[5.5, 30.0, 0.4]]).repeat(n, 1)
    latent = torch.from_numpy(noise.normal("latent", 100))

    # As the model does it: portions of records, shared among the threads.
    parts = [slice(i, i + PORTION_CPU) for i in range(0, n, PORTION_CPU)]

    def network() -> torch.Tensor:
        def work(k: int) -> torch.Tensor:
            return model.spectrograms(label[parts[k]], latent[parts[k]])

        return torch.cat(in_threads(work, len(parts), "cpu"))

    def retrieval(of: TFCGANModel) -> torch.Tensor:
        def work(k: int) -> torch.Tensor:
            return of.waveforms(spectrograms[parts[k]], phase[parts[k]])

        return torch.cat(in_threads(work, len(parts), "cpu"))

    spectrograms, phase = network(), model.initial_phase(noise)
    acceleration = model.draw(sc, noise).numpy()
    stages = {
        "noise": lambda: model.initial_phase(noise),
        "network": network,
        f"{model.card.parameters['phase_retrieval']}, {model.card.parameters['iterations']} it.": (
            lambda: retrieval(model)
        ),
        "griffin_lim, 30 it.": lambda: retrieval(gla),
        f"{len(IMTS)} measures": lambda: intensity_measures_array(acceleration, model.dt_s, IMTS),
        "draw": lambda: model.draw(sc, noise),
    }
    print(f"{n} waveforms, {arguments.threads} threads, torch {torch.__version__}")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores")
    print("stage                    wall, ms   processor, ms")
    times = {}
    for name, work in stages.items():
        times[name] = milliseconds(work, n)
        print(f"{name:22s} {times[name][0]:10.2f} {times[name][1]:15.2f}")
    each = [times["draw"][i] + times[f"{len(IMTS)} measures"][i] for i in range(2)]
    print(f"draws with measures: {1e3 / each[0]:.0f} a second")

    axes = default_axes(model)
    nodes = int(np.prod([len(a.values) for a in axes]))
    shape = min(SHAPE_SCENARIOS, max(NODES_A_SHAPE, nodes // NODES_A_SHAPE))
    grid = " x ".join(f"{len(a.values)} {a.name}" for a in axes)
    for title, count in ((f"{grid} = {nodes} nodes", nodes), (f"{LARGE_NODES} nodes", LARGE_NODES)):
        draws = (count + HELD_OUT + SAMPLED + shape) * REALIZATIONS
        print(
            f"surface, {title}, first round: {draws} draws, {draws * each[0] / 6e4:.0f} min; "
            f"on {arguments.threads} free cores {draws * each[1] / 6e4 / arguments.threads:.0f} min"
        )


if __name__ == "__main__":
    main()
