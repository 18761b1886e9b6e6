"""Component definitions beside their definitions computed in the plain way."""

import numpy as np
import pytest

from gwm_hazard.intensity import COMPONENTS, gmroti_rotation, intensity_measures_array, rotd
from gwm_hazard.intensity.components import PENALTY_PERIODS

from .reference import converged, records, upsample

DT = 0.01
IMTS = [
    *("PGA", "PGV", "PGD", "SA(0.2)", "SA(1.5)", "IA", "CAV", "RSD595"),
    *("FIV3(0.7)", "FAS(1.3)", "DB(0.0005)", "DU(0.0005)", "SI", "Sa_avg2(0.5)"),
]


@pytest.fixture(scope="module")
def acc():
    pair = records(2, 500, DT, seed=11)
    vertical = records(2, 500, DT, seed=12)[:, :1] * 0.6
    return np.concatenate([pair, vertical], axis=1)


def turned(acc, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = acc[:, 0], acc[:, 1]
    return np.stack([c * x + s * y, c * y - s * x], axis=1)


@pytest.fixture(scope="module")
def means(acc):
    """(90, n, n_imts): geometric means of the sensor turned by hand, component by component."""
    every = [
        intensity_measures_array(turned(acc, k), DT, IMTS, "geometric_mean") for k in range(90)
    ]
    return np.stack(every)


@pytest.mark.parametrize("nn", [0, 50, 100])
def test_gmrotd(acc, means, nn):
    got = intensity_measures_array(acc, DT, IMTS, f"GMRotD{nn:02d}")
    assert got == pytest.approx(np.percentile(means, nn, axis=0), rel=2e-4)


def test_gmroti50(acc, means):
    periods = [f"SA({t})" for t in PENALTY_PERIODS]
    every = np.stack(
        [intensity_measures_array(turned(acc, k), DT, periods, "geometric_mean") for k in range(90)]
    )
    penalty = ((every / np.median(every, axis=0) - 1) ** 2).sum(axis=2)
    rotation = gmroti_rotation(acc[:, :2], DT)
    for i in range(len(acc)):
        # where two rotations are as good, rounding decides
        assert penalty[rotation[i], i] == pytest.approx(penalty[:, i].min(), rel=1e-3)
        got = intensity_measures_array(acc[[i]], DT, IMTS, "GMRotI50")[0]
        assert got == pytest.approx(means[rotation[i], i], rel=2e-4)


def test_every_angle(acc):
    pair = acc[:, :2]
    angles = rotd(pair, DT, [0.0, 0.3, 2.0], None)
    assert angles.shape == (2, 180, 3)
    for nn in (0, 37, 50, 100):
        expected = rotd(pair, DT, [0.0, 0.3, 2.0], [nn])[:, 0]
        assert np.percentile(angles, nn, axis=1) == pytest.approx(expected, rel=2e-4)
    assert angles[:, 90] == pytest.approx(rotd(pair[:, ::-1], DT, [0.0, 0.3, 2.0], None)[:, 0])


def test_vector_sum_is_the_longest_vector(acc):
    names = ["PGA", "SA(0.3)"]
    got = intensity_measures_array(acc, DT, names, "vector_sum")
    padded = np.pad(acc[:, :2], [(0, 0), (0, 0), (256, 256)])
    longest = np.hypot(*np.moveaxis(upsample(padded, 16), 1, 0)).max(axis=1) / 9.80665
    assert got[:, 0] == pytest.approx(longest, rel=3e-4)
    assert got == pytest.approx(
        np.stack([converged(acc[:, :2], DT, [t], [100])[:, 0, 0] for t in (0, 0.3)], axis=1),
        rel=5e-4,
    )
    with pytest.raises(ValueError, match="no IA"):
        intensity_measures_array(acc, DT, ["IA"], "vector_sum")


def test_v_over_h(acc):
    ratio = intensity_measures_array(acc, DT, IMTS, "V/H")
    vertical = intensity_measures_array(acc, DT, IMTS, "vertical")
    assert ratio == pytest.approx(vertical / intensity_measures_array(acc, DT, IMTS), nan_ok=True)
    with pytest.raises(ValueError, match="two components"):
        intensity_measures_array(acc[:, :2], DT, ["PGA"], "V/H")


def test_one_direction_of_motion(acc):
    # all definitions of one direction of motion at 30 degrees
    x = acc[:1, 0]
    pair = np.stack([x * np.cos(np.pi / 6), x * np.sin(np.pi / 6)], axis=1)
    values = {
        c: intensity_measures_array(pair, DT, ["SA(0.5)"], c)[0, 0]
        for c in ("RotD100", "vector_sum", "larger", "geometric_mean", "H1", "H2", "GMRotD100")
    }
    peak = intensity_measures_array(np.stack([x, 0 * x], axis=1), DT, ["SA(0.5)"], "H1")[0, 0]
    expected = {
        "RotD100": 1.0,
        "vector_sum": 1.0,
        "larger": np.sqrt(3) / 2,
        "H2": 0.5,
        "H1": np.sqrt(3) / 2,
        "geometric_mean": np.sqrt(np.sqrt(3) / 4),
        "GMRotD100": np.sqrt(0.5),
    }
    assert values == pytest.approx({k: v * peak for k, v in expected.items()}, rel=2e-4)


@pytest.mark.parametrize("component", [c.replace("nn", "50") for c in COMPONENTS])
def test_batches_change_no_bit(acc, component):
    names = ["PGA", "SA(0.3)"] if component == "vector_sum" else [*IMTS, "EAS(2.0)", "JMA"]
    names = names[: -1 if component == "V/H" else None]
    together = intensity_measures_array(acc, DT, names, component)
    alone = [intensity_measures_array(a[None], DT, names, component)[0] for a in acc]
    different = {
        n
        for n, a, b in zip(names, together.T, np.stack(alone).T, strict=True)
        if not np.array_equal(a, b, equal_nan=True)
    }
    assert not different
