"""Shares, coverage and reverse KL of labels whose answers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from minigan import metrics
from minigan.errors import ShapeError


def test_class_shares_count_every_class():
    shares = metrics.class_shares(np.array([2, 2, 2, 0]), classes=4)
    assert shares.tolist() == [0.25, 0.0, 0.75, 0.0]


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_class_shares_refuse_labels_out_of_range(labels):
    with pytest.raises(ValueError, match="not 0 to 2"):
        metrics.class_shares(np.array(labels), classes=3)


@pytest.mark.parametrize("labels", [np.zeros(0, int), np.zeros((2, 2), int)])
def test_class_shares_refuse_a_wrong_shape(labels):
    with pytest.raises(ShapeError, match=r"must be \(N,\)"):
        metrics.class_shares(labels)


def test_class_coverage_counts_from_the_threshold_on():
    shares = np.array([0.03, 0.029, 0.0, 0.941])
    assert metrics.class_coverage(shares) == 3
    assert metrics.class_coverage(shares, at_least=0.03) == 2


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8).filter(any), st.integers(0, 10**6))
def test_reverse_kl_is_the_relative_entropy(counts, seed):
    q = np.array(counts) / sum(counts)
    p = np.random.default_rng(seed).dirichlet(np.ones(len(q)))
    np.testing.assert_allclose(
        metrics.reverse_kl(q, p), stats.entropy(q, p), rtol=1e-12, atol=1e-14
    )


def test_reverse_kl_of_one_class_out_of_ten_is_log_ten():
    one = np.eye(10)[3]
    assert metrics.reverse_kl(one, np.full(10, 0.1)) == pytest.approx(np.log(10), rel=1e-14)


def test_reverse_kl_is_infinite_where_the_data_have_no_mass():
    assert metrics.reverse_kl(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf


def test_reverse_kl_refuses_different_lengths():
    with pytest.raises(ShapeError, match=r"shares \(2,\) and reference \(3,\)"):
        metrics.reverse_kl(np.ones(2) / 2, np.ones(3) / 3)
