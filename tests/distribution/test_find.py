"""Which surface a name finds: the bundled one where it is that of the model as it is now."""

import subprocess
import sys
from dataclasses import replace

import pytest

from gwm_hazard.distribution import find
from gwm_hazard.distribution.file import read_surface, write_surface
from gwm_hazard.distribution.surface import fingerprint
from gwm_hazard.models.registry import load_model
from gwm_hazard.models.stochastic.card import card


def test_the_card_without_the_model_is_the_model_s() -> None:
    assert card() == load_model("stochastic", "cpu").card


def test_a_name_finds_the_bundled_surface_without_torch() -> None:
    code = """
import sys
from gwm_hazard.distribution import find
find.find_or_build = None
surface, card = find.surface_by_name("stochastic")
print(surface.model, card.name, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [fingerprint(card()), "stochastic", "False"]


def test_a_stale_bundled_surface_is_not_taken(
    tmp_path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    surface = read_surface(find.bundled_file("stochastic"))
    fresh = replace(surface, model=fingerprint(card()))
    of_old = replace(card(), parameters={**card().parameters, "kappa_s": 0.05})
    old = write_surface(replace(surface, model=fingerprint(of_old)), tmp_path / "old.h5", of_old)

    def built(model, path, **_):
        return write_surface(fresh, path, model.card)

    monkeypatch.setattr(find, "bundled_file", lambda name: old)
    monkeypatch.setattr(find, "build_surface", built)
    monkeypatch.setattr(find, "cache_folder", lambda: tmp_path / "cache")
    found, its_card = find.surface_by_name("stochastic")
    assert found.model == fingerprint(its_card) == fingerprint(card())
    assert "another version of its model" in caplog.text
