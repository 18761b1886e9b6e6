"""Response spectra that waveforms are to have, one a draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

#: A period within this factor of an end of a spectrum takes the ordinate of that end.
_ROUNDING = 1.0 + 1e-6


@dataclass(frozen=True)
class Spectra:
    """Target spectra, a row a draw: 5 % damped pseudo-acceleration, RotD50 of the horizontals.

    Parameters
    ----------
    periods_s : (n_periods,), increasing, above 0
    ln_sa : (n, n_periods), ln of SA in g

    Raises
    ------
    InputError
        Other shapes, periods that do not grow, or values that are not finite.
    """

    periods_s: NDArray[np.float64]
    ln_sa: NDArray[np.float64]

    def __post_init__(self) -> None:
        periods = np.asarray(self.periods_s, dtype=np.float64)
        ln_sa = np.asarray(self.ln_sa, dtype=np.float64)
        object.__setattr__(self, "periods_s", periods)
        object.__setattr__(self, "ln_sa", ln_sa)
        if periods.ndim != 1 or len(periods) < 2:
            raise InputError(f"target spectrum: {periods.size} periods; give 2 or more")
        if not (np.isfinite(periods).all() and periods[0] > 0 and (np.diff(periods) > 0).all()):
            raise InputError(f"target spectrum: periods {periods} s: must be above 0 and grow")
        if ln_sa.ndim != 2 or ln_sa.shape[1] != len(periods):
            raise InputError(
                f"target spectrum: SA of shape {ln_sa.shape}, expected (draws, {len(periods)}), an "
                "ordinate a period"
            )
        if not np.isfinite(ln_sa).all():
            row, column = np.argwhere(~np.isfinite(ln_sa))[0]
            raise InputError(
                f"target spectrum {row}: SA({periods[column]:g}) = {np.exp(ln_sa[row, column]):g} "
                "g: must be a number above 0"
            )

    def __len__(self) -> int:
        return len(self.ln_sa)

    def take(self, rows: Any) -> Spectra:
        """The rows of an index array or slice."""
        return Spectra(self.periods_s, self.ln_sa[rows])

    def ln_at(self, periods_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln SA at other periods, (n, len(periods_s)): straight lines in ln T.

        Raises
        ------
        InputError
            A period outside those of the spectra.
        """
        wanted = np.asarray(periods_s, dtype=np.float64)
        low, high = self.periods_s[0] / _ROUNDING, self.periods_s[-1] * _ROUNDING
        outside = (wanted < low) | (wanted > high)
        if outside.any():
            raise InputError(
                f"target spectrum: from {self.periods_s[0]:g} to {self.periods_s[-1]:g} s, needed "
                f"is SA({wanted[outside][0]:g}); give SA from {wanted.min():g} to {wanted.max():g}"
            )
        x, known = np.log(wanted), np.log(self.periods_s)
        place = np.clip(np.searchsorted(known, x, "right") - 1, 0, len(known) - 2)
        share = np.clip((x - known[place]) / (known[place + 1] - known[place]), 0.0, 1.0)
        return self.ln_sa[:, place] * (1.0 - share) + self.ln_sa[:, place + 1] * share

    @classmethod
    def of(cls, target: Spectra | xr.DataArray | xr.Dataset, n: int) -> Spectra:
        """Spectra of ``n`` scenarios from what users give.

        Parameters
        ----------
        target : Spectra, DataArray or Dataset
            A DataArray of SA in g with the dimension ``period`` (coordinate in s) and, where the
            scenarios differ, ``scenario``; or a Dataset that holds it as ``SA``.

        Raises
        ------
        InputError
            Another layout, another number of scenarios, or SA that is not above 0.
        """
        if isinstance(target, cls):
            found = target
        else:
            array: Any = target
            if hasattr(array, "data_vars") and "SA" in array:
                array = array["SA"]
            dims = getattr(array, "dims", ())
            if "period" not in dims or not set(dims) <= {"scenario", "period"}:
                raise InputError(
                    "target: give an xarray.DataArray of SA in g with the dimensions scenario and "
                    f"period, or a Dataset with it as SA; this has the dimensions {tuple(dims)}"
                )
            array = array.sortby("period")
            values = np.atleast_2d(array.transpose(..., "period").to_numpy().astype(np.float64))
            with np.errstate(divide="ignore", invalid="ignore"):
                found = cls(array["period"].to_numpy(), np.log(values))
        if len(found) == 1 and n != 1:
            found = found.take(np.zeros(n, dtype=np.int64))
        if len(found) != n:
            raise InputError(f"target: {len(found)} spectra for {n} scenarios; give one for each")
        return found
