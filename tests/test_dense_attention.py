"""Window attention a few rows at a time is window attention, and keeps only what it is given."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spd.models.decoder import dense_attention
from spd.models.decoder.dense_attention import Source, window_attention

SIDE, HEADS, CHANNELS = 3, 2, 4


def made_source(size: tuple[int, int], dilation: int) -> Source:
    reach = SIDE // 2 * dilation
    cells = (2, HEADS, CHANNELS, size[0] + 2 * reach, size[1] + 2 * reach)
    places = (SIDE**2, HEADS, CHANNELS)
    return Source(
        *(torch.randn(shape, dtype=torch.float64) for shape in (cells, cells, places, places))
    )


def unfolded(query: Tensor, sources: list[Source], dilations: list[int]) -> Tensor:
    """The same with every window written out by torch's own unfold, 9 copies of every map."""
    B, H, e, Y, X = query.shape

    def windows(padded: Tensor, dilation: int) -> Tensor:
        columns = F.unfold(padded.flatten(1, 2), SIDE, dilation=dilation)
        return columns.view(B, H, e, SIDE**2, Y, X)

    keys, values = (
        torch.cat(
            [
                windows(source[place], dilation)
                + source[place + 2].permute(1, 2, 0)[None, ..., None, None]
                for source, dilation in zip(sources, dilations, strict=True)
            ],
            dim=3,
        )
        for place in (0, 1)
    )
    weights = torch.einsum("bheyx,bhenyx->bhnyx", query, keys).softmax(dim=2)
    return torch.einsum("bhnyx,bhenyx->bheyx", weights, values)


@pytest.mark.parametrize("band_elements", [1, 200, 2**16])
def test_bands_of_any_height_equal_unfolded_windows_forward_and_gradient(
    monkeypatch, band_elements
):
    monkeypatch.setattr(dense_attention, "BAND_ELEMENTS", band_elements)
    size, dilations = (7, 5), [2, 2, 1]
    query = torch.randn(2, HEADS, CHANNELS, *size, dtype=torch.float64)
    sources = [made_source(size, dilation) for dilation in dilations]
    leaves = [query, *(tensor for source in sources for tensor in source)]
    for leaf in leaves:
        leaf.requires_grad_()
    attended = window_attention(query, sources, dilations)
    expected = unfolded(query, sources, dilations)
    assert (attended - expected).abs().max() <= 1e-13
    weighting = torch.randn_like(expected)
    for got, wanted in zip(
        torch.autograd.grad((attended * weighting).sum(), leaves),
        torch.autograd.grad((expected * weighting).sum(), leaves),
        strict=True,
    ):
        assert (got - wanted).abs().max() <= 1e-12
        assert wanted.abs().max() > 0


def test_bands_cover_every_row_once():
    query = torch.empty(1, 4, 16, 100, 136)
    bands = list(dense_attention._bands(query))
    assert [row for band in bands for row in range(band.start, band.stop)] == list(range(100))
    assert max(band.stop - band.start for band in bands) * 4 * 16 * 136 <= 2**16


def test_nothing_but_what_it_was_given_is_kept_for_the_backward_pass():
    query = torch.randn(1, HEADS, CHANNELS, 12, 16, requires_grad=True)
    sources = [Source(*(t.float().requires_grad_() for t in made_source((12, 16), 1)))]
    sources = [Source(*(t[:1].detach().requires_grad_() for t in sources[0][:2]), *sources[0][2:])]
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        window_attention(query, sources, [1])
    given = {t.untyped_storage().data_ptr() for t in (query, *sources[0])}
    assert set(kept) == given


def test_a_gradient_of_the_gradient_is_refused():
    query = torch.randn(1, HEADS, CHANNELS, 3, 3, dtype=torch.float64, requires_grad=True)
    source = made_source((3, 3), 1)
    source = Source(source.keys[:1], source.values[:1], *source[2:])
    attended = window_attention(query, [source], [1])
    (gradient,) = torch.autograd.grad((attended**2).sum(), query, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
