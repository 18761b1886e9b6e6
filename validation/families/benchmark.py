"""The benchmark page of all families: those that ship, and those whose weights are on the machine.

    python validation/families/benchmark.py --data WORK/data/observed/three [--records 40]

WORK is that of `validation/cvae_gan_small/train.sh`; any records that `gwm-hazard benchmark` takes
will do. TFCGAN takes part where it is installed. StyleGAN-EQ has no level: it takes part as the
shape of `BooreEtAl2014` spectra (`model = "matched"`), from --stylegan FOLDER, else with random
weights, which shows what the match alone does. Sections and draws are those of the command unless
given.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch

from gwm_hazard.models.matched import MatchedModel
from gwm_hazard.models.registry import families, model_folders, needs_weights, save_model
from gwm_hazard.models.stylegan_eq import StyleGANEQModel
from gwm_hazard.models.stylegan_eq.design import Design
from gwm_hazard.models.stylegan_eq.network import Generator
from gwm_hazard.models.weights import Weights

MODELS = (
    "stochastic",
    "highfem-observed",
    "highfem-small",
    "wgan-small",
    "cvae-gan-small",
    "tfcgan",
)
GMM = "BooreEtAl2014"


def random_weights(folder: Path) -> Path:
    """A small StyleGAN-EQ that has learned nothing."""
    design = Design(z_dim=16, w_dim=16, channel_base=256, channel_max=16)
    torch.manual_seed(1)
    weights = Weights.of(Generator(design).state_dict())
    return save_model(
        StyleGANEQModel(weights=weights, design=design.to_dict(), iterations=32), folder
    )


def known(name: str) -> str:
    """What the command is given for a model, "" where it is not on this machine."""
    if name in model_folders():
        return str(model_folders()[name])
    return name if name in families() and not needs_weights(name) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--stylegan", type=Path, help="Model folder; random weights without it.")
    parser.add_argument("--model", action="append", help="In place of all; repeat.")
    parser.add_argument("--output", type=Path, default=Path("build/families"))
    args, more = parser.parse_known_args()
    models = []
    for name in args.model or MODELS:
        models.append(known(name))
        if not models[-1]:
            print(f"{name}: not on this machine, left out")
    shapes = args.output / "models"
    shape = args.stylegan or random_weights(shapes / "stylegan-eq-random")
    matched = MatchedModel(GMM, str(shape))
    models.append(str(save_model(matched, args.output / "stylegan-eq-matched")))
    command = [sys.executable, "-c", "from gwm_hazard.cli import main; main()", "benchmark"]
    command += ["-o", str(args.output / "page")]
    command += [word for name in filter(None, models) for word in ("--model", name)]
    command += [word for path in args.data for word in ("--data", path)]
    # weights of a shape are looked for among the installed models
    env = os.environ | {"GWM_HAZARD_MODELS": str(Path(shape).resolve().parent)}
    raise SystemExit(subprocess.run([*command, *more], env=env, check=False).returncode)


if __name__ == "__main__":
    main()
