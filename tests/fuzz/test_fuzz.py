"""Thousands of damaged inputs: no crash, no hang, no flood of memory; each a classified row or a sentence.

`pytest tests/fuzz --fuzz-rounds 20` tries twenty times as much. An attempt is told by its number alone:
`python tests/fuzz/guarded.py fuzz_images FOLDER NUMBER 1` runs it again.
"""

# The numbers of attempts of every day.
IMAGES, ARCHIVES, CONFIGURATIONS, MODELS, ARTEFACTS = 1600, 400, 500, 400, 250


def test_a_damaged_image_is_a_row_with_a_reason_and_a_sentence_of_predict(attempts):
    endings = attempts("fuzz_images", IMAGES)
    assert set(endings) <= {"ok", "corrupt", "unsupported", "oversized", "empty"}
    # Neither may all damage be refused nor all pass, or the test would show nothing.
    assert 0.1 < endings["ok"] / sum(endings.values()) < 0.7


def test_a_damaged_archive_is_unpacked_whole_or_refused(attempts):
    endings = attempts("fuzz_archives", ARCHIVES)
    assert endings["sentence"] > endings["whole"]


def test_a_damaged_configuration_is_valid_or_refused(attempts):
    endings = attempts("fuzz_configurations", CONFIGURATIONS)
    assert endings["sentence"] > endings["valid"] > 0


def test_a_hostile_model_is_refused_or_harmless(attempts):
    endings = attempts("fuzz_models", MODELS)
    assert endings["sentence"] > endings["used"] > 0


def test_no_stage_takes_a_damaged_artefact_for_a_whole_one(attempts):
    endings = attempts("fuzz_artefacts", ARTEFACTS)
    assert endings["sentence"] > endings["finished"]


def test_damaged_images_go_through_the_stages_together(attempts):
    # One attempt is a folder of 140 files: messages of the decoders must be laid at the right one's door.
    assert attempts("fuzz_folders", 2) == {"packed": 2}
