"""The specification implemented literally: the baseline that every other form is compared with.

Points follow section 8: 75 tokens of every query sampled with `grid_sample`, keys and values
projected token by token, attention. Whole maps follow section 7.1: upsample, project, unfold,
attention. Both are written as fast as that allows, for a fair comparison: maps with channels last,
tokens with channels first as `grid_sample` and `unfold` return them, and products and sums instead
of fused attention, which takes twenty times as long for a single query. The depth equals that of
`SPD.query` and `SPD.dense`.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from spd.errors import ConfigError
from spd.geometry import resize_bilinear
from spd.models.decoder.attention_stage import CrossAttentionStage
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.decoder.local_path import head_depth_m
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

CHUNK = 512  # queries; the fastest of 32 to 1024 on two cores: 10 MB of keys and values


def literal_query(
    model: SPD, maps: FeatureMaps, points: Float[Tensor, "b k 2"]
) -> Float[Tensor, "b k"]:
    """Depth in metres at points that lie inside the image (specification, section 8)."""
    path = _cross_attention(model)
    return torch.cat([_query(path, maps, chunk) for chunk in points.split(CHUNK, dim=1)], dim=1)


def literal_dense(model: SPD, maps: FeatureMaps) -> Float[Tensor, "b 1 h4 w4"]:
    """Depth in metres at every cell of L1 (specification, 7.1).

    Windows of s8 and L2 have dilation 2 on the finer grid, where their own cells lie; otherwise
    dense and sparse modes would be different functions.
    """
    path = _cross_attention(model)
    size = (maps.l1.shape[-2], maps.l1.shape[-1])
    s8, l2 = (resize_bilinear(coarse, size) for coarse in (maps.stride_8_map, maps.l2))
    query = s8.flatten(2).transpose(1, 2)  # [B, Y X, D]
    query = _read_dense(path, path.stage1, query, [(s8, path.S8, 2), (l2, path.L2, 2)])
    query = _read_dense(path, path.stage2, query, [(maps.l1, path.L1, 1)])
    return head_depth_m(path.head, query).unflatten(1, size)[:, None]


def _query(path: CrossAttentionPath, maps: FeatureMaps, points: Tensor) -> Tensor:
    s8, l2, l1 = (
        _tokens(feature_map, points, maps.image_size, path.window)
        for feature_map in (maps.stride_8_map, maps.l2, maps.l1)
    )
    query = s8[..., path.window**2 // 2].transpose(1, 2).contiguous()
    coarse = [s8.add_(_key(path, path.S8)), l2.add_(_key(path, path.L2))]
    query = _read(path.stage1, query, coarse)
    query = _read(path.stage2, query, [l1.add_(_key(path, path.L1))])
    return head_depth_m(path.head, query)


def _tokens(
    feature_map: Float[Tensor, "b d h w"],
    points: Float[Tensor, "b k 2"],
    image_size: tuple[int, int],
    window: int,
) -> Float[Tensor, "b d k n"]:
    """Sample the window around each point, every token separately."""
    rows, columns = feature_map.shape[-2:]
    cells = points.new_tensor([columns, rows])
    steps = torch.arange(window, device=points.device, dtype=points.dtype) - window // 2
    down, right = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([right, down], dim=-1).flatten(0, 1)
    centre = (points + 0.5) * (cells / cells.new_tensor([image_size[1], image_size[0]])) - 0.5
    grid = (2 * (centre[:, :, None] + places) + 1) / cells - 1
    return F.grid_sample(
        feature_map, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def _read(
    stage: CrossAttentionStage,
    query: Float[Tensor, "b k d"],
    sources: list[Float[Tensor, "b d k n"]],
) -> Float[Tensor, "b k d"]:
    """Attend with keys and values of every token projected for this query alone (6.5, 6.6)."""
    heads = (stage.heads, -1)
    q = stage.q_proj(stage.norm_q(query)).transpose(1, 2).unflatten(1, heads)[..., None]
    scores = [
        (q * _projected(stage.k_proj, tokens).unflatten(1, heads)).sum(dim=2) for tokens in sources
    ]
    weights = (torch.cat(scores, dim=-1) / math.sqrt(stage.head_width)).softmax(dim=-1)
    read = [
        (part[:, :, None] * _projected(stage.v_proj, tokens).unflatten(1, heads)).sum(dim=-1)
        for part, tokens in zip(weights.chunk(len(sources), dim=-1), sources, strict=True)
    ]
    return _finish(stage, query, torch.stack(read).sum(dim=0).flatten(1, 2).transpose(1, 2))


def _projected(
    projection: torch.nn.Linear, tokens: Float[Tensor, "b d k n"]
) -> Float[Tensor, "b d k n"]:
    """Project as a convolution; a linear layer would first move the channels last."""
    return F.conv2d(tokens, projection.weight[:, :, None, None], projection.bias)


def _read_dense(
    path: CrossAttentionPath,
    stage: CrossAttentionStage,
    query: Float[Tensor, "b p d"],
    sources: list[tuple[Tensor, int, int]],
) -> Float[Tensor, "b p d"]:
    """Attend over whole maps, projected and then unfolded.

    Sources (map, row of the embedding, dilation) are read one after the other, with positions
    innermost: joining the unfolded sources, or moving their channels last for fused attention,
    copies 87 MB a source (350x476) and takes twice as long.
    """
    q = stage.q_proj(stage.norm_q(query)).transpose(1, 2).unflatten(1, (stage.heads, -1, 1))
    scores = [
        (q * _unfold(path, stage.k_proj, stage.heads, *source)).sum(dim=2) for source in sources
    ]
    weights = (torch.cat(scores, dim=2) / math.sqrt(stage.head_width)).softmax(dim=2)
    read = [
        (part[:, :, None] * _unfold(path, stage.v_proj, stage.heads, *source)).sum(dim=3)
        for part, source in zip(weights.chunk(len(sources), dim=2), sources, strict=True)
    ]
    return _finish(stage, query, torch.stack(read).sum(dim=0).flatten(1, 2).transpose(1, 2))


def _unfold(
    path: CrossAttentionPath,
    projection: torch.nn.Linear,
    heads: int,
    feature_map: Float[Tensor, "b d y x"],
    row: int,
    dilation: int,
) -> Float[Tensor, "b heads e n p"]:
    """The projected window of every position, borders repeated: 25 copies of the map."""
    embedded = feature_map + path.scale_embedding[row][:, None, None]
    projected = F.conv2d(embedded, projection.weight[:, :, None, None], projection.bias)
    padded = F.pad(projected, (path.window // 2 * dilation,) * 4, mode="replicate")
    unfolded = F.unfold(padded, path.window, dilation=dilation)  # [B, D n, P]
    places = (path.position_embedding @ projection.weight.T).T[..., None]  # [D, n, 1]
    windows = unfolded.unflatten(1, (projected.shape[1], -1)).add_(places)
    return windows.unflatten(1, (heads, -1))


def _finish(stage: CrossAttentionStage, query: Tensor, values: Tensor) -> Tensor:
    query = query + stage.out_proj(values)
    return query + stage.ffn(stage.norm_ffn(query))


def _key(path: CrossAttentionPath, source: int) -> Float[Tensor, "d 1 n"]:
    return (path.scale_embedding[source] + path.position_embedding).T[:, None]


def _cross_attention(model: SPD) -> CrossAttentionPath:
    path = model.local_path
    if not isinstance(path, CrossAttentionPath):
        raise ConfigError(
            f"the specification's form is that of cross_attention, not of {model.config.local_path}"
        )
    return path
