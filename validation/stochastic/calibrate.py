"""The shipped stochastic model beside a new calibration, on events that neither was fitted to.

    python validation/stochastic/calibrate.py --data ../shared/data/flatfiles --output calibrated

Calls ``gwm-hazard data calibrate``'s code on the Ridgecrest, New Zealand and NGA-West2 flatfiles
and prints its report: the held-out residuals of the shipped parameters stand beside those of the
new fit. The shipped parameters were fitted to bin means of the same 70 % of the events and to the
medians of Boore et al. (2014), against which ``compare_boore2014.py`` sets them; the new fit sees
the records alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gwm_hazard.calibration import Settings, calibrate
from gwm_hazard.cli.data.calibrate import print_report

FILES = ("ridgecrest_2019_rotd50", "newzealand_rotd50", "ngaw2_1000_rotd50")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the flatfiles")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--max-records", type=int, default=Settings.max_records)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    files = [args.data / f"{name}.csv.gz" for name in FILES]
    settings = Settings(max_records=args.max_records)
    found = calibrate(files, args.output, settings, device=args.device, told=print)
    print_report(found)


if __name__ == "__main__":
    main()
