"""The figure of a split: how many images of each class each part holds."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from brainmri.reporting.names import PART_TITLES, class_title, parts_present
from brainmri.reporting.style import add_title, class_colour, figure_style, new_figure, save_figure
from brainmri.splits.manifest import read_manifest


def draw_split(dataset: str, split: str, manifest: Path, class_counts: Path) -> None:
    """Draw the class counts of each part of a split.

    Parameters
    ----------
    dataset
        The data set's name, for the title.
    split
        The split's name, for the title.
    manifest
        ``manifest.parquet``.
    class_counts
        Where to write the figure (SVG).
    """
    table = read_manifest(manifest, ["label", "label_index"])
    with figure_style():
        save_figure(class_counts_figure(dataset, split, table), class_counts)


def class_indices(manifest: pd.DataFrame) -> dict[str, int]:
    """Return the classes of a manifest with their label index, ascending."""
    known = manifest.dropna(subset=["label", "label_index"]).drop_duplicates("label")
    return {row.label: int(row.label_index) for row in known.sort_values("label_index").itertuples()}


def class_counts_figure(dataset: str, split: str, manifest: pd.DataFrame) -> Figure:
    """Return bars of the number of images of each class in each part.

    Parameters
    ----------
    dataset, split
        Names for the title.
    manifest
        Columns `label`, `label_index`, `split`.
    """
    names, parts = class_indices(manifest), parts_present(manifest["split"])
    counts = pd.crosstab(manifest["split"], manifest["label"]).reindex(
        index=parts, columns=list(names), fill_value=0
    )
    figure = new_figure(0.85 + len(parts) * (0.42 + 0.23 * len(names)))
    axes = figure.subplots()
    ticks, labels, position = [], [], 0.0
    for part in parts:
        total = int(counts.loc[part].sum())
        words = f"{PART_TITLES.get(part, part)}: {total} images"
        axes.text(0, position, words, va="center", fontsize=10, fontweight="bold")
        for name, index in names.items():
            position += 1
            count = int(counts.loc[part, name])
            axes.barh(position, count, height=0.78, color=class_colour(index))
            share = 100 * count / total if total else 0.0
            axes.text(count, position, f" {count} ({share:.1f} %)", va="center", fontsize=9)
            ticks.append(position)
            labels.append(class_title(name))
        position += 1.6
    axes.set_yticks(ticks, labels)
    axes.set_ylim(position - 1.0, -0.8)
    axes.set_xlim(0, max(1, int(counts.to_numpy().max(initial=0))) * 1.34)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("images")
    add_title(figure, f"{dataset}, split {split}: images of each class")
    return figure
