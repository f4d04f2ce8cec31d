"""Count-based metrics agree with scikit-learn, and say null rather than something false."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from brainmri.evaluation.metrics import (
    OVERALL_METRICS,
    class_metrics,
    confusion_counts,
    overall_metrics,
)

CLASSES = 4
labelled = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=80
)


def metrics_of(truth, predicted):
    counts = confusion_counts(np.array(truth), np.array(predicted), CLASSES)
    return overall_metrics(counts), class_metrics(counts)


@given(labelled)
def test_agrees_with_scikit_learn(pairs):
    truth, predicted = map(np.array, zip(*pairs, strict=True))
    whole, each = metrics_of(truth, predicted)
    present = np.unique(truth)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        truth, predicted, labels=present, zero_division=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = reference.balanced_accuracy_score(truth, predicted)
        kappa = reference.cohen_kappa_score(truth, predicted)
    np.testing.assert_allclose(whole["accuracy"], reference.accuracy_score(truth, predicted))
    np.testing.assert_allclose(whole["balanced_accuracy"], balanced)
    np.testing.assert_allclose(whole["macro_precision"], precision.mean())
    np.testing.assert_allclose(whole["macro_recall"], recall.mean())
    np.testing.assert_allclose(whole["macro_f1"], f1.mean())
    np.testing.assert_allclose(whole["cohen_kappa"], kappa, atol=1e-12)
    if len(present) > 1:
        np.testing.assert_allclose(whole["mcc"], reference.matthews_corrcoef(truth, predicted), atol=1e-12)
    np.testing.assert_allclose(each["precision"][present], precision)
    np.testing.assert_allclose(each["recall"][present], recall)
    np.testing.assert_allclose(each["f1"][present], f1)


@given(labelled)
def test_specificity_is_the_recall_of_the_rest(pairs):
    truth, predicted = map(np.array, zip(*pairs, strict=True))
    _, each = metrics_of(truth, predicted)
    for index in range(CLASSES):
        rest, named_rest = truth != index, predicted != index
        if rest.any():
            assert each["specificity"][index] == pytest.approx(
                reference.recall_score(rest, named_rest, zero_division=0)
            )
        if named_rest.any():
            assert each["negative_predictive_value"][index] == pytest.approx(
                reference.precision_score(rest, named_rest, zero_division=0)
            )


@given(st.lists(labelled, min_size=1, max_size=5))
def test_many_tables_at_once_give_what_each_gives(tables):
    counts = np.stack(
        [confusion_counts(*map(np.array, zip(*pairs, strict=True)), CLASSES) for pairs in tables]
    )
    assert tuple(overall_metrics(counts)) == OVERALL_METRICS
    for function in (overall_metrics, class_metrics):
        together = function(counts)
        for index, single in enumerate(counts):
            for name, value in function(single).items():
                np.testing.assert_array_equal(together[name][index], value)


def test_a_perfect_predictor_scores_one_everywhere():
    truth = [0, 1, 2, 3, 3]
    whole, each = metrics_of(truth, truth)
    assert all(value == pytest.approx(1) for value in whole.values())
    assert all(value == pytest.approx(1) for values in each.values() for value in values)


def test_a_constant_predictor_earns_chance():
    whole, each = metrics_of([0, 1, 2, 3], [0, 0, 0, 0])
    assert whole["balanced_accuracy"] == pytest.approx(0.25)
    assert whole["mcc"] == whole["cohen_kappa"] == 0
    assert each["precision"].tolist() == [0.25, 0, 0, 0]
    assert whole["macro_precision"] == pytest.approx(0.0625)


def test_an_absent_class_is_left_out_not_counted_as_zero():
    whole, each = metrics_of([0, 0, 1, 1], [0, 0, 1, 2])
    assert np.isnan([each[name][2] for name in ("precision", "recall", "f1")]).all()
    assert each["specificity"][2] == pytest.approx(0.75)
    assert whole["macro_recall"] == pytest.approx((1 + 0.5) / 2)


def test_one_true_class_leaves_correlation_undefined():
    whole, _ = metrics_of([1, 1], [1, 0])
    assert np.isnan(whole["mcc"])
    assert whole["accuracy"] == 0.5
