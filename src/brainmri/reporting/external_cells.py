"""The cells of ``external.parquet``: a data set trained on, and one tested on."""

import pandas as pd


def diagonal(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the own test parts among all their classes, one row a training set and split."""
    home = rows[rows["trained_on"] == rows["tested_on"]]
    widest = home.sort_values("n_images", ascending=False, kind="stable")
    return widest.drop_duplicates(["trained_on", "split"])


def cells_of(table: pd.DataFrame) -> list[tuple[tuple, dict[str, dict]]]:
    """Return place (model, trained on, split, tested on) and metrics of each cell; own parts in full."""
    of_accuracy = table[table["metric"] == "accuracy"]
    widest = pd.concat(
        [own for _, models in of_accuracy.groupby("model") if len(own := diagonal(models))]
        or [of_accuracy.head(0)]
    )
    classes = {
        (row["model"], row["trained_on"], row["split"]): row["classes"] for row in widest.to_dict("records")
    }
    cells: dict[tuple, dict[str, dict]] = {}
    for row in table.to_dict("records"):
        place = (row["model"], row["trained_on"], row["split"], row["tested_on"])
        if row["trained_on"] != row["tested_on"] or row["classes"] == classes.get(place[:3]):
            cells.setdefault(place, {})[row["metric"]] = row
    return list(cells.items())
