"""The charts of an experiment: errors by distance to edges, and differences with intervals."""

from spd.report.charts import (
    Chart,
    Legend,
    Mark,
    column,
    guide,
    number_axis,
    row,
    word_axis,
)
from spd.report.curves import edges_chart
from spd.report.experiment_results import Compared, Experiment
from spd.report.experiment_tables import BANDS

_COLOURS = 6
_APART = 0.13
"""Between neighbouring intervals, of the distance between two words."""


def bands_chart(found: Experiment) -> Chart:
    """AbsRel of every variant by distance to the nearest true edge, means over seeds."""
    bands = [
        [{"band": band, "mean_abs_rel": _mean(found, name, band)} for band in BANDS]
        for name in found.numbers
    ]
    return edges_chart(bands, list(_looks(found).items()), ("mean",))


def differences_chart(found: Experiment) -> Chart | None:
    """The subject's AbsRel minus each other's, with intervals; None if nothing was compared."""
    words = {"AbsRel": "all"} | {f"AbsRel {band}": band for band in BANDS}
    every = {
        pair.other: {place: pair.of(number) for place, number in enumerate(words)}
        for pair in found.rivals
    }
    known = [one for of in every.values() for one in of.values() if one is not None]
    if not known:
        return None
    x = word_axis("distance to the nearest true depth edge", list(words.values()))
    low, high = min(0.0, *(c.low for c in known)), max(0.0, *(c.high for c in known))
    y = number_axis("difference in AbsRel", low, high)
    looks = _looks(found)
    marks, said = [guide(x, y, (x.low, x.high), (0.0, 0.0))], []
    for number, (other, of) in enumerate(every.items()):
        aside = (number - (len(every) - 1) / 2) * _APART
        for place, one in of.items():
            if one is None:
                continue
            across = float(column(x, place + aside))
            bottom, middle, top = row(y, (one.low, one.difference, one.high))
            hint = f"against {other}, {words[one.number]}: {_said(one)}"
            marks.append(
                Mark(f"line {looks[other]}", f"M{across:.1f} {bottom:.1f}V{top:.1f}", hint)
            )
            marks.append(Mark(f"dots {looks[other]}", f"M{across:.1f} {middle:.1f}h0", hint))
            said.append(hint)
    legend = tuple(Legend(f"line {looks[other]}", f"against {other}") for other in every)
    note = (
        f"AbsRel of {found.subject} minus the other's, with its 95 % interval. Below the line "
        f"{found.subject} is better; where an interval crosses it, that is undecided."
    )
    title = f"{found.subject} against the others"
    return Chart(title, "; ".join(said), x, y, tuple(marks), legend, note)


def _said(one: Compared) -> str:
    return f"{one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f}), {one.verdict}"


def _looks(found: Experiment) -> dict[str, str]:
    """A look of each variant, the same in every chart."""
    return {
        name: f"series-{n % _COLOURS}" + (" dashed" if n >= _COLOURS else "")
        for n, name in enumerate(found.numbers)
    }


def _mean(found: Experiment, name: str, band: str) -> float | None:
    spread = found.numbers[name].get(f"AbsRel {band}")
    return None if spread is None else spread.mean
