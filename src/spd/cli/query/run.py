"""One photo, one question, and where its answer goes."""

import warnings
from pathlib import Path

from spd.cli.query.lens import check_camera, encode
from spd.cli.query.questions import Question, Typed
from spd.cli.query.written import Written
from spd.errors import PointError
from spd.photos.camera import CameraOptions
from spd.photos.reading import read_photo
from spd.predictors.model_options import ModelOptions


def query_image(
    image: Path, typed: Typed, model: ModelOptions, camera: CameraOptions, written: Written
) -> None:
    """Ask one photo and print, write or draw the answer.

    Raises:
        SPDError: on the first of all that a user can get wrong; before a model is loaded, as far as
            that shows by then.
    """
    question = typed.question()
    if question is None and (written.out is not None or not written.of_the_whole_photo):
        raise PointError(
            "no points; name some with --points 320,240 100.5,57 or --points-file; other questions "
            "are --box, --mask, --grid, --distance and --line"
        )
    written.check()
    with warnings.catch_warnings():  # of Pillow, about metadata; what matters is an error
        warnings.simplefilter("ignore")
        photo = read_photo(image)
    if question is not None:
        question.check(photo.size)
    check_camera(camera, photo, needed_for=_needs_camera(question, written))
    located = model.locate()
    located.refuse_relative()
    scene = encode(located.load(), photo, camera)
    answered = None if question is None else question.ask(scene, camera.distortion)
    written.pictures(answered, scene, photo, image.name, camera.distortion)
    if question is not None and answered is not None:
        written.table(answered, question.noun)


def _needs_camera(question: Question | None, written: Written) -> str | None:
    """What cannot be said without the photo's focal length."""
    if question is not None and question.needs_camera:
        return "a distance in space"
    return None if written.cloud is None else f"a point cloud ({written.cloud})"
