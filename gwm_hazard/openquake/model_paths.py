"""``model = "path"`` in a branch of the GMM logic tree: a folder beside the job.ini.

A path is relative to the job.ini or else to the logic tree file; in plain Python to the current
folder. OpenQuake makes a GSIM from the text of its branch more than once: to check the job, to
run it, and from the datastore for exports and later calculations. It gives the GSIM the
arguments without their folder, and cuts absolute paths to the last name
(``openquake.hazardlib.gsim.base.fix_toml``). So :func:`install` wraps the four functions that
know the folder: while they run, :func:`located` looks there, and the text that reaches the
datastore is relative to the logic tree file, whose folder the datastore keeps. The path that a
GSIM holds, and takes to other processes, is absolute.
"""

import contextlib
import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.models.card_file import CARD_FILE
from gwm_hazard.models.registry import families, model_folders

log = logging.getLogger(__name__)

_GSIM = "GenerativeWaveformGMM"
_folders: ContextVar[tuple[str, ...]] = ContextVar("folders", default=())
#: Set while the text of branches comes from a datastore: it is relative to the logic tree already.
_stored: ContextVar[bool] = ContextVar("stored", default=False)

#: Parameters of what is wrapped, as in the supported releases of OpenQuake.
SIGNATURES = {
    "gsim": "value basedir",
    "__fromh5__": "self array dic",
    "get_gsim_lt": "oqparam trts",
    "check_gsim_lt": "self",
}


def located(model: str) -> str:
    """Absolute path of a model's folder, or the name of a family.

    Raises
    ------
    ModelError
        No folder where it was looked for, and no model of this name.
    """
    if folder := _folder(model):
        return str(folder)
    here = model_folders()
    if model in here:
        return str(here[model])
    if model in families():
        return model
    looked = " or ".join(dict.fromkeys(map(str, _candidates(model))))
    raise ModelError(
        f"model = {model!r}: {looked} is no model folder (it has no {CARD_FILE}), and no "
        f"installed model has this name ({', '.join(sorted({*families(), *here}))}); "
        "`gwm-hazard models import` makes one"
    )


def located_file(path: str) -> str:
    """Absolute path of a file that a branch names.

    Raises
    ------
    InputError
        No such file where it was looked for.
    """
    if found := _file(path):
        return str(found)
    looked = " or ".join(dict.fromkeys(map(str, _candidates(path))))
    raise InputError(f"low_frequency = {path!r}: no file {looked}")


def _file(path: str) -> Path | None:
    return next((p for p in _candidates(path) if p.is_file()), None)


def _candidates(model: str) -> list[Path]:
    return [Path(folder, model).resolve() for folder in _folders.get() or ("",)]


def _folder(model: str) -> Path | None:
    return next((p for p in _candidates(model) if (p / CARD_FILE).is_file()), None)


@contextlib.contextmanager
def looking_in(folder: str) -> Iterator[None]:
    """Relative paths are looked for in ``folder``, after those of enclosing calls."""
    token = _folders.set((*_folders.get(), folder))
    try:
        yield
    finally:
        _folders.reset(token)


def install() -> None:
    """Wrap what makes GSIMs in OpenQuake; leave it, with a warning, in an unknown release."""
    from openquake.commonlib import oqvalidation, readinput
    from openquake.hazardlib import gsim_lt, valid

    places: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
        (valid, "gsim", _gsim),
        (gsim_lt.GsimLogicTree, "__fromh5__", _from_datastore),
        (readinput, "get_gsim_lt", _of_job),
        (oqvalidation.OqParam, "check_gsim_lt", _of_job),
    )
    for owner, name, _ in places:
        found = " ".join(inspect.signature(getattr(owner, name)).parameters)
        if found != SIGNATURES[name]:
            log.warning(
                "this release of openquake.engine has %s(%s), not (%s): paths of model folders "
                "are relative to where oq is started",
                *(name, found, SIGNATURES[name]),
            )
            return
    for owner, name, wrapper in places:
        original = getattr(owner, name)
        if not hasattr(original, "__wrapped__"):
            setattr(owner, name, wrapper(original))


def _of_job(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapped(oqparam: Any, *arguments: Any, **options: Any) -> Any:
        with looking_in(oqparam.base_path):
            return original(oqparam, *arguments, **options)

    return wrapped


def _from_datastore(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapped(self: Any, array: Any, dic: Any) -> Any:
        # OpenQuake gives a temporary folder as that of the tree where the datastore holds files.
        token = _stored.set(True)
        try:
            with looking_in(str(Path(dic.get("filename", "")).parent)):
                return original(self, array, dic)
        finally:
            _stored.reset(token)

    return wrapped


def _gsim(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``valid.gsim``: text of a branch, or its node, and the folder of the tree -> GSIM."""
    import toml
    from openquake.hazardlib.valid import to_toml

    @functools.wraps(original)
    def wrapped(value: Any, basedir: str = "") -> Any:
        text = to_toml(value)
        if _GSIM not in text:
            return original(value, basedir)
        tree = toml.loads(text)
        with looking_in(basedir):
            for arguments in _arguments(tree):
                for name, found in _PATHS.items():
                    if name in arguments and not _stored.get() and (path := found(arguments[name])):
                        arguments[name] = os.path.relpath(path, Path(basedir).resolve())
            gsim = original(toml.dumps(tree), basedir)
        if type(gsim).__name__ == _GSIM:
            # collapse_gsim_logic_tree makes another GSIM of these, knowing no folder.
            gsim.kwargs["model"] = gsim.model
            if gsim._layered is not None:
                gsim.kwargs["low_frequency"] = gsim.low_frequency
        return gsim

    return wrapped


#: Arguments of our GSIMs that are paths, and what looks for them.
_PATHS: dict[str, Callable[[str], Path | None]] = {
    "model": _folder,
    "shape": _folder,
    "low_frequency": _file,
}


def _arguments(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Arguments of our GSIMs that name a model, also of those within another GSIM."""
    for name, value in tree.items():
        if isinstance(value, dict):
            if name == _GSIM and isinstance(value.get("model"), str):
                yield value
            yield from _arguments(value)
