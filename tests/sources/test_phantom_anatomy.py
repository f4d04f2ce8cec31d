"""What is drawn: heads with a clear edge, lesions where their kind sits."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from brainmri.images.box import CropSettings, find_box
from brainmri.labels import CLASS_NAMES
from brainmri.sources.synthetic.lesions import KINDS
from brainmri.sources.synthetic.masks import box_of
from brainmri.sources.synthetic.slices import PLANES, draw_slices


def some(label: str, patients: range, size: int = 96, count: int = 2):
    for patient in patients:
        yield from draw_slices(11, patient, label, count, size, True)


def test_head_box_is_what_a_border_crop_finds():
    for patient in range(20):
        for drawn in draw_slices(2, patient, CLASS_NAMES[patient % 4], 2, 512, True):
            box, fallback = find_box(drawn.image, CropSettings())
            assert not fallback
            found = (box.left, box.top, box.right, box.bottom)
            assert np.abs(np.subtract(found, box_of(drawn.head))).max() <= 3, (
                patient,
                drawn.index,
                drawn.plane,
            )


def test_all_planes_are_drawn_and_slices_of_one_plane_are_neighbours():
    planes = [drawn.plane for drawn in some("no_tumor", range(10), 32)]
    assert set(planes) == set(PLANES)
    for patient in range(8):
        run = [drawn.plane for drawn in draw_slices(1, patient, "glioma", 4, 32, True)]
        assert len(dict.fromkeys(run)) == 1 + sum(a != b for a, b in pairwise(run))


@pytest.mark.parametrize("kind", KINDS)
def test_each_slice_of_a_patient_with_tumour_shows_it_inside_the_head(kind):
    for drawn in some(kind, range(15)):
        assert drawn.lesion.any()
        assert drawn.head[drawn.lesion].all()
        assert drawn.lesion.sum() < 0.35 * drawn.head.sum()


def test_no_tumour_no_mask():
    assert not any(drawn.lesion.any() for drawn in some("no_tumor", range(5), 64))


def depth_of(drawn) -> float:
    """Return how far the lesion stays from the head's edge, as a share of the head's half width."""
    depth = cv2.distanceTransform(drawn.head.astype(np.uint8), cv2.DIST_L2, 5)
    return depth[drawn.lesion].min() / depth.max()


def test_meningiomas_touch_the_dura_and_gliomas_lie_deeper():
    meningioma = np.array([depth_of(drawn) for drawn in some("meningioma", range(25))])
    glioma = np.array([depth_of(drawn) for drawn in some("glioma", range(25))])
    # Those at the skull base lie deep in the head: the median speaks for the others.
    assert np.median(meningioma) < 0.27
    assert np.median(glioma) > np.median(meningioma) + 0.05


def test_pituitary_tumours_lie_near_the_midline():
    for drawn in some("pituitary", range(25)):
        if drawn.plane != "sagittal":
            left, _, right, _ = box_of(drawn.head)
            middle = np.nonzero(drawn.lesion)[1].mean()
            assert abs(middle - (left + right) / 2) < 0.12 * (right - left)


def test_gliomas_are_less_round_than_meningiomas():
    def roundness(drawn) -> float:
        outline = max(
            cv2.findContours(drawn.lesion.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0],
            key=len,
        )
        return cv2.contourArea(outline) / cv2.contourArea(cv2.convexHull(outline))

    glioma = [roundness(drawn) for drawn in some("glioma", range(25))]
    meningioma = [roundness(drawn) for drawn in some("meningioma", range(25))]
    assert np.median(glioma) < np.median(meningioma)


def test_margins_vary_and_background_is_dark():
    tops, backgrounds = [], []
    for drawn in some("no_tumor", range(20), 96, 1):
        tops.append(box_of(drawn.head)[1])
        outside = cv2.erode((~drawn.head).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        backgrounds.append(np.percentile(cv2.GaussianBlur(drawn.image, (5, 5), 0)[outside], 99.9))
    assert max(tops) - min(tops) > 5
    assert max(backgrounds) < 45
    assert min(backgrounds) > 0


def test_neighbouring_slices_are_alike_but_no_copies():
    for patient in range(12):
        slices = list(draw_slices(4, patient, CLASS_NAMES[patient % 4], 6, 96, True))
        for a, b in pairwise(slices):
            if a.plane == b.plane:
                small = [cv2.resize(s.image, (64, 64), interpolation=cv2.INTER_AREA).ravel() for s in (a, b)]
                assert 0.3 < np.corrcoef(*small)[0, 1] < 0.995
