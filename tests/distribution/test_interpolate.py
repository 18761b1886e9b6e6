from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwm_hazard.distribution.interpolate import cubic_weights, linear_weights, tensor_product

NODES = st.lists(st.floats(0.05, 3.0), min_size=3, max_size=9).map(np.cumsum)
#: where between the ends, as shares of the whole
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=10).map(np.array)
METHODS = pytest.mark.parametrize("method", [linear_weights, cubic_weights])
UNEVEN = np.array([-1.0, 0.5, 0.7, 2.0, 5.0, 5.5])


def interpolate(method, nodes, values, x):
    first, weights = method(nodes, x)
    padded = np.append(values, np.zeros(4))
    return np.array([w @ padded[f : f + 4] for f, w in zip(first, weights, strict=True)])


def between(nodes, shares):
    return nodes[0] + shares * (nodes[-1] - nodes[0])


@METHODS
@given(NODES, SHARES)
def test_partition_of_unity_on_nodes_that_exist(method, nodes, shares):
    first, weights = method(nodes, between(nodes, shares))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-9)
    used = first[:, None] + np.arange(4)
    assert first.min() >= 0
    assert (used[weights != 0] < len(nodes)).all()


@METHODS
@given(NODES, SHARES, st.floats(-5, 5), st.floats(-5, 5))
def test_linear_functions_are_exact(method, nodes, shares, a, b):
    x = between(nodes, shares)
    got = interpolate(method, nodes, a + b * nodes, x)
    np.testing.assert_allclose(got, a + b * x, atol=1e-9)


@given(NODES.filter(lambda n: len(n) >= 4), SHARES)
def test_cubic_is_exact_for_quadratics(nodes, shares):
    x = between(nodes, shares)
    got = interpolate(cubic_weights, nodes, 2.0 - nodes + 0.5 * nodes**2, x)
    np.testing.assert_allclose(got, 2.0 - x + 0.5 * x**2, atol=1e-8)


@METHODS
@given(NODES)
def test_nodes_keep_their_values(method, nodes):
    values = np.sin(7 * np.arange(len(nodes)))
    got = interpolate(method, nodes, values, nodes)
    np.testing.assert_allclose(got, values, atol=1e-12)


def test_linear_against_numpy():
    x = np.linspace(-1.0, 5.5, 200)
    values = np.random.default_rng(1).normal(size=len(UNEVEN))
    got = interpolate(linear_weights, UNEVEN, values, x)
    np.testing.assert_allclose(got, np.interp(x, UNEVEN, values), atol=1e-12)


def test_cubic_is_the_hermite_spline_with_parabolic_slopes():
    from scipy.interpolate import CubicHermiteSpline

    values = np.random.default_rng(2).normal(size=len(UNEVEN))
    slopes = []
    for i in range(len(UNEVEN)):
        three = slice(*(np.clip(i - 1, 0, len(UNEVEN) - 3) + np.array([0, 3])))
        parabola = np.polyfit(UNEVEN[three], values[three], 2)
        slopes.append(np.polyval(np.polyder(parabola), UNEVEN[i]))
    x = np.linspace(-1.0, 5.5, 200)
    want = CubicHermiteSpline(UNEVEN, values, slopes)(x)
    np.testing.assert_allclose(interpolate(cubic_weights, UNEVEN, values, x), want, atol=1e-10)


def test_cubic_is_continuous_with_its_slope():
    values = np.random.default_rng(3).normal(size=len(UNEVEN))
    h = 1e-5
    for node in UNEVEN[1:-1]:
        x = node + h * np.array([-2, -1, 0, 1, 2])
        y = interpolate(cubic_weights, UNEVEN, values, x)
        assert np.ptp(y) < 1e-3
        assert (y[2] - y[1]) / h == pytest.approx((y[3] - y[2]) / h, abs=1e-3)


def test_a_node_moves_its_neighbours_only():
    x = np.linspace(-1.0, 5.5, 300)
    moved = interpolate(cubic_weights, UNEVEN, np.eye(6)[1], x)
    assert not moved[x > UNEVEN[4]].any()
    moved = interpolate(linear_weights, UNEVEN, np.eye(6)[1], x)
    assert not moved[x > UNEVEN[2]].any()


@pytest.mark.parametrize("n", [2, 3])
def test_cubic_on_few_nodes_is_linear(n):
    x = np.linspace(UNEVEN[0], UNEVEN[n - 1], 20)
    for got, want in zip(cubic_weights(UNEVEN[:n], x), linear_weights(UNEVEN[:n], x), strict=True):
        assert np.array_equal(got, want)


@pytest.mark.parametrize("shape", [(5,), (2, 6), (4, 3, 5), (4, 2, 3, 6)])
def test_tensor_product_against_einsum(shape):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(*shape, 4))
    n = 7
    firsts, weights, dense = [], [], []
    for size in shape:
        nodes = np.cumsum(rng.uniform(0.1, 1.0, size))
        f, w = cubic_weights(nodes, between(nodes, rng.random(n)))
        matrix = np.zeros((n, size + 4))
        for i in range(n):
            matrix[i, f[i] : f[i] + 4] = w[i]
        firsts.append(f)
        weights.append(w)
        dense.append(matrix[:, :size])
    axes = "abcd"[: len(shape)]
    rule = ",".join("n" + a for a in axes) + f",{axes}z->nz"
    want = np.einsum(rule, *dense, values)
    strides = np.array([int(np.prod(shape[i + 1 :])) for i in range(len(shape))])
    out = np.full((n, 4), np.nan)
    tensor_product(
        np.stack(firsts, axis=1), np.stack(weights, axis=1), strides, values.reshape(-1, 4), out
    )
    np.testing.assert_allclose(out, want, atol=1e-12)
