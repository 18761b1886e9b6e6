"""``gwm-hazard train``: a model of one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from gwm_hazard.cli._options import Bars, folder_option


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "base", help="Fine-tune this model: its name, or a model folder.")
@click.option("--snapshot", is_flag=True, help="Make a model of the checkpoints as they are.")
@folder_option("Folder of the run; started again, it goes on where it stopped.")
def train(config: Path, base: str | None, snapshot: bool, output: Path) -> None:
    """Train a model as CONFIG, a TOML file, says.

    Its setting `family` is "highfem" (the default), "cvae-gan", "wgan-gp", "stylegan-eq"
    or "broadband".
    """
    # Read when torch is loaded: threads that do not spin while they wait, for shared machines.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from gwm_hazard.training.families import family_of
    except ModuleNotFoundError as exc:
        if not (exc.name or "").startswith("lightning"):
            raise
        raise click.ClickException(
            f"training needs lightning-fabric ({exc}): pip install 'gwm_hazard[train]'"
        ) from exc

    family = family_of(config)
    if base and snapshot:
        raise click.UsageError("--snapshot: of a training from nothing only, without --from")
    with Bars() as bars:

        def progress(stage: str, share: float, parts: Mapping[str, float]) -> None:
            bars(stage, share, ", ".join(f"{k} {v:.4g}" for k, v in parts.items()))

        made = family(config, output, base=base, snapshot=snapshot, progress=progress)
    click.echo(f"{made}: model written")
