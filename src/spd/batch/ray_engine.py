"""The same through Ray Data, on one machine or many; every actor holds the network once.

Photos and the model must be where the actors are under the same paths. What is sent are all
questions once to every machine, numbers of tasks, and answers.
"""

import importlib.util
import itertools
import logging
import os
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np

from spd.batch.asking import Answer, Computation, ask
from spd.batch.grouping import Questions
from spd.errors import BatchError, ConfigError, SPDError

_MOST_BLOCKS = 10_000  # Ray keeps books on each


def check_ray() -> None:
    """Refuse the engine where Ray is not installed.

    Raises:
        ConfigError: saying what to install.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError('--engine ray needs Ray; pip install "spd[ray]" brings it')


def answers_of_ray(
    computed: Computation, questions: Questions, tasks: Sequence[int], workers: int
) -> Generator[Answer, None, None]:
    """By up to `workers` actors of the cluster that RAY_ADDRESS names, or of one started here.

    Raises:
        BatchError: if Ray fails.
    """
    import ray

    started = not ray.is_initialized()
    threads = computed.threads or 1  # what an actor reserves; Ray lets it take no more by itself
    if started:
        _connect(workers * threads)
    context = ray.data.DataContext.get_current()
    shown, context.enable_progress_bars = context.enable_progress_bars, False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        answered = ray.data.from_items(
            list(tasks), override_num_blocks=min(len(tasks), _MOST_BLOCKS)
        ).map_batches(
            Asker,
            batch_size=1,
            batch_format="pyarrow",
            fn_args=([ray.put(questions)],),  # in a list they are sent as a reference
            fn_constructor_args=(computed,),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(workers, len(tasks))),
            num_cpus=threads,
            num_gpus=1 if str(computed.device).startswith("cuda") else None,
        )
        for table in answered.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from _answers(table)
    except (ray.exceptions.RayError, ray.exceptions.UserCodeException) as error:
        reason = " ".join(str(error).split())
        raise BatchError(f"Ray stopped: {reason[-400:]}; the same command goes on") from None
    finally:
        context.enable_progress_bars = shown
        if started:
            ray.shutdown()


def _connect(cpus: int) -> None:
    import ray

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
        return
    # Ray writes an error for every actor that was given anything; what happens to it is told here.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent from here
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)


class Asker:
    """What an actor is: the network, and the questions of all tasks once it has seen one."""

    def __init__(self, computed: Computation) -> None:
        computed.limit()
        self._failed: str | None = None
        try:
            self._predictor = computed.open()
        except SPDError as error:  # raised here it would become a page of Ray's
            self._failed = str(error)
        self._questions: Questions | None = None

    def __call__(self, batch: Any, questions: list[Any]) -> Any:
        """The answers to a batch of one task, as a table."""
        import ray

        if self._questions is None:
            self._questions = ray.get(questions[0])
        (task,) = batch["item"].to_pylist()
        if self._failed is None:
            try:
                return _as_table(ask(self._predictor, self._questions.of_task(task)))
            except SPDError as error:
                self._failed = str(error)
        nothing = np.zeros(1, dtype=np.float32)
        failed = Answer(
            task=task,
            points=np.zeros((1, 2)),
            depth_m=nothing,
            range_m=nothing,
            errors=[None],
            notes=[],
        )
        return _as_table(failed, self._failed)


def _as_table(answer: Answer, failed: str | None = None) -> Any:
    import pyarrow as pa

    rows = len(answer.errors)
    notes = "\n".join(answer.notes)
    return pa.table(
        {
            "task": pa.array(np.full(rows, answer.task)),
            "u": answer.points[:, 0],
            "v": answer.points[:, 1],
            "depth_m": answer.depth_m,
            "range_m": answer.range_m,
            "error": pa.array(answer.errors, pa.string()),
            "notes": pa.array([notes] * rows, pa.string()),
            "failed": pa.array([failed] * rows, pa.string()),
        }
    )


def _answers(table: Any) -> Iterator[Answer]:
    """The answers in a table of whole tasks, one below the other.

    Raises:
        BatchError: if an actor could not answer at all.
    """
    failed = table["failed"].drop_null()
    if len(failed):
        raise BatchError(failed[0].as_py())
    tasks = table["task"].to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(tasks)) + 1).tolist(), len(tasks)]
    for first, end in itertools.pairwise(starts):
        own = table.slice(first, end - first)
        yield Answer(
            task=int(tasks[first]),
            points=np.stack([own["u"].to_numpy(), own["v"].to_numpy()], axis=1),
            depth_m=np.array(own["depth_m"].to_numpy()),
            range_m=np.array(own["range_m"].to_numpy()),
            errors=own["error"].to_pylist(),
            notes=[note for note in own["notes"][0].as_py().split("\n") if note],
        )
