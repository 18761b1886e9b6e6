"""Write the exposure and its vulnerability functions: invented, for a demonstration.

    python demos/portfolio/prepare.py [BUILDINGS]

100 buildings by default, in a city of 15 by 15 km whose centre is 15 km from the rupture, half of
low ones whose loss follows SA(0.3), half of tall ones whose loss follows SA(1.0). The mean loss
ratio is a lognormal curve of the measure, with a median capacity of 1.2 g and of 0.6 g and a
dispersion of 0.6.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.stats import norm

HERE = Path(__file__).parent
CLASSES = {"low": ("SA(0.3)", 1.2), "tall": ("SA(1.0)", 0.6)}
LEVELS = np.geomspace(0.02, 5.0, 24)

EXPOSURE = """<?xml version="1.0" encoding="UTF-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">
  <exposureModel id="portfolio" category="buildings" taxonomySource="none">
    <description>an invented portfolio</description>
    <conversions>
      <costTypes><costType name="structural" type="per_asset" unit="USD"/></costTypes>
    </conversions>
    <occupancyPeriods/>
    <tagNames/>
    <assets>exposure.csv</assets>
  </exposureModel>
</nrml>
"""

FUNCTION = """
    <vulnerabilityFunction id="{name}" dist="LN">
      <imls imt="{imt}">{levels}</imls>
      <meanLRs>{means}</meanLRs>
      <covLRs>{zeros}</covLRs>
    </vulnerabilityFunction>"""

VULNERABILITY = """<?xml version="1.0" encoding="UTF-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">
  <vulnerabilityModel id="portfolio" assetCategory="buildings" lossCategory="structural">
    <description>lognormal curves</description>{functions}
  </vulnerabilityModel>
</nrml>
"""


def main(buildings: int) -> None:
    """Write exposure.xml, exposure.csv and vulnerability.xml."""
    rng = np.random.default_rng(1)
    lat = 40.0 + rng.uniform(-7.5, 7.5, buildings) / 111.2
    lon = 15.0 + rng.uniform(7.5, 22.5, buildings) / (111.2 * np.cos(np.radians(40.0)))
    rows = ["id,lon,lat,taxonomy,number,structural"]
    for i in range(buildings):
        rows.append(f"b{i:04d},{lon[i]:.5f},{lat[i]:.5f},{list(CLASSES)[i % 2]},1,1000000")
    functions = ""
    for name, (imt, median) in CLASSES.items():
        means = norm.cdf(np.log(LEVELS / median) / 0.6)
        functions += FUNCTION.format(
            name=name,
            imt=imt,
            levels=" ".join(f"{x:.4f}" for x in LEVELS),
            means=" ".join(f"{x:.6f}" for x in means),
            zeros=" ".join("0" for _ in LEVELS),
        )
    (HERE / "exposure.csv").write_text("\n".join(rows) + "\n")
    (HERE / "exposure.xml").write_text(EXPOSURE)
    (HERE / "vulnerability.xml").write_text(VULNERABILITY.format(functions=functions))
    (HERE / "output").mkdir(exist_ok=True)
    print(f"wrote exposure.xml, exposure.csv ({buildings} buildings) and vulnerability.xml")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
