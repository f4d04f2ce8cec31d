"""Kinds of copy and transforms, in words that need no knowledge of the audit."""

import re

# In the order of the audit's search, the plainest first.
KIND_TITLES = {
    "bytes": "the same file",
    "pixels": "the same pixels",
    "near": "re-saved, resized or re-toned",
    "mirrored": "mirrored",
    "rotated": "turned or flipped",
    "affine": "rotated, zoomed or shifted",
    "neighbour": "neighbouring slice",
    "rejected": "not taken for a copy",
}
TURN_TITLES = {
    "identity": "",
    "mirror": "mirrored left to right",
    "turn90": "turned by 90°",
    "turn180": "turned by 180°",
    "turn270": "turned by 270°",
    "mirror+turn90": "mirrored and turned by 90°",
    "mirror+turn180": "flipped top to bottom",
    "mirror+turn270": "mirrored and turned by 270°",
}
# What `test_images_with_train_copy` counts as a copy, by the name of the count.
COUNT_TITLES = {
    "without_mirrors": "same or re-toned",
    "with_mirrors": "+ mirrored",
    "with_mirrors_and_turns": "+ turned",
    "all_copies": "+ rotated, zoomed",
}


def kind_title(kind: str) -> str:
    """Return a kind of copy in words."""
    return KIND_TITLES.get(kind, str(kind).replace("_", " "))


def transform_words(transform: str | None) -> str:
    """Return a transform of `duplicates.parquet` in words; nothing for one that changes nothing.

    Parameters
    ----------
    transform
        Such as ``mirror`` or ``turn90 rotate=-7.3 zoom=1.05x0.97 shift=3.1,-2.0``.
    """
    if not isinstance(transform, str):
        return ""
    words = []
    for part in transform.split():
        name, _, value = part.partition("=")
        numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", value)]
        if name == "rotate" and numbers:
            words.append(f"rotated by {numbers[0]:.1f}°" if abs(numbers[0]) >= 0.05 else "")
        elif name == "zoom" and numbers:
            zooms = [f"{number:.2f}" for number in numbers]
            words.append(f"zoomed {' × '.join(zooms)}" if set(zooms) != {"1.00"} else "")
        elif name == "shift" and numbers:
            shifts = ", ".join(f"{number:.0f}" for number in numbers).replace("-0", "0")
            words.append(f"shifted by {shifts} px" if max(map(abs, numbers)) >= 0.5 else "")
        else:
            words.append(TURN_TITLES.get(part, part))
    return ", ".join(word for word in words if word).replace("-", "−")
