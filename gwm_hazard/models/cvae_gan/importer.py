"""Import of the SavedModel folders that the published training leaves; no TensorFlow needed.

The variables alone are read: the exported call draws its noise itself and gives reconstructions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from gwm_hazard.errors import ModelError
from gwm_hazard.files.variable_bundle import VariableBundle
from gwm_hazard.models.cvae_gan.form import Form
from gwm_hazard.models.cvae_gan.model import CVAEGANModel
from gwm_hazard.models.cvae_gan.network import ENCODER_KERNEL, Generator, weight_shapes
from gwm_hazard.models.cvae_gan.sizes import Sizes
from gwm_hazard.models.options import one_path
from gwm_hazard.models.weights import Weights

_CONV, _NORM = ("kernel", "bias"), ("gamma", "beta", "moving_mean", "moving_variance")

#: Layers of the published generator in the order of its variables, and their names here.
LAYERS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        name: where
        for i in (1, 2, 3)
        for name, where in (
            (f"enc_conv{i}", (f"encoder.conv.{i - 1}", _CONV)),
            (f"enc_bn{i}", (f"encoder.norm.{i - 1}", _NORM)),
        )
    },
    "enc_fc_mu": ("encoder.mean", _CONV),
    "enc_fc_logvar": ("encoder.log_variance", _CONV),
    "dec_fc": ("decoder.dense", _CONV),
    **{
        name: where
        for i in (1, 2, 3)
        for name, where in (
            (f"dec_conv{i}", (f"decoder.conv.{i - 1}", _CONV)),
            (f"dec_bn{i}", (f"decoder.norm.{i - 1}", _NORM)),
        )
    },
    "dec_conv4": ("decoder.last", _CONV),
}

#: The critic's, which no model keeps.
CRITIC_LAYERS = {
    "fc_psa": ("spectrum", _CONV),
    **{f"conv{i}": (f"conv.{i - 1}", _CONV) for i in (1, 2, 3, 4)},
    "fc": ("dense", _CONV),
}


def import_model(
    paths: Sequence[Path],
    *,
    shortest_s: str = "0.01",
    longest_s: str = "10",
    damping: str = "0.05",
    sampling_rate_hz: str = "100",
    passes: str = "0",
) -> CVAEGANModel:
    """Read the generator from a folder ``generator_epoch_N``.

    Parameters
    ----------
    paths : one Path
        The folder with ``saved_model.pb`` and ``variables``, or the folder ``variables``.
    shortest_s, longest_s, damping, sampling_rate_hz : str
        Of the training's spectra and records, which neither the files nor the publication state.
    passes : str
        As of :class:`CVAEGANModel`.

    Raises
    ------
    ModelError
        A folder that is not such a model: missing, truncated, corrupt, or of shapes that do not fit
        each other.
    """
    folder = one_path(paths, "cvae-gan", "the one folder generator_epoch_N")
    try:
        form = Form(float(shortest_s), float(longest_s), float(damping))
        rate, count = float(sampling_rate_hz), int(passes)
    except ValueError as exc:
        raise ModelError(f"cvae-gan: {exc}") from exc
    bundle = VariableBundle.of_saved_model(folder)
    names = _names(bundle)
    found = {key: bundle.entries[name].shape for key, name in names.items()}
    sizes = _sizes(found, str(folder))
    shapes = {key: _published(shape) for key, shape in weight_shapes(Generator(sizes)).items()}
    here = {f"{layer}.{v}": key for layer, v, key in _keys(LAYERS)}
    tensors = {}
    for published, key in here.items():
        array = bundle.read(names[published], shapes[key])
        tensors[key] = converted(torch.from_numpy(array))
    return CVAEGANModel(
        weights=Weights.of(tensors),
        sizes=sizes.to_dict(),
        form=form.to_dict(),
        conditions={"mag": (4.5, 7.5)},  # of the published training set
        sampling_rate_hz=rate,
        passes=count,
    )


def converted(tensor: torch.Tensor) -> torch.Tensor:
    """A weight in torch's layout: kernels (k, in, out) and (in, out) turn round."""
    return tensor.permute(*reversed(range(tensor.dim()))).contiguous()


def _published(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(reversed(shape))


def _keys(
    layers: Mapping[str, tuple[str, tuple[str, ...]]],
) -> list[tuple[str, str, str]]:
    """(layer, variable, name here) in the order of the published variables."""
    torch_names = {"kernel": "weight"}
    return [
        (layer, v, f"{where}.{torch_names.get(v, v)}")
        for layer, (where, variables) in layers.items()
        for v in variables
    ]


def torch_weights(
    tensors: Mapping[str, torch.Tensor], layers: Mapping[str, tuple[str, tuple[str, ...]]]
) -> dict[str, torch.Tensor]:
    """Weights by published names ("enc_conv1.kernel") as the modules here take them."""
    return {key: converted(tensors[f"{layer}.{v}"]) for layer, v, key in _keys(layers)}


def _names(bundle: VariableBundle) -> dict[str, str]:
    """Published name -> name in the bundle: by number, or by layer."""
    keys = _keys(LAYERS)
    styles: tuple[Callable[[int, str, str], str], ...] = (
        lambda i, layer, v: f"variables/{i}/.ATTRIBUTES/VARIABLE_VALUE",
        lambda i, layer, v: f"{layer}/{v}/.ATTRIBUTES/VARIABLE_VALUE",
    )
    for style in styles:
        names = {f"{layer}.{v}": style(i, layer, v) for i, (layer, v, _) in enumerate(keys)}
        if any(name in bundle.entries for name in names.values()):
            break
    for published, name in names.items():
        if name not in bundle.entries:
            raise ModelError(f"{bundle.prefix}: variable {name!r} ({published}) is missing")
    return names


def _sizes(found: Mapping[str, tuple[int, ...]], where: str) -> Sizes:
    """Sizes that the shapes of the variables tell."""

    def shape(name: str, rank: int) -> tuple[int, ...]:
        if len(found[name]) != rank or not all(0 < n < 2**20 for n in found[name]):
            raise ModelError(f"{where}: variable {name!r} has shape {found[name]}")
        return found[name]

    encoder = [shape(f"enc_conv{i}.kernel", 3) for i in (1, 2, 3)]
    decoder = [shape(f"dec_conv{i}.kernel", 3) for i in (1, 2, 3)]
    into, latent = shape("enc_fc_mu.kernel", 2)
    joined, dense = shape("dec_fc.kernel", 2)
    kernel, start, _ = decoder[0]
    ordinates = joined - latent
    if encoder[0][0] != ENCODER_KERNEL or into - encoder[2][2] != ordinates or dense % start:
        raise ModelError(
            f"{where}: shapes do not fit those of the published networks (enc_conv1 "
            f"{encoder[0]}, enc_fc_mu {into, latent}, dec_fc {joined, dense}, dec_conv1 "
            f"{decoder[0]})"
        )
    if ordinates < 2:
        raise ModelError(f"{where}: dec_fc {joined, dense} leaves {ordinates} spectral ordinates")
    try:
        return Sizes(
            samples=dense // start * 8,
            components=encoder[0][1],
            ordinates=ordinates,
            latent=latent,
            encoder=tuple(k[2] for k in encoder),
            decoder=tuple(k[2] for k in decoder),
            start=start,
            kernel=kernel,
        )
    except ValueError as exc:
        raise ModelError(f"{where}: {exc}") from exc
