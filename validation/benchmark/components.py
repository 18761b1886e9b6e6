"""Published ratios of horizontal components beside those of observed pairs.

    python validation/benchmark/components.py --data ../shared/data/waveforms

The benchmark converts GMMs of other components to RotD50 by the ratios of Boore and Kishida (2017):
this prints RotD100/RotD50 and larger/RotD50 of recorded pairs of horizontals (geometric means)
beside them. Ordinates beyond the usable band of a record are left out where its band is known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from openquake.hazardlib.const import IMC

from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.openquake.gmm import ln_to_rotd50
from gwm_hazard.records.usable_band import longest_period_s, period_of
from gwm_hazard.records.waveform_source import open_traces

IMTS = ["PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)", "SA(5.0)"]
COMPONENTS = {"RotD100": IMC.RotD100, "larger": IMC.GREATER_OF_TWO_HORIZONTAL}


def ratios(folder: Path) -> dict[str, np.ndarray]:
    """ln of each component over RotD50, {component: (n_records, n_imts)}."""
    table = pd.read_csv(folder / "metadata.csv", dtype={"station": str, "event_id": str})
    table = table[table["file"] == "observed_2h.h5"].reset_index(drop=True)
    source, rows = open_traces(folder, table)
    beyond = np.array([period_of(i) or 0.0 for i in IMTS]) > longest_period_s(table)[:, None]
    found = {name: np.full((len(rows), len(IMTS)), np.nan) for name in COMPONENTS}
    for row in rows:
        acc, dt = source.read(np.array([row]))[0][None], float(source.dt_s[row])
        half = intensity_measures_array(acc, dt, IMTS)
        for name, values in found.items():
            values[row] = np.log(intensity_measures_array(acc, dt, IMTS, name) / half)
    for values in found.values():
        values[beyond] = np.nan
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of waveforms")
    found = ratios(parser.parse_args().data)
    for name, component in COMPONENTS.items():
        values = found[name]
        print(f"{name}/RotD50 of {len(values)} pairs: observed, published, observed/published")
        for column, imt in enumerate(IMTS):
            observed = np.exp(np.nanmean(values[:, column]))
            published = np.exp(-ln_to_rotd50(component, imt))
            print(f"  {imt:8s} {observed:6.3f} {published:6.3f} {observed / published:6.3f}")


if __name__ == "__main__":
    main()
