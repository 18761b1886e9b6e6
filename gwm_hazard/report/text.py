"""Numbers, prose and templates of a page."""

from __future__ import annotations

import math
import re
from typing import Any

import jinja2
from markupsafe import Markup, escape

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def prose(text: str) -> Markup:
    """Plain text as paragraphs; `words` in backticks as code."""
    out = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(" ".join(paragraph.split()))))
        out.append(f"<p>{safe}</p>")
    return Markup("\n".join(out))


def number(value: float) -> str:
    """A number with three significant digits; – where it is not finite."""
    if not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}·10{str(int(exponent)).translate(_RAISED)}".replace("-", "−")
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}".replace("-", "−")


def render(package: str, **values: Any) -> str:
    """The page of a package, ``page.html.j2``, on what all pages have: frame, style, figures."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package), jinja2.PackageLoader("gwm_hazard.report")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": prose, "number": number}
    return environment.get_template("page.html.j2").render(values)
