"""The query of a v15.2 local path by the compiled kernel (`spd.models.kernel`).

The kernel answers for float32 maps on a CPU without gradients. `CrossAttentionPath.query` answers
in all other cases, and on machines without a C compiler; tests compare the two.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spd.models.decoder.attention_stage import CrossAttentionStage, FoldedStage
from spd.models.feature_maps import FeatureMaps
from spd.models.kernel.ask import ask
from spd.models.kernel.build import MULTIPLE, kernel

if TYPE_CHECKING:
    from spd.models.decoder.local_attn import CrossAttentionPath


def reason_against(path: "CrossAttentionPath", maps: FeatureMaps) -> str | None:
    """Why the kernel cannot answer, or None if it can; the first call compiles the kernel."""
    if torch.is_grad_enabled():
        return "gradients are enabled"
    if torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export():
        return "a graph is being traced"
    plain = (Tensor, nn.Parameter)  # other classes, such as fake tensors, may hold no data
    for one in (*maps.maps, path.scale_embedding):
        if type(one) not in plain or one.device.type != "cpu" or one.dtype != torch.float32:
            return "the kernel needs float32 maps and weights on the CPU"
    found = kernel(path.shape)
    return found if isinstance(found, str) else None


def answer(
    path: "CrossAttentionPath",
    weights: Float[Tensor, " n"],
    maps: FeatureMaps,
    points: Float[Tensor, "b k 2"],
) -> Float[Tensor, "b k"]:
    """Metres at points inside the image, on as many threads as torch uses.

    Args:
        path: the local path.
        weights: its `packed()` weights.
        maps: float32 on the CPU.
        points: `(u, v)` that are known to lie inside the image.
    """
    # `encode` stores maps with channels last, so this copies nothing.
    cells = [one.permute(0, 2, 3, 1).contiguous().numpy() for one in maps.maps]
    threads = torch.get_num_threads()
    points_px = points.detach().to(torch.float32).numpy()
    depth_m = ask(path.shape, weights.numpy(), cells, maps.image_size, points_px, threads)
    return torch.from_numpy(depth_m)


def pack(
    path: "CrossAttentionPath", folded: tuple[FoldedStage, FoldedStage]
) -> Float[Tensor, " n"]:
    """Concatenate all weights in the kernel's order."""
    first, last = path.head[0], path.head[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    parts = [
        *_stage_weights(path.stage1, folded[0]),
        *_stage_weights(path.stage2, folded[1]),
        first.weight.T, first.bias, last.weight, last.bias,
    ]  # fmt: skip
    return torch.cat([part.detach().reshape(-1) for part in parts])


def _stage_weights(stage: CrossAttentionStage, folded: FoldedStage) -> list[Tensor]:
    pad = -folded.keys.shape[-1] % MULTIPLE
    up, down = stage.ffn[0], stage.ffn[2]
    assert isinstance(up, nn.Linear)
    assert isinstance(down, nn.Linear)
    return [
        stage.norm_q.weight, stage.norm_q.bias,
        stage.q_proj.weight.T, stage.q_proj.bias,
        F.pad(folded.keys, (0, pad)),
        folded.values,
        stage.out_proj.weight.T, stage.out_proj.bias,
        stage.norm_ffn.weight, stage.norm_ffn.bias,
        up.weight.T, up.bias, down.weight.T, down.bias,
    ]  # fmt: skip
