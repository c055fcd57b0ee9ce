"""What is said of a made-up result is what its numbers say: ratios, targets, break-evens."""

import pytest

from helpers import made_up
from research.performance.findings import Findings, meeting
from research.performance.targets import counted, targets
from research.performance.yardstick import Yardstick


def target(result, beginning):
    found = [t for t in targets(result) if t.what.startswith(beginning)]
    assert len(found) == 1, [t.what for t in targets(result)]
    return found[0]


@pytest.mark.parametrize(
    ("beginning", "reached", "verdict"),
    [
        ("multiply-adds a query", "0.160 M", "met"),
        ("K = 1,024 after encode, against the literal form, plain torch", "5.00x", "met"),
        (
            "K = 1,024 after encode, against the literal form, compiled",
            "4.00x (SPD in ONNX Runtime)",
            "missed",
        ),
        ("K = 1, against", "0.75x", "missed"),
        # 9.8 microseconds a query against 0.16 s / 16,384 = 9.77
        ("K = 1,000,000: linear", "1.00 times the time a query", "met"),
        ("K = 1,000,000: peak", "200 MB", "met"),
        ("dense at 350x476 against literal unfold, forward: 10x", "12.00x", "met"),
        (
            "dense at 350x476 against literal unfold, forward: a tenth",
            "0.08 of it (40 MB of 500 MB)",
            "met",
        ),
        ("dense at 350x476 against literal unfold, forward + backward: 4x", "3.00x", "missed"),
        ("image to 256 depths in bfloat16", "no such instructions", "not measured"),
        ("image to 256 depths in int8", "4.50x (onnxruntime)", "met"),
        (
            "everything after the encoder, torch float32",
            "4.9%; 2.20x against the peer",
            "met",
        ),
        (
            "everything after the encoder, onnxruntime int8",
            "10.0%; 0.95x against the peer",
            "missed",
        ),
        ("`spd query` from the shell, shipped model, onnxruntime", "1.50 s", "met"),
        ("`spd query` from the shell, shipped model, torch", "9.00 s", "missed"),
    ],
)
def test_a_target_is_judged_by_the_numbers(beginning, reached, verdict):
    judged = target(made_up.result(), beginning)
    assert (judged.reached, judged.verdict) == (reached, verdict)


def test_limits_are_those_of_arithmetic_or_of_the_encoder_alone():
    # 1,024 queries of 160,000 multiply-adds at 100 GFLOP/s take 3.28 ms; literal takes 50.
    assert target(made_up.result(), "K = 1,024 after encode, against the literal form, plain") \
        .limit.startswith("15x")  # fmt: skip
    assert target(made_up.result(), "image to 256 depths in int8").limit == (
        "5.00x, the encoder alone"
    )
    assert target(made_up.result(), "everything after the encoder, onnxruntime").limit == (
        "5.0% of the multiply-adds"
    )


def test_a_literal_form_that_is_slow_beside_us_counts_as_the_yardstick_may_be():
    # At 100 GFLOP/s 40.6 ms of 136 GFLOP/s are 55.2, and 1.2 times that 66.3; ours take 10.
    slow = made_up.result()
    literal = next(r for r in slow["query"] if (r["form"], r["points"]) == ("literal", 1024))
    literal["median_s"] = 0.08
    judged = target(slow, "K = 1,024 after encode, against the literal form, plain torch")
    assert judged.reached == "6.63x; of the literal form's 80.0 ms 66.3 count"
    dense = next(r for r in slow["passes"] if (r["what"], r["form"]) == ("dense", "literal"))
    dense["median_s"] = 2.0  # 0.938 s likewise 1.531; ours take 0.1
    beginning = "dense at 350x476 against literal unfold, forward: 10x"
    assert target(slow, beginning).reached == "15.31x"
    slow["size"] = [364, 490]  # where nothing is known of the yardstick, all of it counts
    assert target(slow, beginning.replace("350x476", "364x490")).reached == "20.00x"


def test_a_compiled_question_is_judged_beside_the_graphs():
    row = {
        "form": "folded", "points": 1024, "first_s": 40.0,
        "plain": made_up.timed(0.015), "compiled": made_up.timed(0.005),
    }  # fmt: skip
    judged = target(
        made_up.result(compiled=[row]), "K = 1,024 after encode, against the literal form, compiled"
    )
    assert judged.reached == "10.00x (torch.compile, SPD, plain torch)"
    assert judged.verdict == "met"


def test_our_own_kernel_is_a_compiled_question_and_no_plain_torch():
    measured = made_up.result()
    default = next(r for r in measured["query"] if (r["form"], r["points"]) == ("default", 1024))
    default |= {"median_s": 0.004, "native": True}
    beginning = "K = 1,024 after encode, against the literal form, "
    judged = target(measured, f"{beginning}compiled")
    assert (judged.reached, judged.verdict) == ("12.50x (SPD's own kernel)", "met")
    assert target(measured, f"{beginning}plain torch").reached == "5.00x"


def test_nothing_measured_is_nothing_met():
    bare = made_up.result(query=[], passes=[], pipelines=[], start=[])
    assert {t.verdict for t in targets(bare)} == {"not measured"}
    assert counted(targets(bare)) == f"{len(targets(bare))} not measured"


@pytest.mark.parametrize(
    ("change", "verdict"), [(1.009, "met"), (1.011, "missed"), (0.98, "missed")]
)
def test_accuracy_is_judged_by_the_largest_change(change, verdict):
    rows = [
        {"runtime": "openvino", "precision": precision, "share": share, "abs_rel": 0.2 * times}
        for precision, times in (("float32", 1.0), ("bfloat16", 1.001), ("int8", change))
        for share, times in ((1.0, times), (0.5, 2 * times))  # smaller photos are no precision
    ]
    measured = made_up.result(accuracy={"data": ["rooms:val"], "frames": 4, "rows": rows})
    assert target(measured, "shipped model in int8").verdict == verdict


def test_curves_meet_on_straight_lines_of_logarithms():
    # A curve through (10, 1) and (1,000, 100) rises as K / 10, so it reaches 10 at K = 100.
    assert meeting([(10, 1.0), (1000, 100.0)], lambda _: 10.0) == pytest.approx(100)
    assert meeting([(10, 1.0), (1000, 100.0)], lambda _: 200.0) is None
    assert meeting([(10, 1.0), (1000, 100.0)], lambda _: 0.5) == 10


def test_break_evens_of_the_made_up_result():
    meetings = Findings(made_up.result()).meetings()
    # From (1,024, 10 ms) to (16,384, 160 ms) time is K / 102,400 s: 0.1 s at K = 10,240.
    assert meetings["as long as SPD's dense map"] == pytest.approx(10_240)
    # The peer takes 0.9 s and the encoder 0.4: what is left, 0.5 s, is reached at K = 51,000.
    assert meetings["image and points as long as the peer's map"] == pytest.approx(51_100, rel=0.01)


def test_a_yardstick_as_fast_as_expected_is_accepted_on_any_machine():
    assert Yardstick(136e9, {"query": 0.0406, "dense": 0.938}).fast_enough
    half_as_fast = Yardstick(68e9, {"query": 1.19 * 0.0812, "dense": 1.876})
    assert half_as_fast.fast_enough


def test_a_slow_yardstick_is_refused_with_both_numbers_and_what_to_do():
    slow = Yardstick(272e9, {"query": 0.0203, "dense": 0.6})
    assert slow.slowness("dense") == pytest.approx(1.279, abs=1e-3)
    assert not slow.fast_enough
    message = str(slow.refusal("3.7"))
    assert "20.3 ms (K = 1,024) and 600.0 ms (dense, 350x476)" in message
    assert "20.3 ms (K = 1,024) and 469.0 ms (dense, 350x476) expected at the 272" in message
    assert "end other programs" in message
    assert "load average 3.7" in message
    assert "\n" not in message
