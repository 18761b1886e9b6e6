"""RotD50 from one horizontal component: published relations beside observed pairs.

    python validation/tfcgan/components.py RECORDS.h5

RECORDS.h5 holds ``acceleration`` (record, component, sample) counts, two horizontals first,
``scale`` (record, component) m/s2 a count, ``npts`` and ``dt`` s (record).

Prints, for each intensity measure, the mean of ln(RotD50 / geometric mean of the two components),
the standard deviation sigma_c of half the difference of their ln, and that of ln(RotD50 /
geometric mean), each beside what :mod:`gwm_hazard.intensity.one_component` takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from gwm_hazard.distribution.build import IMTS
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.intensity.one_component import component_sigma, ln_rotd50_ratio


def ln_measures(
    path: Path, imts: list[str], rows: Iterable[int] | None = None
) -> NDArray[np.float64]:
    """ln of RotD50 and of both components, (3, n_records, n_imts), of all records or ``rows``."""
    out = []
    with h5py.File(path) as file:
        for i in range(len(file["npts"])) if rows is None else rows:
            counts = file["acceleration"][i, :2, : file["npts"][i]]
            acc = (counts * file["scale"][i, :2][:, None])[None]
            dt = float(file["dt"][i])
            kinds = ("RotD50", "H1", "H2")
            out.append([intensity_measures_array(acc, dt, imts, k)[0] for k in kinds])
    return np.log(np.array(out)).transpose(1, 0, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    imts = list(IMTS)
    rotd50, h1, h2 = ln_measures(parser.parse_args().records, imts)
    ratio, half = rotd50 - (h1 + h2) / 2.0, (h1 - h2) / 2.0
    # Which component is called first is arbitrary: the mean difference is 0.
    sigma = np.sqrt((half**2).mean(axis=0))
    print(f"{len(half)} records")
    print(
        "measure    ln ratio: observed  std. error   taken   sigma_c: observed  taken   sd(ratio)"
    )
    for k, imt in enumerate(imts):
        error = ratio[:, k].std(ddof=1) / np.sqrt(len(ratio))
        print(
            f"{imt:10s} {ratio[:, k].mean():18.4f} {error:11.4f} {ln_rotd50_ratio(imt):6.4f} "
            f"{sigma[k]:18.4f} {component_sigma(imt):6.3f} {ratio[:, k].std(ddof=1):11.4f}"
        )


if __name__ == "__main__":
    main()
