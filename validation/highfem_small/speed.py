"""Waveforms a second of highfem-small on this machine, network and phase retrieval apart.

    python validation/highfem_small/speed.py [--threads 2]

The least of several repetitions, wall clock and CPU time: on a busy machine the latter tells more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.highfem import HighFEMModel
from gwm_hazard.models.registry import load_model


def least(function: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Wall clock and CPU time, s."""
    function()
    wall, cpu = [], []
    for _ in range(repetitions):
        w, c = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - w)
        cpu.append(time.process_time() - c)
    return min(wall), min(cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="highfem-small")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    args = parser.parse_args()
    model = load_model(args.model, "cpu")
    assert isinstance(model, HighFEMModel)
    n = model.batch_size(127 * 32)
    mag = np.full(n, 6.0)
    scenarios = Scenarios(mag=mag, rhypo=40.0, vs30=400.0, hypo_depth=10.0)
    noise = Noise(0, np.arange(n), 0, 0)
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        image = model.spectrograms(scenarios, noise)
        parts = {
            f"network, {model.evaluations} calls": lambda: model.spectrograms(scenarios, noise),
            f"phases, {model.griffin_lim} iterations": lambda: model.records(image, noise),
            "both": lambda: model.draw(scenarios, noise),
        }
        print(f"{n} waveforms a batch, {args.threads} threads{'':>6}wall ms   CPU ms  a waveform")
        for name, function in parts.items():
            wall, cpu = least(function, args.repetitions)
            print(f"{name:<30}{1e3 * wall / n:>11.1f}{1e3 * cpu / n:>9.1f}")
        print(f"{n / wall:.1f} waveforms/s by the clock")


if __name__ == "__main__":
    main()
