"""What an experiment says of itself in words: its first sentences, its tiles, its facts."""

from collections.abc import Mapping, Sequence

from spd.evaluation.metrics.edges import BANDS_PX, band_name
from spd.experiment.names import EQUAL, NO_EDGES, decimals
from spd.report.experiment_results import Experiment, Spread
from spd.report.parts import Facts, Tile, Tiles

AT_EDGES = f"AbsRel {band_name(BANDS_PX[0])}"
"""The number that the claim about depth edges is decided by."""
SIGNS = {
    "ahead": "▲ ahead", "behind": "▼ behind", "undecided": "○ undecided", EQUAL: "= equal",
    NO_EDGES: f"= {NO_EDGES}",
}  # fmt: skip
_AGAINST = {
    "ahead": "ahead of", "behind": "behind", "undecided": "undecided against", EQUAL: "equal to",
}  # fmt: skip


def lead(found: Experiment) -> str:
    """The result in a few sentences."""
    rooms, seeds = found.config["held_out_rooms"], found.config["seeds"]
    own = found.numbers[found.subject]
    said = []
    if "AbsRel" in own:
        said.append(
            f"On {rooms:,} held-out rooms {found.subject} has AbsRel {_text(own, 'AbsRel')} over "
            f"{seeds} seeds{_standing(found, 'AbsRel')}."
        )
    if AT_EDGES in own:
        said.append(
            f"Within {BANDS_PX[0][1]:g} px of a depth edge it has {_text(own, AT_EDGES)}"
            f"{_standing(found, AT_EDGES)}."
        )
    if "AbsRel" in own:
        said.append(_beside_floors(found, own["AbsRel"].mean))
    return " ".join(sentence for sentence in said if sentence)


def _text(own: Mapping[str, Spread], number: str) -> str:
    return own[number].text(decimals(number))


def _standing(found: Experiment, number: str) -> str:
    """`: ahead of A, undecided against B and C`."""
    verdicts: dict[str, list[str]] = {verdict: [] for verdict in _AGAINST}
    for pair in found.rivals:
        compared = pair.of(number)
        if compared is not None:
            verdicts[compared.verdict].append(pair.other)
    said = [f"{_AGAINST[verdict]} {joined(names)}" for verdict, names in verdicts.items() if names]
    return f": {', '.join(said)}" if said else ""


def _beside_floors(found: Experiment, error: float) -> str:
    floors = found.floors.get("held_out", ())
    if not floors:
        return ""
    said = joined([f"“{floor['name']}” gets {floor['abs_rel']:.4f}" for floor in floors])
    lost = [f"“{floor['name']}”" for floor in floors if floor["abs_rel"] <= error]
    verdict = "they are beaten"
    if lost:
        verdict = "none is beaten" if len(lost) == len(floors) else f"{joined(lost)} is not beaten"
    return f"Of the floors, which see no photo, {said}: {verdict}."


def joined(names: Sequence[str]) -> str:
    """`a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def tiles(found: Experiment) -> Tiles:
    """The subject's error over all and at edges, beside what knows nothing."""
    own = found.numbers[found.subject]
    shown = [
        Tile(f"{found.subject}: {label}", f"{own[key].mean:.4f}", f"± {own[key].std:.4f}, {of}")
        for key, label, of in (
            ("AbsRel", "AbsRel", "all readings"),
            (AT_EDGES, "AbsRel at edges", f"within {BANDS_PX[0][1]:g} px of a depth edge"),
        )
        if key in own
    ]
    shown += [
        Tile(f"floor: {floor['name']}", f"{floor['abs_rel']:.4f}", "AbsRel, all readings")
        for floor in found.floors.get("held_out", ())
    ]
    return Tiles(tuple(shown))


def facts(found: Experiment) -> Facts:
    """What was compared, on which rooms, for how long, and on which machine."""
    config, machine = found.config, found.machine
    versions = [f"{key} {machine[key]}" for key in ("spd", "torch", "python") if key in machine]
    rows = [
        ("compared", "; ".join(found.numbers)),
        ("learned from", f"{config['train_rooms']:,} rendered rooms"),
        (
            "scored on",
            f"{config['held_out_rooms']:,} held-out rooms, {config['held_out_points']:,} readings "
            f"each; every pixel of {config['edge_rooms']:,} for boundaries",
        ),
        *((("also scored on", joined(found.extra)),) if found.extra else ()),
        ("seeds", f"{config['seeds']} of each head; trunk and rooms are the same for all"),
        (
            "steps of a head",
            f"{config['steps']:,}, of {config['batch_size']} images with "
            f"{config['points_per_image']} points each",
        ),
        ("trunk", _trunk(found)),
        ("latency on", _machine(found)),
        ("versions", ", ".join(versions)),
        ("finished", f"{found.finished:%d %B %Y, %H:%M} UTC"),
    ]
    return Facts(tuple(rows))


def settings(found: Experiment) -> Facts:
    """Every setting as it is written in the configuration."""
    rows = []
    for name, value in found.config.items():
        flat = "; ".join(str(one) for one in value) if isinstance(value, list) else value
        rows.append((name.replace("_", " "), "none" if flat in (None, "") else str(flat)))
    return Facts(tuple(rows))


def floors_words(found: Experiment) -> str:
    """What each floor is; empty where none was scored."""
    said = []
    for floor in found.floors.get("held_out", ()):
        metres = f"{floor['metres']:.3f} m everywhere, " if "metres" in floor else ""
        said.append(f"“{floor['name']}”: {metres}{floor['origin']}")
    return f"Floors see no photo. {'; '.join(said)}." if said else ""


def decision_words(found: Experiment) -> str:
    """How it is decided who is ahead, and what that does not say."""
    return (
        "A variant is ahead or behind in a number where the 95 % interval of the difference of the "
        f"means over {found.config['seeds']} seeds (Welch) leaves zero out; otherwise it is "
        "undecided, or equal where every seed of both has the same. The seeds are of the heads: "
        "there is one trunk and one set of rooms, so the interval does not say how another trunk "
        "would turn out. Many numbers are compared, so about one in twenty is decided by chance."
    )


def _trunk(found: Experiment) -> str:
    config = found.config
    if config["trunk_weights"] is not None:
        return f"encoder, neck and global path of {config['trunk_weights']}"
    changes = ", ".join(config["trunk"])
    return f"recipe rooms_trunk with {changes}" if changes else "recipe rooms_trunk"


def _machine(found: Experiment) -> str:
    machine = found.machine
    said = [str(machine.get("processor", "unknown"))]
    for key, words in (("cores", "{} cores"), ("torch_threads", "threads of torch: {}"),
                       ("load_average", "load {} when it was measured")):  # fmt: skip
        if key in machine:
            said.append(words.format(machine[key]))
    return ", ".join(said)
