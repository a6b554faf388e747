"""Where independent tasks run: in this process, in processes of their own, or on Ray.

A task carries its own seed, so that the results do not depend on the executor, on the number of
workers, or on who finishes first. Starting the processes costs about a second, starting Ray about
fifteen: tasks should be worth it, and a task of less than 50 ms be part of a larger one.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Literal, Protocol, TypeVar

from trimtab.errors import ConfigError, MissingExtra, WorkerFailed

T = TypeVar("T")
R = TypeVar("R")
Kind = Literal["serial", "process", "ray"]


class Executor(Protocol):
    """Runs tasks.

    Laws: results come in the order of the tasks and are the same on every executor; the first
    task, in that order, that raises, dies or is not done in time ends the iteration with
    ``WorkerFailed``. What was yielded before stays valid.
    """

    def map(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        *,
        timeout_s: float | None = None,
    ) -> Iterator[R]:
        """Yield ``function(task)`` for each task.

        Args:
            function: of a module's top level, so that other processes can import it.
            tasks: values that can be sent to another process.
            timeout_s: longest wait for the next result; None waits on. Where tasks run in the
                calling process it cannot be kept, and is refused.

        Raises:
            WorkerFailed: names the task and what became of it.
        """
        ...


def open_executor(kind: Kind, *, workers: int) -> AbstractContextManager[Executor]:
    """Return an executor to be used in a ``with`` block, which ends its processes.

    Args:
        kind: ``serial`` (no processes), ``process`` (a pool of freshly started processes; a
            script that uses it needs ``if __name__ == "__main__"``), or ``ray`` (the extra
            ``ray``; joins Ray where it runs already, else starts it on this machine).
        workers: processes at a time, >= 1; ``serial`` has none.

    Raises:
        ConfigError: no such kind, or less than one worker.
        MissingExtra: Ray is not installed.
    """
    if workers < 1:
        raise ConfigError(f"workers={workers} is less than 1; give the number of processes")
    if kind == "serial":
        return _serial()
    if kind == "process":
        return _processes(workers)
    if kind == "ray":
        return _ray(workers)
    raise ConfigError(f"executor={kind!r} is unknown; choose serial, process or ray")


class SerialExecutor:
    """Runs one task after the other on the calling thread."""

    def map(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        *,
        timeout_s: float | None = None,
    ) -> Iterator[R]:
        """Yield the results; see :class:`Executor`."""
        if timeout_s is not None:
            raise ConfigError(f"timeout_s={timeout_s} cannot be kept by the executor serial")
        for number, task in enumerate(tasks):
            try:
                result = function(task)
            except Exception as error:
                raise _failure(number, len(tasks), error) from error
            yield result


class ProcessExecutor:
    """Runs tasks in a pool of spawned processes, which inherit neither threads nor locks."""

    def __init__(self, workers: int) -> None:
        self._context = _RecordingContext()
        self._pool = ProcessPoolExecutor(workers, mp_context=self._context)

    def map(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        *,
        timeout_s: float | None = None,
    ) -> Iterator[R]:
        """Yield the results; see :class:`Executor`."""
        futures = [self._pool.submit(function, task) for task in tasks]
        try:
            for number, future in enumerate(futures):
                yield self._result(future, number, len(tasks), timeout_s)
        finally:
            for future in futures:
                future.cancel()

    def close(self, *, kill: bool = False) -> None:
        """End the processes: after the tasks that run now, or at once."""
        if kill:
            for process in self._context.started:
                process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _result(self, future: Future[R], number: int, tasks: int, timeout_s: float | None) -> R:
        try:
            return future.result(timeout=timeout_s)
        except BrokenProcessPool as error:
            raise WorkerFailed(
                f"task {number + 1} of {tasks}: a worker process died; look for a kill for want "
                f"of memory, and for a script without `if __name__ == '__main__'`"
            ) from error
        except Exception as error:
            if isinstance(error, TimeoutError) and not future.done():
                self.close(kill=True)
                raise _late(number, tasks, timeout_s) from error
            raise _failure(number, tasks, error) from error


class RayExecutor:
    """Runs tasks on Ray; the only code that imports it."""

    def __init__(self, workers: int) -> None:
        try:
            import ray
        except ModuleNotFoundError as error:
            raise MissingExtra("ray", "ray") from error
        self._ray = ray
        self._started_here = not ray.is_initialized()
        if self._started_here:
            ray.init(
                num_cpus=workers,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                # Ray takes 127.0.0.1 for the address of the network card
                _node_ip_address="127.0.0.2",
            )

    def map(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        *,
        timeout_s: float | None = None,
    ) -> Iterator[R]:
        """Yield the results; see :class:`Executor`."""
        if not tasks:
            return
        remote = self._ray.remote(function).options(max_retries=0)
        waiting = [remote.remote(task) for task in tasks]
        try:
            for number, reference in enumerate(waiting):
                yield self._result(reference, number, len(tasks), timeout_s)
        finally:
            _, unfinished = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
            for reference in unfinished:
                self._ray.cancel(reference, force=True)

    def close(self) -> None:
        """Stop Ray if this executor started it."""
        if self._started_here:
            self._ray.shutdown()

    def _result(
        self,
        reference: Any,  # noqa: ANN401 - Ray has no types here
        number: int,
        tasks: int,
        timeout_s: float | None,
    ) -> Any:  # noqa: ANN401 - whatever the function returned
        known = self._ray.exceptions
        try:
            return self._ray.get(reference, timeout=timeout_s)
        except known.GetTimeoutError as error:
            raise _late(number, tasks, timeout_s) from error
        except known.RayTaskError as error:
            raise _failure(number, tasks, error.cause) from error
        except known.RayError as error:
            raise WorkerFailed(f"task {number + 1} of {tasks}: Ray gave it up ({error})") from error


@contextmanager
def _serial() -> Iterator[Executor]:
    yield SerialExecutor()


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    executor = ProcessExecutor(workers)
    try:
        yield executor
    finally:
        executor.close()


@contextmanager
def _ray(workers: int) -> Iterator[Executor]:
    executor = RayExecutor(workers)
    try:
        yield executor
    finally:
        executor.close()


class _RecordingContext(SpawnContext):
    """Spawns processes and keeps them, so that one that never ends can be killed."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: ANN401 - the base class's name
        process = multiprocessing.get_context("spawn").Process(*args, **kwargs)
        self.started.append(process)
        return process


def _failure(number: int, tasks: int, error: BaseException) -> WorkerFailed:
    return WorkerFailed(f"task {number + 1} of {tasks} raised {type(error).__name__}: {error}")


def _late(number: int, tasks: int, timeout_s: float | None) -> WorkerFailed:
    return WorkerFailed(
        f"task {number + 1} of {tasks} was not done within timeout_s={timeout_s}; its process was "
        f"ended. Give it more time or make the tasks smaller"
    )
