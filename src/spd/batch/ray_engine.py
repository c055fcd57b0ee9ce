"""The Ray engine: run tasks on one machine or many through Ray Data; each actor has the network.

Photos and the model must be at the same paths on every machine. All points are sent once to every
machine; after that, task numbers go out and answers come back.
"""

import logging
import os
import pickle
from collections.abc import Generator, Sequence
from typing import Any

from spd.batch.grouping import PhotoPoints
from spd.batch.tasks import TaskAnswer, answer_task
from spd.errors import BatchError, SPDError
from spd.predictors.model_options import ModelOptions

_MOST_BLOCKS = 10_000  # each costs Ray memory


def answers_of_ray(
    model: ModelOptions, photo_points: PhotoPoints, tasks: Sequence[int], workers: int
) -> Generator[TaskAnswer, None, None]:
    """Answer the tasks in up to `workers` actors of the cluster at RAY_ADDRESS or of a local one.

    Raises:
        BatchError: if Ray fails.
    """
    import ray

    started = not ray.is_initialized()
    threads = model.threads or 1  # cores that an actor reserves and may use
    if started:
        _connect(workers * threads)
    context = ray.data.DataContext.get_current()
    shown_before, context.enable_progress_bars = context.enable_progress_bars, False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        answered = ray.data.from_items(
            list(tasks), override_num_blocks=min(len(tasks), _MOST_BLOCKS)
        ).map_batches(
            TaskActor,
            batch_size=1,
            batch_format="pyarrow",
            fn_args=([ray.put(photo_points)],),  # in a list it is sent as a reference
            fn_constructor_args=(model,),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(workers, len(tasks))),
            num_cpus=threads,
            num_gpus=1 if str(model.device).startswith("cuda") else None,
        )
        for table in answered.iter_batches(batch_size=None, batch_format="pyarrow"):
            for pickled in table["answer"].to_pylist():
                answer = pickle.loads(pickled)
                if isinstance(answer, SPDError):
                    raise BatchError(str(answer))
                yield answer
    except (ray.exceptions.RayError, ray.exceptions.UserCodeException) as error:
        reason = " ".join(str(error).split())
        raise BatchError(
            f"Ray failed: {reason[-400:]}; run the same command again to continue"
        ) from None
    finally:
        context.enable_progress_bars = shown_before
        if started:
            ray.shutdown()


def _connect(cpus: int) -> None:
    import ray

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
        return
    # Ray logs an error for every actor with arguments; errors are reported here instead.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # send no usage statistics
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)


class TaskActor:
    """A Ray actor: the network, and all photos with their points from its first task on."""

    def __init__(self, model: ModelOptions) -> None:
        self._failed: SPDError | None = None
        try:
            location = model.locate()
            self._predictor = location.load()
        except SPDError as error:  # raised here it would be reported with a page of Ray's own text
            self._failed = error
        self._photo_points: PhotoPoints | None = None

    def __call__(self, batch: Any, photo_points: list[Any]) -> Any:
        """The pickled `TaskAnswer` of a batch of one task, or the error of the model."""
        import pyarrow as pa
        import ray

        if self._photo_points is None:
            self._photo_points = ray.get(photo_points[0])
        (task,) = batch["item"].to_pylist()
        answer: TaskAnswer | SPDError | None = self._failed
        if answer is None:
            try:
                answer = answer_task(self._predictor, self._photo_points.task(task))
            except SPDError as error:
                answer = self._failed = error
        return pa.table({"answer": pa.array([pickle.dumps(answer)], pa.binary())})
