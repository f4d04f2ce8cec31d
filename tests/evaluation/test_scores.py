"""Metrics of probabilities agree with scikit-learn, weighted and not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from brainmri.evaluation.probabilities import brier_scores, log_losses, softmax
from brainmri.evaluation.scores import class_scores, overall_scores, ranking_metrics


def example(seed, images=60, classes=4):
    generator = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), generator.integers(classes, size=images - classes)])
    return truth, generator.normal(size=(images, classes)) + 1.5 * np.eye(classes)[truth]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 4)), min_size=2, max_size=60).filter(
        lambda rows: {True, False} <= {positive for _, positive, weight in rows if weight}
    )
)
def test_ranking_with_ties_and_weights_agrees_with_scikit_learn(rows):
    scores, positive, weights = (np.array(column) for column in zip(*rows, strict=True))
    auroc, precision = ranking_metrics(scores.astype(float), positive, np.array([weights, weights * 2.0]))
    expected = reference.roc_auc_score(positive, scores, sample_weight=weights)
    np.testing.assert_allclose(auroc, [expected, expected])
    expected = reference.average_precision_score(positive, scores, sample_weight=weights)
    np.testing.assert_allclose(precision, [expected, expected])


@pytest.mark.parametrize("seed", range(3))
def test_multi_class_scores_agree_with_scikit_learn(seed):
    truth, logits = example(seed)
    probabilities, weights = softmax(logits), np.ones((1, len(truth)))
    each = class_scores(probabilities, truth, weights)
    whole = overall_scores(each, log_losses(logits, truth), brier_scores(probabilities, truth), weights)
    wished = np.eye(4)[truth]
    assert whole["macro_auroc"][0] == pytest.approx(
        reference.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    )
    assert whole["macro_average_precision"][0] == pytest.approx(
        reference.average_precision_score(wished, probabilities, average="macro")
    )
    assert whole["log_loss"][0] == pytest.approx(reference.log_loss(truth, probabilities))
    assert whole["brier"][0] == pytest.approx(
        sum(reference.brier_score_loss(wished[:, index], probabilities[:, index]) for index in range(4))
    )


def test_the_brier_score_of_a_class_taken_for_sure_and_wrongly_is_2():
    probabilities = np.array([[1.0, 0.0, 0.0], [0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])
    assert brier_scores(probabilities, np.array([0, 0, 2])) == pytest.approx([0, 0.14, 2])


def test_a_class_without_images_has_no_auroc_and_no_part_in_the_mean():
    truth = np.array([0, 0, 1, 1])
    probabilities = softmax(np.random.default_rng(0).normal(size=(4, 3)))
    each = class_scores(probabilities, truth, np.ones((1, 4)))
    assert np.isnan(each["auroc"][0, 2]) and np.isnan(each["average_precision"][0, 2])
    whole = overall_scores(each, np.zeros(4), np.zeros(4), np.ones((1, 4)))
    assert whole["macro_auroc"][0] == pytest.approx(each["auroc"][0, :2].mean())


def test_huge_logits_do_not_overflow():
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]])
    assert softmax(logits).tolist() == [[1, 0], [0, 1]]
    assert log_losses(logits, np.array([0, 0])).tolist() == [0, 2e4]
