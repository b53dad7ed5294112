"""Norm layers against NumPy formulas; running statistics of batch norm."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.ops import normalization


def standardized(x, axes, eps=1e-5):
    x = x.astype(np.float64)
    centred = x - x.mean(axis=axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=axes, keepdims=True) + eps)


def channels(values, ndim=4):
    return np.asarray(values, np.float64).reshape(1, -1, *(1,) * (ndim - 2))


def image(rng, *shape):
    return (3.0 + 2.0 * rng.standard_normal(shape)).astype(np.float32)


def randomize(rng, layer):
    """Give scale and shift values that show."""
    for parameter in layer.parameters():
        parameter.assign_(rng.standard_normal(parameter.shape).astype(np.float32))
    return layer


def check(y, expected):
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-4, atol=1e-5)


class TestBatchNorm:
    @pytest.mark.parametrize(("layer", "shape"), [
        (nn.BatchNorm2d, (4, 3, 5, 2)), (nn.BatchNorm1d, (6, 3)), (nn.BatchNorm1d, (4, 3, 5)),
    ])  # fmt: skip
    def test_training_normalises_by_the_batch(self, rng, layer, shape):
        norm = randomize(rng, layer(3))
        x = image(rng, *shape)
        axes = tuple(a for a in range(x.ndim) if a != 1)
        w, b = (channels(p.numpy(), x.ndim) for p in (norm.weight, norm.bias))
        check(norm(mg.tensor(x)), standardized(x, axes) * w + b)

    @pytest.mark.parametrize("momentum", [0.1, 0.7, None])
    def test_running_statistics(self, rng, momentum):
        """running <- (1 - m) running + m batch with the unbiased variance; None averages."""
        norm = nn.BatchNorm2d(3, momentum=momentum)
        mean, var = np.zeros(3), np.ones(3)
        for t in range(1, 5):
            x = image(rng, 4, 3, 2, 5)
            norm(mg.tensor(x))
            m = 1 / t if momentum is None else momentum
            mean = (1 - m) * mean + m * x.mean(axis=(0, 2, 3), dtype=np.float64)
            var = (1 - m) * var + m * x.astype(np.float64).var(axis=(0, 2, 3), ddof=1)
        check(norm.running_mean, mean)
        check(norm.running_var, var)
        assert norm.num_batches_tracked.item() == 4
        assert norm.num_batches_tracked.dtype == np.int64

    def test_the_statistics_are_computed_once(self, rng, monkeypatch):
        calls = []
        for name in ("moments", "normalize_forward"):
            kernel = getattr(normalization, name)
            monkeypatch.setattr(
                normalization,
                name,
                lambda *a, name=name, kernel=kernel, **k: (
                    calls.append((name, k.get("statistics") is not None)) or kernel(*a, **k)
                ),
            )
        nn.BatchNorm2d(3)(mg.tensor(image(rng, 4, 3, 2, 5)))
        assert calls == [("moments", False), ("normalize_forward", True)]

    def test_evaluation_is_affine_and_pure(self, rng):
        norm = randomize(rng, nn.BatchNorm2d(3, eps=0.5))
        for _ in range(3):
            norm(mg.tensor(image(rng, 4, 3, 2, 5)))
        norm.eval()
        state, x = norm.state_dict(), image(rng, 1, 3, 1, 1)
        z = (x - channels(state["running_mean"])) / np.sqrt(channels(state["running_var"]) + 0.5)
        check(norm(mg.tensor(x)), z * channels(state["weight"]) + channels(state["bias"]))
        for name, value in norm.state_dict().items():
            np.testing.assert_array_equal(value, state[name])

    def test_statistics_are_not_differentiated_and_hold_no_graph(self, rng):
        norm = nn.BatchNorm2d(3)
        x = mg.tensor(image(rng, 4, 3, 2, 5), requires_grad=True)
        norm(x).sum().backward()
        assert not norm.running_mean.requires_grad
        assert norm.running_mean.is_leaf

    def test_two_forwards_before_backward(self, rng):
        """The second forward assigns the running statistics; the first one's graph stands."""
        norm = nn.BatchNorm2d(3)
        x, y = (mg.tensor(image(rng, 4, 3, 2, 5), requires_grad=True) for _ in range(2))
        loss = (norm(x) ** 3).sum() - (norm(y) ** 3).sum()
        together = mg.grad(loss, [x, y])
        for t, sign, g in ((x, 1.0, together[0]), (y, -1.0, together[1])):
            (alone,) = mg.grad((norm(t) ** 3).sum() * sign, [t])
            np.testing.assert_allclose(g.numpy(), alone.numpy(), rtol=1e-5, atol=1e-5)

    def test_without_statistics_or_affine(self, rng):
        norm = nn.BatchNorm2d(3, affine=False, track_running_stats=False).eval()
        assert norm.state_dict() == {}
        x = image(rng, 4, 3, 2, 5)
        check(norm(mg.tensor(x)), standardized(x, (0, 2, 3)))

    def test_keys_and_keyword_only_options(self):
        keys = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
        assert list(nn.BatchNorm2d(3).state_dict()) == keys
        with pytest.raises(TypeError):
            nn.BatchNorm2d(128, 0.8)

    def test_refusals(self):
        with pytest.raises(
            mg.errors.ShapeError, match=r"BatchNorm2d\(3\) got shape \(1, 2, 4, 4\)"
        ):
            nn.BatchNorm2d(3)(mg.zeros(1, 2, 4, 4))
        with pytest.raises(mg.errors.ShapeError):
            nn.BatchNorm2d(3)(mg.zeros(1, 3))

    @pytest.mark.parametrize(("layer", "shape"), [
        (nn.BatchNorm1d, (1, 3)), (nn.BatchNorm2d, (1, 3, 1, 1)), (nn.BatchNorm2d, (0, 3, 2, 2)),
    ])  # fmt: skip
    def test_one_value_per_channel_cannot_be_trained_on(self, layer, shape):
        norm = layer(3)
        remedy = (
            r"BatchNorm.d\(3\) in training needs more than one value .*\.eval\(\) for inference"
        )
        with pytest.raises(mg.errors.ShapeError, match=remedy):
            norm(mg.zeros(*shape))
        assert norm.num_batches_tracked.item() == 0
        assert norm.eval()(mg.zeros(*shape)).shape == shape


class TestOthers:
    @pytest.mark.parametrize("affine", [False, True])
    def test_instance_norm(self, rng, affine):
        norm = randomize(rng, nn.InstanceNorm2d(3, affine=affine))
        assert list(norm.state_dict()) == (["weight", "bias"] if affine else [])
        x = image(rng, 2, 3, 4, 5)
        expected = standardized(x, (2, 3))
        if affine:
            expected = expected * channels(norm.weight.numpy()) + channels(norm.bias.numpy())
        check(norm(mg.tensor(x)), expected)

    def test_instance_norm_refuses_single_pixels(self):
        with pytest.raises(ValueError, match="larger map"):
            nn.InstanceNorm2d(3)(mg.zeros(2, 3, 1, 1))
        with pytest.raises(mg.errors.ShapeError, match=r"needs \(N, 3, H, W\), got \(2, 4, 2, 2\)"):
            nn.InstanceNorm2d(3)(mg.zeros(2, 4, 2, 2))

    @pytest.mark.parametrize(("normalized_shape", "axes"), [(5, (3,)), ((3, 4, 5), (1, 2, 3))])
    def test_layer_norm(self, rng, normalized_shape, axes):
        norm = randomize(rng, nn.LayerNorm(normalized_shape))
        x = image(rng, 2, 3, 4, 5)
        expected = standardized(x, axes) * norm.weight.numpy() + norm.bias.numpy()
        check(norm(mg.tensor(x)), expected)
        assert nn.LayerNorm(5, elementwise_affine=False).num_parameters() == 0
        with pytest.raises(mg.errors.ShapeError):
            norm(mg.zeros(2, 4))

    @pytest.mark.parametrize("groups", [1, 2, 4])
    def test_group_norm(self, rng, groups):
        norm = randomize(rng, nn.GroupNorm(groups, 4))
        x = image(rng, 2, 4, 3, 5)
        expected = standardized(x.reshape(2, groups, -1), (2,)).reshape(x.shape)
        expected = expected * channels(norm.weight.numpy()) + channels(norm.bias.numpy())
        check(norm(mg.tensor(x)), expected)
        with pytest.raises(ValueError, match="num_groups=3 must divide num_channels=4"):
            nn.GroupNorm(3, 4)

    def test_pixel_norm(self, rng):
        x = image(rng, 2, 6, 3, 3)
        expected = x / np.sqrt((x.astype(np.float64) ** 2).mean(axis=1, keepdims=True) + 1e-8)
        check(nn.PixelNorm()(mg.tensor(x)), expected)

    def test_adain(self, rng):
        """Each map has mean b and deviation |1 + s| after it, with (s, b) affine in the style."""
        norm = nn.AdaIN(3, 5)
        x, style = image(rng, 2, 3, 8, 8), image(rng, 2, 5)
        both = style @ norm.affine.weight.numpy().T + norm.affine.bias.numpy()
        y = norm(mg.tensor(x), mg.tensor(style))
        assert y.dtype == np.float32
        y = y.numpy()
        np.testing.assert_allclose(y.mean(axis=(2, 3)), both[:, 3:], atol=1e-4)
        np.testing.assert_allclose(y.std(axis=(2, 3)), np.abs(1 + both[:, :3]), atol=1e-3)

    def test_adain_starts_as_instance_norm_for_a_zero_style(self, rng):
        x = image(rng, 2, 3, 4, 4)
        y = nn.AdaIN(3, 5)(mg.tensor(x), mg.zeros(2, 5))
        check(y, standardized(x, (2, 3)))
        with pytest.raises(mg.errors.ShapeError, match=r"got \(2, 3, 4, 4\) and \(1, 5\)"):
            nn.AdaIN(3, 5)(mg.tensor(x), mg.zeros(1, 5))

    def test_sizes_are_whole_numbers(self):
        two, four = np.int64(2), np.int32(4)
        for norm in (
            nn.BatchNorm1d(four), nn.InstanceNorm2d(four, affine=True), nn.LayerNorm(four),
            nn.LayerNorm([four]), nn.GroupNorm(two, four),
        ):  # fmt: skip
            assert norm.weight.shape == (4,)
        assert nn.AdaIN(two, four).affine.weight.shape == (4, 4)
        assert repr(nn.LayerNorm((two, four))) == "LayerNorm((2, 4))"
        with pytest.raises(TypeError, match=r"normalized_shape=4\.0: give an int"):
            nn.LayerNorm(4.0)
        with pytest.raises(ValueError, match="num_features=0: give an int >= 1"):
            nn.BatchNorm2d(0)
        with pytest.raises(ValueError, match="num_groups=0: give an int >= 1"):
            nn.GroupNorm(0, 4)
