"""Names of the ground-motion branches of a calculation, as its user gave them.

OpenQuake 3.23 to 3.25 renames the branches of the GMM logic tree by their position ("gA0", "gB0").
The user's ids are read again from the logic tree file, where it still is and still has the same
branches; else a branch is called by its model or the class of its GSIM.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from openquake.baselib.general import BASE183
from openquake.hazardlib import nrml
from openquake.hazardlib.gsim_lt import GsimLogicTree, bsnodes

#: What OpenQuake calls a branch: "g", a character for the branch, the number of the branch set.
_POSITION = re.compile(r"g(.)(\d+)", re.DOTALL)


def branch_names(gsim_lt: GsimLogicTree) -> dict[tuple[str, Any], str]:
    """Name of each branch by tectonic region and GSIM; no name for two GSIMs.

    A name that the user gave to other GSIMs in other regions gets that of the region added.
    """
    given = _given(gsim_lt)
    names = {}
    for branch in gsim_lt.branches:
        name, kind = given.get(branch.id, ("", ""))
        if not name or kind != type(branch.gsim).__name__:
            name = _label(branch.gsim) if _POSITION.fullmatch(branch.id) else branch.id
        names[branch.trt, branch.gsim] = name
    names = _told_apart(names, {k: f"{v} ({k[0]})" for k, v in names.items()})
    ids = {(b.trt, b.gsim): b.id for b in gsim_lt.branches}
    return _told_apart(names, {k: f"{v}, {ids[k]}" for k, v in names.items()})


def _told_apart(
    names: dict[tuple[str, Any], str], longer: dict[tuple[str, Any], str]
) -> dict[tuple[str, Any], str]:
    """The longer name where several GSIMs have the same."""
    users: dict[str, set[Any]] = {}
    for (_, gsim), name in names.items():
        users.setdefault(name, set()).add(gsim)
    return {k: longer[k] if len(users[name]) > 1 else name for k, name in names.items()}


def _given(gsim_lt: GsimLogicTree) -> dict[str, tuple[str, str]]:
    """The user's id and the class of the GSIM by OpenQuake's id; empty where it cannot be read."""
    if not Path(gsim_lt.filename).is_file():
        return {}
    try:
        tree = nrml.read(gsim_lt.filename).logicTree
        return {
            f"g{BASE183[k]}{n}": (str(branch["branchID"]), _class(branch.uncertaintyModel.text))
            for n, node in enumerate(tree)
            for k, branch in enumerate(bsnodes(gsim_lt.filename, node)[0])
        }
    except Exception:  # of any kind: the file is no longer that of the calculation
        return {}


def _class(text: str) -> str:
    """Class of a GSIM's text: "[Name]" with arguments below, or "Name"."""
    first = text.strip().splitlines()[0].strip()
    return first.strip("[]")


def _label(gsim: Any) -> str:
    model = getattr(gsim, "model", None)
    return Path(model).name if isinstance(model, str) else type(gsim).__name__
