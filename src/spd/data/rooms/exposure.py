"""Camera model: exposure, white balance, vignetting, blur, noise and tone curve."""

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def photograph(
    radiance: Float[np.ndarray, "3 h w"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Convert linear RGB radiance to an 8-bit image, like a small consumer camera."""
    height, width = radiance.shape[1:]
    light = radiance * _white_balance(radiance, rng)[:, None, None]
    luminance = np.tensordot(_LUMINANCE, light[:, ::4, ::4], axes=1)
    middle = float(np.exp(np.log(luminance + 1e-4).mean()))
    v, u = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    falloff = 1 - rng.uniform(0.02, 0.14) * (u * u + v * v) / 2
    light *= (rng.uniform(0.2, 0.36) / middle * falloff).astype(np.float32)
    blur = rng.uniform(0.3, 0.65) * width / 640
    if blur > 0.2:
        light = ndimage.gaussian_filter(light, (0, blur, blur), truncate=2.5, mode="nearest")
    white = np.float32(rng.uniform(2.5, 5.0))
    toned = light * (1 + light / (white * white)) / (1 + light) * (1 + 1 / white)
    amount = np.float32(rng.uniform(0.002, 0.011))
    # One noise field, shifted for each colour: drawing three is as slow as tracing a light.
    noise = rng.standard_normal((height, width), np.float32)
    noise = np.stack([np.roll(noise, shift) for shift in rng.integers(noise.size, size=3)])
    toned += amount * noise * np.sqrt(np.maximum(toned, 0) + np.float32(0.02))
    encoded = np.clip(toned, 0, 1) ** np.float32(1 / rng.uniform(2.0, 2.35))
    eight_bit = (encoded * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return np.ascontiguousarray(eight_bit.transpose(1, 2, 0))


def _white_balance(
    radiance: Float[np.ndarray, "3 h w"], rng: np.random.Generator
) -> Float[np.ndarray, "3"]:
    """Gains that correct part of a colour cast, with a small random error."""
    mean = radiance[:, ::2, ::2].mean(axis=(1, 2)) + 1e-6
    gain = (mean.mean() / mean) ** rng.uniform(0.4, 0.85)
    return (gain * (1 + rng.normal(0, 0.02, 3))).astype(np.float32)
