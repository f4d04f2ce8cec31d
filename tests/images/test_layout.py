"""Label, split and patient from folders and names, as the public sets lay them out."""

import pytest

from brainmri.errors import BrainmriError
from brainmri.images.layout import LayoutSettings, find_places

ORVILE = "Brain_Cancer raw MRI data/Brain_Cancer"
ORVILE_CLASSES = {"glioma": ["brain_glioma"], "meningioma": ["brain_menin"], "pituitary": ["brain_tumor"]}


def told(path, others=(), layout=None, classes=None):
    """Return (image_id, label, split, patient, outside) of the first of some paths."""
    place = find_places([path, *others], layout or LayoutSettings(), classes)[0]
    return place.image_id, place.label, place.source_split, place.patient_id, place.outside


@pytest.mark.parametrize(
    ("path", "label", "split"),
    [
        ("Training/glioma_tumor/gg (1).jpg", "glioma", "train"),
        ("Testing/no_tumor/image.jpg", "no_tumor", "test"),
        ("Training/notumor/Tr-no_0010.jpg", "no_tumor", "train"),
        ("Testing/pituitary/Te-pi_0010.jpg", "pituitary", "test"),
        ("val/meningioma/1.jpg", "meningioma", "train"),
        ("TEST/Glioma Tumour/1.jpg", "glioma", "test"),
        ("meningioma/1.jpg", "meningioma", None),
        ("glioma/test_1.jpg", "glioma", None),
        ("glioma/normal/1.jpg", "no_tumor", None),
    ],
)
def test_words_of_public_sets_are_known(path, label, split):
    assert told(path) == (path, label, split, None, False)


def test_orvile_is_unsplit_and_its_wrapping_folders_are_skipped():
    others = [f"{ORVILE}/{name}/x.jpg" for name in ("brain_glioma", "brain_menin", "brain_tumor")]
    found = told(f"{ORVILE}/brain_tumor/brain_tumor_0001.jpg", others, classes=ORVILE_CLASSES)
    assert found == ("brain_tumor/brain_tumor_0001.jpg", "pituitary", None, None, False)


def test_a_note_beside_the_wrapping_folder_does_not_stop_the_search():
    places = find_places(["README.md", "set/Training/glioma/1.jpg"])
    assert [place.image_id for place in places] == ["../README.md", "Training/glioma/1.jpg"]
    assert [place.outside for place in places] == [True, False]


def test_root_can_be_given_and_skipping_be_turned_off():
    paths = ["a/b/glioma/1.jpg"]
    assert find_places(paths, LayoutSettings(root="a"))[0].image_id == "b/glioma/1.jpg"
    assert find_places(paths, LayoutSettings(root="a/b/"))[0].image_id == "glioma/1.jpg"
    assert find_places(paths, LayoutSettings(root="."))[0].image_id == "a/b/glioma/1.jpg"
    with pytest.raises(BrainmriError, match=r"'a/b/gliom', and there is no such folder. Did you mean"):
        find_places(paths, LayoutSettings(root="a/b/gliom"))


def test_a_lone_split_or_class_folder_is_no_wrapping():
    assert told("Training/glioma/1.jpg")[0] == "Training/glioma/1.jpg"
    assert told("mine/1.jpg", classes={"glioma": ["mine"]})[0] == "mine/1.jpg"
    assert told("first/glioma/1.jpg", layout=LayoutSettings(train="first"))[0] == "first/glioma/1.jpg"


def test_split_folders_can_be_given_and_what_is_elsewhere_is_outside():
    layout = LayoutSettings(train="A", test="B/held out")
    paths = ["A/glioma/1.jpg", "B/held out/glioma/1.jpg", "B/glioma/1.jpg"]
    assert [(place.source_split, place.outside) for place in find_places(paths, layout)] == [
        ("train", False),
        ("test", False),
        (None, True),
    ]


def test_unsplit_turns_the_words_off():
    assert told("Training/glioma/1.jpg", layout=LayoutSettings(unsplit=""))[2:] == (None, None, False)
    paths = ["Training/glioma/1.jpg", "Training/extra/glioma/1.jpg"]
    layout = LayoutSettings(train="Training", unsplit="Training/extra")
    assert [place.source_split for place in find_places(paths, layout)] == ["train", None]


def test_classes_given_are_the_only_ones():
    paths = ["mine/1.jpg", "glioma/1.jpg"]
    found = find_places(paths, classes={"meningioma": ["mine"]})
    assert [place.label for place in found] == ["meningioma", None]


def test_class_folders_can_be_nested():
    paths = ["a/x/1.jpg", "b/x/1.jpg"]
    found = find_places(paths, classes={"glioma": ["a/x"], "meningioma": ["b/x"]})
    assert [place.label for place in found] == ["glioma", "meningioma"]


def test_class_folder_that_does_not_exist_names_class_folder_and_nearest():
    with pytest.raises(BrainmriError) as caught:
        find_places(["glioma_tumor/1.jpg"], classes={"glioma": ["glioma_tumour"]})
    message = str(caught.value)
    assert "classes.glioma" in message
    assert "'glioma_tumour'" in message
    assert "Did you mean 'glioma_tumor'?" in message


def test_no_class_at_all_lists_the_folders():
    with pytest.raises(BrainmriError, match=r"Folders found: .*alpha, .*beta"):
        find_places(["alpha/1.jpg", "beta/1.jpg"])


@pytest.mark.parametrize("classes", [{}, {"glioma": []}, {"glioma": "folder"}, {"glioma": ["x"], "b": ["x"]}])
def test_classes_that_make_no_sense_are_refused(classes):
    with pytest.raises(BrainmriError, match="classes"):
        find_places(["x/1.jpg"], classes=classes)


@pytest.mark.parametrize("pattern", [r"(P\d+)_", r"(?P<patient>P\d+)_(?:\d)", r"(\d*)x?(?P<patient>P\d+)"])
def test_patient_is_read_from_the_name(pattern):
    found = find_places(["glioma/P0007_02.jpg", "glioma/other.jpg"], LayoutSettings(patient_pattern=pattern))
    assert [place.patient_id for place in found] == ["P0007", None]


def test_pattern_that_matches_nothing_is_told():
    with pytest.raises(BrainmriError, match=r"matches no file, such as 'glioma/1.jpg'"):
        find_places(["glioma/1.jpg"], LayoutSettings(patient_pattern="(Q)"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patient_pattern", "("),
        ("patient_pattern", "no group"),
        ("root", "/abs"),
        ("root", "../up"),
        ("train", "a\\b"),
    ],
)
def test_settings_that_make_no_sense_name_their_key(key, value):
    with pytest.raises(BrainmriError, match=f"layout.{key}"):
        LayoutSettings(**{key: value})


@pytest.mark.parametrize("key", ["train", "test", "unsplit"])
def test_split_folder_that_does_not_exist_names_the_nearest(key):
    with pytest.raises(BrainmriError, match=f"layout.{key} is 'Trainin'.*Did you mean 'Training'"):
        find_places(["Training/glioma/1.jpg"], LayoutSettings(**{key: "Trainin"}))


def test_no_nameless_folder_is_suggested():
    with pytest.raises(BrainmriError, match=r"layout.train is 'x'.*Known: Testing\."):
        find_places(["Testing/1.jpg", "2.jpg"], LayoutSettings(train="x"))
