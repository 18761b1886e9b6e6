"""Put GEM's source model beside the job.ini.

The openquake.engine wheel carries, for its own tests, five crustal faults of the hazard model
for the Caribbean and Central America CCA19 (GEM Foundation; AGPL-3.0). That copy was altered so
that nobody takes it for the real thing: every fault starts at M 8.55, although the file is named
"m65" and holds magnitude bins for faults as short as 40 km, and some rates have lost their
decimal exponent (0.0011 is followed by 0.0094). A M 8.9 on a fault of 40 km x 17 km is no
earthquake, so this step moves the first magnitude back to 6.55, the one that the name says and
the areas ask for (Leonard 2014 gives M 6.8 to 6.9 for the Cofradia fault, its last bin is then
6.85), and puts the stray rates back on their power of ten along the Gutenberg-Richter slope of
the fault's first two rates. All digits are GEM's. It remains a demonstration: five faults, no
subduction, no background seismicity.
"""

import argparse
import math
import re
from pathlib import Path

import openquake.qa_tests_data

from gwm_hazard.models.card_file import CARD_FILE
from gwm_hazard.models.registry import installed

SOURCE = "mosaic/CCA/in/ssm/shallow/cca19_shallow_fault_m65.xml"
HERE = Path(__file__).parent
TARGET = HERE / "source_model.xml"


def restored(rates: list[str]) -> list[str]:
    """Rates on the power of ten that continues the slope of the first two."""
    values = [float(r) for r in rates]
    if len(values) < 3:
        return rates
    slope = values[1] / values[0]
    out = rates[:2]
    for i in range(2, len(values)):
        expected = values[0] * slope**i
        shift = round(math.log10(expected / values[i]))
        out.append(repr(values[i] * 10.0**shift) if shift else rates[i])
    return out


def has_tfcgan() -> bool:
    """Whether ``model = "tfcgan"`` of ``job_tfcgan.ini`` is there: in this folder, or installed."""
    return (HERE / "tfcgan" / CARD_FILE).is_file() or "tfcgan" in installed()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--as-shipped", action="store_true", help="change nothing")
    parser.add_argument(
        "--has-tfcgan", action="store_true", help="do nothing; exit code 0 if that model is there"
    )
    args = parser.parse_args()
    if args.has_tfcgan:
        raise SystemExit(not has_tfcgan())
    source = Path(openquake.qa_tests_data.__path__[0]) / SOURCE
    text = source.read_text(encoding="utf-8").replace("Model %s", "CCA19 shallow faults (GEM)")
    if not args.as_shipped:
        text = text.replace('minMag="8.55"', 'minMag="6.55"')
        text = re.sub(
            r"(<occurRates>)([^<]*)(</occurRates>)",
            lambda m: m[1] + " ".join(restored(m[2].split())) + m[3],
            text,
        )
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.name} from openquake.engine's {SOURCE}")


if __name__ == "__main__":
    main()
