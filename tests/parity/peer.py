# SPDX-License-Identifier: MIT
"""PyTorch's side of parity_train.c: the same networks as functions of the parameters that ours
wrote, under their names, in f32 or f64; the same optimisers."""
import json

import numpy as np
import torch
from torch.nn import functional as F


def load_safetensors(path):
    """name -> array; f32 alone, which is all that parity_train writes."""
    with open(path, "rb") as f:
        data = f.read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    arrays = {}
    for name, one in header.items():
        if name == "__metadata__":
            continue
        if one["dtype"] != "F32":
            raise ValueError(f"{path}: {name} is {one['dtype']}, must be F32")
        first, last = (8 + size + offset for offset in one["data_offsets"])
        arrays[name] = np.frombuffer(data[first:last], "<f4").reshape(one["shape"])
    return arrays


# --- networks: logits of x; p is name -> tensor, s the running statistics ---

def dense(p, name, x):
    return F.linear(x, p[f"{name}/weight"].t(), p[f"{name}/bias"])


def mlp(layers, activation):
    def forward(p, s, x):
        for i in range(1, layers):
            x = activation(dense(p, f"dense{i}", x))
        return dense(p, f"dense{layers}", x)
    return forward


def mnist_cnn(activation, pool):
    def forward(p, s, x):
        for i, (size, stride, pad) in enumerate([(3, 1, 1), (2, 2, 0), (3, 2, 1), (2, 2, 0)], 1):
            x = F.conv2d(x, p[f"conv2d{i}/weight"], p[f"conv2d{i}/bias"], padding=1)
            x = pool(activation(x), size, stride, pad)
        return dense(p, "dense1", x.flatten(1))
    return forward


def average(x, size, stride, pad):
    return F.avg_pool2d(x, size, stride, pad, count_include_pad=False)


def conv_bn(p, s, x, name, stride=1):
    weight = p[f"{name}/weight"]
    x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
    bn = f"{name}_bn"
    return F.batch_norm(x, s[f"{bn}/running_mean"], s[f"{bn}/running_var"], p[f"{bn}/gamma"],
                        p[f"{bn}/beta"], training="frozen" not in s, momentum=0.1, eps=float(np.float32(1e-5)))


def resnet18(activation):
    def forward(p, s, x):
        x = activation(conv_bn(p, s, x, "stem"))
        for stage in range(4):
            for block in range(2):
                name, stride = f"s{stage}b{block}", 2 if stage and not block else 1
                y = activation(conv_bn(p, s, x, name + "a", stride))
                y = conv_bn(p, s, y, name + "b")
                skip = conv_bn(p, s, x, name + "skip", stride) if stride > 1 else x
                x = activation(y + skip)
        return dense(p, "dense1", x.mean((2, 3)))
    return forward


NETS = {"small": mlp(3, torch.tanh), "mlp": mlp(4, F.leaky_relu),
        "mnist_cnn": mnist_cnn(F.relu, F.max_pool2d), "mnist_cnn_smooth": mnist_cnn(F.silu, average),
        "resnet18": resnet18(F.relu), "resnet18_smooth": resnet18(F.silu)}


# --- optimisers: the numbers are f32, as ours ---

def f32(value):
    return float(np.float32(value))


BETAS = {"betas": (f32(0.9), f32(0.999)), "eps": f32(1e-8)}
RMS = {"lr": f32(0.001), "alpha": f32(0.99), "eps": f32(1e-8)}
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": f32(0.01)}),
    "sgd_momentum": (torch.optim.SGD, {"lr": f32(0.01), "momentum": f32(0.9)}),
    "sgd_slow": (torch.optim.SGD, {"lr": f32(0.001), "momentum": f32(0.9)}),
    "sgd_nesterov": (torch.optim.SGD, {"lr": f32(0.01), "momentum": f32(0.9), "nesterov": True,
                                       "weight_decay": f32(0.01)}),
    "adam": (torch.optim.Adam, {"lr": f32(0.001), **BETAS}),
    "adam_amsgrad": (torch.optim.Adam, {"lr": f32(0.001), **BETAS, "amsgrad": True,
                                        "weight_decay": f32(0.01)}),
    "adamw": (torch.optim.AdamW, {"lr": f32(0.001), **BETAS, "weight_decay": f32(0.01)}),
    "adamax": (torch.optim.Adamax, {"lr": f32(0.002), **BETAS}),
    "nadam": (torch.optim.NAdam, {"lr": f32(0.002), **BETAS, "momentum_decay": 0.004}),
    "rmsprop": (torch.optim.RMSprop, RMS),
    "rmsprop_centered": (torch.optim.RMSprop, {**RMS, "momentum": f32(0.9), "centered": True}),
    "adagrad": (torch.optim.Adagrad, {"lr": f32(0.01), "eps": f32(1e-10)}),
    "adadelta": (torch.optim.Adadelta, {"lr": 1.0, "rho": f32(0.9), "eps": f32(1e-6)}),
}


def optimizer(name, p):
    """Weight decay leaves biases and the scale and shift of normalisations alone, as ours does."""
    kind, options = OPTIMIZERS[name]
    free = [v for k, v in p.items() if k.rpartition("/")[2] in ("bias", "gamma", "beta")]
    held = [v for k, v in p.items() if k.rpartition("/")[2] not in ("bias", "gamma", "beta")]
    return kind([{"params": held}, {"params": free, "weight_decay": 0.0}], **options)


def train(net, optimizer_name, initial, x, y, steps, batch, dtype):
    """Losses, the first step's gradients and the weights after the last, all as f64; and the
    network as it is then. The rows are gone through again where the steps need more."""
    arrays = {name: torch.tensor(value, dtype=dtype) for name, value in initial.items()}
    s = {name: value for name, value in arrays.items() if "/running_" in name}
    p = {name: value.requires_grad_() for name, value in arrays.items() if name not in s}
    x, y = torch.tensor(x, dtype=dtype), torch.tensor(y.argmax(1))
    update = optimizer(optimizer_name, p)
    losses, gradients = [], None
    for i in range(steps):
        first = i % (len(x) // batch) * batch
        rows = slice(first, first + batch)
        update.zero_grad(set_to_none=True)
        loss = F.cross_entropy(NETS[net](p, s, x[rows]), y[rows])
        loss.backward()
        if gradients is None:
            gradients = {name: v.grad.double().numpy().copy() for name, v in p.items()}
        update.step()
        losses.append(loss.item())
    weights = {name: v.detach().double().numpy() for name, v in p.items()}
    return losses, gradients, weights, (p, {**s, "frozen": True})


def accuracy(net, trained, x, y):
    """The share of rows whose class has the largest logit, by the running statistics."""
    p, s = trained
    with torch.inference_mode():
        logits = torch.cat([NETS[net](p, s, rows) for rows in torch.tensor(x).split(100)])
    return float((logits.argmax(1) == torch.tensor(y.argmax(1))).double().mean())
