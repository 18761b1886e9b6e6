"""Put a trained model into the package as cvae-gan-small, with the card of card.toml.

python validation/cvae_gan_small/bundle.py run/model
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from gwm_hazard.core.card import described
from gwm_hazard.models.cvae_gan import CVAEGANModel
from gwm_hazard.models.registry import (
    WEIGHTS_KEY,
    load_model,
    save_model,
    shipped,
    verify_model,
)

HERE = Path(__file__).parent
NAME = "cvae-gan-small"
TARGET = HERE.parents[1] / "gwm_hazard" / "models" / "shipped" / NAME


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    args = parser.parse_args()
    model = load_model(args.model, "cpu")
    assert isinstance(model, CVAEGANModel) and model.weights is not None
    card = tomllib.loads((HERE / "card.toml").read_text(encoding="utf-8"))
    parameters = {k: v for k, v in model.card.parameters.items() if k != WEIGHTS_KEY}
    parameters |= {"conditions": card.pop("ranges"), "passes": card.pop("passes")}
    parameters["onset_s"] = card.pop("onset_s")
    shipping = CVAEGANModel(weights=model.weights, **parameters)
    shipping.card = described(shipping.card, card)
    save_model(shipping, TARGET)
    print(f"{shipped()[NAME]}: {verify_model(TARGET)}")


if __name__ == "__main__":
    main()
