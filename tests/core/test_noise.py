from __future__ import annotations

import math
import zlib

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gwm_hazard import Noise
from gwm_hazard.core.philox import box_muller
from gwm_hazard.core.philox import philox as fast_philox

KEYS = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 2), st.integers(0, 2**32 - 2))


def philox(counter, key):
    """Philox4x32-10 after Salmon et al. (2011), in Python's integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (p1 >> 32) ^ c[1] ^ k[0],
            p1 & 0xFFFFFFFF,
            (p0 >> 32) ^ c[3] ^ k[1],
            p0 & 0xFFFFFFFF,
        ]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


# Random123, kat_vectors: philox4x32 10 rounds
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_known_answers(counter, key, answer):
    assert tuple(philox(counter, key)) == answer
    words = np.zeros((4, 5), np.uint32)
    words[:, 3] = counter
    fast_philox(*words, *np.array(key, np.uint32), 5)
    assert tuple(words[:, 3].tolist()) == answer
    assert words[:, 0].tolist() == philox((0,) * 4, key)


def test_pairs_of_words_become_normals_to_the_last_digit():
    """Against the C library, at the ends of the range, the quarters of a turn and between."""
    ends = [0, 1, 2**30 - 1, 2**30, 2**31 - 1, 2**31, 3 * 2**30, 2**32 - 2, 2**32 - 1]
    middle = np.random.default_rng(1).integers(0, 2**32, 2000).tolist()
    radius, angle = (x.ravel() for x in np.meshgrid(ends + middle[:40], ends + middle))
    n = len(radius)
    got = np.empty((2, n), np.float32)
    box_muller(radius.astype(np.uint32), angle.astype(np.uint32), *got, np.empty((3, n)), n)
    u, v = (radius + 0.5) / 2**32, 2 * np.pi * (angle + 0.5) / 2**32
    want = np.sqrt(-2 * np.log(u)) * np.array([np.cos(v), np.sin(v)])
    np.testing.assert_allclose(got, want, rtol=7e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("seed", "event", "site", "realization"),
    [(1, 0, 0, 0), (2**64 - 1, 2**64 - 1, 2**32 - 2, 2**32 - 2), (2**33 + 5, 2**40 + 7, 3, 9)],
)
def test_numbers_of_a_key_stay_what_they_are(seed, event, site, realization):
    """Catalogues keep keys in place of waveforms: the way from key to number is a format."""
    low = 0xFFFFFFFF
    k0, k1, h2, h3 = philox((event & low, event >> 32, site, realization), (seed & low, seed >> 32))
    h2 ^= zlib.crc32(b"waveform")
    want = []
    for block in range(3):
        u = [(x + 0.5) / 2**32 for x in philox((block, 0, h2, h3), (k0, k1))]
        for radius, angle in ((u[0], u[1]), (u[2], u[3])):
            r = math.sqrt(-2.0 * math.log(radius))
            want += [r * math.cos(2 * math.pi * angle), r * math.sin(2 * math.pi * angle)]
    got = Noise(seed, event, site, realization).normal("waveform", 11)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[0], want[:11], rtol=3e-7, atol=1e-7)


def test_normal():
    x = Noise(3, np.arange(200), 0, 0).normal("waveform", 1000).astype(float).ravel()
    assert stats.kstest(x, "norm").pvalue > 0.01
    n = x.size
    assert abs(x.mean()) < 4 / np.sqrt(n)
    assert abs(x.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs(stats.skew(x)) < 4 * np.sqrt(6 / n)
    assert abs(stats.kurtosis(x)) < 4 * np.sqrt(24 / n)
    # The tails are there: 200,000 numbers reach beyond 4 and not beyond the 6.7 of 32 bits.
    assert 4.0 < np.abs(x).max() < 6.7


def test_neighbouring_keys_streams_and_positions_are_independent():
    n = 4000
    rows = [
        Noise(seed, event, site, realization).normal(stream, n)[0]
        for seed in (1, 2)
        for event, site, realization in [
            (0, 0, 0),
            (1, 0, 0),
            (0, 1, 0),
            (0, 0, 1),
            (1, 2, 3),
            (2, 1, 3),
            (2**32, 0, 0),
        ]
        for stream in ("waveform", "event", "record")
    ]
    for seed in (1, 2):
        rows.append(Noise(seed, 0, 0, 0).normal("event", n, per_event=True)[0])
    x = np.array(rows, dtype=float)
    # Samples against each other, and against each other's shifts by one and four.
    for lag in (0, 1, 2, 4):
        r = np.corrcoef(x[:, : n - lag], x[:, lag:])[: len(x), len(x) :]
        if lag == 0:
            r = r - np.eye(len(x))
        assert np.abs(r).max() < 5 / np.sqrt(n)
    # Squares as well: Box-Muller pairs share a radius, and must not show it.
    r = np.corrcoef(x[:, :-1] ** 2, x[:, 1:] ** 2)[: len(x), len(x) :]
    assert np.abs(r).max() < 8 / np.sqrt(n)


@given(KEYS, st.integers(0, 40), st.integers(0, 40))
def test_a_longer_row_begins_with_the_shorter(key, a, b):
    noise = Noise(5, *key)
    short, long = sorted((a, b))
    assert np.array_equal(noise.normal("s", long)[:, :short], noise.normal("s", short))


@given(st.lists(KEYS, min_size=1, max_size=6), st.data())
def test_any_subset_in_any_order_gives_the_same_numbers(keys, data):
    event, site, realization = (np.array(c, dtype=np.uint64) for c in zip(*keys, strict=True))
    noise = Noise(9, event, site, realization)
    rows = data.draw(st.lists(st.integers(0, len(keys) - 1), min_size=1, max_size=8))
    per_event = data.draw(st.booleans())
    whole = noise.normal("s", 7, per_event=per_event)
    assert np.array_equal(noise.take(rows).normal("s", 7, per_event=per_event), whole[rows])
    one = Noise(9, *keys[rows[0]]).normal("s", 7, per_event=per_event)
    assert np.array_equal(one[0], whole[rows[0]])


@given(KEYS, st.integers(0, 2**32 - 2))
def test_sites_of_an_event_share_the_event_level(key, other_site):
    event, site, realization = key
    noise = Noise(1, event, [site, other_site], realization)
    a, b = noise.normal("event", 5, per_event=True)
    assert np.array_equal(a, b)
    c, d = noise.normal("event", 5)
    assert np.array_equal(c, d) == (site == other_site)
    assert not np.array_equal(a, c)


def test_events_and_realizations_do_not_share_the_event_level():
    rows = Noise(1, [0, 1, 0], 0, [0, 0, 1]).normal("event", 5, per_event=True)
    assert len(np.unique(rows[:, 0])) == 3


def test_threads_do_not_matter():
    noise = Noise(1, np.arange(50), 0, 0)
    before = numba.get_num_threads()
    many = noise.normal("s", 33)
    try:
        numba.set_num_threads(1)
        assert np.array_equal(noise.normal("s", 33), many)
    finally:
        numba.set_num_threads(before)


def test_keys_broadcast():
    noise = Noise(1, [4, 5, 6], 2, 0)
    assert len(noise) == 3
    assert noise.site.tolist() == [2, 2, 2]
    assert noise.event.dtype == np.uint64
    assert noise.take(slice(1, 3)).event.tolist() == [5, 6]
    assert noise.take([]).normal("s", 3).shape == (0, 3)
    assert noise.normal("s", 0).shape == (3, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-1, 0, 0, 0), ["seed = -1", "2**64 - 1"]),
        ((2**64, 0, 0, 0), ["seed"]),
        ((1.5, 0, 0, 0), ["seed = 1.5"]),
        ((0, -1, 0, 0), ["event", "-1"]),
        ((0, 0.5, 0, 0), ["event", "0.5"]),
        ((0, 0, 2**32 - 1, 0), ["site", str(2**32 - 2)]),
        ((0, 0, 0, 2**32 - 1), ["realization"]),
        ((0, True, 0, 0), ["event"]),
    ],
)
def test_mistakes_are_named(arguments, words):
    with pytest.raises(ValueError) as error:
        Noise(*arguments)
    for word in words:
        assert word in str(error.value)


def test_numpy_integers_are_seeds():
    a = Noise(np.int64(7), 0, 0, 0).normal("s", 3)
    assert np.array_equal(a, Noise(7, 0, 0, 0).normal("s", 3))
