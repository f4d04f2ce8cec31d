"""Sheets of pictures that show what the audit found: pairs side by side, and groups of copies."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from brainmri.reporting.choice import evenly
from brainmri.reporting.copy_words import kind_title, transform_words
from brainmri.reporting.names import class_title, shortened
from brainmri.reporting.overlay import FULL_DIFFERENCE, brought_onto, difference
from brainmri.reporting.style import INK, MUTED, OKABE_ITO, add_title, blank_axes, empty_figure, new_figure

PAIRS = 5
GROUPS, MEMBERS = 6, 8
# The frames of images by the source's part.
FRAMES = {"train": OKABE_ITO[1], "test": OKABE_ITO[4]}
NO_FRAME = "#9aa2b1"
HEADS = ("left", "right", "right laid on left", "difference")
# Heights in inches: a line over a row of pictures, and the pictures of pairs and of groups.
LINE, PICTURE, MEMBER = 0.155, 1.12, 0.56
# Where words start, as a share of the width; and how far from a square a picture may be drawn.
MARGIN = 0.012
SIDEWAYS = (0.5, 2.0)
LETTERS = 52  # of a file's name


def pairs_figure(title: str, pairs: pd.DataFrame, images: np.ndarray, none: str) -> Figure:
    """Return a sheet of pairs: left, right, right laid on left, and their difference.

    Parameters
    ----------
    title
        What the sheet shows.
    pairs
        The pairs to show, as `copy_pairs.described` returns them, with `row`, `width` and `height` of both.
    images : ndarray of uint8, shape (N, size, size)
        The packed whole images.
    none
        What to say where there is no pair.
    """
    if pairs.empty:
        return empty_figure(title, none)
    lines = [pair_lines(number + 1, pair) for number, (_, pair) in enumerate(pairs.iterrows())]
    heights = [height for own in lines for height in (words_height(own), PICTURE)]
    figure = new_figure(0.75 + sum(heights))
    figure.get_layout_engine().set(h_pad=0.01, w_pad=0.02, hspace=0.01, wspace=0.02)
    add_title(figure, title, width=52)
    grid = figure.add_gridspec(2 * len(pairs), 4, height_ratios=heights)
    for number, (_, pair) in enumerate(pairs.iterrows()):
        write_lines(blank_axes(figure.add_subplot(grid[2 * number, :])), lines[number])
        tiles = [blank_axes(figure.add_subplot(grid[2 * number + 1, column])) for column in range(4)]
        draw_pair(tiles, pair, images)
    figure.legend(
        handles=frame_patches([*pairs["source_split_a"], *pairs["source_split_b"]]),
        loc="outside lower left",
        ncols=3,
        fontsize=8.5,
        borderpad=0.8,
    )
    return figure


def pair_lines(number: int, pair: pd.Series) -> list[tuple[str, dict]]:
    """Return the lines over a pair's pictures, and how they look: kind and similarity, then both files."""
    kind, transform = kind_title(pair["kind"]), transform_words(pair["transform"])
    # The transform of a mirrored or turned copy says all that its kind does.
    told = transform if pair["kind"] in ("mirrored", "rotated") and transform else kind
    measured = f"similarity {pair['similarity']:.3f}"
    if pd.notna(pair.get("grain")):
        measured += f", grain {pair['grain']:.2f}"
    lines = [(f"{number}. {told}; {measured}", {"fontsize": 8.5, "fontweight": "bold"})]
    if transform and told != transform:
        lines.append((transform, {"fontsize": 8, "color": MUTED}))
    differs = pair[["label_a", "label_b"]].nunique() == 2
    look = {
        "fontsize": 8,
        "color": OKABE_ITO[0] if differs else INK,
        "fontweight": "bold" if differs else "normal",
    }
    for place, side in (("left", "a"), ("right", "b")):
        name = shortened(pair[f"image_id_{side}"], LETTERS, LETTERS // 3)
        lines.append((f"{place}: {name} ({class_title(pair[f'label_{side}'])})", look))
    return lines


def words_height(lines: list) -> float:
    """Return the inches that lines need, with air over them."""
    return 0.2 + LINE * len(lines)


def write_lines(axes, lines: list[tuple[str, dict]]) -> None:
    """Write lines into axes of their height."""
    for number, (words, look) in enumerate(lines):
        place = 1 - (0.14 + LINE * number) / words_height(lines)
        text = axes.text(MARGIN, place, words, va="top", transform=axes.transAxes, **look)
        text.set_in_layout(False)  # A long line must not press the pictures together.


def draw_pair(tiles: list, pair: pd.Series, images: np.ndarray) -> None:
    """Draw a pair into four axes."""
    a, b = (np.asarray(images[int(pair[f"row_{side}"])]) for side in "ab")
    brought, seen = brought_onto(pair, images)
    show(tiles[0], a, shape_of(pair, "a"), frame=FRAMES.get(pair["source_split_a"], NO_FRAME))
    show(tiles[1], b, shape_of(pair, "b"), frame=FRAMES.get(pair["source_split_b"], NO_FRAME))
    show(tiles[2], np.where(seen, brought, 0), shape_of(pair, "a"))
    show(tiles[3], difference(a, brought, seen), shape_of(pair, "a"), colours="inferno", top=FULL_DIFFERENCE)
    for axes, head in zip(tiles, HEADS, strict=True):
        axes.set_title(head, fontsize=8, fontweight="normal", color=MUTED, pad=2, loc="center")


def groups_figure(title: str, groups: list[pd.DataFrame], images: np.ndarray, none: str) -> Figure:
    """Return a sheet of groups, a row each.

    Parameters
    ----------
    title
        What the sheet shows.
    groups
        For each group its images: `image_id`, `label`, `source_split`, `patient_id`, `weakest_link`, `row`,
        `width`, `height`.
    images : ndarray of uint8, shape (N, size, size)
        The packed whole images.
    none
        What to say where there is no group.
    """
    if not groups:
        return empty_figure(title, none)
    lines = [group_lines(number + 1, members) for number, members in enumerate(groups)]
    heights = [height for own in lines for height in (words_height(own), MEMBER)]
    figure = new_figure(0.75 + sum(heights))
    figure.get_layout_engine().set(h_pad=0.01, w_pad=0.01, hspace=0.01, wspace=0.01)
    add_title(figure, title, width=52)
    grid = figure.add_gridspec(2 * len(groups), MEMBERS, height_ratios=heights)
    for number, members in enumerate(groups):
        write_lines(blank_axes(figure.add_subplot(grid[2 * number, :])), lines[number])
        shown = evenly(len(members), MEMBERS)
        for column in range(MEMBERS):
            tile = blank_axes(figure.add_subplot(grid[2 * number + 1, column]))
            if column < len(shown):
                member = members.iloc[shown[column]]
                frame = FRAMES.get(member["source_split"], NO_FRAME)
                show(
                    tile,
                    np.asarray(images[int(member["row"])]),
                    member["height"] / member["width"],
                    frame=frame,
                )
    parts = [part for members in groups for part in members["source_split"]]
    figure.legend(
        handles=frame_patches(parts), loc="outside lower left", ncols=3, fontsize=8.5, borderpad=0.8
    )
    return figure


def group_lines(number: int, members: pd.DataFrame) -> list[tuple[str, dict]]:
    """Return two lines on a group: how many images of which class and part, and what holds it together."""
    labels = [class_title(label) for label in members["label"].dropna().unique()]
    count, shown = len(members), min(MEMBERS, len(members))
    some = f", {shown} shown" if shown < count else ""
    two = "two labels, " if len(labels) == 2 else f"{len(labels)} labels, " if len(labels) > 2 else ""
    head = f"{number}. {count} images{some}: {two}{' / '.join(labels) or 'unlabelled'}"
    parts = members["source_split"].value_counts()
    words = [f"{parts[part]} in {part}" for part in ("train", "test") if part in parts]
    patients = members["patient_id"].dropna().unique()
    link = members["weakest_link"].min()
    if len(patients):
        words.append(
            f"patient {', '.join(map(str, patients[:2]))}" + (" and more" if len(patients) > 2 else "")
        )
    if link < 1:
        words.append(f"weakest link {link:.3f}")
    elif not len(patients):
        words.append("equal files")
    return [(head, {"fontsize": 8.5, "fontweight": "bold"}), ("; ".join(words), {"fontsize": 8})]


def shape_of(pair: pd.Series, side: str) -> float:
    """Return height over width of one image of a pair."""
    return pair[f"height_{side}"] / pair[f"width_{side}"]


def show(axes, image: np.ndarray, shape: float, frame: str | None = None, colours="gray", top=255) -> None:
    """Draw a squeezed image in its true shape, framed or not."""
    shape = float(np.clip(shape, *SIDEWAYS))
    axes.set_facecolor("#e4e7ec")
    axes.imshow(image, cmap=colours, vmin=0, vmax=top, interpolation="antialiased", aspect=shape)
    if frame:
        axes.spines[:].set(visible=True, color=frame, linewidth=1.8)


def frame_patches(parts: list) -> list[Patch]:
    """Return the legend of the frames that occur."""
    names = {"train": "source's training part", "test": "source's test part"}
    patches = [
        Patch(facecolor="none", edgecolor=FRAMES[part], linewidth=1.8, label=name)
        for part, name in names.items()
        if part in parts
    ]
    others = any(part not in names for part in parts)
    return [
        *patches,
        *([Patch(facecolor="none", edgecolor=NO_FRAME, label="no part told")] if others else []),
    ]
