"""The page of a study in a browser: whole, quiet, and it shows the motion that is asked for."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.suite.motions import Motions, husid, velocity_and_displacement
from gwm_hazard.suite.page.embed import COLUMNS, MOST_MOTIONS, embedded, outline
from gwm_hazard.suite.study import Study
from tests.browser import Browser, find_browser


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    return dict(json.loads(found[1]))


def test_text(text: str) -> None:
    for words in (
        "Suites of accelerograms for 12.13° N, 86.25° W",
        "Made up &amp; &lt;small&gt;",
        "generalised conditional intensity measures",
        "gwm-hazard suite 1 -o out",
        "One remark.",
        "16.2.3.2",
        "See to it.",
        "Bradley (2010)",
        "Jayaram, Lin and Baker (2011)",
        "Spectral matching changes amplitudes and phases",
        "Correlation between the measures: made up.",
        "Motions are scaled by factors from",
        "no directivity",  # a limit on the card
        "of a lognormal fitted to each suite",
        "carried at the edges between the suites only, by construction",
        "component comes with each motion as the model draws it",
    ):
        assert words in text, words
    assert "<small>" not in text
    # what to try for the rule that fails, of all suites once
    assert text.count("more motions (<code>-n</code>)") == 1 and "no need of this" not in text
    # nothing comes from elsewhere
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


def test_rates_of_the_fit_and_of_the_counts_stand_side_by_side(text: str, study: Study) -> None:
    """The made-up study has 1.1 of the hazard fitted, and the hazard itself counted."""
    part = text[text.index('id="implied-c"') :]
    cells = re.findall(r"<td>\s*(\S+ %)\s*<span class=\"kind\">(\S+ %)</span></td>", part)
    assert len(cells) == len(study.consistency)
    assert set(cells) == {("+10.0 %", "0.0 %")}


def test_links_lead_to_files(folder: Path, text: str) -> None:
    links = set(re.findall(r'href="([^"#:]+)"', text))
    assert {
        "motions.csv",
        "columns.csv",
        "target.csv",
        "consistency.csv",
        "suite.h5",
        "csv",
        "at2",
    } <= links
    assert [link for link in links if not (folder / link).exists()] == []


def test_embedded_motion_is_the_stored_one(folder: Path, data: dict[str, Any]) -> None:
    motion = data["suites"][1]["motions"][2]
    with open_catalogue(folder / "suite.h5") as stored:
        row = int(np.flatnonzero(stored["suite"].values == 2)[2])
        acceleration = stored["acceleration"][row].values[:, : int(stored["npts"][row])]
    assert motion["name"] == f"rec{row:04d}"
    values = np.frombuffer(base64.b64decode(motion["blob"]), dtype="<i2") / 32767.0
    n, held = motion["points"], motion["husid_points"]
    assert len(values) == 9 * n + 3 * held
    velocity, displacement = velocity_and_displacement(acceleration, 0.01)
    for q, (wanted, unit) in enumerate(
        ((acceleration.astype(float), 9.80665), (velocity, 0.01), (displacement, 0.01))
    ):
        for i in range(3):
            k = 3 * q + i
            got = values[k * n : (k + 1) * n] * motion["peaks"][q][i]
            shown = outline(wanted[i] / unit, COLUMNS)
            np.testing.assert_allclose(got, shown, atol=2e-5 * np.abs(shown).max())
    arias = values[9 * n :].reshape(3, held)
    np.testing.assert_allclose(arias[:, [0, -1]], [[0, 1]] * 3, atol=1e-4)
    np.testing.assert_allclose(arias.mean(axis=1), husid(acceleration).mean(axis=1), atol=2e-3)


def test_two_hundred_motions_stay_below_15_mb() -> None:
    rng = np.random.default_rng(0)
    motions = Motions(
        (rng.normal(size=(3, 12_000)).astype(np.float32),), (), np.empty((1, 0)), 0.01
    )
    assert MOST_MOTIONS == 200
    assert 200 * len(json.dumps(embedded(motions, 0))) < 12e6  # figures take the rest


# -- in a browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium found; install it, or set CHROMIUM to its path")
    with Browser(path, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def picture(browser: Browser, name: str) -> str:
    return str(browser.run(f"document.getElementById('{name}').toDataURL()"))


def shown(browser: Browser) -> str:
    return str(browser.run("document.querySelector('#facts dd').textContent"))


@pytest.mark.parametrize("dark", (False, True))
@pytest.mark.parametrize("size", ((1280, 900), (768, 1024), (360, 740), (320, 640)))
def test_page_fits_the_window(
    browser: Browser, folder: Path, size: tuple[int, int], dark: bool
) -> None:
    browser.errors.clear()
    browser.requests.clear()
    browser.open(folder / "index.html", *size, dark=dark)
    inner, scroll = browser.run("[window.innerWidth, document.documentElement.scrollWidth]")
    assert (inner, scroll) == (size[0], size[0])
    assert browser.errors == []
    assert all(r.startswith(("file:", "data:")) for r in browser.requests)
    assert browser.run("[...document.images].every(i => i.complete && i.naturalWidth)")
    for name in ("traces", "spectrum"):
        assert browser.run(f"document.getElementById('{name}').getBoundingClientRect().width") > 200


def test_one_suite_at_a_time(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1280, 900)
    visible = (
        "[...document.querySelectorAll('.suite')].filter(s => s.offsetHeight)"
        ".map(s => s.dataset.suite)"
    )
    first = browser.run(visible)
    assert set(first) == {"0"} and shown(browser) == "rec0000"
    before = picture(browser, "spectrum")
    browser.run("document.querySelector('.choose input').focus()")
    browser.press("ArrowRight", 39)
    assert browser.run(visible) == ["1"] * len(first)
    assert shown(browser) == "rec0006" and picture(browser, "spectrum") != before


def test_motions_by_keyboard(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1280, 900)
    browser.run("document.getElementById('viewer').focus()")
    pictures = [picture(browser, "traces") + picture(browser, "spectrum")]
    for key, code, name in (
        ("ArrowRight", 39, "rec0001"),
        ("End", 35, "rec0005"),
        ("ArrowRight", 39, "rec0000"),
        ("ArrowLeft", 37, "rec0005"),
        ("Home", 36, "rec0000"),
    ):
        browser.press(key, code)
        assert shown(browser) == name
        assert browser.run("document.getElementById('motion').selectedOptions[0].text").startswith(
            name
        )
        assert browser.run("document.querySelector('tr.looked th').textContent") == name
        pictures.append(picture(browser, "traces") + picture(browser, "spectrum"))
    assert pictures[0] == pictures[3] == pictures[5] and pictures[2] == pictures[4]
    assert len({pictures[0], pictures[1], pictures[2]}) == 3
    browser.run("document.querySelector('.pick[data-motion=\"3\"]').focus()")
    browser.press("Enter", 13)
    assert shown(browser) == "rec0003"


def test_buttons_list_and_axes(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1280, 900)
    browser.run("document.getElementById('next').click()")
    assert shown(browser) == "rec0001"
    browser.run(
        "(() => { const s = document.getElementById('motion'); s.value = '4';"
        "s.dispatchEvent(new Event('change')) })()"
    )
    assert shown(browser) == "rec0004"
    own = picture(browser, "traces")
    browser.run("document.getElementById('same').click()")
    assert picture(browser, "traces") != own


def test_swipe_on_a_phone(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 360, 740)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.run("document.getElementById('traces').scrollIntoView({behavior: 'instant'})")
    for x, kind in ((300, "touchStart"), (200, "touchMove"), (120, "touchMove"), (0, "touchEnd")):
        points = [] if kind == "touchEnd" else [{"x": x, "y": 200}]
        browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    assert shown(browser) == "rec0001"
    browser.call("Emulation.setTouchEmulationEnabled", enabled=False)


def test_facts_are_those_of_the_table(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1280, 900)
    browser.run("document.querySelector('.pick[data-motion=\"2\"]').click()")
    facts = browser.run(
        "Object.fromEntries([...document.querySelectorAll('#facts dt')]"
        ".map(t => [t.textContent, t.nextElementSibling.textContent]))"
    )
    row = pd.read_csv(folder / "motions.csv").iloc[2]
    for name, column, unit in (("M", "mag", ""), ("PGA", "PGA", " g"), ("PGV", "PGV", " cm/s"),
                               ("RSD595", "RSD595", " s"), ("ε", "epsilon", "")):  # fmt: skip
        number = float(facts[name].removesuffix(unit).replace("−", "-"))
        assert number == pytest.approx(row[column], rel=6e-3), name


def test_paper_shows_every_suite(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1000, 900, dark=True)
    browser.call("Emulation.setEmulatedMedia", media="print")
    seen = browser.run(
        "[...document.querySelectorAll('.suite')].filter(s => s.offsetHeight).length"
    )
    assert seen == browser.run("document.querySelectorAll('.suite').length")
    assert browser.run("getComputedStyle(document.querySelector('.bar')).display") == "none"
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    browser.call("Emulation.setEmulatedMedia", media="")


def test_paper_shows_every_row(browser: Browser, folder: Path) -> None:
    """A long table scrolls on a screen, and is whole on paper."""
    browser.open(folder / "index.html", 1000, 900)
    box = "document.querySelector('.suite.on .motions').closest('.scroll')"
    browser.run(f"{box}.classList.add('tall')")
    assert browser.run(f"getComputedStyle({box}).overflowY") == "auto"
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run(f"getComputedStyle({box}).overflowY") == "visible"
    browser.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize(("width", "told"), ((360, True), (1280, False)))
def test_a_wide_figure_says_so_on_a_phone(
    browser: Browser, folder: Path, width: int, told: bool
) -> None:
    browser.open(folder / "index.html", width, 900)
    seen, cut = browser.run(
        "[...document.querySelectorAll('.suite.on .picture')].map(p => "
        "[p.nextElementSibling.offsetHeight > 0, p.scrollWidth > p.clientWidth])"
        ".reduce(([a, b], [c, d]) => [a || c, b || d], [false, false])"
    )
    assert seen == cut == told


@pytest.mark.parametrize("dark", (False, True))
def test_contrast_of_texts(browser: Browser, folder: Path, dark: bool) -> None:
    """WCAG 2.1 AA: 4.5 for text, against the nearest opaque background."""
    browser.open(folder / "index.html", 1280, 900, dark=dark)
    assert browser.low_contrast() == []
