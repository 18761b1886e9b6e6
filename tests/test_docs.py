"""Pages that are made from the code are those of the code."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_table_of_measures_is_that_of_the_code():
    made = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"]()
