"""The demo with a branch for each family: the models ship, and the job runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwm_hazard.models.registry import families, needs_weights, shipped
from tests.openquake.jobs import OpenQuake

DEMO = Path(__file__).parents[2] / "demos" / "families"
BRANCH = re.compile(r"      <logicTreeBranch branchID=\"(\w+)\">.*?</logicTreeBranch>\n", re.DOTALL)


def branches() -> dict[str, str]:
    """Text of each branch."""
    return {m[1]: m[0] for m in BRANCH.finditer((DEMO / "gmm_logic_tree.xml").read_text())}


def test_the_models_ship() -> None:
    found = branches()
    assert {"stochastic", "highfem_observed", "wgan_small", "cvae_gan_small", "matched"} == set(
        found
    )
    for text in found.values():
        for name in re.findall(r'(?:model|shape) = "([\w-]+)"', text):
            assert name in shipped() or (name in families() and not needs_weights(name))


@pytest.mark.slow
def test_demo(oq: OpenQuake, tmp_path: Path) -> None:
    """With few draws, and the GMM of the matched branch beside it."""
    here = tmp_path / "families"
    shutil.copytree(DEMO, here, ignore=shutil.ignore_patterns("output"))
    (here / "output").mkdir()
    found = {k: v.replace("realizations = 40", "realizations = 6") for k, v in branches().items()}
    text = (here / "gmm_logic_tree.xml").read_text()
    head = text[: text.index("      <logicTreeBranch ")]
    tail = text[text.rindex("    </logicTreeBranchSet") :]
    plain = '      <logicTreeBranch branchID="plain"><uncertaintyModel>[BooreEtAl2014]'
    plain += "</uncertaintyModel><uncertaintyWeight>0.2</uncertaintyWeight></logicTreeBranch>\n"
    found["plain"] = plain
    weight = f"<uncertaintyWeight>{1 / len(found)!r}</uncertaintyWeight>"
    body = re.sub(r"<uncertaintyWeight>0.2</uncertaintyWeight>", weight, "".join(found.values()))
    (here / "gmm_logic_tree.xml").write_text(head + body + tail)
    ini = here / "job.ini"
    ini.write_text(ini.read_text().replace('"waveforms": 10', '"waveforms": 1'))
    run = oq.run(ini)
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        curves: Any = dict(zip(found, dstore["hcurves-rlzs"][0], strict=True))
    np.testing.assert_allclose(curves["matched"], curves["plain"], rtol=1e-6)
    levels = {k: int((v[0] > 0.05).sum()) for k, v in curves.items()}  # of 40 by 17 %
    assert max(levels.values()) - min(levels.values()) < 6  # within a factor of 2.5
    assert len(list((here / "output").glob("waveforms_*.h5"))) == len(found) - 1
    assert list((here / "output").glob("hazard_curves_*.png"))
