from __future__ import annotations

from pathlib import Path

import pytest

from gwm_hazard.errors import InputError
from gwm_hazard.files.spectrum_table import spectrum_of


@pytest.mark.parametrize(
    "text",
    [
        "0.1,1.0\n0.5,0.9\n2,0.2\n",
        "# of a code\nT (s);Sa (g)\n2;0.2\n0.5;0.9\n\n0.1;1.0\n",
        "\ufeffperiod\tSA\r\n0.1\t1.0\r\n0.5\t0.9\r\n2.0\t2e-1\r\n",
    ],
)
def test_layouts(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert spectrum_of(path) == {"periods_s": [0.1, 0.5, 2.0], "sa_g": [1.0, 0.9, 0.2]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.1,1\n0.5\n", r"line 2: '0.5'.* 0.2,0.85"),
        ("0.1,1\n0.5,1,2\n", "line 2"),
        ("0.1,1\nnothing,1\n", "line 2: 'nothing,1'"),
        ("0.1,1\n0.2,1\n0.1,3\n", "line 3: period 0.1 s is told twice"),
    ],
)
def test_other_text_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        spectrum_of(path)
