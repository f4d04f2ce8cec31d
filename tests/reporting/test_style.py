"""Figures: the same bytes for the same table, and letters that can be read on their ground."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps

from brainmri.reporting.figure_size import image_size
from brainmri.reporting.style import add_title, figure_style, new_figure, save_figure, text_colour_on


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_drawing_gives_the_same_bytes(tmp_path, suffix):
    contents = []
    for number in range(2):
        path = tmp_path / f"{number}{suffix}"
        with figure_style():
            figure = new_figure(3)
            figure.subplots().plot([0, 1], [1, 0], label="line")
            add_title(figure, "a title")
            save_figure(figure, path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_figure_is_as_wide_on_the_page_as_it_was_drawn(tmp_path, suffix):
    path = tmp_path / f"figure{suffix}"
    with figure_style():
        save_figure(new_figure(3, width=4.8), path)
    width, height, _ = image_size(path.read_bytes(), path)
    assert (width, height) == (461, 288)


@given(share=st.floats(0, 1))
def test_numbers_on_the_matrix_can_be_read(share):
    """WCAG asks for a contrast of 4.5; black or white always reaches it."""
    background = colormaps["cividis"](share)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in background[:3]]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    ink = 0.0 if text_colour_on(background) == "black" else 1.0
    assert (max(luminance, ink) + 0.05) / (min(luminance, ink) + 0.05) >= 4.5
