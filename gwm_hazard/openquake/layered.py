"""``low_frequency = "layered.toml"``: a branch whose low frequencies are those of a layered earth.

Fields, catalogues and direct estimates draw for the rupture and site that OpenQuake has
(``repi``, ``azimuth``, ``strike``, ``dip``, ``rake``, ``ztor``, ``width``), slip and hypocentre by
the event's key. Classical moments come from a surface over magnitude, distance and Vs30, of
ruptures of random mechanism around the site.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from gwm_hazard.distribution.find import find_or_build, load_for
from gwm_hazard.distribution.surface import Axis, Surface
from gwm_hazard.errors import InputError
from gwm_hazard.models.abilities import ConditionsOnLowFrequencies
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.layered import LayeredModel

#: Nodes of the surface, cut to the model's ranges, and draws at each: some minutes of work.
_NODES = {
    "mag": (4.0, 5.0, 6.0, 7.0, 8.0),
    "rrup": (1.0, 4.0, 12.0, 30.0, 70.0, 150.0),
    "vs30": (200.0, 450.0, 1000.0),
}
_GRID: dict[str, Any] = {"realizations": 80, "held_out": 6, "shape_scenarios": 0}


class Made(NamedTuple):
    """What the model of a layered branch is made of, as the branch says it."""

    model: str
    low_frequency: str
    distance: str
    fixed: str


def check_alone(model: WaveformModel) -> WaveformModel:
    """The model; InputError for one that is nothing without low frequencies."""
    if isinstance(model, ConditionsOnLowFrequencies):  # type: ignore[misc]  # its own way of asking
        raise InputError(
            f"model {model.card.name!r} adds high frequencies to low ones: give the file of a "
            'layered earth, low_frequency = "layered.toml"'
        )
    return model


@lru_cache(maxsize=8)
def made(of: Made, geometry: str = "rupture", device: str = "cpu") -> LayeredModel:
    """One instance a process."""
    model = LayeredModel(of.model, of.low_frequency, geometry, of.distance, of.fixed)
    if device != "cpu":
        from gwm_hazard.models.registry import load_model

        model.broadband = load_model(of.model, device)
    return model


def surface(of: Made, surface_file: str = "") -> Surface:
    """The surface of random mechanisms: that of a file, one kept from before, or built now."""
    model = made(of, "random")
    path = Path(surface_file) if surface_file else find_or_build(model, axes=_axes(model), **_GRID)
    return load_for(model, path)


def _axes(model: LayeredModel) -> tuple[Axis, ...]:
    axes = []
    for r in model.card.conditions:
        inside = [v for v in _NODES.get(r.name, ()) if r.low * 1.2 < v < r.high / 1.2]
        scale = "linear" if r.name == "mag" else "log"
        axes.append(Axis(r.name, (r.low, *inside, r.high), scale, "linear"))
    return tuple(axes)


def name(of: Made) -> str:
    """Tells models apart; ends in its name."""
    told = of._replace(model=Path(of.model).name, low_frequency=Path(of.low_frequency).stem)
    return f"{of.model}/{'-'.join(filter(None, ('layered', *told)))}"
