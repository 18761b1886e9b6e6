"""The generator of TFCGAN (Esfahani et al. 2023) in torch: label and noise -> log-spectrogram.

Two dense branches meet in a small image of three channels, and five convolutions with two
doublings in between make it 128 x 248. Weights keep the published shapes, (in, out) for dense
and (height, width, in, out) for convolutional kernels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional as F

N_LATENT = 100
N_LABEL = 3
ROWS, COLUMNS = 32, 62  # of the first image
SHAPE = (4 * ROWS, 4 * COLUMNS)  # of the last: frequencies, frames
CHANNELS = (3, 128, 64, 32, 16, 1)
_LABEL_WIDTHS = (N_LABEL, 32, 64, 128, 2 * ROWS * COLUMNS)
_KERNEL = 5
_SLOPE = 0.2
_BATCH_NORM_EPSILON = 1e-3

#: Names and shapes of the published weights.
WEIGHTS: dict[str, tuple[int, ...]] = {
    **{f"label_dense_{i}.kernel": _LABEL_WIDTHS[i - 1 : i + 1] for i in range(1, 5)},
    "noise_dense.kernel": (N_LATENT, ROWS * COLUMNS),
    **{
        f"noise_bn.{name}": (ROWS * COLUMNS,)
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    },
    **{
        f"conv_{i}.{name}": shape
        for i in range(1, 6)
        for name, shape in (
            ("kernel", (_KERNEL, _KERNEL, *CHANNELS[i - 1 : i + 1])),
            ("bias", (CHANNELS[i],)),
            ("sn_u", (1, CHANNELS[i])),
        )
    },
}


class Generator(torch.nn.Module):
    """(label (n, 3), latent (n, 100)) -> scaled log amplitude (n, 128, 248), float32."""

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        w = {name: t.double() for name, t in weights.items()}
        self._dense = 0
        for i in range(1, 5):
            self._keep(f"label_{i}", w[f"label_dense_{i}.kernel"].T)
        # Inference: the normalisation is an affine map, folded into the kernel before it.
        scale = w["noise_bn.gamma"] / torch.sqrt(
            w["noise_bn.moving_variance"] + _BATCH_NORM_EPSILON
        )
        self._keep("noise", (w["noise_dense.kernel"] * scale).T)
        self._keep("noise_bias", w["noise_bn.beta"] - w["noise_bn.moving_mean"] * scale)
        for i in range(1, 6):
            kernel = w[f"conv_{i}.kernel"]
            kernel = kernel / spectral_norm(kernel, w[f"conv_{i}.sn_u"])
            kernel, bias = kernel.permute(3, 2, 0, 1), w[f"conv_{i}.bias"]
            if i in (3, 4):  # after a doubling
                kernel, bias = _of_doubled(kernel), bias.repeat_interleave(4)
            if i == 5:  # before the doubling of the fourth is carried out
                kernel, bias = _of_quartered(kernel), bias.repeat_interleave(4)
            self._keep(f"conv_{i}", kernel.contiguous(memory_format=torch.channels_last))
            self._keep(f"bias_{i}", bias)

    def _keep(self, name: str, value: torch.Tensor) -> None:
        self.register_buffer(name, value.float())

    def forward(self, label: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Label: magnitude, distance (km), Vs30 (km/s), raw; latent: standard normals."""
        for i in range(1, 5):
            label = F.leaky_relu(F.linear(label, self.get_buffer(f"label_{i}")), _SLOPE)
        noise = F.leaky_relu(F.linear(latent, self.noise, self.noise_bias), _SLOPE)  # type: ignore[arg-type]
        image = torch.cat(
            (noise.view(-1, ROWS, COLUMNS, 1), label.view(-1, ROWS, COLUMNS, 2)), dim=3
        ).permute(0, 3, 1, 2)  # channels last in memory
        for i in range(1, 6):
            kernel, bias = self.get_buffer(f"conv_{i}"), self.get_buffer(f"bias_{i}")
            image = F.leaky_relu_(F.conv2d(image, kernel, bias, padding="same"), _SLOPE)
            if i in (3, 5):
                image = F.pixel_shuffle(image, 2)
        return image[:, 0]


def spectral_norm(kernel: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Largest singular value of a kernel (height, width, in, out), by one power iteration.

    The published graph makes it anew at each call from the stored vector ``u`` (1, out), which it
    leaves as it is: a constant (Miyato et al. 2018, ICLR, algorithm 1).
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    v = F.normalize(u @ matrix.T, dim=1, eps=1e-12)
    return torch.linalg.vector_norm(v @ matrix)


def _of_doubled(kernel: torch.Tensor) -> torch.Tensor:
    """Kernel 5 x 5 on an image doubled by repetition -> 3 x 3 on the image itself.

    Of the 5 taps on one axis, those that meet the same pixel before the doubling are summed: the
    even output samples see pixels -1, -1, 0, 0, 1, the odd ones -1, 0, 0, 1, 1. Each output
    channel becomes 4, in the order that pixel_shuffle wants: (out, in, 5, 5) -> (4 out, in, 3, 3).
    """
    taps = torch.tensor(
        [
            [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
            [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]],
        ],
        dtype=kernel.dtype,
    )
    phases = torch.einsum("pyk,qxl,oikl->opqiyx", taps, taps, kernel)
    return phases.reshape(-1, *phases.shape[3:])


def _of_quartered(kernel: torch.Tensor) -> torch.Tensor:
    """Kernel 5 x 5 on an image -> 3 x 3 on what pixel_shuffle makes that image of.

    (out, in, 5, 5) -> (4 out, 4 in, 3, 3): 4 outputs fill a vector register better than 1.
    """
    taps = kernel.new_zeros(2, 2, 3, 5)  # output parity, input parity, offset, tap
    for parity in range(2):
        for tap in range(5):
            offset, source = divmod(parity + tap - 2, 2)
            taps[parity, source, offset + 1, tap] = 1.0
    phases = torch.einsum("pryk,qsxl,oikl->opqirsyx", taps, taps, kernel)
    return phases.reshape(4 * kernel.shape[0], 4 * kernel.shape[1], 3, 3)
