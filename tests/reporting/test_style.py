"""Figures: the same bytes for the same table, and letters that can be read on their ground."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps

from brainmri.reporting.choice import evenly
from brainmri.reporting.figure_size import image_size
from brainmri.reporting.names import class_title, parts_present, shortened
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


def test_parts_come_in_the_order_in_which_they_are_used():
    assert parts_present(["test", "excluded", "train"]) == ["train", "test", "excluded"]


def test_a_missing_label_has_a_name():
    assert class_title(None) == "unlabelled"
    assert class_title("no_tumor") == "no tumor"


def test_of_many_things_some_are_taken_from_the_first_to_the_last():
    assert evenly(101, 3).tolist() == [0, 50, 100]
    assert evenly(2, 3).tolist() == [0, 1]
    assert evenly(0, 3).tolist() == []


def test_a_long_file_name_keeps_both_ends():
    name = "Testing/" + "x" * 80 + "/image(12).jpg"
    assert shortened(name, 30, 10) == "Testing/xx…xxxxx/image(12).jpg"
    assert shortened(name[:30], 30, 10) == name[:30]
