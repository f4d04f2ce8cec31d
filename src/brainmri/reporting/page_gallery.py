"""The test images of a training that the page shows one by one, as plain dictionaries."""

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from brainmri.artefacts import read_parquet
from brainmri.reporting.embedding import Artefacts, address
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import percent


def gallery_context(path: Path, words: str, artefacts: Artefacts) -> dict:
    """Return the images of a gallery with what a model says of them.

    Parameters
    ----------
    path
        ``gallery.parquet``.
    words
        The training, for the descriptions.
    artefacts
        Collects the files that are shown.
    """
    table = read_parquet(path)
    labels = [name.removeprefix("prob_") for name in table.columns if name.startswith("prob_")]
    shots = [shot(row, labels, words) for row in table.to_dict("records")]
    return {
        "link": artefacts.link(path),
        "told": chosen_words(shots),
        "classes": [class_title(label) for label in labels if (table["label"] == label).any()],
        "referral": bool(table["referred"].notna().any()),
        "shots": shots,
    }


def chosen_words(shots: list[dict]) -> str:
    """Return which test images a gallery shows: not each has errors, or answers that would be referred."""
    wrong = any(not shot["right"] for shot in shots)
    unsure = any(shot["right"] and shot["referred"] for shot in shots)
    chosen = [
        *(["the wrong answers of which the model was surest"] if wrong else []),
        *(["right ones that it would refer"] if unsure else []),
        "right ones at random",
    ]
    told = ", ".join(chosen[:-1]) + (" and " if chosen[:-1] else "") + chosen[-1]
    return told if wrong else f"no test image is named wrong; {told}"


def shot(row: dict, labels: list[str], words: str) -> dict:
    """Return one image: its picture, what is true, what was said, and how sure the model was.

    Parameters
    ----------
    row
        Of ``gallery.parquet``.
    labels
        The classes.
    words
        The training.
    """
    truth, said = class_title(row["label"]), class_title(row["predicted"])
    is_right, confidence = row["label"] == row["predicted"], percent(row["confidence"], 0)
    is_referred = False if pd.isna(row["referred"]) else bool(row["referred"])
    others = sorted(labels, key=lambda label: -row[f"prob_{label}"])
    return {
        "source": Markup(address(row["picture"], "image/webp")),
        "truth": truth,
        "said": said,
        "right": is_right,
        "referred": is_referred,
        "confidence": confidence,
        "alt": f"{row['image_id']}: {truth}, named {said} with {confidence} by {words}",
        "told": f"{row['image_id']}. True: {truth}. Probabilities: "
        + ", ".join(f"{class_title(label)} {percent(row[f'prob_{label}'], 1)}" for label in others)
        + (". Uncertain: refer." if is_referred else "."),
    }
