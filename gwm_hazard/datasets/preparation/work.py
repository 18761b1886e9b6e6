"""Finding the records of folders and archives, and handing them to worker processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gwm_hazard.records.archives import Limits, expand, is_archive
from gwm_hazard.records.read import scan
from gwm_hazard.records.record import Failure, Options, Record, Source

#: Imported once, before workers fork off.
_PRELOADED = (
    "gwm_hazard.records.readers.seismology",
    "obspy",
    "obspy.signal.trigger",
    "scipy.signal",
)

SMALL = 64  # records of files that a worker reads by itself; of larger files this process does
BATCH = 32  # records handed over at a time

#: What lies beside records and is none: pictures and documents, by the end of the name.
IGNORED = (".ps", ".ps.gz", ".png", ".gif", ".jpg", ".jpeg", ".pdf", ".svg", ".html", ".htm", ".md")

#: The reason of a file whose reader killed its process.
CRASHED = "the program that reads it crashed"

Result = TypeVar("Result", covariant=True)


class Work(Protocol[Result]):
    """What is done with each record; ``skip`` tells those that need not be read."""

    def __call__(self, source: str, item: Record | Failure) -> Result:
        """The result of a record, or of what could not be read."""

    def skip(self, source: str, record_id: str | None) -> bool:
        """Whether a record, or with None all of the source, was done before."""


@dataclass(frozen=True)
class Task:
    """Records that are done together: files to read, or what was read of a larger one.

    Attributes
    ----------
    label : what the journal calls the source
    paths : files to read, with ``format`` and ``options``
    only : labels of the sources in these files that belong to the task; all without it
    items : or records that were read
    shown : the folder that an archive was expanded to, and the archive's name in its place
    after : called in this process when the task and all before it are done
    """

    label: str
    paths: tuple[Path, ...] = ()
    format: str | None = None
    options: Options = field(default_factory=Options)
    only: frozenset[str] | None = None
    items: tuple[Record | Failure, ...] = ()
    shown: tuple[str, str] | None = None
    after: Callable[[], None] | None = None

    def plain(self, text: str) -> str:
        """A text without the folder of an expanded archive."""
        return text.replace(*self.shown) if self.shown else text


def find_tasks(
    paths: Sequence[str | Path],
    format: str | None = None,
    options: Options | None = None,
    limits: Limits | None = None,
) -> Iterator[Task]:
    """Tasks for all records of files, folders (with their subfolders) and archives, in order.

    The files of a record must lie in one folder or archive. An archive is expanded into a temporary
    folder when its turn comes, and removed when its records are done.
    """
    options, limits = options or Options(), limits or Limits()
    for files in _folders([Path(p) for p in paths]):
        plain = [p for p in files if not is_archive(p)]
        yield from _tasks(plain, format, options, None)
        for path in files:
            if is_archive(path):
                yield from _archive_tasks(path, format, options, limits)


def _archive_tasks(
    path: Path, format: str | None, options: Options, limits: Limits
) -> Iterator[Task]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gwm_hazard-")))
        shown = (f"{folder}/", f"{path}::")
        try:
            expand(path, folder, limits)
        except (ValueError, OSError) as exc:
            # what came out before the damage is read all the same
            yield Task(str(path), items=(Failure(str(path), str(exc)),))
        for files in _folders([folder]):
            yield from _tasks(files, format, options, shown)
        # the folder goes when all tasks before this one are done
        yield Task(str(path), after=stack.pop_all().close)


def _folders(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Files that lie together: those given by name, then folder by folder."""
    given = [p for p in paths if not p.is_dir() or _is_seisbench(p)]
    if given:
        yield given
    for folder in paths:
        if not folder.is_dir() or folder in given:
            continue
        files: list[Path] = []
        below: list[Path] = []
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.name.lower().endswith(IGNORED):
                continue
            (below if path.is_dir() and not _is_seisbench(path) else files).append(path)
        if files:
            yield files
        if below:
            yield from _folders(below)


def _is_seisbench(path: Path) -> bool:
    return path.is_dir() and any(path.glob("metadata*.csv")) and any(path.glob("waveforms*.hdf5"))


def _tasks(
    files: Sequence[Path], format: str | None, options: Options, shown: tuple[str, str] | None
) -> Iterator[Task]:
    groups: list[list[Source]] = []
    owner: dict[Path, list[Source]] = {}
    for source in _scan(files, format, options):
        if isinstance(source, Failure):
            task = Task(source.record_id, items=(source,), shown=shown)
            yield replace(task, label=task.plain(task.label))
            continue
        shared = [owner[p] for p in source.paths if p in owner]
        group = shared[0] if shared else []
        if not shared:
            groups.append(group)
        group.append(source)
        owner.update(dict.fromkeys(source.paths, group))
    for group in groups:
        if len(group) == 1 and group[0].size > SMALL:
            yield from _batches(group[0], shown)
            continue
        # the records of a large file in several tasks, each of which reads the file
        for k in range(0, len(group), SMALL):
            part = group[k : k + SMALL]
            own = tuple(dict.fromkeys(p for source in part for p in source.paths))
            only = frozenset(source.label for source in part) if len(group) > SMALL else None
            yield Task(str(own[0]), own, format, options, only=only, shown=shown)


def _batches(source: Source, shown: tuple[str, str] | None) -> Iterator[Task]:
    items: list[Record | Failure] = []
    for item in source:
        items.append(item)
        if len(items) == BATCH:
            yield Task(source.label, items=tuple(items), shown=shown)
            items = []
    if items:
        yield Task(source.label, items=tuple(items), shown=shown)


def _scan(files: Sequence[Path], format: str | None, options: Options) -> list[Source | Failure]:
    return scan(files, format, unit=options.unit, dt_s=options.dt_s, inventory=options.inventory)


def do(task: Task, work: Work[Result]) -> list[Result]:
    """All records of a task through ``work``."""
    results = []
    if task.items:
        for item in task.items:
            item = _shown(item, task)
            if not work.skip(task.plain(task.label), item.record_id):
                results.append(work(task.plain(task.label), item))
        return results
    for source in _scan(task.paths, task.format, task.options) if task.paths else ():
        if isinstance(source, Failure):
            results.append(work(task.plain(source.record_id), _shown(source, task)))
            continue
        if task.only is not None and source.label not in task.only:
            continue
        label = task.plain(source.label)
        if source.size == 1 and work.skip(label, None):
            continue
        for item in source:
            item = _shown(item, task)
            if not work.skip(label, item.record_id):
                results.append(work(label, item))
    return results


def _shown(item: Record | Failure, task: Task) -> Record | Failure:
    if task.shown is None:
        return item
    if isinstance(item, Failure):
        return Failure(task.plain(item.record_id), task.plain(item.reason))
    metadata = {k: task.plain(v) if isinstance(v, str) else v for k, v in item.metadata.items()}
    return replace(item, metadata=metadata)


def run_tasks(tasks: Iterable[Task], work: Work[Result], jobs: int) -> Iterator[Result]:
    """Results of all tasks in their order; at most 4 tasks a worker wait in memory.

    A file whose reader kills its worker (a fault in a library) is a `Failure`, the run goes on;
    without workers (``jobs`` = 0) it would end.
    """
    if jobs == 0:
        for task in tasks:
            yield from do(task, work)
            if task.after:
                task.after()
        return
    waiting: deque[tuple[Task, Future[list[Result]] | None]] = deque()
    pool = _Pool(work, jobs)

    def next_result() -> list[Result]:
        task, future = waiting.popleft()
        try:
            result = future.result() if future is not None else []
        except BrokenProcessPool:
            result = pool.alone(task)
            again = [t for t, _ in waiting]
            waiting.clear()
            waiting.extend((t, pool.submit(t)) for t in again)
        if task.after:
            task.after()
        return result

    try:
        for task in tasks:
            waiting.append((task, pool.submit(task)))
            if len(waiting) >= 4 * jobs:
                yield from next_result()
        while waiting:
            yield from next_result()
    finally:
        pool.close()
        for task, _ in waiting:
            if task.after:
                task.after()


class _Pool:
    """Worker processes that are started again when one of them dies."""

    def __init__(self, work: Work[Any], jobs: int) -> None:
        self.work, self.jobs = work, jobs
        self._start()

    def _start(self) -> None:
        # never by fork: threads and open files of this process must not follow
        forkserver = "forkserver" in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if forkserver else "spawn")
        if forkserver:
            context.set_forkserver_preload([type(self.work).__module__, *_PRELOADED])
        self.executor = ProcessPoolExecutor(
            self.jobs, mp_context=context, initializer=_begin, initargs=(self.work,)
        )

    def submit(self, task: Task) -> Future[Any] | None:
        if task.after is not None:
            return None
        try:
            return self.executor.submit(_do, task)
        except BrokenProcessPool as exc:
            future: Future[Any] = Future()
            future.set_exception(exc)
            return future

    def alone(self, task: Task) -> list[Any]:
        self.close()
        self._start()
        try:
            return self.executor.submit(_do, task).result()
        except BrokenProcessPool:
            self.close()
            self._start()
            paths = ", ".join(map(str, task.paths)) or task.label
            failure = Failure(task.label, f"{paths}: {CRASHED}")
            return [self.work(task.plain(task.label), _shown(failure, task))]

    def close(self) -> None:
        self.executor.shutdown(wait=True, cancel_futures=True)


_work: Work[Any] | None = None


def _begin(work: Work[Any]) -> None:
    global _work
    _work = work


def _do(task: Task) -> list[Any]:
    assert _work is not None
    return do(task, _work)
