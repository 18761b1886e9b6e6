"""Where a training starts: residual blocks that do nothing yet, a linear autoencoder that does."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.errors import InputError
from gwm_hazard.models.highfem.autoencoder import Autoencoder
from gwm_hazard.models.highfem.config import AutoencoderConfig
from gwm_hazard.models.highfem.denoiser import UNet
from gwm_hazard.models.highfem.layers import Attention, ResBlock

#: Factor on the random weights that stand beside the principal components.
_SMALL = 0.1
#: ln of the standard deviation of the latent's noise at the start.
_LN_SD = -2.5


@torch.no_grad()
def silence(network: nn.Module) -> None:
    """Zero the last layer of each residual branch and of the denoiser, as published."""
    for layer in network.modules():
        if isinstance(layer, ResBlock):
            last: nn.Module = layer.out_layers[3]
        elif isinstance(layer, Attention):
            last = layer.proj_out
        elif isinstance(layer, UNet):
            last = layer.out[2]
        else:
            continue
        for p in last.parameters():
            p.zero_()


@torch.no_grad()
def principal_components(
    autoencoder: Autoencoder, config: AutoencoderConfig, images: torch.Tensor
) -> None:
    """Start an autoencoder of one level as the best linear one of its patches.

    The largest principal components of patches go through as they are, scaled to standard
    deviation 1 in the latent; what the convolutions learn from their neighbours and the residual
    blocks comes on top. Call after :func:`silence`.

    Parameters
    ----------
    images : Tensor, shape (n, channels, h, w)
        Examples.
    """
    if len(config.channel_mult) != 1:
        raise InputError("principal components need an autoencoder with channel_mult = [1]")
    patches = functional.pixel_unshuffle(images.double(), config.patch)
    flat = patches.movedim(1, 3).reshape(-1, patches.shape[1])
    mean = flat.mean(dim=0)
    values, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
    basis = vectors.flip(1).T.float()  # (components, pixels of a patch), largest first
    sd = values.flip(0).clamp(min=1e-6 * float(values.max())).sqrt().float()
    through = min(config.model_channels, len(basis))
    kept = min(config.latent_channels, through)

    encoder, decoder = autoencoder.encoder, autoencoder.decoder
    for layer in (
        encoder.input_layer,
        encoder.output_layer,
        decoder.input_layer,
        decoder.output_layer,
    ):
        layer.weight.mul_(_SMALL)
        assert layer.bias is not None
        layer.bias.zero_()
    diagonal = torch.arange(kept)
    encoder.input_layer.weight[:through, :, 1, 1] += basis[:through]
    encoder.input_layer.bias[:through] = -(basis[:through] @ mean.float())  # type: ignore[index]
    encoder.output_layer.weight[diagonal, diagonal, 1, 1] += 1.0 / sd[:kept]
    encoder.output_layer.weight[config.latent_channels :].zero_()
    encoder.output_layer.bias[config.latent_channels :] = _LN_SD  # type: ignore[index]
    decoder.input_layer.weight[diagonal, diagonal, 1, 1] += sd[:kept]
    decoder.output_layer.weight[:, :kept, 1, 1] += basis[:kept].T
    decoder.output_layer.bias.copy_(mean)  # type: ignore[union-attr]
