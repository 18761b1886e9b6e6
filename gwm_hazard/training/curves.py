"""Losses by step: a CSV table and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from gwm_hazard.files.atomic import replacing


class Curves:
    """Rows (step, split, one column a part of the loss), kept until they are written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float | int | str]] = []

    def add(self, step: int, split: str, parts: Mapping[str, float]) -> None:
        """One row."""
        self.rows.append({"step": step, "split": split, **parts})

    def read(self, step: int) -> None:
        """Rows of an earlier run up to a step; what it did after its checkpoint is done again."""
        if self.path.is_file():
            table = pd.read_csv(self.path)
            rows = table[table["step"] <= step].to_dict("records")
            self.rows = [{str(k): v for k, v in row.items()} for row in rows]

    def write(self) -> None:
        """The table."""
        if self.rows:
            with replacing(self.path) as temporary:
                pd.DataFrame(self.rows).to_csv(temporary, index=False)


def plot_curves(files: Mapping[str, Path], output: Path) -> None:
    """A picture of the curves of several fits: {title: CSV}."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(files), 3.4), layout="constrained")
    axes = figure.subplots(1, len(files), squeeze=False)[0]
    for axis, (title, path) in zip(axes, files.items(), strict=True):
        table = pd.read_csv(path)
        train = table[table["split"] == "train"]
        dev = table[table["split"] == "dev"]
        smooth = train["loss"].ewm(span=max(2, len(train) // 50)).mean()
        axis.plot(train["step"], smooth, color="0.5", label="training, smoothed")
        axis.plot(dev["step"], dev["loss"], "o-", ms=3, label="dev, averaged weights")
        low, high = smooth.iloc[len(smooth) // 50 :].min(), smooth.iloc[len(smooth) // 50 :].max()
        margin = 0.05 * (high - low) + 1e-6
        axis.set(title=title, xlabel="step", ylabel="loss", ylim=(low - 4 * margin, high + margin))
        axis.legend(frameon=False)
    figure.savefig(output, dpi=130)
