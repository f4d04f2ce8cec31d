"""What stands under which name in all tables: a column of another type is no column of ours.

Names are contracts: the same everywhere. A column that is all null has any type.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

TEXTS = {
    "image_id", "image_id_a", "image_id_b", "path", "label", "source_split", "sha256", "pixel_sha256",
    "format", "patient_id", "status", "reason", "remarks", "group_id", "split", "predicted", "kind",
    "transform", "dataset", "protocol", "model", "baseline", "part", "other", "other_kind", "free_split",
    "free_protocol", "absent_classes", "few_groups_classes", "phase", "method",
    "curve", "probe", "metric",
}  # fmt: skip
WHOLE_NUMBERS = {
    "row", "bytes", "width", "height", "channels", "left", "top", "right", "bottom", "label_index",
    "group_size", "epoch", "seed", "seeds", "n_images", "n_groups", "jpeg_quality",
}  # fmt: skip
NUMBERS = {
    "area_fraction", "similarity", "grain", "weakest_link", "confidence", "train_loss", "val_loss",
    "train_accuracy", "val_accuracy", "val_macro_f1", "learning_rate", "seconds", "images_per_second",
    "insertion", "deletion", "lesion_area", "x", "y", "value", "low", "high",
}  # fmt: skip
TRUTH_VALUES = {"fallback", "label_conflict"}
NUMBER_STARTS = ("logit_", "prob_", "accuracy", "macro_")
# What names an image, or places it, is known of each row.
NEVER_NULL = {"image_id", "image_id_a", "image_id_b", "path", "dataset", "split", "part", "status"}


def mismatch_of(table: pa.Table, needed: Iterable[str]) -> str | None:
    """Return what is wrong with the columns of a table, as the rest of a sentence; None where nothing is.

    Parameters
    ----------
    table
        As read.
    needed
        Columns that it must have.
    """
    for name in needed:
        if name not in table.column_names:
            return f"lacks the column '{name}'"
    if len(set(table.column_names)) < table.num_columns:
        return "has two columns of one name"
    for name, column in zip(table.column_names, table.columns, strict=True):
        wanted = kind_of(name)
        if wanted is not None and not holds(column, wanted):
            return f"holds {column.type} in its column '{name}', where {wanted} is wanted"
        if name in NEVER_NULL and column.null_count:
            return f"has a row without '{name}'"
    return None


def kind_of(name: str) -> str | None:
    """Return in words what a column of this name holds; None where it may be anything."""
    if name in TEXTS:
        return "text"
    if name in WHOLE_NUMBERS:
        return "a whole number"
    if name in NUMBERS or name.startswith(NUMBER_STARTS):
        return "a number"
    return "true or false" if name in TRUTH_VALUES else None


def holds(column: pa.ChunkedArray, wanted: str) -> bool:
    """Tell whether a column is of a kind; whole numbers may be stored as others, as with nulls."""
    stored = column.type
    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    if pa.types.is_null(stored) or column.null_count == len(column):
        return True
    is_float = pa.types.is_floating(stored)
    if wanted == "text":
        return pa.types.is_string(stored) or pa.types.is_large_string(stored)
    if wanted == "true or false":
        return pa.types.is_boolean(stored)
    if wanted == "a number":
        return is_float or pa.types.is_integer(stored)
    if is_float:
        known = column.drop_null()
        return bool(pc.all(pc.or_kleene(pc.is_nan(known), pc.equal(pc.floor(known), known))).as_py())
    return pa.types.is_integer(stored)
