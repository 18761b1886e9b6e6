"""Curves, fields and losses of matched branches beside those of their GMMs.

    python demos/logic_tree/compare.py CLASSICAL EVENT_BASED   # numbers or calc_N.hdf5 files

Losses come from the events that happened to occur: the standard error of an average annual loss
is that of a compound Poisson sum, the root of the sum of squares over the years.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import openquake.calculators  # noqa: F401  (finds this package's hooks)

from gwm_hazard.openquake import datastore
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM


def pairs(dstore: Any) -> list[tuple[str, int, int]]:
    """(GMM, realization of the plain branch, of the matched one)."""
    plain, matched = {}, {}
    for rlz in dstore["full_lt"].init().get_realizations():
        gsim = rlz.gsim_rlz.value[0]
        if isinstance(gsim, GenerativeWaveformGMM):
            matched[type(gsim._gmm).__name__] = rlz.ordinal
        else:
            plain[type(gsim).__name__] = rlz.ordinal
    return [(name, plain[name], matched[name]) for name in plain]


def curves(dstore: Any) -> None:
    """Largest relative difference between the classical curves of each pair."""
    poes = dstore["hcurves-rlzs"][0].astype(np.float64)  # (R, M, L) of the only site
    for name, a, b in pairs(dstore):
        there = poes[a] > 0
        away = np.abs(poes[b][there] / poes[a][there] - 1.0).max()
        print(f"{name:22s} curves differ by {away:.1e} at most")


def fields_and_losses(dstore: Any) -> None:
    """Levels of return periods from the fields, and average annual losses."""
    oq = dstore["oqparam"]
    years = oq.investigation_time * oq.ses_per_logic_tree_path
    rlz = dstore["events"]["rlz_id"]
    fields = dstore.read_df("gmf_data")
    of_field = rlz[fields.eid.to_numpy()]
    losses = dstore.read_df("risk_by_event")
    losses = losses[losses.agg_id == losses.agg_id.max()]  # the whole portfolio
    of_loss = rlz[losses.event_id.to_numpy()]
    for name, a, b in pairs(dstore):
        told = []
        for imt in oq.imtls:
            values = fields[imt].to_numpy()
            level = [np.sort(values[of_field == r])[-max(1, int(years / 475))] for r in (a, b)]
            told.append(f"{imt} {level[0]:.3f} and {level[1]:.3f} g")
        print(f"{name:22s} 475 years: {', '.join(told)}")
        sums = [losses.loss.to_numpy()[of_loss == r] for r in (a, b)]
        mean = [x.sum() / years for x in sums]
        error = [np.sqrt((x**2).sum()) / years for x in sums]
        z = (mean[1] - mean[0]) / np.hypot(*error)
        print(
            f"{'':22s} average annual loss {mean[0]:,.0f} +- {error[0]:,.0f} plain, "
            f"{mean[1]:,.0f} +- {error[1]:,.0f} matched: {z:+.1f} standard errors apart"
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("classical")
    parser.add_argument("event_based")
    args = parser.parse_args()
    with datastore.opened(args.classical) as dstore:
        curves(dstore)
    with datastore.opened(args.event_based) as dstore:
        fields_and_losses(dstore)


if __name__ == "__main__":
    main()
