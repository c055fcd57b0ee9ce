"""The published programs' numbers, computed with their formulas outside this repository.

Depth Pro's `SI_boundary_F1` (apple/ml-depth-pro, src/depth_pro/eval/boundary_metrics.py), MoGe's
`boundary_f1` (microsoft/MoGe, moge/test/metrics.py), and the depth boundary errors of TUM's
evaluate_ibims_error_metrics.py and of the SharpNet family, both with `feature.canny` of
scikit-image 0.26. MoGe calls recall what is precision, and the other way round (it divides by the
predicted boundaries for recall); the expected numbers stand under their usual names.
"""

import numpy as np
import pytest

from spd.evaluation.metrics.boundary_canny import canny_edges
from spd.evaluation.metrics.boundary_distance import SHARPNET, TUM, edge_distances, find_edges
from spd.evaluation.metrics.boundary_pairs import disc_scores, neighbour_scores

# Rows and columns of four objects, their depth in metres, and how the prediction moves them.
OBJECTS = (
    (slice(6, 25), slice(8, 24), 1.25, (0, 1)),
    (slice(15, 42), slice(34, 49), 1.75, (1, 0)),
    (slice(30, 44), slice(5, 28), 2.25, (2, -2)),
    (slice(4, 13), slice(44, 58), 3.5, (0, 1)),
)


def noise(shape: tuple[int, int], seed: int) -> np.ndarray:
    """In 0..1, from whole numbers alone, so that no generator's stream has a say."""
    index = np.arange(seed, seed + shape[0] * shape[1], dtype=np.uint64).reshape(shape)
    return (index * np.uint64(2654435761) % np.uint64(2**32)).astype(np.float64) / 2**32


def room(moved: bool, share: float, seed: int) -> np.ndarray:
    """48 x 64: a wall that recedes from 3 to 4 m behind the objects, and noise of `share`."""
    depth_m = np.linspace(3, 4, 64)[None].repeat(48, axis=0)
    for rows, columns, metres, (down, right) in OBJECTS:
        down, right = (down, right) if moved else (0, 0)
        depth_m[
            rows.start + down : rows.stop + down, columns.start + right : columns.stop + right
        ] = metres
    return depth_m * (1 + share * (noise(depth_m.shape, seed) - 0.5))


TRUTH = room(moved=False, share=0.02, seed=1)
SHARP = room(moved=True, share=0.12, seed=5000)
# The mean of three columns: edges blurred as networks blur them.
BLURRED = (np.roll(SHARP, 1, axis=1) + SHARP + np.roll(SHARP, -1, axis=1)) / 3
CONSTANT = np.full(TRUTH.shape, 2.0)
FULL = np.ones(TRUTH.shape, dtype=bool)
HOLES = FULL.copy()
HOLES[10:14, 20:30] = HOLES[28:36, 47:52] = HOLES[0:8, 56:] = False
# As a person would draw them: the outermost pixels of each object.
DRAWN = np.zeros(TRUTH.shape, dtype=bool)
for rows, columns, _, _ in OBJECTS:
    DRAWN[[rows.start, rows.stop - 1], columns] = True
    DRAWN[rows, columns.start] = DRAWN[rows, columns.stop - 1] = True


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        (SHARP, (0.31681535471902944, 0.3773560842276269, 0.3326869604615648)),
        (BLURRED, (0.29413651524847717, 0.5144010274012304, 0.3730597287342384)),
        (TRUTH, (1, 1, 1)),
        (CONSTANT, (0, 0, 0)),
        # One or two metres, pixel by pixel.
        (
            np.where(noise(TRUTH.shape, 77) < 0.5, 1.0, 2.0),
            (0.019384882710740778, 0.408341946116541, 0.03700717558458244),
        ),
        (
            np.where(np.indices(TRUTH.shape).sum(axis=0) % 2, 1.0, 1.2),
            (0.013843308420089179, 0.34644471510505465, 0.026618951881045183),
        ),
    ],
    ids=["sharp", "blurred", "truth", "constant", "two values", "checkerboard"],
)
def test_depth_pros_numbers(predicted, expected):
    assert neighbour_scores(predicted, TRUTH, FULL) == pytest.approx(expected, abs=1e-6)


MOGE = [
    # Prediction, mask, radius; then precision, recall, F1 with the names the right way round.
    (SHARP, FULL, 1, (0.3267456481025604, 0.36733980163429697, 0.3339251315628839)),
    (SHARP, HOLES, 1, (0.31307928400936513, 0.35189214333101115, 0.31952802272141634)),
    (SHARP, FULL, 2, (0.38446669521847937, 0.4315603499730684, 0.3980208305243277)),
    (SHARP, HOLES, 2, (0.36920525523581793, 0.41504704517562624, 0.3821645449236226)),
    (SHARP, FULL, 3, (0.4928964630603097, 0.5083415740658568, 0.4928561102310143)),
    (SHARP, HOLES, 3, (0.4781204473112245, 0.49094882922811767, 0.476664328576142)),
    (BLURRED, FULL, 1, (0.30708527418250403, 0.5159605080157884, 0.3832268549376357)),
    (BLURRED, HOLES, 1, (0.3020875024861027, 0.49112008522662604, 0.3719929871952674)),
    (BLURRED, FULL, 2, (0.35812299207073256, 0.5523939923017132, 0.43320307781290185)),
    (BLURRED, HOLES, 2, (0.35324414803080373, 0.528053922793359, 0.42179728874777983)),
    (BLURRED, FULL, 3, (0.44721906813063333, 0.6053329170554567, 0.5133332260934913)),
    (BLURRED, HOLES, 3, (0.44356350037289893, 0.5810119378174046, 0.5018555601228005)),
    (TRUTH, HOLES, 2, (1, 1, 1)),
    (CONSTANT, HOLES, 2, (0, 0, 0)),
]


@pytest.mark.parametrize(("predicted", "valid", "radius_px", "expected"), MOGE)
def test_moges_numbers(predicted, valid, radius_px, expected):
    # They are sums in float32, which is good for 1e-7.
    scores = disc_scores(predicted, TRUTH, valid, radius_px)
    assert scores == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("predicted", "rule", "edges", "expected"),
    [
        (SHARP, TUM, 252, (1.0051609646021658, 1.061456712195963)),
        (SHARP, SHARPNET, 247, (1.0174111865576752, 1.0770279266274618)),
        (BLURRED, TUM, 258, (1.0250497703097448, 1.0557371342370578)),
        (BLURRED, SHARPNET, 224, (1.1136733961603311, 1.6970931128912168)),
        (TRUTH, TUM, 259, (0.29343629343629346, 0.3258313763652945)),
        (TRUTH, SHARPNET, 251, (0.30278884462151395, 0.3849539502990514)),
        (CONSTANT, TUM, 0, (10, 10)),
        (CONSTANT, SHARPNET, 0, (10, 10)),
    ],
)
def test_depth_boundary_errors_against_drawn_edges(predicted, rule, edges, expected):
    found = find_edges(predicted, FULL, rule)
    assert found.sum() == edges
    assert edge_distances(found, DRAWN, rule) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("image", "rule", "edges", "rows", "columns"),
    [
        # How many edge pixels, and the sums of their rows and columns.
        (SHARP, TUM, 229, 5953, 6195),
        (SHARP, SHARPNET, 217, 5899, 5603),
        (BLURRED, TUM, 234, 6095, 6240),
        (BLURRED, SHARPNET, 208, 5888, 4890),
        (TRUTH, TUM, 237, 5734, 6571),
        (TRUTH, SHARPNET, 218, 5646, 5665),
    ],
)
def test_edges_with_holes_are_those_of_scikit_image(image, rule, edges, rows, columns):
    normalised = (image - image.min()) / (image.max() - image.min())
    found = np.argwhere(canny_edges(normalised, HOLES, rule.low, rule.high))
    assert (len(found), *found.sum(axis=0)) == (edges, rows, columns)
