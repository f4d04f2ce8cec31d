"""The truth table of a phantom set: one row a file, what was drawn and what was planted."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from brainmri.artefacts import write_parquet

# `status` is what an inventory of the files should say. `label` is the class that was drawn, `labelled` the
# class of the folder. Boxes are pixels, half open. `transform` tells how a copy came from `copy_of`.
TRUTH_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("patient_id", pa.string()),
        ("slice_index", pa.int32()),
        ("plane", pa.string()),
        ("label", pa.string()),
        ("labelled", pa.string()),
        ("source_split", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("channels", pa.int32()),
        *[(f"head_{side}", pa.int32()) for side in ("left", "top", "right", "bottom")],
        *[(f"lesion_{side}", pa.int32()) for side in ("left", "top", "right", "bottom")],
        ("lesion_area", pa.int32()),
        ("lesion_mask", pa.binary()),
        ("planted", pa.string()),
        ("copy_of", pa.string()),
        ("transform", pa.string()),
        ("status", pa.string()),
    ]
)


def write_truth(rows: list[dict], path: Path, config: dict) -> None:
    """Write the truth table, sorted by image_id.

    Parameters
    ----------
    rows
        One dict a file, with the columns of `TRUTH_SCHEMA` or fewer.
    path
        The Parquet file to write.
    config
        The arguments that the set was drawn with.
    """
    table = pd.DataFrame(rows, columns=TRUTH_SCHEMA.names).sort_values("image_id")
    write_parquet(table, path, config=config, schema=TRUTH_SCHEMA)
