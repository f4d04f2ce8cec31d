"""What a scanner adds: slow brightness drift, blur, Rician noise, an 8-bit range."""

from dataclasses import dataclass

import cv2
import numpy as np

from brainmri.sources.synthetic.texture import Grid, Waves

RIM_FLOOR = 78  # the scalp's least brightness
FLESH_FLOOR = 58  # that of muscle and fat in neck and face


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
        falloff=rng.uniform(0.1, 0.45),
        grain=rng.uniform(0.3, 0.8),
    )


def record(
    image: np.ndarray, head: np.ndarray, scale: float, recording: Recording,
    drift: Waves, grid: Grid, rng: np.random.Generator,
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
    grid : Grid
        The slice's pixels in space.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray, shape (height, width), uint8
    """
    height, width = image.shape
    gain = recording.gain * (1 + recording.bias * drift.over(grid.stretched(0.8)))
    gain *= 1 - recording.falloff * np.clip(-0.55 - grid.axis(2), 0, 0.6) / 0.6
    image = image * (head * np.float32(1 / 255))
    signal = cv2.GaussianBlur(image, (0, 0), max(recording.blur * scale, 0.35))
    signal *= gain
    # Neck and scalp stay so bright that the head has one clear edge, down to where the image ends.
    floor = np.clip((-0.25 - grid.axis(2)) / 0.3, 0, 1) * np.float32(FLESH_FLOOR)
    np.maximum(signal, floor * (image > 40), out=signal)
    solid = (head > 127).astype(np.uint8)
    inside = cv2.erode(solid, np.ones((3, 3), np.uint8), iterations=int(0.045 * scale) + 2)
    np.maximum(signal, RIM_FLOOR * (solid - inside).astype(np.float32), out=signal)

    grain = recording.grain * scale / 110
    noise = rng.standard_normal((2, height, width), np.float32)
    if grain > 0.35:
        noise = np.stack([cv2.GaussianBlur(part, (0, 0), grain) for part in noise])
        noise /= noise[:, ::4, ::4].std()
    noise *= recording.noise
    signal += noise[0]
    return cv2.convertScaleAbs(cv2.magnitude(signal, noise[1]))
