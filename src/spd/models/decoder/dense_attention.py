"""Attention of every cell to the window around it, in bounded memory, forward and backward.

Unfolding 25 copies of six maps takes 25 times their memory. Here the shifts of a map are views of
it, one after the other, over a few rows at a time, so that what is worked on stays in the
processor's cache; the backward pass computes the weights of those rows again instead of keeping
them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

BAND_ELEMENTS = 2**16  # of the query, so 256 kB in float32: half of a small second-level cache


class Source(NamedTuple):
    """One map that every cell reads a window of."""

    keys: Float[Tensor, "b heads e y2 x2"]
    """Padded by `reach` cells on every side."""
    values: Float[Tensor, "b heads e y2 x2"]
    """Likewise."""
    place_keys: Float[Tensor, "n heads e"]
    """What each place in the window adds to a key."""
    place_values: Float[Tensor, "n heads e"]
    """What it adds to a value."""


def window_attention(
    query: Float[Tensor, "b heads e y x"], sources: Sequence[Source], dilations: Sequence[int]
) -> Float[Tensor, "b heads e y x"]:
    """`softmax(q . k) v` over the windows of all sources together.

    Args:
        query: scaled, so that scores are plain products.
        sources: the maps; a window has as many places as `place_keys` has rows, row-major.
        dilations: of each source, the cells from one place to the next.
    """
    # Autocast may have left keys and places in another dtype than the query.
    flat = [tensor.to(query.dtype) for source in sources for tensor in source]
    with torch.autocast(query.device.type, enabled=False):
        return _apply(query, tuple(dilations), *flat)


class _WindowAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, dilations: tuple[int, ...], *flat: Tensor) -> Tensor:
        ctx.dilations = dilations
        ctx.save_for_backward(query, *flat)
        sources = _sources(flat)
        out = torch.empty_like(query, memory_format=torch.contiguous_format)
        for rows in _bands(query):
            band = query[..., rows, :].contiguous()
            weights = _weights(band, sources, dilations, rows)
            read = out[..., rows, :]
            read.zero_()
            for part, source, dilation in _by_source(weights, sources, dilations):
                read += torch.einsum("bhnyx,nhe->bheyx", part, source.place_values)
                for n, shifted in enumerate(_shifts(source.values, source, rows, dilation, band)):
                    read.addcmul_(part[:, :, n, None], shifted)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        query, *flat = ctx.saved_tensors
        sources = _sources(flat)
        grad_query = torch.empty_like(query, memory_format=torch.contiguous_format)
        grads = _sources([torch.zeros_like(tensor) for tensor in flat])
        for rows in _bands(query):
            band, grad = query[..., rows, :].contiguous(), grad_out[..., rows, :].contiguous()
            weights = _weights(band, sources, ctx.dilations, rows)
            # of the loss, by weight; then by score, through softmax
            by_weight = _scores(grad, sources, ctx.dilations, rows, values=True)
            by_weight -= (weights * by_weight).sum(dim=2, keepdim=True)
            by_score = by_weight.mul_(weights)
            grad_band = torch.zeros_like(band)
            for source, into, dilation, part, weight in zip(
                sources,
                grads,
                ctx.dilations,
                _split(by_score, sources),
                _split(weights, sources),
                strict=True,
            ):
                grad_band += torch.einsum("bhnyx,nhe->bheyx", part, source.place_keys)
                into.place_keys.add_(torch.einsum("bhnyx,bheyx->nhe", part, band))
                into.place_values.add_(torch.einsum("bhnyx,bheyx->nhe", weight, grad))
                keys = _shifts(source.keys, source, rows, dilation, band)
                to_keys = _shifts(into.keys, source, rows, dilation, band)
                to_values = _shifts(into.values, source, rows, dilation, band)
                for n, (key, to_key, to_value) in enumerate(
                    zip(keys, to_keys, to_values, strict=True)
                ):
                    grad_band.addcmul_(part[:, :, n, None], key)
                    to_key.addcmul_(part[:, :, n, None], band)
                    to_value.addcmul_(weight[:, :, n, None], grad)
            grad_query[..., rows, :] = grad_band
        return grad_query, None, *(tensor for source in grads for tensor in source)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # traced: thousands of operations
def _apply(query: Tensor, dilations: tuple[int, ...], *flat: Tensor) -> Tensor:
    attended: Tensor = _WindowAttention.apply(  # type: ignore[no-untyped-call]
        query, dilations, *flat
    )
    return attended


def _sources(flat: Sequence[Tensor]) -> list[Source]:
    size = len(Source._fields)
    return [Source(*flat[start : start + size]) for start in range(0, len(flat), size)]


def _bands(query: Tensor) -> Iterator[slice]:
    """Rows of the grid, a few at a time."""
    rows = query.shape[-2]
    height = max(1, BAND_ELEMENTS * rows // query.numel())
    return (slice(top, min(top + height, rows)) for top in range(0, rows, height))


def _shifts(
    padded: Tensor, source: Source, rows: slice, dilation: int, band: Tensor
) -> Iterator[Tensor]:
    """Views of a padded map at each place of the window, row-major, for rows of the grid."""
    side = round(source.place_keys.shape[0] ** 0.5)
    height, columns = band.shape[-2:]
    for dy in range(0, side * dilation, dilation):
        for dx in range(0, side * dilation, dilation):
            top = rows.start + dy
            yield padded[..., top : top + height, dx : dx + columns]


def _scores(
    band: Tensor,
    sources: Sequence[Source],
    dilations: Sequence[int],
    rows: slice,
    *,
    values: bool = False,
) -> Float[Tensor, "b heads n y x"]:
    """Products of a band with the keys, or the values, of every place of every source."""
    B, H, _, height, columns = band.shape
    places = sum(source.place_keys.shape[0] for source in sources)
    scores = torch.empty(B, H, places, height, columns, dtype=band.dtype, device=band.device)
    product = torch.empty_like(band)
    for part, source, dilation in _by_source(scores, sources, dilations):
        padded = source.values if values else source.keys
        for n, shifted in enumerate(_shifts(padded, source, rows, dilation, band)):
            torch.sum(torch.mul(band, shifted, out=product), dim=2, out=part[:, :, n])
        at_place = source.place_values if values else source.place_keys
        part += torch.einsum("bheyx,nhe->bhnyx", band, at_place)
    return scores


def _weights(
    band: Tensor, sources: Sequence[Source], dilations: Sequence[int], rows: slice
) -> Float[Tensor, "b heads n y x"]:
    return _scores(band, sources, dilations, rows).softmax(dim=2)


def _split(scores: Tensor, sources: Sequence[Source]) -> tuple[Tensor, ...]:
    return scores.split([source.place_keys.shape[0] for source in sources], dim=2)


def _by_source(
    scores: Tensor, sources: Sequence[Source], dilations: Sequence[int]
) -> Iterator[tuple[Tensor, Source, int]]:
    return zip(_split(scores, sources), sources, dilations, strict=True)
