# SPDX-License-Identifier: MIT
"""The nets of docs/zoo.md that are compared, in PyTorch: layers, parameters and output are those of
dh_zoo_make, at the classes that bench_net takes."""
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Conv(nn.Module):
    """A convolution with whatever stands behind it; batch normalisation takes the bias's place."""

    def __init__(self, inner, outer, kernel, stride=1, norm=True, act=nn.ReLU, bias=None, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups,
                              bias=not norm if bias is None else bias)
        self.norm = nn.BatchNorm2d(outer) if norm else None
        self.act = act(inplace=True) if act else None

    def forward(self, x):
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return x if self.act is None else self.act(x)


def fold(net):
    """Batch normalisations go into their convolutions, for inference."""
    for module in net.eval().modules():
        if isinstance(module, Conv) and module.norm is not None:
            module.conv, module.norm = fuse_conv_bn_eval(module.conv, module.norm), None
    return net


def mnist_conv(classes):
    layers, inner = [], 1
    for i, (size, stride, pad) in enumerate([(3, 1, 1), (2, 2, 0), (3, 2, 1), (2, 2, 0)]):
        layers += [Conv(inner, 32 << i, 3, norm=False), nn.MaxPool2d(size, stride, pad)]
        inner = 32 << i
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2304, classes))


def vgg16(classes, norm=False, small=False):
    layers, inner = [], 3
    for count, width in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]:
        for _ in range(count):
            layers.append(Conv(inner, width, 3, norm=norm, bias=not (norm and small)))
            inner = width
        layers.append(nn.MaxPool2d(2, 2))
    layers.append(nn.Flatten())
    inner = 512 if small else 512 * 7 * 7
    for _ in range(1 if small else 2):
        width = 512 if small else 4096
        layers += [nn.Linear(inner, width), nn.ReLU(inplace=True)]
        layers += [] if small else [nn.Dropout(0.5)]
        inner = width
    return nn.Sequential(*layers, nn.Linear(inner, classes))


class Residual(nn.Module):
    def __init__(self, body, shortcut=None, act=None):
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut, act

    def forward(self, x):
        past = x if self.shortcut is None else self.shortcut(x)
        y = self.body(x)
        y += past
        return y if self.act is None else self.act(y)


def resnet(classes, counts, deep, small=False):
    layers = [Conv(3, 64, 3 if small else 7, 1 if small else 2)]
    layers += [] if small else [nn.MaxPool2d(3, 2, 1)]
    inner = 64
    for stage, count in enumerate(counts):
        width = 64 << stage
        outer = 4 * width if deep else width
        for i in range(count):
            stride = 2 if stage and not i else 1
            if deep:
                body = [Conv(inner, width, 1), Conv(width, width, 3, stride),
                        Conv(width, outer, 1, act=None)]
            else:
                body = [Conv(inner, width, 3, stride), Conv(width, width, 3, act=None)]
            same = stride == 1 and inner == outer
            shortcut = None if same else Conv(inner, outer, 1, stride, act=None)
            layers.append(Residual(nn.Sequential(*body), shortcut, nn.ReLU(inplace=True)))
            inner = outer
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inner, classes))


def mobilenet_v2(classes):
    layers, inner = [Conv(3, 32, 3, 2, act=nn.ReLU6)], 32
    for expand, width, count, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                        (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(count):
            stride, hidden = 1 if i else first, expand * inner
            body = [] if expand == 1 else [Conv(inner, hidden, 1, act=nn.ReLU6)]
            body += [Conv(hidden, hidden, 3, stride, act=nn.ReLU6, groups=hidden),
                     Conv(hidden, width, 1, act=None)]
            block = nn.Sequential(*body)
            layers.append(Residual(block) if stride == 1 and inner == width else block)
            inner = width
    return nn.Sequential(*layers, Conv(inner, 1280, 1, act=nn.ReLU6), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Dropout(0.2), nn.Linear(1280, classes))


class UNet(nn.Module):
    def __init__(self, classes, depth=4, width=64):
        super().__init__()
        widths = [width << i for i in range(depth + 1)]
        self.down = nn.ModuleList(self.pair(a, b) for a, b in zip([3, *widths], widths))
        self.pool = nn.MaxPool2d(2, 2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths[-2::-1])
        self.after = nn.ModuleList(self.pair(2 * w, w) for w in widths[-2::-1])
        self.classes = nn.Conv2d(width, classes, 1)

    @staticmethod
    def pair(inner, outer):
        return nn.Sequential(Conv(inner, outer, 3), Conv(outer, outer, 3))

    def forward(self, x):
        past = []
        for i, block in enumerate(self.down):
            x = block(self.pool(x) if i else x)
            past.append(x)
        past.pop()
        for up, after in zip(self.up, self.after):
            x = after(torch.cat([past.pop(), up(x)], 1))
        return self.classes(x)


CIFAR, IMAGENET = ((3, 32, 32), 10), ((3, 224, 224), 8)
# name -> input of a sample and classes, constructor
NETS = {
    "mnist_conv": (((1, 28, 28), 10), mnist_conv),
    "vgg16_cifar": (CIFAR, lambda n: vgg16(n, small=True)),
    "vgg16_bn_cifar": (CIFAR, lambda n: vgg16(n, norm=True, small=True)),
    "resnet18_cifar": (CIFAR, lambda n: resnet(n, (2, 2, 2, 2), deep=False, small=True)),
    "resnet50_cifar": (CIFAR, lambda n: resnet(n, (3, 4, 6, 3), deep=True, small=True)),
    "vgg16": (IMAGENET, vgg16),
    "resnet50": (IMAGENET, lambda n: resnet(n, (3, 4, 6, 3), deep=True)),
    "mobilenet_v2": (IMAGENET, mobilenet_v2),
    "unet": (((3, 192, 192), 1), UNet),
}


def net_of(name):
    """The net up to its logits."""
    (_, classes), make = NETS[name]
    return make(classes)


def predictor_of(name):
    """The net with the activation of its end, for inference, batch normalisations folded."""
    end = nn.Sigmoid() if name == "unet" else nn.Softmax(1)
    net = nn.Sequential(net_of(name), end)
    count = parameters(net)
    return fold(net).requires_grad_(False), count


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def input_of(name, batch):
    return torch.randn(batch, *NETS[name][0][0], generator=torch.Generator().manual_seed(1))


def target_of(name, batch):
    """One class a sample, in turn; of a picture each pixel is of the class or not, by chance."""
    (shape, classes), _ = NETS[name]
    if name == "unet":
        return torch.empty(batch, classes, *shape[1:]).bernoulli_(0.5)
    return torch.arange(batch) % classes
