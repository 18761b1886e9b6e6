"""Put a trained model into the package as highfem-small, with the card of card.toml.

python validation/highfem_small/bundle.py run/tuned/model
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from gwm_hazard.core.card import described
from gwm_hazard.models.highfem import HighFEMModel
from gwm_hazard.models.registry import (
    WEIGHTS_KEY,
    load_model,
    save_model,
    shipped,
    verify_model,
)

HERE = Path(__file__).parent
TARGET = HERE.parents[1] / "gwm_hazard" / "models" / "shipped" / "highfem-small"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    args = parser.parse_args()
    model = load_model(args.model, "cpu")
    assert isinstance(model, HighFEMModel) and model.weights is not None
    card = tomllib.loads((HERE / "card.toml").read_text(encoding="utf-8"))
    ranges = card.pop("ranges")
    parameters = {k: v for k, v in model.card.parameters.items() if k != WEIGHTS_KEY}
    for name, fields in parameters["conditions"].items():
        fields["low"], fields["high"] = ranges[name]
    shipping = HighFEMModel(weights=model.weights, **parameters)
    shipping.card = described(shipping.card, card)
    save_model(shipping, TARGET)
    print(f"{shipped()['highfem-small']}: {verify_model(TARGET)}")


if __name__ == "__main__":
    main()
