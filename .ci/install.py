"""Install this package, for development, and the newest OpenQuake beside it.

openquake.engine 3.26 requires GDAL's Python bindings, of which the registry has the sources only:
they need GDAL's own headers and a compiler. Nothing but a module for secondary perils
(``openquake.sep``) imports them. So where pip gets no wheel, OpenQuake is installed without them,
with all else that it requires.

    python .ci/install.py           # into the environment of this python
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPENQUAKE = "openquake.engine==3.26.2"


def pip_install(*arguments: str, check: bool = True) -> bool:
    """Whether ``pip install`` did it; an error where it must."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments]
    return subprocess.run(command, cwd=ROOT, check=check, capture_output=not check).returncode == 0


def without(name: str, requirements: list[str]) -> list[str]:
    """Requirements but those of one project; of extras none."""
    pattern = re.compile(rf"{re.escape(name)}(?![\w.-])", re.IGNORECASE)
    return [r for r in requirements if not pattern.match(r) and "extra ==" not in r]


def main() -> None:
    """Install."""
    if pip_install("--only-binary", "gdal", OPENQUAKE, "--editable", ".[dev]", check=False):
        return
    print(f"no wheel of gdal here: {OPENQUAKE} without it, all but openquake.sep works")
    pip_install("--no-deps", OPENQUAKE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    theirs = importlib.metadata.requires("openquake.engine") or []
    pip_install(*without("openquake.engine", ours), *without("gdal", theirs))
    pip_install("--no-deps", "--editable", ".")


if __name__ == "__main__":
    main()
