"""How many copies the audit finds, and how many of its pairs are copies: on sets with known truth.

    .venv/bin/python benchmarks/copies_recall.py --work FOLDER [--archive data/archives/OWNER/NAME.zip]

Three sets, each through the real stages checksum, inventory, crop and audit:

- a phantom set, half of its slices copied in every way that the generator knows;
- the distinct images of an archive, some of them turned, mirrored, rotated by up to 10 degrees, zoomed by
  0.92 to 1.09 along each axis, shifted, changed in brightness and encoded again. The archive's images are
  audited alone first: what is found there counts as true, since real sets hold unmarked copies; look at it;
- a curve: copies rotated by 0 to 20 degrees and zoomed by 0.8 to 1.25, of the archive's images or, without
  one, of phantom slices.

A copy is found if pairs of copies lead from it to its original. A pair is right if both images show one
original. Sets and tables stay in the folder given; `--again` audits anew.
"""

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from pair_scores import (
    copies_of,
    groups_by,
    merged_patients,
    neighbour_counts,
    precision_table,
    recall_table,
    with_truth,
)
from stages import audited, prepared
from warped_sets import ROTATIONS, ZOOMS, curve_set, distinct_images, phantom_set, warped_set, written

from brainmri.images.decode import decode_gray
from brainmri.intervals import wilson_interval
from brainmri.reporting.style import INK, add_title, figure_style, new_figure, save_figure, text_colour_on

PICTURE_HEIGHT = 384


def pairs_of(folder: Path, again: bool) -> pd.DataFrame:
    """Audit a set, where that was not done before, and return its pairs."""
    duplicates = folder / "duplicates.parquet"
    if again or not duplicates.exists():
        prepared(folder / "raw", folder)
        audited(folder)
    return pd.read_parquet(duplicates)


def share(count: int, of: int) -> str:
    """Return a share with its 95 % interval (Wilson)."""
    if not of:
        return ""
    low, high = wilson_interval(count / of, of)
    return f"{count / of:.3f} ({low:.3f}–{high:.3f})"


def print_scores(title: str, truth: pd.DataFrame, judged: pd.DataFrame) -> None:
    """Print recall by kind of copy and precision by kind of pair, as Markdown."""
    recall = recall_table(truth, judged)
    recall.loc["in all"] = recall.sum()
    print(f"\n## {title}: {len(truth)} images\n")
    print("| kind of copy | planted | found | recall | by its own pair |\n|---|---|---|---|---|")
    for kind, planted, found, own in recall.itertuples():
        print(f"| {kind} | {planted} | {found} | {share(found, planted)} | {own} |")
    precision = precision_table(judged)
    precision.loc["in all"] = precision.sum()
    print("\n| kind of pair | reported | right | precision |\n|---|---|---|---|")
    for kind, reported, right in precision.itertuples():
        print(f"| {kind} | {reported} | {right} | {share(right, reported)} |")


def print_patients(truth: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """Print what copies and neighbours say about patients."""
    print(f"\nGroups of copies that hold two patients: {merged_patients(truth, copies_of(pairs))};")
    print(f"groups of copies and neighbours that do: {merged_patients(truth, pairs)}.\n")
    counts = neighbour_counts(truth, pairs)
    print("| neighbours | | share |\n|---|---|---|")
    for words, count, of in (
        ("pairs of one patient", "right", "reported"),
        ("adjacent slices joined by a pair", "found", "adjacent"),
        ("adjacent slices in one group", "together", "adjacent"),
    ):
        print(f"| {words} | {counts[count]} of {counts[of]} | {share(counts[count], counts[of])} |")


def save_pictures(pairs: pd.DataFrame, raw: Path, folder: Path) -> None:
    """Write each pair side by side; the name tells kind and similarity."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for number, pair in enumerate(pairs.itertuples()):
        sides = []
        for image_id in (pair.image_id_a, pair.image_id_b):
            gray = decode_gray((raw / image_id).read_bytes(), image_id)
            width = max(round(gray.shape[1] * PICTURE_HEIGHT / gray.shape[0]), 1)
            sides.append(cv2.resize(gray, (width, PICTURE_HEIGHT), interpolation=cv2.INTER_AREA))
        names = "_".join(Path(name).stem for name in (pair.image_id_a, pair.image_id_b))
        name = f"{pair.kind}_{pair.similarity:.4f}_{number:04d}_{names}.png"
        cv2.imwrite(str(folder / name), cv2.hconcat(sides))


def draw_curve(recall: pd.DataFrame, copies: int, path: Path) -> None:
    """Draw recall by rotation and zoom as a table of colours."""
    with figure_style():
        figure = new_figure(3.6)
        axes = figure.add_subplot()
        values = recall.to_numpy()
        drawn = axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            ink = text_colour_on(drawn.cmap(drawn.norm(value)))
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9, color=ink)
        axes.set_xticks(range(len(recall.columns)), [f"{zoom:g}" for zoom in recall.columns])
        axes.set_yticks(range(len(recall.index)), [f"{rotation:g}°" for rotation in recall.index])
        axes.set_xlabel("zoom", color=INK)
        axes.set_ylabel("rotation", color=INK)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        add_title(figure, f"Share of warped copies found, {copies} a field")
        save_figure(figure, path)


def print_curve(truth: pd.DataFrame, pairs: pd.DataFrame, figure: Path) -> None:
    """Print and draw recall by rotation and zoom."""
    recall = recall_table(truth, pairs)
    cells = [[f"{rotation:g}/{zoom:g}" for zoom in ZOOMS] for rotation in ROTATIONS]
    values = [[recall.loc[cell, "found"] / recall.loc[cell, "planted"] for cell in row] for row in cells]
    table = pd.DataFrame(values, ROTATIONS, ZOOMS)
    print(f"\n## Recall by rotation and zoom: {len(truth)} images\n")
    print("| | " + " | ".join(f"zoom {zoom:g}" for zoom in ZOOMS) + " |\n|" + "---|" * (len(ZOOMS) + 1))
    for rotation, row in table.iterrows():
        print(f"| {rotation:g}° | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    draw_curve(table, int(recall["planted"].iloc[0]), figure)


def run_phantom(arguments: argparse.Namespace) -> list[Path]:
    """Print the scores on a phantom set, and return the files of its originals."""
    folder = arguments.work / "phantom"
    truth = phantom_set(folder, arguments.patients, arguments.seed)
    pairs = pairs_of(folder, arguments.again)
    judged = with_truth(truth, pairs)
    print_scores("Phantom", truth, judged)
    print_patients(truth, pairs)
    if arguments.pictures:
        save_pictures(
            copies_of(judged).query("not right"), folder / "raw", arguments.pictures / "phantom_false"
        )
    return [folder / "raw" / name for name in truth["image_id"][truth["kind"].isna()]]


def run_archive(arguments: argparse.Namespace) -> list[Path]:
    """Print the scores on warped copies of an archive's images, and return these images' files."""
    originals = distinct_images(arguments.archive, arguments.work / "archive")
    alone, folder = arguments.work / "originals", arguments.work / "warped"
    images = written(alone, originals, [], np.random.default_rng(arguments.seed))
    found = copies_of(pairs_of(alone, arguments.again))
    same = groups_by(images["image_id"], found)
    truth = warped_set(folder, originals, arguments.copies, arguments.seed)
    judged = with_truth(truth, pairs_of(folder, arguments.again), same)
    print_scores("Warped copies of real images", truth, judged)
    counts = ", ".join(f"{count} {kind}" for kind, count in found["kind"].value_counts().items())
    print(
        f"\nUnmarked copies among the {len(images)} originals alone: {len(found)} pairs ({counts or 'none'})."
    )
    if arguments.pictures:
        save_pictures(found, alone / "raw", arguments.pictures / "unmarked")
        save_pictures(copies_of(judged).query("not right"), folder / "raw", arguments.pictures / "false")
    return originals


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for sets and tables")
    parser.add_argument("--archive", type=Path, help="zip of real images; without it, phantom only")
    parser.add_argument(
        "--patients", type=int, default=180, help="patients of the phantom set, 5 slices each"
    )
    parser.add_argument("--copies", type=int, default=900, help="warped copies of the archive's images")
    parser.add_argument("--cell", type=int, default=20, help="copies for each rotation and zoom of the curve")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other phantoms and copies")
    parser.add_argument(
        "--pictures", type=Path, help="folder for pictures of false pairs and unmarked copies"
    )
    parser.add_argument("--figure", type=Path, default=Path(__file__).with_suffix(".svg"), help="the curve")
    parser.add_argument("--again", action="store_true", help="audit the sets anew")
    parser.add_argument("--only", nargs="+", choices=("phantom", "archive", "curve"), help="some of the sets")
    arguments = parser.parse_args()
    wanted = arguments.only or ("phantom", "archive", "curve")
    originals = run_phantom(arguments) if "phantom" in wanted or not arguments.archive else []
    if arguments.archive:
        if "archive" in wanted:
            originals = run_archive(arguments)
        else:
            originals = distinct_images(arguments.archive, arguments.work / "archive")
    if "curve" in wanted:
        folder = arguments.work / "curve"
        truth = curve_set(folder, originals, arguments.cell, arguments.seed)
        print_curve(truth, pairs_of(folder, arguments.again), arguments.figure)


if __name__ == "__main__":
    main()
