"""Write the tables of docs/intensity_measures.md from what the code declares.

python docs/make_tables.py
"""

from pathlib import Path

from gwm_hazard.intensity import COMPONENTS, MEASURES

PAGE = Path(__file__).with_name("intensity_measures.md")
HEAD = """\
# Intensity measures

Made by `python docs/make_tables.py` from `gwm_hazard/intensity`; `gwm-hazard im --list` prints it.

Names are OpenQuake's where it has one (not for SI, ASI, DSI, RSDppqq, DB and DU). In brackets
stands a period T in s, a frequency f in Hz or a level a in g: `SA(0.3)`, `EAS(2.0)`, `DB(0.05)`.
SA and what is made of it have 5 % damping by default. The ground acceleration is band-limited
between its samples where a peak or an oscillator is concerned, linear for durations, and at rest
before and after the record. Measures of an all-zero record are 0, its significant durations NaN.

"""


def page() -> str:
    """The text of the page."""
    lines = ["| name | unit | measure | definition | source |", "|---|---|---|---|---|"]
    lines += [
        f"| `{m.imt}` | {m.unit} | {m.long_name} | {m.definition} | {m.source} |" for m in MEASURES
    ]
    lines += ["", "## Components", "", "| name | definition |", "|---|---|"]
    lines += [f"| `{name}` | {definition} |" for name, definition in COMPONENTS.items()]
    lines += [
        "",
        "EAS and JMA join the components in their own way and are the same for every horizontal",
        "component definition. `vector_sum` is of peaks and spectra only.",
        "",
        "A record may have one horizontal component, or a model draw one (TFCGAN). `H1` is then",
        "that component; `RotD50` is inferred from it by published median ratios, for SA, PGA,",
        "PGV, IA, CAV and the three named durations, and the result says so in its attributes",
        "(`gwm_hazard/intensity/one_component.py`). Other definitions are refused: a second",
        "component is not invented. Of observed records with a file missing, `RotD50` is refused.",
    ]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
