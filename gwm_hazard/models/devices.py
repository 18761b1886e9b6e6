"""Devices and threads that models draw with: what other rooms ask of torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


def available(device: str) -> str:
    """The device itself, "cpu" in place of CUDA on a machine that has none."""
    import torch

    return "cpu" if device.startswith("cuda") and not torch.cuda.is_available() else device


def keep_one_thread() -> None:
    """Let this process use one thread from now on, as a worker of many does."""
    import numba
    import torch

    from gwm_hazard.core.noise import Noise

    # numba's first parallel call sets the threads that torch uses too, so it comes first.
    numba.set_num_threads(1)
    Noise(0, 0, 0, 0).normal("", 1)
    torch.set_num_threads(1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Draw and measure with one thread.

    Threads wait for each other: on the few records of a small rupture two take 2 to 20 times as
    long as one, the more so where other processes are running.
    """
    import numba
    import torch

    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        numba.set_num_threads(before[1])


def in_portions(
    draw: Callable[[NDArray[np.int64]], torch.Tensor], n: int, size: int
) -> torch.Tensor:
    """What ``draw`` makes of n rows, always so many at once: a row's bits are its own.

    A network rounds by the size of its batch and by the number of threads, and what follows it may
    magnify that: so each portion has the same size (the last is filled up with its last row) and
    one thread; several portions go on side by side.
    """
    import torch

    rows = np.arange(-(-n // size) * size).reshape(-1, size)

    def one(portion: NDArray[np.int64]) -> torch.Tensor:
        with torch.inference_mode():
            return draw(np.minimum(portion, n - 1))

    workers = min(len(rows), torch.get_num_threads())
    with one_thread():
        if workers < 2:
            made = [one(portion) for portion in rows]
        else:
            with ThreadPoolExecutor(workers) as pool:
                made = list(pool.map(one, rows))
    return torch.cat(made)[:n]
