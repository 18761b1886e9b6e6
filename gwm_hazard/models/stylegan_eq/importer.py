"""Import of a published StyleGAN3 network file, from which nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.checkpoint import take_tensors
from gwm_hazard.models.options import one_path, span
from gwm_hazard.models.registry import load_model
from gwm_hazard.models.stylegan_eq.control import LatentControl, ScenarioFeatures, features
from gwm_hazard.models.stylegan_eq.design import Design
from gwm_hazard.models.stylegan_eq.model import StyleGANEQModel, steering_weights
from gwm_hazard.models.stylegan_eq.network import weight_shapes
from gwm_hazard.models.stylegan_eq.pickle_file import class_name, read_network, settings, tensors
from gwm_hazard.models.weights import Weights
from gwm_hazard.representation.linear_spectrogram import at_50_hz, images

#: Scenarios whose features are measured, and keys of latents and of them.
_SCENARIOS, _LATENT_EVENT, _SCENARIO_EVENT = 400, 1, 2
#: Settings of a published file that this implementation follows only with these values.
_FIXED = {"c_dim": 0, "img_channels": 1}


def import_model(
    paths: Sequence[Path],
    *,
    iterations: str = "1000",
    components: str = "3",
    pairing: str = "0.8",
    psi: str = "1",
    latents: str = "",
    scenarios: str = "stochastic",
    steered: str = "energy,f_primary,t_range",
    corrections: str = "0",
    mag: str = "4.5,7.5",
    distance: str = "10,150",
    vs30: str = "360,760",
) -> StyleGANEQModel:
    """Read the averaged generator (``G_ema``) of a network file.

    Parameters
    ----------
    paths : one Path
        The file, "stylegan3-kiknet-15k.pkl" say.
    iterations, components, pairing, psi : str
        As of :class:`StyleGANEQModel`.
    latents : str
        Steer the model by the scenario: a .npz file with styles ``w`` (n, w_dim) and the features
        ``feature`` (n, 5) of their images, or the number of images to make and measure here (at
        full size some seconds each). Empty for a model as published.
    scenarios : str
        Model whose waveforms tell what features scenarios have.
    steered : str
        Features that are steered.
    corrections : str
        As of :class:`StyleGANEQModel`.
    mag, distance, vs30 : str
        "LOW,HIGH" of the scenarios that are drawn; Vs30 by default of site class C.

    Raises
    ------
    ModelError
        A file that is not such a network, that asks for code, or an option that cannot be.
    """
    path = one_path(paths, "stylegan-eq", "the one network file")
    where = str(path)
    network = read_network(path)
    if class_name(network, where) != "Generator":
        raise ModelError(f"{where}: G_ema is a {class_name(network, where)!r:.80}, no Generator")
    design = _design(settings(network, where), where)
    plain = take_tensors(tensors(network, where), weight_shapes(design), where)
    try:
        options: dict[str, Any] = {
            "iterations": int(iterations),
            "components": int(components),
            "pairing": float(pairing),
            "psi": float(psi),
        }
        count = int(corrections)
    except ValueError as exc:
        raise ModelError(f"stylegan-eq: {exc}") from exc
    model = StyleGANEQModel(weights=Weights.of(plain), design=design.to_dict(), **options)
    if not latents:
        return model
    names = tuple(name.strip() for name in steered.split(","))
    w, measured = _latents(latents, model)
    control = LatentControl.fit(w, measured, names)
    teacher = load_model(scenarios, "cpu")
    ranges = {
        "mag": span(mag, "stylegan-eq", "mag"),
        _distance(teacher): span(distance, "stylegan-eq", "distance"),
        "vs30": span(vs30, "stylegan-eq", "vs30"),
    }
    columns, shown = shown_by(teacher, ranges)
    steering = steering_weights(control, ScenarioFeatures.fit(columns, shown, names))
    return StyleGANEQModel(
        weights=Weights.of(plain | steering),
        design=design.to_dict(),
        steered=names,
        corrections=count,
        ranges=ranges,
        **options,
    )


def _design(found: dict[str, Any], where: str) -> Design:
    """Of the settings of a published generator."""
    for name, value in _FIXED.items():
        if found.get(name, value) != value:
            raise ModelError(f"{where}: {name} = {found[name]!r:.40}: only {value} is known here")
    mapping = found.get("mapping_kwargs") or {}
    known = {
        "z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "mapping_kwargs",
        "channel_base", "channel_max", "magnitude_ema_beta",
    }  # fmt: skip
    unknown = sorted(set(found) - known)
    if unknown or not isinstance(mapping, dict) or not set(mapping) <= {"num_layers"}:
        name = unknown[0] if unknown else "mapping_kwargs"
        raise ModelError(f"{where}: setting {name!r:.80} of a generator of another kind")
    try:
        return Design(
            z_dim=found["z_dim"],
            w_dim=found["w_dim"],
            channel_base=found.get("channel_base", 32768),
            channel_max=found.get("channel_max", 512),
            mapping_layers=mapping.get("num_layers", 2),
            resolution=found["img_resolution"],
        )
    except KeyError as exc:
        raise ModelError(f"{where}: setting {exc.args[0]!r} is missing") from None
    except InputError as exc:
        raise ModelError(f"{where}: {exc}") from None


def _latents(text: str, model: StyleGANEQModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Styles and features of their images, of a file or made here."""
    if text.isdigit():
        n = int(text)
        normals = Noise(0, _LATENT_EVENT, 0, np.arange(n)).normal("latent", model.design.z_dim)
        styles = model.styles(normals)
        measured = [features(model.images(part).cpu().numpy()) for part in torch.split(styles, 16)]
        return styles.cpu().double().numpy(), np.concatenate(measured)
    try:
        with np.load(text, allow_pickle=False) as file:
            w, measured = file["w"].astype(float), file["feature"].astype(float)
    except (OSError, KeyError, ValueError, EOFError) as exc:
        raise ModelError(f"latents = {text}: no file with arrays w and feature ({exc})") from exc
    if w.ndim != 2 or w.shape[1] != model.design.w_dim or measured.shape != (len(w), 5):
        raise ModelError(
            f"latents = {text}: w {w.shape} and feature {measured.shape}; expected (n, "
            f"{model.design.w_dim}) and (n, 5)"
        )
    return w, measured


def shown_by(
    teacher: WaveformModel, ranges: dict[str, tuple[float, float]], n: int = _SCENARIOS
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Conditions and features (n, 5) of waveforms that a model draws, evenly over ranges.

    Magnitudes are uniform, distances and Vs30 in their logarithms; other conditions are in the
    middle of the model's range.
    """
    noise = Noise(0, _SCENARIO_EVENT, 0, np.arange(n))
    share = torch.special.ndtr(torch.from_numpy(noise.normal("scenario", 3))).double().numpy()
    columns = {}
    for j, (name, (low, high)) in enumerate(ranges.items()):
        ends = (low, high) if name == "mag" else (np.log(low), np.log(high))
        value = ends[0] + share[:, j] * (ends[1] - ends[0])
        columns[name] = value if name == "mag" else np.exp(value)
    rest = {
        r.name: np.full(n, 0.5 * (r.low + r.high))
        for r in teacher.card.conditions
        if r.name not in columns
    }
    table = Scenarios(**columns, **rest)
    measured = np.empty((n, 5))
    for rows, acceleration in teacher.batches(table, noise):
        record = at_50_hz(acceleration[:, 0], teacher.card.sampling_rate_hz)
        measured[rows] = features(images(record))
    return columns, measured


def _distance(teacher: WaveformModel) -> str:
    return "rrup" if "rrup" in teacher.card.condition_names else "rhypo"
