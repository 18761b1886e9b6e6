"""``gwm-hazard im``: intensity measures of records."""

from __future__ import annotations

from pathlib import Path

import click

from gwm_hazard.cli._options import output_option

DEFAULT_IMTS = "PGA,PGV,SA(0.1),SA(0.2),SA(0.3),SA(0.5),SA(1.0),SA(2.0),SA(3.0),RSD595"


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--imts", default=DEFAULT_IMTS, show_default=True, help="Comma-separated.")
@click.option("--component", default="RotD50", show_default=True)
@output_option
def im(path: Path, imts: str, component: str, output: Path) -> None:
    """Intensity measures of a waveform file of this package, to CSV."""
    import xarray as xr

    from gwm_hazard.intensity import intensity_measures
    from gwm_hazard.provenance import replacing

    names = [i.strip() for i in imts.split(",")]
    try:
        opened = xr.open_dataset(path, engine="h5netcdf", phony_dims="access")
    except (OSError, ValueError, KeyError) as exc:
        raise ValueError(f"{path}: not a readable HDF5 file ({exc})") from exc
    with opened as data:
        if "acceleration" not in data:
            raise ValueError(f"{path}: holds no variable 'acceleration'; is it a waveform file?")
        table = intensity_measures(data, names, component=component)
        frame = table.to_dataframe().reset_index()
    with replacing(output) as temporary:
        frame.to_csv(temporary, index=False)
    click.echo(f"{output}: {len(frame)} records, {', '.join(names)} ({component})")
