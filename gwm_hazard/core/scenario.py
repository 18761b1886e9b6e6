"""Earthquake scenarios: a small table of conditions, one row a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

#: Point-source equivalence: where a table lacks the first distance, the second stands in.
DISTANCE_FALLBACK = {"rrup": "rhypo", "rhypo": "rrup"}


class Scenarios(Mapping[str, NDArray[np.float64]]):
    """A table of earthquake scenarios.

    Parameters
    ----------
    **conditions : array_like, shape (n,) or scalar
        Columns under OpenQuake's names (``mag, rrup, rhypo, vs30, hypo_depth, rake, ...``) in
        the units of :data:`gwm_hazard.core.units.ALL_CONDITIONS`. Scalars are repeated.

    Raises
    ------
    ValueError
        An unknown name, columns of different lengths, a value that is not finite or outside
        the physical limits; the message names the column, the value and the row.

    Examples
    --------
    >>> sc = Scenarios(mag=[6.5, 7.0], rhypo=30.0, vs30=400.0, hypo_depth=10.0)
    >>> len(sc), sc["rhypo"].tolist()
    (2, [30.0, 30.0])
    """

    def __init__(self, **conditions: ArrayLike) -> None:
        if not conditions:
            raise InputError("no conditions: give at least mag and a distance, e.g. mag=[6.5]")
        unknown = sorted(set(conditions) - set(ALL_CONDITIONS))
        if unknown:
            known = ", ".join(ALL_CONDITIONS)
            raise InputError(f"unknown condition {unknown[0]!r}: known are {known}")
        columns = {k: np.atleast_1d(np.asarray(v, dtype=np.float64)) for k, v in conditions.items()}
        size = max(
            (
                c.size
                for v, c in zip(conditions.values(), columns.values(), strict=True)
                if np.ndim(v)
            ),
            default=1,
        )
        self._columns: dict[str, NDArray[np.float64]] = {}
        for name, values in columns.items():
            if values.ndim != 1 or (values.size not in (1, size)):
                raise InputError(
                    f"{name} has shape {values.shape}: every condition needs {size} values, "
                    "or one for all"
                )
            _check_physical(name, values)
            self._columns[name] = np.array(np.broadcast_to(values, size))
        self._size = size

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Values of one condition, shape (n,), with rhypo and rrup standing in for each other.

        For a point source the two distances are equal; for a finite rupture the stand-in is an
        approximation (hypocentral distance is never less than the closest distance), which
        :meth:`stands_in` reports so that outputs can say it.
        """
        if name in self._columns:
            return self._columns[name]
        other = DISTANCE_FALLBACK.get(name)
        if other in self._columns:
            return self._columns[other]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """Number of scenarios (rows)."""
        return self._size

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scenarios):
            return NotImplemented
        return set(self) == set(other) and all(np.array_equal(self[k], other[k]) for k in self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        ranges = ", ".join(f"{k} {v.min():g}..{v.max():g}" for k, v in self._columns.items())
        return f"<Scenarios: {len(self)} rows, {ranges}>" if len(self) else "<Scenarios: 0 rows>"

    def stands_in(self, name: str) -> str | None:
        """Name of the distance that ``name`` would be taken from, or None where it is given."""
        return None if name in self._columns else DISTANCE_FALLBACK.get(name)

    def take(self, rows: Any) -> Scenarios:
        """The rows of an index array, slice or boolean mask, as a new table."""
        return self._unchecked({k: v[rows] for k, v in self._columns.items()})

    def repeat(self, n: int) -> Scenarios:
        """Each row ``n`` times in succession: row i becomes rows i*n .. i*n + n - 1."""
        return self._unchecked({k: np.repeat(v, n) for k, v in self._columns.items()})

    @classmethod
    def _unchecked(cls, columns: dict[str, NDArray[np.float64]]) -> Scenarios:
        table = cls.__new__(cls)
        table._columns = columns
        table._size = len(next(iter(columns.values())))
        return table

    def require(self, names: tuple[str, ...], who: str) -> None:
        """Raise a ValueError that names the condition which ``who`` needs and the table lacks."""
        for name in names:
            try:
                self[name]
            except KeyError:
                raise InputError(
                    f"{who} needs the condition {name!r} ({ALL_CONDITIONS[name].description}, "
                    f"{ALL_CONDITIONS[name].unit}); the scenarios have {', '.join(self)}"
                ) from None

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self._columns)


def _check_physical(name: str, values: NDArray[np.float64]) -> None:
    spec = ALL_CONDITIONS[name]
    bad = ~(np.isfinite(values) & (values >= spec.low) & (values <= spec.high))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{name} = {values[row]:g} {spec.unit} at scenario {row}: must be a number from "
            f"{spec.low:g} to {spec.high:g} {spec.unit} ({spec.description})"
        )
