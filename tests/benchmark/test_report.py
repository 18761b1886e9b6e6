"""The page: whole, escaped, accessible, small; and what a browser makes of it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.benchmark.page import write_report
from gwm_hazard.benchmark.page.ranking import AVERAGE, best, common_scores, ranked
from gwm_hazard.benchmark.page.tables import MOST_ROWS, shown
from gwm_hazard.benchmark.section import Section, Skipped, save
from gwm_hazard.report.style import grid_of_axes
from gwm_hazard.report.text import number, prose
from tests.browser import Browser, find_browser

NASTY = 'net <script>alert("x")</script> & co'


def figure(n: int) -> Any:
    made, axes = grid_of_axes(n, columns=4)
    x = np.linspace(0, 10, 300)
    for k, ax in enumerate(axes):
        ax.plot(x, np.sin(x + k), label="a line")
        ax.set_xlabel("time (s)")
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder as a run leaves it: three models, two sections and one left out."""
    out = tmp_path_factory.mktemp("results")
    names = [NASTY, "BooreEtAl2014", "stochastic"]
    about = {
        "title": "Benchmark of generative waveform models",
        "created": "2026-01-02T03:04:05+00:00",
        "seed": 1,
        "imts": ["PGA", "SA(1.0)"],
        "settings": {"draws": 40, "min_records": 10},
        "classifier": {"name": "classifier-small"},
        "training_sets": {"stochastic": {"name": "simulated", "records": 40000}},
        "software": {"gwm_hazard": "0.0", "numpy": "2"},
        "observations": {
            "name": "made up",
            "files": [{"name": "flatfile.csv", "sha256": "0123456789abcdef" * 4, "records": 1234}],
            "records": 1234, "events": 56, "stations": 78, "with_waveforms": 9,
            "ranges": {"mag": [4.0, 7.5], "vs30": [180.0, 900.0]},
            "measured": {f"SA({t}.0)": 1200 for t in range(1, 16)},
            "notes": ["One note."],
        },
        "predictions": [
            {"name": name, "kind": kind, "colour": "#0072B2", "inside": 1000, "outside": 234,
             "notes": ["Moments from draws."], "card": card}
            for name, kind, card in zip(
                names, ("gwm", "gmm", "gwm"),
                ({"summary": NASTY, "conditions": {"mag": [4.0, 8.0]}, "components": ["H1", "V"],
                  "citation": ["A (2020)", "B (2021), a longer one"], "between_event": False,
                  "limitations": []},
                 {"gsim": "BooreEtAl2014", "range": {"mag": [3.0, 8.5]}}, {}), strict=True)
        ],
        "sections": ["bias", "envelopes", "frechet", "absent"],
    }  # fmt: skip
    (out / "run.json").write_text(json.dumps(about))
    index = pd.MultiIndex.from_product(
        [names, [f"SA({t})" for t in range(30)]], names=["model", "measure"]
    )
    wide = pd.DataFrame(
        np.arange(90 * 9).reshape(90, 9) / 7.0,
        index,
        [f"a rather long column {k}" for k in range(9)],
    )
    save(
        Section(
            "bias", "Model bias", "First `code`.\n\nSecond <b>not bold</b>.", {"Bias": wide},
            {"Bias against distance": figure(8)}, {"Bias against distance": "What it shows."},
            ["12 records only.", "made by (" + "a_long_name/" * 6 + "file.toml)"],
            {"bias": {NASTY: 0.3, "BooreEtAl2014": 0.1, "stochastic": 0.2},
             "spread": {NASTY: 0.3, "BooreEtAl2014": 0.1, "stochastic": 0.1}},
        ),
        out / "sections" / "bias",
    )  # fmt: skip
    save(
        Section(
            "envelopes",
            "Envelopes",
            "Text.",
            {"Small": pd.DataFrame({"said": ["yes"], "n": [3]}, index=pd.Index(["a"], name="x"))},
            {"Envelope": figure(1)},
            scores={"envelopes": {NASTY: 1.5, "stochastic": float("nan")}},
        ),
        out / "sections" / "envelopes",
    )
    save(Skipped("frechet", "Distances", "no waveforms"), out / "sections" / "frechet")
    write_report(out)
    return out


class Page(HTMLParser):
    """Elements of a page, in order, with their attributes; nesting is checked on the way."""

    void = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in self.void:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text += data

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.elements if tag in tags]


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def test_nothing_is_asked_from_elsewhere(folder: Path, page: Page) -> None:
    for attrs in page.all("img", "link", "script", "iframe", "a"):
        for key in ("src", "href"):
            assert not attrs.get(key, "").startswith(("http", "//", "/")), attrs
    assert not page.all("script")
    assert "url(" not in (folder / "index.html").read_text()
    assert all(i["src"].startswith("data:image/png;base64,") for i in page.all("img"))
    assert (folder / "index.html").stat().st_size < 1_000_000


def test_links_lead_somewhere(folder: Path, page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for attrs in page.all("a"):
        target = attrs["href"]
        if target.startswith("#"):
            assert target[1:] in ids
        elif target not in ("scores.csv", "records.parquet"):  # written by the run itself
            assert (folder / target).is_file(), target
    for _, attrs in page.elements:
        for id_ in attrs.get("aria-labelledby", "").split():
            assert id_ in ids


def test_headings_images_and_tables_are_accessible(page: Page) -> None:
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(t[1]) for t, _ in page.elements if t in ("h1", "h2", "h3")]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert len(page.all("img")) == 2
    assert all(len(i["alt"]) > 5 and int(i["width"]) > 100 for i in page.all("img"))
    assert all(a.get("scope") in ("row", "col") for a in page.all("th"))
    assert all(int(a["tabindex"]) <= 0 for _, a in page.elements if "tabindex" in a)
    first = next(a for t, a in page.elements if t == "a")
    assert first["class"] == "skip" and first["href"] == "#main"
    assert len(page.all("main", "nav", "header", "footer")) == 4


def test_names_and_texts_are_escaped(folder: Path, page: Page) -> None:
    assert "<script" not in (folder / "index.html").read_text()
    assert NASTY in page.text
    assert "Second <b>not bold</b>." in page.text and not page.all("b")


def test_content(page: Page) -> None:
    notes = (
        "12 records only.",
        "What it shows.",
        "no waveforms",
        "One note.",
        "Moments from draws.",
    )
    facts = ("4 to 8", "A (2020)", "1,234", "0123456789abcdef", "30 more rows", "BooreEtAl2014")
    for words in (*notes, *facts):
        assert words in page.text, words


def test_numbers_for_other_programs(folder: Path) -> None:
    held = json.loads((folder / "results.json").read_text())
    assert held["scores"]["stochastic"] == {"bias": 0.2, "spread": 0.1, "envelopes": None}
    assert len(held["sections"]["bias"]["tables"]["Bias"]) == 90
    assert held["sections"]["frechet"] == {"skipped": "no waveforms"}


def test_the_same_folder_gives_the_same_page(folder: Path) -> None:
    before = (folder / "index.html").read_bytes()
    write_report(folder)
    assert (folder / "index.html").read_bytes() == before
    assert not list(folder.glob("*.tmp"))


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"run\.json"):
        write_report(tmp_path)


def test_ranking() -> None:
    nan = float("nan")
    scores = pd.DataFrame(
        {"a": [3.0, 1.0, 2.0], "b": [2.0, 1.0, 1.0], "c": [0.0, nan, 1.0]}, index=list("xyz")
    )
    order = ranked(scores)
    assert list(order.index) == ["y", "z", "x"]
    # ranks in a: 3, 1, 2; in b: 3, 1.5, 1.5; c is not of all
    assert order[AVERAGE].to_dict() == {"y": 1.25, "z": 1.75, "x": 3.0}
    assert common_scores(scores) == ["a", "b"]
    assert best(scores)["b"].to_dict() == {"x": False, "y": True, "z": True}
    assert best(scores)["c"].to_dict() == {"x": True, "y": False, "z": False}
    alone = pd.DataFrame({"a": [1.0, nan], "b": [nan, 2.0]}, index=list("xy"))
    assert not best(alone).any().any() and len(ranked(alone)) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04567, "0.0457"), (123.456, "123"), (1234.5, "1234"), (3.0, "3"), (-0.5, "−0.500"),
     (2e-5, "2.0·10⁻⁵"), (1.5e7, "1.5·10⁷"), (float("nan"), "–"), (99.96, "100.0")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_long_tables_are_cut() -> None:
    table = pd.DataFrame({"v": range(100), "t": ["x"] * 100})
    found = shown(table)
    assert (len(found.rows), found.left_out) == (MOST_ROWS, 100 - MOST_ROWS)
    assert found.columns == [("v", True), ("t", False)]


def test_prose() -> None:
    assert prose("a\nb\n\n<c> `d`") == "<p>a b</p>\n<p>&lt;c&gt; <code>d</code></p>"


# -- in a browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium found; install it, or set CHROMIUM to its path")
    with Browser(path, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("dark", (False, True))
@pytest.mark.parametrize("size", ((1280, 900), (768, 1024), (390, 844), (320, 640)))
def test_page_fits_the_window(
    browser: Browser, folder: Path, tmp_path: Path, size: tuple[int, int], dark: bool
) -> None:
    browser.errors.clear()
    browser.requests.clear()
    browser.open(folder / "index.html", *size, dark=dark)
    inner, scroll = browser.run("[window.innerWidth, document.documentElement.scrollWidth]")
    assert (inner, scroll) == (size[0], size[0])
    assert browser.errors == []
    assert all(r.startswith(("file:", "data:")) for r in browser.requests)
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert browser.run(broken) == 0
    # wide tables scroll inside their frame
    assert browser.run(
        "[...document.querySelectorAll('.scroll')]"
        ".every(s => s.getBoundingClientRect().right <= innerWidth)"
    )
    assert (
        browser.run("parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)") >= 16
    )
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 5000


@pytest.mark.parametrize("dark", (False, True))
def test_contrast_of_texts(browser: Browser, folder: Path, dark: bool) -> None:
    """WCAG 2.1 AA: 4.5 for text, against the nearest opaque background."""
    browser.open(folder / "index.html", 1280, 900, dark=dark)
    assert browser.low_contrast() == []


def test_by_keyboard(browser: Browser, folder: Path) -> None:
    """The skip link comes first and works; focus goes through the page in its order, visibly."""
    browser.open(folder / "index.html", 1280, 900)
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.id") == "main"
    browser.open(folder / "index.html", 1280, 900)
    places, names = [], []
    for _ in range(200):
        browser.press("Tab", 9)
        place, name, seen = browser.run(
            """(() => { const e = document.activeElement;
            const s = getComputedStyle(e);
            const all = [...document.querySelectorAll('*')];
            return [all.indexOf(e), e.tagName,
                s.outlineStyle != 'none' && parseFloat(s.outlineWidth) >= 1] })()"""
        )
        if name == "BODY" or place in places:
            break
        assert seen, name
        places.append(place)
        names.append(name)
    assert places == sorted(places) and len(places) > 20
    reachable = browser.run(
        "[...document.querySelectorAll('a, summary, .scroll')]"
        ".filter(e => e.checkVisibility()).length"
    )
    assert len(places) == reachable
    # the card of a model opens with the keyboard
    browser.run("document.querySelector('.card summary').focus()")
    browser.press("Enter", 13)
    assert browser.run("document.querySelector('.card').open")
