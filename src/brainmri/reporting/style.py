"""How the figures look: palettes that colour-blind people can tell apart, sizes that a phone can show."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from PIL import Image

from brainmri.artefacts import written_atomically
from brainmri.errors import BrainmriError
from brainmri.reporting.figure_size import DOTS_PER_INCH, WIDTH

# Okabe and Ito, "Color Universal Design" (2008); yellow last: it is hard to see on white.
OKABE_ITO = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
PROTOCOL_COLOURS = {
    "grouped": "#0072B2",
    "random": "#D55E00",
    "published": "#E69F00",
    "published_clean": "#56B4E9",
    "leave_one_out": "#009E73",
}
MATRIX_COLOURS = "cividis"
INK, MUTED, GRID = "#1d2330", "#5a6272", "#dfe3ea"

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": "#9aa2b1",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    # Without a fixed salt and with a date, the same table would give different bytes.
    "svg.hashsalt": "brainmri",
    "svg.fonttype": "path",
    # Names of files may hold dollar signs.
    "text.parse_math": False,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Set the project's Matplotlib style for the figures made and saved inside."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure of `width` × `height` inches, whose layout keeps all text inside."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def add_title(figure: Figure, words: str, width: int = 50) -> None:
    """Put a title over a figure, broken into lines of at most `width` letters so that none is cut off."""
    lines = [line for sentence in words.split("\n") for line in textwrap.wrap(sentence, width)]
    figure.suptitle("\n".join(lines), fontsize=10.5, fontweight="bold", x=0.02, ha="left", linespacing=1.25)


def empty_figure(title: str, words: str) -> Figure:
    """Return a figure that says that there is nothing to show."""
    figure = new_figure(0.9)
    add_title(figure, title)
    figure.text(0.02, 0.15, words, color=MUTED)
    return figure


def blank_axes(axes: Axes) -> Axes:
    """Take ticks and frame away, and return the axes."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def plain_log_labels(axis: Axis) -> None:
    """Label a logarithmic axis without formulas, which `figure_style` does not draw."""
    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter())


def save_figure(figure: Figure, path: Path, colours: int | None = None) -> None:
    """Write a figure atomically, the same bytes for the same drawing.

    Parameters
    ----------
    figure
        The figure.
    path
        Where to write; its suffix (``.svg`` or ``.png``) tells the format.
    colours
        Reduce a PNG to a palette of so many colours (a third of the bytes); None keeps it as it is.
    """
    path = Path(path)
    if path.suffix not in (".svg", ".png"):
        raise BrainmriError(f"{path}: the name of a figure must end in .png or .svg.")
    content = BytesIO()
    if path.suffix == ".svg":
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    else:
        figure.savefig(content, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        if colours is not None:
            content = _with_palette(content, colours)
    with written_atomically(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _with_palette(content: BytesIO, colours: int) -> BytesIO:
    """Return a PNG with a palette instead of 24 bits a pixel."""
    content.seek(0)
    image = Image.open(content).convert("RGB")
    # No dithering: grains would cost more bytes than the palette saves.
    image = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    reduced = BytesIO()
    image.save(reduced, format="png", optimize=True)
    return reduced


def class_colour(label_index: int) -> str:
    """Return the colour of a class, which is the same in every figure of a study."""
    return OKABE_ITO[int(label_index) % len(OKABE_ITO)]


def text_colour_on(background: tuple[float, ...]) -> str:
    """Return black or white, whichever is easier to read on an RGB colour (each 0–1; WCAG luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in background[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if luminance > 0.179 else "white"
