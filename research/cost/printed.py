"""Every parameter, MAC and memory figure that the specification prints.

Keys are section/figure, as in `spd.cost`; "v15.1" is the specification of the convolutional
baseline. A figure that is printed twice has a second key that ends in `_rounded`. `DIFFERS` gives
the reason for every figure that the exact count does not round to.
"""

import dataclasses
import re
from collections.abc import Mapping

_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "%": 1.0, "x": 1.0}
_FIGURE = re.compile(r"~?([+-]?)([\d,]+)(?:\.(\d+))?([KMG%x]?)")


@dataclasses.dataclass(frozen=True, slots=True)
class Printed:
    """A figure as the specification writes it: `5,846M`, `~0.56M`, `-67%`, `11.6x`."""

    text: str
    quantum_override: float | None = None
    """One step of the last significant digit, for figures that end in rounded zeros."""

    @property
    def value(self) -> float:
        """The figure as a number."""
        sign, whole, decimals, suffix = self._parts()
        number = float(f"{whole.replace(',', '')}.{decimals or 0}") * _SCALE[suffix]
        return -number if sign == "-" else number

    @property
    def quantum(self) -> float:
        """One step of the last printed digit."""
        _, _, decimals, suffix = self._parts()
        if self.quantum_override is not None:
            return self.quantum_override
        return 10.0 ** -len(decimals or "") * _SCALE[suffix]

    def agrees_with(self, exact: float) -> bool:
        """Whether `exact`, rounded to the printed digits, gives this figure."""
        # A relative slack of 1e-9 for quanta such as 0.1, which binary floats only approximate.
        return abs(exact - self.value) <= self.quantum / 2 * (1 + 1e-9)

    def _parts(self) -> tuple[str, str, str | None, str]:
        match = _FIGURE.fullmatch(self.text)
        if match is None:
            raise ValueError(
                f"printed figure {self.text!r} is not a number with one of K, M, G, %, x"
            )
        sign, whole, decimals, suffix = match.groups()
        return sign, whole, decimals, suffix


def _section(name: str, figures: Mapping[str, str]) -> dict[str, Printed]:
    return {f"{name}/{key}": Printed(text) for key, text in figures.items()}


PRINTED: Mapping[str, Printed] = {
    **_section("3", {"encoder": "~22M"}),
    **_section(
        "4.3",
        {
            "projections": "98,560",
            "norms": "512",
            "l1_resize": "65,600",
            "l2_resize": "16,448",
            "l4_resize": "36,928",
            "total": "218,048",
        },
    ),
    **_section(
        "5.3",
        {"rcu": "73,856", "refinenet4": "78,016", "refinenet3": "151,872", "total": "229,888"},
    ),
    **_section(
        "6.9",
        {
            "scale_embedding": "192",
            "position_embedding": "1,600",
            "q_projection": "4,160",
            "k_projection": "4,160",
            "v_projection": "4,160",
            "out_projection": "4,160",
            "norms": "256",
            "ffn": "33,088",
            "stage2": "49,984",
            "head": "8,449",
            "total": "110,209",
            "change": "-67%",
        },
    ),
    "9/encoder": Printed("~22,000,000", quantum_override=1e6),
    **_section(
        "9",
        {
            "neck": "218,048",
            "global": "229,888",
            "local": "110,209",
            "total": "~22,558,145",
            "decoder": "558,145",
            "decoder_rounded": "~0.56M",
            "local_v15_1": "331,489",
            "local_change": "-67%",
            "decoder_v15_1": "779,425",
            "decoder_change": "-28%",
        },
    ),
    **_section("10.1", {"encoder": "24.9G", "neck": "0.16G", "global": "0.16G", "total": "25.22G"}),
    **_section(
        "10.2",
        {
            "stage1.q_projection": "4,096",
            "stage1.kv_projection": "409,600",
            "stage1.attention": "6,400",
            "stage1.out_projection": "4,096",
            "stage1.ffn": "32,768",
            "stage2.q_projection": "4,096",
            "stage2.kv_projection": "204,800",
            "stage2.attention": "3,200",
            "stage2.out_projection": "4,096",
            "stage2.ffn": "32,768",
            "head": "8,320",
            "sampling": "19,200",
            "total": "733K",
            "total_rounded": "0.73M",
        },
    ),
    **_section(
        "10.3",
        {
            "upsample": "7.0M",
            "stage1.kv_maps": "222.8M",
            "stage2.kv_maps": "111.4M",
            "stage1.each": "47,360",
            "stage1.positions": "644M",
            "stage2.each": "44,160",
            "stage2.positions": "601M",
            "head.each": "8,320",
            "head.positions": "113M",
            "resize": "0.7M",
            "total": "1,700M",
            "total_rounded": "1.70G",
            "kv_share": "84%",
        },
    ),
    **_section("10.4", {"dense_total": "26.92G", "break_even": "2,329"}),
    **_section("10.4", {"64.local": "0.047G", "64.total": "25.27G", "64.share": "93.9%"}),
    **_section("10.4", {"128.local": "0.094G", "128.total": "25.31G", "128.share": "94.0%"}),
    **_section("10.4", {"256.local": "0.187G", "256.total": "25.41G", "256.share": "94.4%"}),
    **_section("10.4", {"512.local": "0.374G", "512.total": "25.59G", "512.share": "95.1%"}),
    **_section("10.4", {"1024.local": "0.748G", "1024.total": "25.97G", "1024.share": "96.5%"}),
    **_section("10.4", {"2329.local": "1.70G", "2329.total": "26.92G", "2329.share": "100%"}),
    **_section(
        "10.5",
        {
            "local_v15_1": "331,489",
            "local": "110,209",
            "local_change": "-67%",
            "query_v15_1": "8.48M",
            "query": "0.73M",
            "query_change": "-91%",
            "query_factor": "11.6x",
            "dense_v15_1": "5,846M",
            "dense": "1,700M",
            "dense_change": "-71%",
            "dense_total_v15_1": "31.07G",
            "dense_total": "26.92G",
            "dense_total_change": "-13%",
            "break_even_v15_1": "689",
            "break_even": "2,329",
            "break_even_factor": "+3.4x",
        },
    ),
    **_section("10.6", {"kv_maps": "~0.01G", "optimiser": "~0.4G"}),
    **_section(
        "v15.1",
        {
            "rcu": "73,856",
            "out": "4,160",
            "head.conv1": "18,464",
            "head.conv2": "9,248",
            "head.conv3": "33",
            "total": "331,489",
            "decoder": "779,425",
            "sparse": "8.48M",
            "dense": "5,846M",
            "dense_total": "31.07G",
            "break_even": "689",
        },
    ),
}
"""Printed figures by key."""

_SHARED = (
    "The specification adds the rounded terms 24.9 + 0.16 + 0.16 = 25.22; unrounded: 25.256 G."
)
_QUERY = "The specification multiplies by the rounded 0.73 M; a query is 733,440 MACs."
_TOTAL = "Carries the shared 25.22 G of the specification, which is 25.256 G unrounded."
_ENCODER = (
    "The specification adds an exact decoder to an encoder rounded to 22,000,000; DINOv2 ViT-S/14 "
    "has 22,056,576 with its 518-px position table."
)
_KV_MAPS = "The printed figure is one image's six maps (0.0104 G); a batch of 2 has twice that."
_OPTIMISER = (
    "AdamW's two float32 moments take 0.18 G; the printed figure is near 0.36 G, which counts the "
    "float32 weights and gradients too."
)
_BREAK_EVEN = "1,700 / 0.73 = 2,329; unrounded, 1,699,687,200 / 733,440 = 2,317.4."

DIFFERS: Mapping[str, str] = {
    "9/total": _ENCODER,
    "10.1/total": _SHARED,
    "10.4/dense_total": _TOTAL,
    "10.4/64.total": _TOTAL,
    "10.4/128.total": _TOTAL,
    "10.4/256.local": _QUERY,
    "10.4/256.total": _TOTAL,
    "10.4/512.local": _QUERY,
    "10.4/512.total": _TOTAL,
    "10.4/1024.local": _QUERY,
    "10.4/1024.total": _TOTAL,
    "10.4/2329.local": _QUERY,
    "10.4/2329.total": _TOTAL,
    "10.4/break_even": _BREAK_EVEN,
    "10.5/dense_total_v15_1": _TOTAL,
    "10.5/dense_total": _TOTAL,
    "10.5/break_even": _BREAK_EVEN,
    "10.6/kv_maps": _KV_MAPS,
    "10.6/optimiser": _OPTIMISER,
    "v15.1/dense_total": _TOTAL,
}
"""Reasons by key, for every exact value that does not round to the printed figure."""
