"""The oracle: sections 6 and 8 of the specification for one query, in plain loops.

Written from the equations and calling none of the package's model code. Slow on purpose. Works
in the dtype of what it is given (float64 in the tests) and is differentiable by torch.

Conventions where the specification is open (`docs/conventions.md`): cell x of a map with w
columns is `(u + 0.5) * w / W - 0.5`; sampling is bilinear with border padding.
"""

import math

import torch
from torch import Tensor

WINDOW = 5
HEADS = 4


def sample(feature_map: Tensor, x: float, y: float) -> Tensor:
    """Bilinear, border-padded value of a `[D, h, w]` map at index coordinates (x, y)."""
    _, h, w = feature_map.shape
    x = min(max(x, 0.0), w - 1.0)
    y = min(max(y, 0.0), h - 1.0)
    x0, y0 = math.floor(x), math.floor(y)
    x1, y1 = min(x0 + 1, w - 1), min(y0 + 1, h - 1)
    fx, fy = x - x0, y - y0
    return (
        (1 - fy) * (1 - fx) * feature_map[:, y0, x0]
        + (1 - fy) * fx * feature_map[:, y0, x1]
        + fy * (1 - fx) * feature_map[:, y1, x0]
        + fy * fx * feature_map[:, y1, x1]
    )


def tokens(feature_map: Tensor, u: float, v: float, image_size: tuple[int, int]) -> list[Tensor]:
    """The 25 features around a pixel, on the map's own lattice, row by row."""
    _, h, w = feature_map.shape
    x = (u + 0.5) * w / image_size[1] - 0.5
    y = (v + 0.5) * h / image_size[0] - 0.5
    reach = WINDOW // 2
    return [
        sample(feature_map, x + dx, y + dy)
        for dy in range(-reach, reach + 1)
        for dx in range(-reach, reach + 1)
    ]


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean()
    return centred / torch.sqrt((centred * centred).mean() + 1e-5) * weight + bias


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def stage(
    weights: dict[str, Tensor],
    name: str,
    query: Tensor,
    keys: list[Tensor],
    seen: list[Tensor],
) -> Tensor:
    """Section 6.5 / 6.6: one query against its keys, K and V projected token by token.

    Every head's attention weights are appended to `seen`.
    """

    def linear(layer: str, x: Tensor) -> Tensor:
        return weights[f"{name}.{layer}.weight"] @ x + weights[f"{name}.{layer}.bias"]

    def norm(layer: str, x: Tensor) -> Tensor:
        return layer_norm(x, weights[f"{name}.{layer}.weight"], weights[f"{name}.{layer}.bias"])

    q = linear("q_proj", norm("norm_q", query))
    k = [linear("k_proj", key) for key in keys]
    v = [linear("v_proj", key) for key in keys]
    size = q.shape[0] // HEADS
    read = []
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        scores = torch.stack([(q[part] * key[part]).sum() / math.sqrt(size) for key in k])
        exponentials = torch.exp(scores - scores.max())
        attention = exponentials / exponentials.sum()
        seen.append(attention.detach())
        read.append(sum(a * value[part] for a, value in zip(attention, v, strict=True)))
    query = query + linear("out_proj", torch.cat(read))
    hidden = gelu(linear("ffn.0", norm("norm_ffn", query)))
    return query + linear("ffn.2", hidden)


def depth_at(
    weights: dict[str, Tensor],
    s8: Tensor,
    l2: Tensor,
    l1: Tensor,
    image_size: tuple[int, int],
    u: float,
    v: float,
    seen: list[Tensor] | None = None,
) -> Tensor:
    """Metres at one pixel, from `local_path.*` weights and `[D, h, w]` maps of one image."""
    seen = [] if seen is None else seen
    place = weights["position_embedding"]
    scale = weights["scale_embedding"]

    def keys(feature_map: Tensor, row: int) -> list[Tensor]:
        features = tokens(feature_map, u, v, image_size)
        return [f + scale[row] + place[n] for n, f in enumerate(features)]

    _, h, w = s8.shape
    query = sample(s8, (u + 0.5) * w / image_size[1] - 0.5, (v + 0.5) * h / image_size[0] - 0.5)
    query = stage(weights, "stage1", query, keys(s8, 0) + keys(l2, 1), seen)
    query = stage(weights, "stage2", query, keys(l1, 2), seen)
    hidden = torch.relu(weights["head.0.weight"] @ query + weights["head.0.bias"])
    out = (weights["head.2.weight"] @ hidden + weights["head.2.bias"])[0]
    return torch.logaddexp(out, torch.zeros_like(out))  # softplus
