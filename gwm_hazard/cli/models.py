"""``gwm-hazard models``: list the models, show their cards, import and verify model folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gwm_hazard.cli._options import device_option, folder_option, progress_bar, seed_option
from gwm_hazard.errors import ModelError


@click.group()
def models() -> None:
    """List the models, show their cards; fetch, import and verify model folders."""


@models.command("list")
def models_list() -> None:
    """Known model families and installed model folders, one a line."""
    from gwm_hazard.models import registry

    for name in sorted({*registry.families(), *registry.model_folders()}):
        try:
            if name not in registry.model_folders() and registry.needs_weights(name):
                click.echo(f"{name:14s} {'-':8s} needs weights: gwm-hazard models import {name}")
                continue
            card = registry.load_model(name, "cpu").card
        except ModelError as exc:
            click.echo(f"{name:14s} {'-':8s} cannot be loaded: {exc}")
            continue
        click.echo(f"{name:14s} {card.version:8s} {card.summary}")


@models.command("info")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The card as JSON.")
def models_info(name: str, as_json: bool) -> None:
    """The card of a model: a name, or the path of a model folder."""
    from gwm_hazard.models.registry import load_model

    card = load_model(name, "cpu").card
    if as_json:
        click.echo(json.dumps(card.to_dict(), indent=1))
        return
    click.echo(f"{card.name} {card.version} ({card.family}): {card.summary}")
    click.echo(f"licence        {card.licence}")
    click.echo(f"region         {card.tectonic_region}")
    click.echo(f"components     {', '.join(card.components)} at {card.sampling_rate_hz:g} Hz")
    click.echo(f"between-event  {'yes' if card.between_event else 'no'}")
    click.echo(f"training data  {card.training_data}")
    for r in card.conditions:
        meant = f" ({card.distance})" if r.name == "rhypo" != card.distance else ""
        click.echo(f"{r.name:14s} {r.low:g} to {r.high:g} {r.unit}{meant}")
    for title, lines in (("limitations", card.limitations), ("cite", card.citation)):
        for line in lines:
            click.echo(f"{title:14s} {line}")


def _model_folder(function: Any) -> Any:
    """The options of the commands that write a model folder."""
    output = click.option(
        "--output",
        "-o",
        type=click.Path(file_okay=False, path_type=Path),
        help="Model folder to write; by default KIND in the folder of installed models.",
    )
    options = click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the importer.",
    )
    return output(options(function))


def _import(
    kind: str, paths: Sequence[Path], output: Path | None, options: tuple[str, ...]
) -> None:
    from gwm_hazard.models import registry

    chosen: dict[str, Any] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"--option {text}: write NAME=VALUE")
        chosen[name] = value
    folder = output or registry.models_folder() / kind
    card = registry.import_model(kind, paths, folder, **chosen).card
    click.echo(f"{folder}: {card.name} {card.version}, {card.licence}")
    for line in card.citation:
        click.echo(f"cite {line}")
    where = kind if folder == registry.models_folder() / kind else str(folder)
    click.echo(f"next: gwm-hazard surface build --model {where}, for classical jobs")


@models.command("import")
@click.argument("kind")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_model_folder
def models_import(
    kind: str, paths: tuple[Path, ...], output: Path | None, options: tuple[str, ...]
) -> None:
    """Make a model folder of the published files of a model.

    KIND is a family that offers an importer: `tfcgan SAVED_MODEL_DIR`, `highfem EDM.ckpt
    AUTOENCODER.ckpt`, `cvae-gan GENERATOR_EPOCH_DIR`, `florez GENERATOR.pt`, `stylegan-eq
    NETWORK.pkl`, `seismoalice GENERATORS`. Nothing in the files is executed.
    """
    _import(kind, paths, output, options)


@models.command("fetch")
@click.argument("kind")
@_model_folder
@click.option("--url", help="Another address of the archive with the published files.")
@click.option(
    "--downloads",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the download is kept and goes on; by default a folder of the user's cache.",
)
def models_fetch(
    kind: str,
    output: Path | None,
    options: tuple[str, ...],
    url: str | None,
    downloads: Path | None,
) -> None:
    """Download the published files of a model and import them.

    An interrupted download goes on where it stopped; checksums are recorded at first use.
    """
    import importlib

    from platformdirs import user_cache_path

    from gwm_hazard.models.registry import fetchers

    if kind not in fetchers():
        raise click.BadParameter(f"{kind!r}: known are {', '.join(sorted(fetchers()))}")
    fetch = importlib.import_module(fetchers()[kind]).fetch
    folder = downloads or user_cache_path("gwm_hazard") / "downloads" / kind
    with progress_bar(f"download {kind}") as progress:
        paths = fetch(folder, url=url, progress=progress)
    _import(kind, paths, output, options)


@models.command("verify")
@click.argument("names", nargs=-1, required=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or auto.")
def models_verify(names: tuple[str, ...], device: str) -> None:
    """Check model folders: card, checksum and shapes of the weights, one finite waveform."""
    from gwm_hazard.models.registry import verify_model

    for name in names:
        click.echo(f"{name}: {verify_model(name, device)}")


@models.command("between-event")
@click.argument("name")
@folder_option("Model folder to write.")
@click.option(
    "--gmm",
    default="BooreEtAl2014",
    show_default=True,
    help="Whose tau^2 / sigma^2 the model is to have, on average over measures.",
)
@click.option(
    "--scenario",
    "-s",
    "pairs",
    multiple=True,
    help="Conditions of the draws, NAME=VALUE; by default 30 km, Vs30 400 m/s, depth 10 km.",
)
@click.option("--mag", default="5,7", show_default=True, help="Magnitudes, M,M,...")
@click.option("--events", default=60, show_default=True, help="Of each ensemble, 4 sites each.")
@seed_option()
@device_option
def models_between_event(
    name: str,
    output: Path,
    gmm: str,
    pairs: tuple[str, ...],
    mag: str,
    events: int,
    seed: int,
    device: str,
) -> None:
    """Give a model between-event terms: sites of an event share a part of its latent noise.

    For networks that learned records one by one (TFCGAN, HighFEM, WGAN). The share is found from
    draws, so that tau^2 / sigma^2 is that of a published model. Every single record is drawn as
    before.
    """
    from gwm_hazard.models.event_share import IMTS, SHARES, calibrated, shared
    from gwm_hazard.models.registry import load_model, save_model
    from gwm_hazard.openquake.gmm import variance_parts

    model = load_model(name, device)
    given = _conditions(pairs)
    usual = {"rrup": 30.0, "rhypo": 30.0, "vs30": 400.0, "hypo_depth": 10.0}
    scenario = {n: v for n, v in (usual | given).items() if n in model.card.condition_names}
    for condition in {*model.card.condition_names} - {"mag", *scenario}:
        raise click.UsageError(f"model {name!r} needs {condition}: give -s {condition}=VALUE")
    wanted = variance_parts(gmm, [float(m) for m in mag.split(",")], IMTS)
    with progress_bar(f"shares of {name}") as progress:
        found = calibrated(
            model,
            wanted,
            scenario,
            events=events,
            seed=seed,
            progress=progress,
        )
    for m, part in found.parts.items():
        rows = ", ".join(f"{rho:g}: {p:.2f}" for rho, p in zip(SHARES, part, strict=True))
        click.echo(f"M {m:g}: tau^2 / sigma^2 {wanted[m]:.2f}; by share {rows}")
    save_model(shared(model, found.share), output)
    told = zip(found.share.mag, found.share.share, strict=True)
    click.echo(f"{output}: shares {', '.join(f'{s:.2f} at M {m:g}' for m, s in told)}")


def _conditions(pairs: Sequence[str]) -> dict[str, float]:
    found = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise click.BadParameter(f"{pair!r}: write NAME=VALUE") from None
    return found
