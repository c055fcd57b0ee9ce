"""A result of the inference benchmark whose every ratio can be worked out by hand."""

from research.performance.findings import FORMAT
from spd.config import ModelConfig


def timed(median_s, **about):
    return about | {
        "median_s": median_s,
        "quartiles_s": [0.9 * median_s, 1.2 * median_s],
        "repeats": 15,
    }


def question(form, points, median_s, macs=None, extra=None):
    return timed(median_s, form=form, points=points, macs=macs, extra_bytes=extra)


def pipeline(network, runtime, precision, whole_s, encode_s=None, macs=25_000_000_000):
    encode = {}
    if encode_s is not None:
        encode = {"encode": timed(encode_s), "encoder": timed(encode_s - 0.01)}
    return {
        "network": network,
        "runtime": runtime,
        "precision": precision,
        "rate": 100e9,
        "extra_bytes": 50_000_000,
        "macs": macs,
        "whole": timed(whole_s),
        **encode,
    }


def result(**changes):
    """100 GFLOP/s; K = 1,024 is 5x, dense 12x, and int8 4.5x as fast as what they are beside."""
    made = {
        "format": FORMAT,
        "machine": {
            "processor": "Abacus", "cores": 2, "torch_threads": 2, "vector_instructions": "AVX2",
            "gpu": "none", "spd": "1", "torch": "2", "python": "3", "load_average": "0.1",
            "transformers": "5", "onnxruntime": "1", "openvino": "2026", "threads": 2,
        },
        "load_average_after": "0.2",
        "model": ModelConfig().to_dict(),
        "size": [350, 476],
        "effort": {"repeats": 15, "seconds": 20.0, "short_s": 0.5},
        "yardstick": {"rate": 100e9, "query": timed(0.05), "dense": timed(1.2)},
        "left_out": [{"what": "openvino bfloat16", "why": "no such instructions"}],
        "query": [
            question("default", 1, 0.0008, 700_000),
            question("literal", 1, 0.0006, 733_440),
            question("default", 1024, 0.010, 160_000, 30_000_000),
            question("folded", 1024, 0.010, 160_000, 30_000_000),
            question("literal", 1024, 0.050, 733_440, 90_000_000),
            question("v15.1", 1024, 0.4, 8_480_288, 90_000_000),
            question("onnxruntime", 1024, 0.0125),
            question("default", 16384, 0.16, 160_000, 40_000_000),
            question("folded", 16384, 0.16, 160_000, 40_000_000),
            question("literal", 16384, 0.8, 733_440, 90_000_000),
            question("default", 1_000_000, 9.8, 160_000, 200_000_000),
            question("folded", 1_000_000, 9.8, 160_000, 200_000_000),
        ],
        "passes": [
            timed(0.1, what="dense", form="default", extra_bytes=40_000_000),
            timed(1.2, what="dense", form="literal", extra_bytes=500_000_000),
            timed(0.5, what="dense+backward", form="default", extra_bytes=60_000_000),
            timed(1.5, what="dense+backward", form="literal", extra_bytes=1_500_000_000),
        ],
        "pipelines": [
            pipeline("spd", "torch", "float32", 0.41, 0.40),
            pipeline("spd", "onnxruntime", "int8", 0.20, 0.19, macs=20_000_000_000),
            pipeline("peer", "torch", "float32", 0.90),
            pipeline("peer", "onnxruntime", "int8", 0.19),
            pipeline("encoder", "torch", "float32", 0.39),
            pipeline("encoder", "onnxruntime", "int8", 0.18, macs=19_000_000_000),
        ],
        "resolutions": [
            {"size": [168, 224], "encode": timed(0.1), "points": timed(0.11), "dense": timed(0.02),
             "peer": timed(0.2)},
            {"size": [350, 476], "encode": timed(0.4), "points": timed(0.41), "dense": timed(0.1),
             "peer": timed(0.9)},
        ],
        "start": [
            timed(0.3, command="spd --version"),
            timed(9.0, command="spd query, torch"),
            timed(1.5, command="spd query, onnxruntime"),
        ],
        "training": {
            "recipe": "nyu_v15_2", "batch_size": 2, "steps": 5, "step_s_median": 3.8,
            "step_s_quartiles": [3.7, 3.9], "images_per_s": 0.5, "waiting_share": 0.0,
            "peak_bytes": 2_800_000_000, "standing_bytes": 500_000_000, "estimated_bytes": 1,
        },
    }  # fmt: skip
    return made | changes
