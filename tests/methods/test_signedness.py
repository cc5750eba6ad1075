"""Whether maps carry a sign follows the parameters, and so may what is returned of a map's channels."""

from __future__ import annotations

import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import BadInput
from heatmark.methods.contracts import violations
from heatmark.methods.registry import method_from


def test_signedness_follows_the_parameters():
    signed = {
        "smoothgrad": True,
        "smoothgrad[absolute]": False,
        "smoothgrad[magnitude=squared]": False,
        "guided_backprop": True,
        "guided_backprop[channels=largest]": False,
        "smooth[gradient]": True,
        "smooth[saliency]": False,
        "smooth[smoothgrad]": True,
        "saliency": False,
    }
    assert {name: method_from(name).signed for name in signed} == signed


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_guided_backpropagation_with_its_largest_channels(model, framework):
    subject = model("plain", framework)
    x = native(subject, pictures(2))
    resolved = hm.explain(subject, x, "guided_backprop", [0, 1], channels=True)
    found = hm.explain(subject, x, "guided_backprop[channels=largest]", [0, 1])
    np.testing.assert_array_equal(found, np.abs(resolved).max(axis=subject.channel_axis))
    assert not violations(subject, x, "guided_backprop[channels=largest]")
    with pytest.raises(BadInput, match="no channel-resolved form"):
        hm.explain(subject, x, "guided_backprop[channels=largest]", 0, channels=True)


def test_parameters_that_came_later_leave_keys_alone_at_their_default():
    plain, chosen = (method_from(name).identity() for name in ("guided_backprop", "guided_backprop[channels=largest]"))
    assert plain["parameters"] == {} and chosen["parameters"] == {"channels": "largest"}
    assert method_from("guided_backprop[channels=sum]").identity() == plain
