"""Window attention tile by tile is window attention, and keeps little for the backward pass."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spd.models.decoder import dense_attention
from spd.models.decoder.dense_attention import Source, window_attention

SIDE, HEADS, CHANNELS = 3, 2, 4


def made_source(size: tuple[int, int], dilation: int) -> Source:
    reach = SIDE // 2 * dilation
    cells = (2, size[0] + 2 * reach, size[1] + 2 * reach, HEADS, CHANNELS)
    places = (SIDE**2, HEADS, CHANNELS)
    return Source(
        *(torch.randn(shape, dtype=torch.float64) for shape in (cells, cells, places, places))
    )


def unfolded(query: Tensor, sources: list[Source], dilation: int) -> Tensor:
    """The same with every window written out by torch's own unfold, 9 copies of every map."""
    B, Y, X, H, e = query.shape

    def windows(padded: Tensor) -> Tensor:
        first = padded.permute(0, 3, 4, 1, 2).flatten(1, 2)
        return F.unfold(first, SIDE, dilation=dilation).view(B, H, e, SIDE**2, Y, X)

    keys, values = (
        torch.cat(
            [
                windows(source[which]) + source[which + 2].permute(1, 2, 0)[None, ..., None, None]
                for source in sources
            ],
            dim=3,
        )
        for which in (0, 1)
    )
    weights = torch.einsum("byxhe,bhenyx->bhnyx", query, keys).softmax(dim=2)
    return torch.einsum("bhnyx,bhenyx->byxhe", weights, values)


def equal_with_gradients(query: Tensor, sources: list[Source], dilation: int) -> None:
    leaves = [query, *(tensor for source in sources for tensor in source)]
    for leaf in leaves:
        leaf.requires_grad_()
    attended = window_attention(query, sources, dilation)
    expected = unfolded(query, sources, dilation)
    assert (attended - expected).abs().max() <= 1e-13
    weighting = torch.randn_like(expected)
    for got, wanted in zip(
        torch.autograd.grad((attended * weighting).sum(), leaves),
        torch.autograd.grad((expected * weighting).sum(), leaves),
        strict=True,
    ):
        assert (got - wanted).abs().max() <= 1e-12
        assert wanted.abs().max() > 0


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 16), (17, 9), (33, 40)])
@pytest.mark.parametrize(("dilation", "count"), [(1, 1), (2, 2), (3, 1)])
def test_tiles_equal_unfolded_windows_forward_and_gradient(size, dilation, count):
    query = torch.randn(2, *size, HEADS, CHANNELS, dtype=torch.float64)
    equal_with_gradients(query, [made_source(size, dilation) for _ in range(count)], dilation)


@pytest.mark.parametrize("tile", [2, 5, 12])
@pytest.mark.parametrize("together", [1, 10**6])
def test_tiles_and_strips_of_any_size_equal_unfolded_windows(monkeypatch, tile, together):
    monkeypatch.setattr(dense_attention, "TILE", tile)
    monkeypatch.setattr(dense_attention, "STRIP_TILES", together)
    query = torch.randn(2, 13, 6, HEADS, CHANNELS, dtype=torch.float64)
    equal_with_gradients(query, [made_source((13, 6), 2) for _ in range(2)], 2)


def test_backward_pass_keeps_little_more_memory_than_its_inputs():
    query = torch.randn(1, 64, 64, HEADS, CHANNELS, requires_grad=True)
    source = Source(*(tensor.float() for tensor in made_source((64, 64), 1)))
    source = Source(*(t[:1].clone().requires_grad_() for t in source[:2]), *source[2:])
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        window_attention(query, [source], 1)
    given = sum(t.untyped_storage().nbytes() for t in (query, *source))
    assert sum(kept.values()) <= 1.1 * given  # unfolded keys and values alone are six times it


def test_a_gradient_of_the_gradient_is_refused():
    query = torch.randn(1, 3, 3, HEADS, CHANNELS, dtype=torch.float64, requires_grad=True)
    source = made_source((3, 3), 1)
    source = Source(source.keys[:1], source.values[:1], *source[2:])
    attended = window_attention(query, [source], 1)
    (gradient,) = torch.autograd.grad((attended**2).sum(), query, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
