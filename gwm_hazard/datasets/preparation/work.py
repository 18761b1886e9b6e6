"""Finding the records of folders and archives, and handing them to worker processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gwm_hazard.records.archives import Limits
from gwm_hazard.records.find import Group, find_files
from gwm_hazard.records.read import sources
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
    group : where the files lie, which names them
    after : called in this process when the task and all before it are done
    """

    label: str
    paths: tuple[Path, ...] = ()
    format: str | None = None
    options: Options = field(default_factory=Options)
    only: frozenset[str] | None = None
    items: tuple[Record | Failure, ...] = ()
    group: Group = field(default_factory=lambda: Group([]))
    after: Callable[[], None] | None = None


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
    for group in find_files(paths, limits):
        for failure in group.failures:
            yield Task(failure.record_id, items=(failure,))
        yield from _tasks(group, format, options or Options())
        if group.done:
            # the folder goes when all tasks before this one are done
            yield Task("", after=group.done)


def _tasks(found: Group, format: str | None, options: Options) -> Iterator[Task]:
    groups: list[list[Source]] = []
    owner: dict[Path, list[Source]] = {}
    for source in sources(found.files, format, options):
        if isinstance(source, Failure):
            yield Task(found.plain(source.record_id), items=(source,), group=found)
            continue
        shared = [owner[p] for p in source.paths if p in owner]
        group = shared[0] if shared else []
        if not shared:
            groups.append(group)
        group.append(source)
        owner.update(dict.fromkeys(source.paths, group))
    for group in groups:
        if len(group) == 1 and group[0].size > SMALL:
            yield from _batches(group[0], found)
            continue
        # the records of a large file in several tasks, each of which reads the file
        for k in range(0, len(group), SMALL):
            part = group[k : k + SMALL]
            own = tuple(dict.fromkeys(p for source in part for p in source.paths))
            only = frozenset(source.label for source in part) if len(group) > SMALL else None
            yield Task(str(own[0]), own, format, options, only=only, group=found)


def _batches(source: Source, found: Group) -> Iterator[Task]:
    items: list[Record | Failure] = []
    for item in source:
        items.append(item)
        if len(items) == BATCH:
            yield Task(source.label, items=tuple(items), group=found)
            items = []
    if items:
        yield Task(source.label, items=tuple(items), group=found)


def do(task: Task, work: Work[Result]) -> list[Result]:
    """All records of a task through ``work``."""
    results = []
    if task.items:
        for item in task.items:
            item = task.group.named(item)
            if not work.skip(task.group.plain(task.label), item.record_id):
                results.append(work(task.group.plain(task.label), item))
        return results
    for source in sources(task.paths, task.format, task.options) if task.paths else ():
        if isinstance(source, Failure):
            results.append(work(task.group.plain(source.record_id), task.group.named(source)))
            continue
        if task.only is not None and source.label not in task.only:
            continue
        label = task.group.plain(source.label)
        if source.size == 1 and work.skip(label, None):
            continue
        for item in source:
            item = task.group.named(item)
            if not work.skip(label, item.record_id):
                results.append(work(label, item))
    return results


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
            return [self.work(task.group.plain(task.label), task.group.named(failure))]

    def close(self) -> None:
        self.executor.shutdown(wait=True, cancel_futures=True)


_work: Work[Any] | None = None


def _begin(work: Work[Any]) -> None:
    global _work
    _work = work


def _do(task: Task) -> list[Any]:
    assert _work is not None
    return do(task, _work)
