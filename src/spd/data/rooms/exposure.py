"""What the camera does to light: exposure, white balance, vignetting, blur, noise, tone."""

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def photograph(
    radiance: Float[np.ndarray, "h w 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Linear light to an 8-bit picture as a small consumer camera would take it."""
    height, width = radiance.shape[:2]
    balanced = _balance(radiance, rng)
    luminance = balanced @ _LUMINANCE
    middle = float(np.exp(np.log(luminance[::4, ::4] + 1e-4).mean()))
    light = balanced * np.float32(rng.uniform(0.2, 0.36) / middle)
    v, u = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light *= (1 - rng.uniform(0.02, 0.14) * (u * u + v * v) / 2)[..., None].astype(np.float32)
    blur = rng.uniform(0.3, 0.65) * width / 640
    if blur > 0.2:
        light = ndimage.gaussian_filter(light, (blur, blur, 0), truncate=2.5, mode="nearest")
    white = np.float32(rng.uniform(2.5, 5.0))
    toned = light * (1 + light / (white * white)) / (1 + light) * (1 + 1 / white)
    noise = rng.standard_normal(toned.shape, np.float32)
    amount = np.float32(rng.uniform(0.002, 0.011))
    toned += noise * (amount * np.sqrt(np.maximum(toned, 0) + np.float32(0.02)))
    encoded = np.clip(toned, 0, 1) ** np.float32(1 / rng.uniform(2.0, 2.35))
    return (encoded * 255 + 0.5).astype(np.uint8)


def _balance(
    radiance: Float[np.ndarray, "h w 3"], rng: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    """Automatic white balance that goes part of the way to grey, and errs a little."""
    mean = radiance.mean(axis=(0, 1)) + 1e-6
    gain = (mean.mean() / mean) ** rng.uniform(0.4, 0.85)
    gain *= 1 + rng.normal(0, 0.02, 3)
    return radiance * gain.astype(np.float32)
