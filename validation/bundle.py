"""Put a trained model into the package, with the card of validation/NAME/card.toml.

    python validation/bundle.py highfem-small run/model

The card's [ranges] become those of the model's conditions, its [parameters] replace those of the
same name.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from gwm_hazard.core.card import described
from gwm_hazard.models.registry import (
    load_model,
    rebuilt,
    save_model,
    shipped,
    verify_model,
)

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "gwm_hazard" / "models" / "shipped"


def within(parameters: dict[str, Any], ranges: dict[str, list[float]]) -> dict[str, Any]:
    """Parameters with other ranges: of their own, or low and high of each condition."""
    name = "ranges" if "ranges" in parameters else "conditions"
    old = parameters[name]
    new: dict[str, Any] = dict(ranges)
    for key, value in old.items():
        if isinstance(value, dict):
            new[key] = value | {"low": ranges[key][0], "high": ranges[key][1]}
    return parameters | {name: new}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("model", type=Path)
    args = parser.parse_args()
    card = tomllib.loads((HERE / args.name.replace("-", "_") / "card.toml").read_text("utf-8"))
    model = load_model(args.model, "cpu")
    parameters = within(model.card.parameters, card.pop("ranges")) | card.pop("parameters", {})
    shipping = rebuilt(model, **parameters)
    shipping.card = described(shipping.card, card)
    save_model(shipping, SHIPPED / args.name)
    print(f"{shipped()[args.name]}: {verify_model(SHIPPED / args.name)}")


if __name__ == "__main__":
    main()
