"""Many scans read by several processes, one thread each; the results come in the order of the scans.

Work is dealt out in portions: a page, or several small images, which are read sooner together. So that memory stays
bounded, no process opens more than it reads, and none runs far ahead of the portion whose turn it is. A process that
dies takes only the scan with it that it was reading.
"""

import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

from uncial.archive import LINES_AT_ONCE, Result, Task, failed, results, scans_of
from uncial.errors import UncialError
from uncial.image_file import is_pipe
from uncial.scan import STDIN, Contents, contents

FEW = 3  # portions that one process has read before others are ready
PIXELS_AT_ONCE = 2_000_000  # of a portion of several images; pages have more, some thirty lines as many
AHEAD = 4  # portions for each process, behind the one whose turn it is, that may be read already


@dataclass(frozen=True, slots=True)
class Portion:
    """What a process reads in one go.

    Attributes:
        names: of files, see `archive.scans_of`.
        only: number of the one page to read of the file, from 1; None: all.
        scans: how many results there will be, as far as can be told before.
    """

    names: tuple[str, ...]
    only: int | None = None
    scans: int = 1


def portions(names: Iterable[str]) -> list[Portion]:
    """Divide the work, by a look at the heads of all files.

    Args:
        names: see `archive.scans_of`.
    """
    dealt: list[Portion] = []
    room = 0  # pixels that the last portion may still get
    for name in names:
        held = Contents() if read_once(name) or name.lower().endswith(".xml") else contents(Path(name))
        pixels = held.pixels if held.whole and held.pages == 1 and held.pixels else PIXELS_AT_ONCE
        if held.whole and held.pages > 1:
            dealt += [Portion((name,), number) for number in range(1, held.pages + 1)]
        elif pixels <= room and len(dealt[-1].names) < LINES_AT_ONCE:
            dealt[-1] = Portion((*dealt[-1].names, name), None, dealt[-1].scans + 1)
        else:
            dealt.append(Portion((name,), None, held.pages))
            room = PIXELS_AT_ONCE
        room = 0 if held.pages > 1 else room - pixels
    return dealt


def read_once(name: str) -> bool:
    """Whether a name stands for standard input or a pipe, which a look at the head would empty."""
    return name == STDIN or is_pipe(Path(name))


def processes_for(work: Sequence[Portion], wanted: int | None = None) -> int:
    """How many processes are to read.

    Args:
        work: all there is.
        wanted: at most; None: as many as there are processors, and one for a few portions.
    """
    if any(read_once(name) for portion in work for name in portion.names):
        return 1  # standard input and pipes are those of this process
    if wanted is None:
        wanted = processors() if len(work) > FEW else 1
    return max(1, min(wanted, len(work)))


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_all(work: Sequence[Portion], task: Task, processes: int = 1) -> Generator[Result]:
    """Read everything; close the iterator to stop before the end.

    Args:
        work: as `portions` divides it.
        task: how to read.
        processes: how many read; 1: this one. More import the program's main module anew, as `multiprocessing` says.

    Yields:
        A result for each scan, in order. What became unreadable since `portions` looked at it has one, too.

    Raises:
        UncialError: the task cannot be done at all; see `Task.recognizer`.
    """
    if processes == 1:
        scans = (scan for portion in _joined(work) for scan in scans_of(portion.names, portion.only))
        yield from results(task.recognizer(), scans, task)
        return
    readers = [_Reader(task) for _ in range(processes)]
    try:
        yield from _in_order(work, readers)
    finally:
        for reader in readers:
            reader.end()


def _joined(work: Sequence[Portion]) -> Iterator[Portion]:
    """The same work with all pages of a file in one portion, so that the file is opened once."""
    for portion in work:
        if portion.only is None or portion.only == 1:
            yield replace(portion, only=None)


@dataclass(slots=True)
class _Dealt:
    """A portion that a process has.

    Attributes:
        number: of the portion.
        portion: what is read.
        alone: files behind it that are to be read one by one, since a process died of one of them.
        told: how many results came of it.
    """

    number: int
    portion: Portion
    alone: tuple[str, ...] = ()
    told: int = 0


@dataclass(slots=True)
class _Found:
    """Results that wait for their turn."""

    results: dict[int, list[Result]] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)  # numbers of portions of which nothing more will come
    turn: int = 0

    def add(self, number: int, result: Result) -> None:
        self.results.setdefault(number, []).append(result)

    def due(self) -> Iterator[Result]:
        """Those whose turn it is; they are given once."""
        yield from self.results.pop(self.turn, ())
        while self.turn in self.whole:
            self.turn += 1
            yield from self.results.pop(self.turn, ())


class _Reader:
    """A process that reads one portion after the other."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.dealt: _Dealt | None = None
        self._start()

    def _start(self) -> None:
        spawn = get_context("spawn")  # the same everywhere; forked, threads of the libraries would be missing
        self.connection: Connection = (pipe := spawn.Pipe())[0]
        self._process = spawn.Process(target=_serve, args=(pipe[1], self._task), daemon=True)
        with _interrupts_held():
            self._process.start()
        pipe[1].close()  # so that the end of the process is the end of the connection

    def give(self, dealt: _Dealt) -> None:
        """Let it read this, unless it is dead, which `take` will find."""
        self.dealt = dealt
        with suppress(OSError):
            self.connection.send(dealt.portion)

    def take(self, found: _Found) -> None:
        """Put away the next thing it has to tell."""
        dealt = self.dealt
        assert dealt is not None, "only a process that has work tells something"
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self._bury(dealt, found)
            return
        if isinstance(message, UncialError):
            raise message
        if message is None:
            self._go_on(dealt, found)
        else:
            found.add(dealt.number, message)
            dealt.told += 1

    def _bury(self, dealt: _Dealt, found: _Found) -> None:
        """Tell which scan the process died of, and begin anew with those behind it, or with those it may have been."""
        self._process.join(5)  # so that its own exit code is told, and not that it was ended
        self.end()
        names = dealt.portion.names
        if dealt.told < dealt.portion.scans:  # else it died with its work done
            left = names[dealt.told :] or names[-1:]
            if len(left) > 1:  # line images are read together, so it may have been any of them
                dealt = replace(dealt, alone=left)
            else:
                self._blame(left[0], dealt, found)
        self._start()
        self._go_on(dealt, found)

    def _blame(self, name: str, dealt: _Dealt, found: _Found) -> None:
        """A failure in place of the scan that the process died of."""
        called = f"{name}#{dealt.portion.only}" if dealt.portion.only else name
        finding = f"the process that read it ended (exit code {self._process.exitcode}), perhaps for want of memory"
        found.add(dealt.number, failed(called, f"{called}: {finding}; read it again with --processes 1", self._task))

    def _go_on(self, dealt: _Dealt, found: _Found) -> None:
        """Read the next of the files that are to be read one by one; without any the portion is whole."""
        if dealt.alone:
            self.give(_Dealt(dealt.number, Portion(dealt.alone[:1]), dealt.alone[1:]))
        else:
            found.whole.add(dealt.number)
            self.dealt = None

    def end(self) -> None:
        """End the process, whatever it does; all it knows has been told."""
        self.connection.close()
        self._process.terminate()
        self._process.join()


def _in_order(work: Sequence[Portion], readers: Sequence[_Reader]) -> Iterator[Result]:
    waiting = deque(_Dealt(number, portion) for number, portion in enumerate(work))
    found = _Found()
    while found.turn < len(work):
        for reader in readers:
            if reader.dealt is None and waiting and waiting[0].number <= found.turn + AHEAD * len(readers):
                reader.give(waiting.popleft())
        busy = {reader.connection: reader for reader in readers if reader.dealt is not None}
        for connection in wait(list(busy)):
            busy[connection].take(found)  # type: ignore[index]
        yield from found.due()


def _serve(connection: Connection, task: Task) -> None:
    """What a reading process does: read what it is given until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that reads nothing; it ends this one
    import cv2

    cv2.setNumThreads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the other end is gone
        try:
            recognizer = task.recognizer()
            while True:
                portion: Portion = connection.recv()
                for result in results(recognizer, scans_of(portion.names, portion.only), task):
                    connection.send(result)
                connection.send(None)
        except UncialError as error:
            connection.send(error)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait while a process is started, which inherits that it waits: there it would end in a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
