"""The README's Python runs, and its model table agrees with the code."""

import inspect
import re
from pathlib import Path

from gwm_hazard.openquake.gsim import GenerativeWaveformGMM

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run(capsys) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    pga_g, unit = capsys.readouterr().out.split()
    # M 6.5 at 30 km on Vs30 400 m/s: about 0.1 g by any active-crust GMM.
    assert unit == "g"
    assert 0.05 < float(pga_g) < 0.2


def test_parameters_of_the_branch_are_documented_with_their_defaults() -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", README, flags=re.MULTILINE))
    signature = inspect.signature(GenerativeWaveformGMM.__init__).parameters
    actual = {k: p.default for k, p in signature.items() if k != "self"}
    assert documented.keys() == actual.keys()
    for name, text in documented.items():
        shown = text.strip().strip("`").strip('"')
        assert shown == (str(actual[name]) or "none"), name
