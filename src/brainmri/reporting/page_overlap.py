"""What the page says of images that two data sets share, as plain dictionaries."""

from brainmri.artefacts import read_parquet
from brainmri.audit.copies import NEIGHBOUR
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.numbers import percent
from brainmri.study import Study


def overlap_rows(study: Study, artefacts: Artefacts) -> list[dict]:
    """Return, for each ordered pair of data sets, how many images of the first are copies of the second's.

    Parameters
    ----------
    study
        The study.
    artefacts
        Collects the files that are shown.
    """
    rows = []
    for names in study.overlapping_pairs():
        path = study.overlap_path(*names)
        pairs = read_parquet(path, ["image_id_a", "image_id_b", "kind"])
        is_copy = pairs["kind"] != NEIGHBOUR
        for side, name, other in zip(("image_id_a", "image_id_b"), names, names[::-1], strict=True):
            inventory = read_parquet(study.data_folder(name) / "inventory.parquet", ["status"])
            usable = int((inventory["status"] == "ok").sum())
            copied = set(pairs.loc[is_copy, side])
            copies = len(copied)
            rows.append(
                {
                    "name": name,
                    "other": other,
                    "images": usable,
                    "copies": copies,
                    "share": percent(copies / usable if usable else None),
                    "neighbours": len(set(pairs.loc[~is_copy, side]) - copied),
                    "link": artefacts.link(path),
                }
            )
    return rows
