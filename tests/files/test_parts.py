"""The work folder of what resumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwm_hazard.files.parts import PLAN, working


def test_what_was_finished_is_there_again(tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "out.parts"
    with pytest.raises(RuntimeError), working(out, folder, {"seed": 1}) as parts:
        with parts.writing("0.txt") as temporary:
            temporary.write_text("done")
        with parts.writing("1.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")
    with working(out, folder, {"seed": 1}) as parts:
        assert (parts / "0.txt").read_text() == "done" and not (parts / "1.txt").exists()
        assert not list(folder.glob("*.tmp"))
        parts.remove()
    assert list(tmp_path.iterdir()) == []


def test_parts_of_another_plan_are_refused(tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "out.parts"
    with working(out, folder, {"seed": 1, "imts": "PGA"}):
        pass
    with (
        pytest.raises(OSError, match=r"another seed \(1, now 2\): remove"),
        working(out, folder, {"seed": 2, "imts": "PGA"}),
    ):
        raise AssertionError
    with (
        pytest.raises(OSError, match=r"another more \(None, now x\)"),
        working(out, folder, {"seed": 1, "imts": "PGA", "more": "x"}),
    ):
        raise AssertionError


def test_one_run_at_a_time(tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "out.parts"
    with (
        working(out, folder, {}),
        pytest.raises(OSError, match="another run is writing it"),
        working(out, folder, {}),
    ):
        raise AssertionError


@pytest.mark.parametrize("step", range(3))
def test_a_kill_while_parts_go_leaves_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """At every step of the removal: what is left is known to be of this plan."""
    unlink, left = Path.unlink, [step]
    out, folder = tmp_path / "out", tmp_path / "out.parts"

    def dying(path: Path, missing_ok: bool = False) -> None:
        if path.suffix != ".tmp" and path.name != "lock":
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
        unlink(path, missing_ok=missing_ok)

    with pytest.raises(KeyboardInterrupt), working(out, folder, {"seed": 1}) as parts:
        for name in ("a", "z"):
            with parts.writing(name) as temporary:
                temporary.write_text(name)
        monkeypatch.setattr(Path, "unlink", dying)
        parts.remove()
    monkeypatch.undo()
    assert (folder / PLAN).exists()
    with pytest.raises(OSError, match="another seed"), working(out, folder, {"seed": 2}):
        raise AssertionError
