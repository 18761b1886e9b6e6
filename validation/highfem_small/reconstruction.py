"""What the autoencoder and the phase retrieval do to intensity measures of held-out records.

    python validation/highfem_small/reconstruction.py --model MODEL --data data/simulated

For records of the test split: ln of the measure after the chain over that before, mean and
standard deviation; phase retrieval alone, and after encoding and decoding.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from gwm_hazard.core.noise import Noise
from gwm_hazard.models.highfem import HighFEMModel
from gwm_hazard.models.registry import load_model
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.training.heldout import ln_measures

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)", "RSD595")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="highfem-small")
    parser.add_argument("--data", required=True, help="training set")
    parser.add_argument("--records", type=int, default=96)
    parser.add_argument("--split", default="test")
    args = parser.parse_args()
    torch.set_num_threads(2)

    model = load_model(args.model)
    assert isinstance(model, HighFEMModel)
    found = TrainingSet.open(args.data)
    rows = found.rows(args.split)[: args.records]
    acceleration = found.waveforms(rows)[:, :, : 127 * 32]
    image = model.representation.forward(torch.from_numpy(acceleration)).float()
    noise = Noise(0, np.arange(len(rows)), 0, 0)
    coder = model.network().autoencoder
    dtype = next(coder.parameters()).dtype
    with torch.inference_mode():
        decoded = torch.cat(
            [coder.decode(coder.encode(part.to(dtype))).float() for part in image.split(8)]
        )
    unit = 0.5 * (model.representation.ln_top - np.log(model.representation.clip))
    error = (decoded - image) * unit
    print(f"{len(rows)} records; ln amplitude of pixels, decoded less true:")
    for title, part in (("all", error), ("below 5 Hz", error[:, :, :13])):
        rms = float(part.square().mean().sqrt())
        print(f"  {title}: mean {float(part.mean()):+.3f}, rms {rms:.3f}")
    true = ln_measures(acceleration, 0.01, IMTS)
    print(f"{'ln after / before':<24}" + "".join(f"{t:>16}" for t in IMTS))
    for title, images in (("phase retrieval", image), ("autoencoder and phase", decoded)):
        with torch.inference_mode():
            made = model.records(images, noise).numpy()
        ratio = ln_measures(made, 0.01, IMTS) - true
        cells = [f"{m:+.3f} ({s:.3f})" for m, s in zip(ratio.mean(0), ratio.std(0), strict=True)]
        print(f"{title:<24}" + "".join(f"{c:>16}" for c in cells))


if __name__ == "__main__":
    main()
