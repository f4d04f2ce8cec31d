"""What a scanner adds: slow brightness drift, blur, Rician noise, an 8-bit range."""

from dataclasses import dataclass

import cv2
import numpy as np

from brainmri.sources.synthetic.texture import Waves, enlarge

RIM_FLOOR = 78  # the scalp stays at least this bright, so that the head has a clear edge


@dataclass(frozen=True)
class Recording:
    """How one patient's slices were recorded.

    Attributes
    ----------
    gain : float
        Factor of all brightness.
    noise : float
        Standard deviation of each channel's noise, in gray values.
    blur : float
        Standard deviation of the point spread, in head units.
    bias : float
        Strength of the slow brightness drift.
    falloff : float
        How much darker the neck is than the head (0 to 1).
    grain : float
        How wide the noise's grain is, in pixels at 256.
    """

    gain: float
    noise: float
    blur: float
    bias: float
    falloff: float
    grain: float


def draw_recording(rng: np.random.Generator) -> Recording:
    """Return a random recording."""
    return Recording(
        gain=rng.uniform(0.8, 1.2),
        noise=rng.uniform(1.2, 5.0),
        blur=rng.uniform(0.0045, 0.0095),
        bias=rng.uniform(0.03, 0.14),
        falloff=rng.uniform(0.1, 0.55),
        grain=rng.uniform(0.3, 0.8),
    )


def record(
    image: np.ndarray, head: np.ndarray, scale: float, recording: Recording,
    drift: Waves, points: np.ndarray, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Return what the scanner makes of a drawn slice.

    Rician noise (Gudbjartsson and Patz, 1995): the magnitude of a complex signal with Gaussian noise.

    Parameters
    ----------
    image : numpy.ndarray, shape (height, width), float32
        Drawn brightness, 0 to 255.
    head : numpy.ndarray, shape (height, width), uint8
        Coverage of the head.
    scale
        Pixels per head unit.
    recording : Recording
    drift : Waves
        The slow field of this patient.
    points : numpy.ndarray, shape (h, w, 3)
        Coarse grid of the slice in space.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray, shape (height, width), uint8
    """
    height, width = image.shape
    gain = recording.gain * (1 + recording.bias * drift.at(points * np.float32(0.8)))
    gain *= 1 - recording.falloff * np.clip(-0.55 - points[..., 2], 0, 0.6) / 0.6
    signal = cv2.GaussianBlur(image, (0, 0), max(recording.blur * scale, 0.35))
    signal *= enlarge(gain.astype(np.float32), height, width)
    solid = (head > 127).astype(np.uint8)
    inside = cv2.erode(solid, np.ones((3, 3), np.uint8), iterations=max(1, round(0.045 * scale)))
    np.maximum(signal, RIM_FLOOR * (solid - inside).astype(np.float32), out=signal)

    grain = recording.grain * scale / 110
    noise = rng.standard_normal((2, height, width), np.float32)
    if grain > 0.35:
        noise = np.stack([cv2.GaussianBlur(part, (0, 0), grain) for part in noise])
        noise /= noise[:, ::4, ::4].std()
    noise *= recording.noise
    signal += noise[0]
    return cv2.convertScaleAbs(cv2.magnitude(signal, noise[1]))
