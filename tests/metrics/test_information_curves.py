"""Performance information curves: entropy and what survives of a picture."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import native
from subset_networks import CONTRIBUTIONS, INPUT, linear, picture_network

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.metrics.faithfulness.information_curves import interpolated, known_positions, revealed, webp_length
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from
from heatmark.models.random_bank import RandomBank

torch = pytest.importorskip("torch")


class TestInformationCurves:
    def test_the_ground_truth_beats_a_random_map_and_its_opposite(self):
        subject, x, masks = picture_network()
        texture = 0.1 * np.random.default_rng(0).random(masks.shape, dtype=np.float32)
        for metric in ("sic", "aic"):
            oracle, random, wrong = (
                hm.score(subject, x, maps, metric, 0)
                for maps in (masks + texture, hm.explain(subject, x, "random", 0), texture - masks)
            )
            assert np.isfinite(oracle).all()
            assert (oracle > random).all() and (random >= wrong).all() and (oracle > 0.6).all()

    @pytest.mark.parametrize("framework", networks.FRAMEWORKS)
    def test_the_network_is_asked_of_pictures_of_8_bits_alone(self, framework):
        subject = networks.model_of(networks.plain((24, 24, 3), classes=3), framework, seed=2)
        rng = np.random.default_rng(0)
        exact = np.rint(rng.uniform(1, 254, (12, 24, 24, 3)))
        between = exact + rng.uniform(-0.45, 0.45, exact.shape)
        maps = rng.standard_normal((12, 24, 24)).astype(np.float32)
        target = subject.outputs(native(subject, (exact / 255).astype(np.float32))).argmax(axis=1)
        found = [
            hm.score(subject, native(subject, (x / 255).astype(np.float32)), maps, "sic[least=0]", target)
            for x in (exact, between)
        ]
        assert np.isfinite(found[0]).any()
        np.testing.assert_array_equal(*found)

    def test_what_is_known_and_what_is_revealed(self, model):
        subject = model("plain", "torch")

        class Context:
            bank = RandomBank(0)

        Context.model = subject
        known = known_positions(Context, 0.1)
        assert known[[0, 0, -1, -1], [0, -1, 0, -1]].all() and 14 <= known.sum() <= 18
        none = np.zeros((12, 12), bool)
        order = np.random.default_rng(0).permutation(144)
        for share in (0.005, 0.1, 0.5, 0.75):
            mask = revealed(none, order, share)
            values = np.empty(144)
            values[order] = np.arange(144, 0, -1)
            assert np.array_equal(mask.ravel(), values >= np.quantile(values, 1 - share))
            assert (revealed(known, order, share) == (mask | known)).all()

    def test_a_ramp_is_interpolated_exactly(self):
        ramp = (np.arange(12)[:, None, None] * 10 + np.arange(12)[None, :, None] * 7 + np.zeros(3)).astype(np.uint8)
        known = np.random.default_rng(0).random((12, 12)) < 0.1
        known[::11, ::11] = True
        before = ramp.copy()
        assert np.array_equal(interpolated(ramp, known), ramp)
        spoilt = np.where(known[..., None], ramp, np.uint8(255))
        assert np.array_equal(interpolated(spoilt, known), ramp)
        assert np.array_equal(ramp, before)

    def test_information_is_the_length_of_a_lossless_file(self):
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        assert webp_length(np.zeros((32, 32, 3), np.uint8)) < 100 < 2800 < webp_length(noise)
        assert webp_length(noise[..., :1]) < webp_length(noise)

    def test_samples_without_a_value(self):
        subject, x, masks = picture_network()
        maps = masks.astype(np.float32)
        assert np.isnan(hm.score(subject, x, maps, "sic[least=0.9999999]", 0)).all()  # not sure enough
        assert np.isnan(hm.score(subject, x, maps, "sic[least=0]", 1)).all()  # the blurred picture scores more
        assert np.isnan(hm.score(subject, x, maps, "aic[known=1.0]", 0)).all()  # nothing is blurred
        with pytest.raises(NotApplicable, match="no grey or colour pictures"):
            hm.score(linear(), INPUT, CONTRIBUTIONS, "sic", 0)

    def test_both_curves_read_the_same_passes(self):
        subject, x, masks = picture_network()
        inputs, maps, target = subject.inputs(x), masks.astype(np.float32), np.zeros(3, np.int64)
        known = subject.outputs(x)

        def passes(*names):
            before = subject.passes.forward
            metrics = [metric_from(name) for name in names]
            evaluate_batch(subject, inputs, maps, target, metrics, logits=known)
            return subject.passes.forward - before

        assert passes("sic") == passes("aic") == passes("sic", "aic") == 3 * 15
        assert passes("sic", "aic[magnitude=true]") == 2 * 3 * 15
