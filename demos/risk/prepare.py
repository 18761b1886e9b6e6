"""Put the vulnerability functions beside the job.ini.

The openquake.engine wheel carries, for its own tests, structural vulnerability functions of the
South America Risk Assessment (SARA) project (GEM Foundation; AGPL-3.0). The sources are those of
demos/managua: run demos/managua/prepare.py too.
"""

from pathlib import Path

import openquake.qa_tests_data

SOURCE = "event_based_risk/case_caracas/vulnerability_caracas.xml"
TARGET = Path(__file__).parent / "vulnerability.xml"


def main() -> None:
    source = Path(openquake.qa_tests_data.__path__[0]) / SOURCE
    TARGET.write_bytes(source.read_bytes())
    print(f"wrote {TARGET.name} from openquake.engine's {SOURCE}")


if __name__ == "__main__":
    main()
