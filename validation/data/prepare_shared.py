"""A training file of the observed records in a folder that holds observed_3c.h5, observed_2h.h5.

python validation/data/prepare_shared.py --data FOLDER --output SET [--file observed_2h.h5]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from gwm_hazard.datasets.preparation import Settings, prepare
from gwm_hazard.datasets.preparation.run import summary_table
from gwm_hazard.datasets.preparation.work import BATCH, Task
from gwm_hazard.records.record import Failure, Record
from gwm_hazard.records.training_set import TrainingSet

LEFT_OUT = ("file", "row", "dt", "npts", "comp_1", "comp_2", "comp_3", "pga_1", "pga_2", "pga_3")


def read(folder: Path, name: str) -> Iterator[Record | Failure]:
    """Records of one file with the rows of metadata.csv."""
    text = {"station": str, "event_id": str, "network": str}
    table = pd.read_csv(folder / "metadata.csv", dtype=text)
    table = table[table["file"] == name].set_index("row")
    with h5py.File(folder / name) as file:
        for i, row in table.iterrows():
            npts = file["npts"][i]
            acc = file["acceleration"][i, :, :npts] * np.float64(file["scale"][i])[:, None]
            metadata = {k: v for k, v in row.items() if k not in LEFT_OUT and not pd.isna(v)}
            # names of channels as they are; the azimuths stand in the table
            names = [str(row[f"comp_{k}"]) for k in range(1, acc.shape[0] + 1)]
            try:
                yield Record(
                    acc, float(file["dt"][i]), tuple(names), 2, metadata | {"source_file": name}
                )
            except ValueError as exc:
                yield Failure(str(row["record_id"]), str(exc))


def tasks(folder: Path, name: str) -> Iterator[Task]:
    """Records in batches, as the preparation takes them."""
    items = list(read(folder, name))
    for k in range(0, len(items), BATCH):
        yield Task(name, items=tuple(items[k : k + BATCH]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--file", default="observed_3c.h5")
    parser.add_argument("--require", default="mag,rhypo,hypo_depth")
    parser.add_argument("--components", help="by default RTZ of observed_3c.h5, else 12")
    parser.add_argument("--late-start", default="align", choices=("reject", "align"))
    parser.add_argument("--jobs", type=int, default=0)
    args = parser.parse_args()
    three = "RTZ" if args.file == "observed_3c.h5" else "12"
    settings = Settings(
        components=args.components or three,
        late_start=args.late_start,
        require=tuple(filter(None, args.require.split(","))),
    )
    summary = prepare(tasks(args.data, args.file), args.output, settings, jobs=args.jobs)
    data = TrainingSet.open(args.output)
    total = summary.kept + sum(summary.rejected.values())
    print(f"{summary.kept} of {total} records kept; not kept:")
    for code, n in summary.rejected.most_common():
        print(f"  {n:4d}  {code}")
    print(summary_table(data).to_string(index=False))
    table = data.table
    ratio = np.log(table["pga_after"] / table["pga_before"])
    print(
        f"PGA after / before: median {np.exp(ratio.median()):.3f}, 5 to 95 % "
        f"{np.exp(ratio.quantile(0.05)):.3f} to {np.exp(ratio.quantile(0.95)):.3f}"
    )
    residual = np.log10(table["pga_after"] / table["expected_pga"])
    print(
        f"PGA / median of Kanno et al. (2006): {10 ** residual.median():.2f}, std of log10 "
        f"{residual.std():.2f}"
    )


if __name__ == "__main__":
    main()
