"""A 480x640 frame from formulas alone, and what published evaluators say of it."""

import numpy as np


def published_maps(case: str) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction, float32; `hostile` predictions hold NaN, infinity, 0, -1 and 14 m."""
    v, u = np.mgrid[:480, :640].astype(np.float64)
    far = 5.0 * ((u // 80 + v // 60) % 2) * (u > 200)
    truth = 3.0 + 2.4 * np.sin(u / 37.0) * np.cos(v / 53.0) + far
    truth[(u * 7 + v * 13) % 11 == 0] = 0.0
    predicted = 0.9 * truth + 0.35 + 0.2 * np.sin(u * v / 997.0)
    predicted[truth == 0] = 2.5
    if case == "hostile":
        for k, period, value in (
            *((2, 101, -1.0), (3, 103, np.inf), (5, 107, np.nan)),
            *((7, 109, 0.0), (11, 113, 14.0)),
        ):
            predicted[(u + k * v) % period == 0] = value
    return truth.astype(np.float32), predicted.astype(np.float32)


PUBLISHED = {
    ("plain", "bts"): [
        *(0.0674117724, 0.0222383173, 0.317211152, 0.0930926975, 0.0279572459, 9.28838838),
        *(0.961688871, 0.994779582, 1),
    ],
    ("plain", "dav2"): [
        *(0.0682853566, 0.0223494698, 0.311413861, 0.0952353772, 0.0282006024, 0.0950025989),
        *(0.958591182, 0.994157865, 1),
    ],
    ("plain", "bts-median"): [
        *(0.0660665704, 0.0205834949, 0.279879705, 0.0945291664, 0.0270450958, 9.28838838),
        *(0.958068258, 0.993932902, 1),
    ],
    ("plain", "bts-lsq"): [
        *(0.0446945847, 0.00779829473, 0.156632732, 0.0632851056, 0.0193759065, 6.32850501),
        *(0.987589814, 1, 1),
    ],
    ("plain", "bts-lsq-disparity"): [
        *(0.0865097017, 0.0628112345, 0.670853738, 0.102825886, 0.0366578463, 10.1302829),
        *(0.99107477, 1, 1),
    ],
    ("hostile", "bts"): [
        *(0.132109576, 0.45568632, 1.2399292, 1.3962039, 0.134052709, 138.075491),
        *(0.920426053, 0.954775092, 0.960678467),
    ],
}
"""By case and protocol, in the order of `METRIC_NAMES`; nine digits.

Computed outside the repository, in float64, with the formulas of:
`bts`: compute_errors and the masks and clamps of eval.py, NeWCRFs (the same in compute_metrics of
ZoeDepth, whose Eigen crop it is); `dav2`: eval_depth of Depth Anything V2 (metric_depth/util); the
median ratio of monodepth2's evaluate_depth; align_affine_lstsq of MoGe for both least squares, in
inverse depth clamped at 1 / 10 m as MiDaS does on NYU.
"""
