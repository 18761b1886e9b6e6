"""The work folder of what resumes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwm_hazard.errors import InputError
from gwm_hazard.files.parts import PLAN, digest, keep, kept, once, working


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
        pytest.raises(InputError, match=r"another seed \(1, now 2\): give"),
        working(out, folder, {"seed": 2, "imts": "PGA"}),
    ):
        raise AssertionError
    with (
        pytest.raises(InputError, match=r"another more \(None, now x\)"),
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
        if path.suffix not in (".tmp", ".lock"):
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
    with pytest.raises(InputError, match="another seed"), working(out, folder, {"seed": 2}):
        raise AssertionError


#: What a run does between two kills: parts that it finishes, and whether one is left half written.
runs = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=6)


@settings(max_examples=60, deadline=None)
@given(runs, st.integers(1, 9))
def test_however_often_a_run_is_stopped(stops: list[tuple[int, bool]], n: int) -> None:
    """Each part is made once, and the whole is that of a run without a stop."""
    made: list[int] = []

    def run(folder: Path, most: int, half: bool) -> list[int] | None:
        with working(folder / "out", folder / "out.parts", {"n": n}) as parts:
            for i in (i for i in range(n) if not (parts / f"{i}").exists()):
                with parts.writing(f"{i}") as temporary:
                    if most == 0 and half:
                        temporary.write_text("9")
                    if most == 0:
                        raise KeyboardInterrupt
                    temporary.write_text(str(i * i))
                made.append(i)
                most -= 1
            whole = [int((parts / f"{i}").read_text()) for i in range(n)]
            parts.remove()
        return whole

    with tempfile.TemporaryDirectory() as name:
        whole = None
        for most, half in (*stops, (n + 1, False)):
            if whole is None:
                try:
                    whole = run(Path(name), most, half)
                except KeyboardInterrupt:
                    continue
        assert whole == [i * i for i in range(n)]
        assert made == list(range(n))
        assert not list(Path(name).iterdir())


def test_names_that_are_free_and_runs_that_begin_anew(tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "work"
    with working(out, folder, {"seed": 1, "workers": 2}, record="config.json") as parts:
        (parts / "a").write_text("1")
    with working(
        out, folder, {"seed": 1, "workers": 4}, record="config.json", free=["workers"]
    ) as parts:
        assert (parts / "a").exists()
    with working(out, folder, {"seed": 2}, record="config.json", anew=True) as parts:
        assert not (parts / "a").exists()
        (parts / "b").write_text("2")
        parts.become(out)
    assert [p.name for p in out.iterdir()] == ["b"] and [*tmp_path.iterdir()] == [out]


def test_arrays_are_taken_up_only_where_made_of_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    keep(path, "x", one=np.arange(3), text=np.array(["é"]))
    back = kept(path, "x")
    assert back is not None and set(back) == {"one", "text"}
    np.testing.assert_array_equal(back["one"], np.arange(3))
    assert kept(path, "y") is None and kept(tmp_path / "none.npz", "x") is None
    path.write_bytes(path.read_bytes()[:50])
    assert kept(path, "x") is None
    made: list[int] = []
    for made_of in ("x", "x", "y"):
        got = once(path, made_of, lambda: (made.append(1), np.full(2, len(made)))[1])
    np.testing.assert_array_equal(got, [2, 2])
    assert len(made) == 2


def test_digests_tell_values_types_and_shapes_apart() -> None:
    a = np.arange(6.0)
    words = {"a": 1, "b": [2, "x"]}
    same = digest(dict(reversed(words.items())), a)
    assert digest(words, a.copy()) == same
    others = [(words, a.reshape(2, 3)), (words, a.astype("f4")), (words, a + 1e-15), ({}, a)]
    assert same not in {digest(*o) for o in others}
