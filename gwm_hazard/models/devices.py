"""Devices and threads that models draw with: what other rooms ask of torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


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
