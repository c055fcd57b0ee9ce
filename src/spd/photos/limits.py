"""Limits on photos: pixels of the file, pixels of the network's input, and work of a decoder."""

import dataclasses

from spd.errors import ConfigError, InputError
from spd.pixels import MAX_INPUT_PIXELS, SMALLEST_INPUT_PIXELS, as_number

MAX_PIXELS = 178_956_970
"""Largest number of pixels of a file by default: Pillow's limit against decompression bombs."""

MEGA = 1_000_000


class PhotoTooLargeError(InputError):
    """A photo has more pixels than the limit."""


class PhotoCostError(InputError):
    """A file takes far more work to decode than a photo of its size."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhotoLimits:
    """Limits of one predictor.

    Raises:
        ConfigError: if a limit is not positive, or an input too small for the network.
    """

    max_pixels: int = MAX_PIXELS
    """Most pixels of a photo; a larger one is refused before it is decoded."""
    max_input_pixels: int = MAX_INPUT_PIXELS
    """Most pixels of the network's input; a photo that needs more is scaled down to it."""

    def __post_init__(self) -> None:
        if not self.max_pixels >= 1:
            raise ConfigError(f"max_megapixels must be positive, got {self.max_pixels / MEGA:g}")
        if not self.max_input_pixels >= SMALLEST_INPUT_PIXELS:
            raise ConfigError(
                f"max_input_megapixels must be at least {SMALLEST_INPUT_PIXELS / MEGA:g}, got "
                f"{self.max_input_pixels / MEGA:g}"
            )

    @classmethod
    def of(
        cls, max_megapixels: float | None = None, max_input_megapixels: float | None = None
    ) -> "PhotoLimits":
        """Limits from megapixels; None is the default.

        Raises:
            ConfigError: if one of them is impossible.
        """
        return cls(
            max_pixels=_pixels("max_megapixels", max_megapixels, MAX_PIXELS),
            max_input_pixels=_pixels(
                "max_input_megapixels", max_input_megapixels, MAX_INPUT_PIXELS
            ),
        )


DEFAULT_LIMITS = PhotoLimits()


def _pixels(name: str, megapixels: float | None, default: int) -> int:
    if megapixels is None:
        return default
    expected = f"{name} must be a positive number of megapixels"
    megapixels = as_number(megapixels, expected, ConfigError)
    if not 0 < megapixels < 1e9:
        raise ConfigError(f"{expected}, got {megapixels}")
    return round(megapixels * MEGA)


def check_pixels(width: int, height: int, most: int, name: str) -> None:
    """Refuse a photo with too many pixels.

    Raises:
        PhotoTooLargeError: naming its size, the limit and what to do.
        InputError: if it has none.
    """
    if width < 1 or height < 1:
        raise InputError(f"{name} has {width}x{height} pixels; a photo has at least one")
    if width * height > most:
        raise PhotoTooLargeError(
            f"{name} has too many pixels to be opened safely: {width}x{height} pixels, and the "
            f"limit is {most / MEGA:.6g} megapixels; scale the photo down, and a focal length in "
            "pixels with it, or raise max_megapixels"
        )
