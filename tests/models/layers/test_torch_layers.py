"""Where layers' channels stand, and which layer is the default: PyTorch networks of every kind."""

from __future__ import annotations

import numpy as np
import pytest

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.models.layers.channel_axes import after_product, after_reshape
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
functional = torch.nn.functional
nn = torch.nn
X = np.random.default_rng(0).random((2, 3, 16, 16), dtype=np.float32)


def torchvision_models():
    from heatmark.models.zoo.torchvision_operators import import_torchvision

    pytest.importorskip("PIL")
    return import_torchvision().models


def by_hand(net, name, x, target, channel_axis=1):
    """Grad-CAM at a module's output, with PyTorch's own autograd and resizing."""
    kept = {}

    def keep(module, arguments, output):
        kept["maps"] = output.detach().requires_grad_()
        return kept["maps"].clone()

    handle = net.get_submodule(name).register_forward_hook(keep)
    logits = net(torch.from_numpy(x))
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[:, target].sum(), kept["maps"])
    maps, gradient = (item.movedim(channel_axis, 1) for item in (kept["maps"], gradient))
    positions = tuple(range(2, maps.ndim))
    cam = torch.relu((gradient.mean(positions, keepdim=True) * maps).sum(1))
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(positions)]
    size = x.shape[2:]
    return functional.interpolate(cam[:, None], size, mode=mode, align_corners=False)[:, 0].detach().numpy()


def agrees(net, name, x, channel_axis=1, layer=None, classes=5):
    """Grad-CAM of every class is that by hand, and not zero for all."""
    model = wrap(net, input_shape=x.shape[1:])
    if layer is None:
        assert model.layer().name == name
    expected = [by_hand(net, name, x, target, channel_axis) for target in range(classes)]
    assert np.max(expected) > 0
    for target in range(classes):
        found = hm.explain(model, x, "grad_cam", target, layer=layer)
        np.testing.assert_allclose(found, expected[target], atol=1e-5 * max(1, np.max(expected)))
    return model


# Published architectures, small


@pytest.mark.parametrize("version", [1, 2])
def test_swin_transformers_hold_channels_last(version):
    library = torchvision_models().swin_transformer
    torch.manual_seed(version)
    block = library.SwinTransformerBlock if version == 1 else library.SwinTransformerBlockV2
    merging = library.PatchMerging if version == 1 else library.PatchMergingV2
    net = library.SwinTransformer(
        [4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=5, block=block, downsample_layer=merging
    ).eval()
    x = np.random.default_rng(1).random((2, 3, 64, 64), dtype=np.float32)
    model = agrees(net, "norm", x, channel_axis=3)
    assert model.layer().shape == (8, 8, 48) and model.layer().channel_axis == -1
    agrees(net, "features.1.1", x, channel_axis=3, layer="features.1.1")  # a block, whose sum is made in forward()
    agrees(net, "features.0.0", x, channel_axis=1, layer="features.0.0")  # the convolution before everything
    axes = {layer.name: layer.channel_axis for layer in model.layers()}
    assert axes["features.0.1"] == -1 and axes["permute"] == 1
    inside = [layer.name for layer in model.layers() if "cpb_mlp" in layer.name]
    assert len(inside) == (0 if version == 1 else 16)
    assert not {layer.name for layer in model.feature_maps()} & set(inside)  # a table of positions, of no sample
    if inside:
        with pytest.raises(NotApplicable, match="no spatial positions"):
            hm.explain(model, x, "grad_cam", layer=inside[0])


def test_convnext_is_read_behind_the_residual_sum():
    library = torchvision_models().convnext
    torch.manual_seed(0)
    settings = [library.CNBlockConfig(16, 32, 1), library.CNBlockConfig(32, None, 1)]
    net = library.ConvNeXt(settings, num_classes=5, layer_scale=1.0).eval()
    x = np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)
    model = agrees(net, "features.3.0", x)
    axes = {layer.name: layer.channel_axis for layer in model.layers()}
    assert axes["features.3.0.block.2"] == -1 and axes["features.2.0"] == 1  # a LayerNorm, and a LayerNorm2d


@pytest.mark.parametrize(
    ("build", "default"),
    [
        (lambda library: library.resnet.ResNet(library.resnet.BasicBlock, [1, 1, 1, 1], 5), "layer4.0.relu"),
        (lambda library: library.vgg11_bn(num_classes=5), "features.27"),
        (lambda library: library.mobilenet_v2(num_classes=5), "features.18.2"),
        (lambda library: library.densenet.DenseNet(8, (2, 2), 16, num_classes=5), "features.norm5"),
        (lambda library: library.efficientnet_b0(num_classes=5), "features.8.2"),
        (lambda library: library.shufflenet_v2_x0_5(num_classes=5), "conv5.2"),
    ],
)
def test_ordinary_networks_keep_their_default_layer(build, default):
    torch.manual_seed(0)
    model = wrap(build(torchvision_models()).eval(), input_shape=(3, 64, 64))
    assert model.layer().name == default and model.layer().channel_axis == 1


# Blocks written by hand


class Head(nn.Module):
    """A convolution, some block, then the mean over positions and a dense layer."""

    def __init__(self, block, channels=6, features=6, last=False):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, 2, 1)
        self.block = block
        self.head = nn.Linear(features, 5)
        self.last = last

    def forward(self, x):
        x = self.block(self.stem(x))
        return self.head(x.mean((1, 2) if self.last else (2, 3)))


class Residual(nn.Module):
    """x + branch(x), out of place or in place, with or without what passes on its input behind it."""

    def __init__(self, channels=6, in_place=False, behind=None, before=False):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.behind = behind
        self.in_place, self.before = in_place, before

    def forward(self, x):
        branch = self.conv(functional.relu(self.norm(x)) if self.before else self.norm(x))
        if self.in_place:
            branch += x
        else:
            branch = branch + x
        return branch if self.behind is None else self.behind(branch)


class TwoBranches(nn.Module):
    """Concatenated branches, as Inception has them."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 4, 3, padding=1)

    def forward(self, x):
        return functional.relu(torch.cat([self.one(x), self.two(x)], 1))


class Gated(nn.Module):
    """Channels weighted by what all positions say (squeeze and excitation)."""

    def __init__(self):
        super().__init__()
        self.dense, self.sigmoid = nn.Conv2d(6, 6, 1), nn.Sigmoid()

    def forward(self, x):
        return x * self.sigmoid(self.dense(x.mean((2, 3), keepdim=True)))


@pytest.mark.parametrize(
    ("block", "features", "default"),
    [
        (lambda: Residual(), 6, "block"),
        (lambda: Residual(in_place=True), 6, "block"),
        (lambda: Residual(before=True), 6, "block"),
        (lambda: nn.Sequential(Residual(), Residual(in_place=True)), 6, "block.1"),
        (lambda: Residual(behind=nn.Dropout(0.5)), 6, "block.behind"),
        (lambda: Residual(in_place=True, behind=nn.Identity()), 6, "block.behind"),
        (lambda: Residual(behind=nn.ReLU()), 6, "block.behind"),
        (lambda: nn.Sequential(Residual(), nn.ReLU(inplace=True)), 6, "block.1"),
        (lambda: nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU(), nn.Dropout2d(0.5)), 6, "block.1"),
        (TwoBranches, 8, "block"),
        (Gated, 6, "block"),
        (lambda: nn.Sequential(Residual(), nn.MaxPool2d(2)), 6, "block.0"),
    ],
)
def test_the_default_layer_is_the_blocks_own_output(block, features, default):
    torch.manual_seed(3)
    agrees(Head(block(), features=features).eval(), default, X)


class ChannelsLast(nn.Module):
    """A mixer block of (height, width, channels) that no module of PyTorch tells: a norm and weights of its own."""

    def __init__(self, channels):
        super().__init__()
        self.norm = OwnNorm(channels)
        self.weight = nn.Parameter(torch.randn(channels, channels) / channels**0.5)

    def forward(self, x):
        return x + self.norm(x) @ self.weight


class OwnNorm(nn.Module):
    """Root mean square normalisation over the last axis."""

    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(channels) + 0.5)

    def forward(self, x):
        return self.scale * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)


class Permuted(nn.Module):
    def __init__(self, *blocks):
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x.permute(0, 2, 3, 1))


@pytest.mark.parametrize("channels", [6, 8])  # with 8, shapes tell nothing: (8, 8, 8)
def test_metaformers_hold_channels_last(channels):
    torch.manual_seed(0)
    net = Head(Permuted(ChannelsLast(channels), ChannelsLast(channels)), channels, channels, last=True).eval()
    model = agrees(net, "block.blocks.1", X, channel_axis=3)
    axes = {layer.name: layer.channel_axis for layer in model.layers()}
    assert axes["stem"] == 1 and axes["block.blocks.0.norm"] == -1


class Shuffled(nn.Module):
    """Half the channels changed, then dealt out anew: no axis is whole on the way."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        n, channels, height, width = x.shape
        x = self.conv(x).view(n, 2, channels // 2, height, width)
        return x.transpose(1, 2).reshape(n, channels, height, width)


def test_what_cannot_be_followed_is_read_off_its_shape_or_refused():
    torch.manual_seed(0)
    model = agrees(Head(Shuffled(6)).eval(), "block", X)
    assert "shape" in model.layer().axis_told_by
    cube = wrap(Head(Shuffled(8), 8, 8).eval(), input_shape=(3, 16, 16))
    with pytest.raises(NotApplicable, match=r"'block' of Head stand cannot be told: .*\(8, 8, 8\)"):
        hm.explain(cube, X, "grad_cam")
    assert hm.explain(cube, X, "grad_cam", layer="block.conv").shape == (2, 16, 16)


@pytest.mark.parametrize(
    ("before", "after", "axis", "expected"),
    [
        ((2, 8, 8, 6), (2, 64, 6), 3, 2), ((2, 6, 8, 8), (2, 6, 64), 1, 1), ((2, 64, 6), (2, 8, 8, 6), 2, 3),
        ((2, 8, 8, 6), (2, 2, 4, 2, 4, 6), 3, 5), ((2, 6, 8, 8), (2, 2, 3, 8, 8), 1, None),
        ((2, 6, 8, 8), (2, 384), 1, None), ((2, 8, 8, 6), (2, 6, 8, 8), 3, None),
    ],
)  # fmt: skip
def test_axes_are_followed_through_reshapes(before, after, axis, expected):
    assert after_reshape(before, after, axis) == expected


@pytest.mark.parametrize(
    ("equation", "operand", "axis", "expected"),
    [("nhwc,cd->nhwd", 0, 3, 3), ("nhwc,cd->ndhw", 0, 3, 1), ("nchw->nhwc", 0, 1, 3), ("nqd,nkd->nqk", 0, 2, 2),
     ("abc,cde->abde", 0, 2, None), ("...c,cd->...d", 0, 1, None)],
)  # fmt: skip
def test_axes_are_followed_through_products(equation, operand, axis, expected):
    assert after_product(equation, operand, axis) == expected
