"""Draw every picture of the documentation, with brainmri's own code on phantom images.

    python docs/draw_figures.py                     # into docs/images
    python docs/draw_figures.py --output FOLDER

Beside the pictures lies numbers.json: the figures that the text quotes. The walk-through is brought up to
date with it. One to two minutes on two cores.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from figures import convolution, images, leakage, learning, numbers
from figures.study import PhantomStudy, make_study
from matplotlib.figure import Figure

from brainmri.reporting.style import figure_style, save_figure

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
PICTURES = {
    "numbers": images.numbers_figure,
    "crop": images.crop_figure,
    "convolution": convolution.convolution_figure,
    "edges": convolution.edges_figure,
    "network": convolution.network_figure,
    "gradient": learning.gradient_figure,
    "curves": learning.curves_figure,
    "augmentation": learning.augmentation_figure,
    "twins": leakage.twins_figure,
    "confusion_matrix": numbers.matrix_figure,
    "calibration": numbers.calibration_figure,
}
# Pictures of many slices, which are gray anyway, would else be too large for a page.
FEWER_COLOURS = {"augmentation": 56, "twins": 56, "crop": 96, "edges": 140}


def draw_all(output: Path) -> dict[str, str]:
    """Draw all pictures, write the quoted figures and return them.

    Parameters
    ----------
    output
        The folder for ``{name}.png`` and ``numbers.json``.
    """
    with tempfile.TemporaryDirectory() as folder, figure_style():
        study = make_study(Path(folder))
        for name, draw in PICTURES.items():
            save(draw(study), output / f"{name}.png")
        scores = leakage.leak_accuracies(study)
        save(leakage.leak_figure(scores), output / "leak.png")
        quoted = quoted_figures(study, scores)
    (output / "numbers.json").write_text(json.dumps(quoted, indent=2) + "\n", encoding="utf-8")
    return quoted


def save(figure: Figure, path: Path) -> None:
    """Write a picture with a palette: a third of the bytes, and nobody sees it."""
    save_figure(figure, path, colours=FEWER_COLOURS.get(path.stem, 160))


def quoted_figures(study: PhantomStudy, scores: dict) -> dict[str, str]:
    """Return the figures that the text quotes, each written as there."""
    test = study.document("metrics")["test"]
    accuracy, referral = test["accuracy"], test["referral"]
    counts = np.array(test["confusion_matrix"]["counts"])
    glioma, healthy = (test["confusion_matrix"]["labels"].index(name) for name in ("glioma", "no_tumor"))
    called_healthy = counts[:, healthy].sum()
    quoted = {
        f"leak.{kind}.{protocol}": f"{100 * sum(values) / len(values):.0f} %"
        for kind, by_protocol in scores.items()
        for protocol, values in by_protocol.items()
    }
    return {
        **quoted,
        "test.images": f"{test['n_images']} images",
        "test.groups": f"{test['n_groups']} patients",
        "test.accuracy": f"{100 * accuracy['value']:.0f} %",
        "test.interval": f"{100 * accuracy['low']:.0f} % to {100 * accuracy['high']:.0f} %",
        "test.macro_f1": f"{test['macro_f1']['value']:.2f}",
        "test.glioma_found": f"{counts[glioma, glioma]} of {counts[glioma].sum()} gliomas",
        "test.called_healthy": f"{called_healthy} images",
        "test.missed": f"{called_healthy - counts[healthy, healthy]} of them",
        "test.referred": f"{100 * (1 - referral['coverage']):.0f} %",
        "test.kept_right": f"{100 * referral['accuracy_kept']['value']:.0f} %",
    }


def quote(page: Path, before: dict[str, str], after: dict[str, str]) -> None:
    """Replace the figures of a page that stand behind a comment with their name."""
    text = page.read_text(encoding="utf-8")
    for key, words in after.items():
        text = text.replace(f"<!-- {key} -->{before.get(key)}", f"<!-- {key} -->{words}")
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, default=IMAGES, help="folder for the pictures")
    output = parser.parse_args().output
    if output != IMAGES:
        draw_all(output)
        return
    before = json.loads((IMAGES / "numbers.json").read_text(encoding="utf-8"))
    quote(DOCS / "walkthrough.md", before, draw_all(IMAGES))


if __name__ == "__main__":
    main()
