"""The benchmark of the models at hand on the shared flatfiles and records.

    python validation/benchmark/run.py --data ../shared/data

runs ``gwm-hazard benchmark`` for every data set and writes its page and numbers below
``build/benchmark``, then the table of scores that docs/benchmark.md quotes, ``summary.md``. Models
besides ``stochastic`` take part where they are installed. Interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from gwm_hazard.benchmark.run import run
from gwm_hazard.models.registry import model_folders

DATA = {
    "newzealand": "flatfiles/newzealand_rotd50.csv.gz",
    "ngaw2": "flatfiles/ngaw2_1000_rotd50.csv.gz",
    "ridgecrest": "flatfiles/ridgecrest_2019_rotd50.csv.gz",
    "esm": "flatfiles/esm2018_small.csv.gz",
    "records": "waveforms",
}
OTHERS = ("highfem-small", "highfem", "tfcgan")
SCORES = ("LLH", "LLH by event", "bias, mean |log10|", "variability, mean |ln ratio|")

#: Of a data set with more, a sample of whole events.
RECORDS = 1000


def summary(folder: Path, names: list[str]) -> str:
    """Scores of all data sets as a table in Markdown."""
    heads = [s.replace("|", "\\|") for s in SCORES]
    rows = ["| data | records | model | " + " | ".join(heads) + " |"]
    rows.append("|" + "---|" * (3 + len(SCORES)))
    for name in names:
        table = pd.read_csv(folder / name / "scores.csv", index_col="model")
        table = table.dropna(subset=["LLH"]).sort_values("LLH")
        n = len(pd.read_parquet(folder / name / "records.parquet", columns=["mag"]))
        for model, values in table.iterrows():
            cells = " | ".join(f"{values[s]:.3f}" for s in SCORES)
            rows.append(f"| {name} | {n} | {model} | {cells} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared data")
    parser.add_argument("--output", type=Path, default=Path("build/benchmark"))
    parser.add_argument("--records", type=int, default=RECORDS, help="of each data set, at most")
    parser.add_argument("--only", choices=sorted(DATA), action="append", help="repeat for several")
    args = parser.parse_args()
    models = ["stochastic", *(m for m in OTHERS if m in model_folders())]
    print(f"models: {', '.join(models)}")
    names = args.only or list(DATA)
    for name in names:
        seen: set[str] = set()

        def progress(what: str, share: float, seen: set[str] = seen, name: str = name) -> None:
            if what not in seen:
                seen.add(what)
                print(f"{name}: {what}", flush=True)

        page = run(
            models, [args.data / DATA[name]], args.output / name, records=args.records,
            progress=progress,
        )  # fmt: skip
        print(page)
    text = summary(args.output, names)
    print(text)
    (args.output / "summary.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
