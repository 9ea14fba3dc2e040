# SPDX-License-Identifier: MIT
"""PyTorch's side of examples/bench_net: the same net, batch and optimiser, on numbers made here.

    peer_net.py NAME --train|--infer --batch N --threads N [--channels-last] [--compile]
                [--plain-sgd] [--seconds S] [--steps N]
    peer_net.py NAME --export FILE --batch N

--plain-sgd: not fused. --export writes the net for inference as ONNX. Memory: start is the resident
set with PyTorch and its compiler loaded and the data in memory, no net built; peak the highest
since then, but for what compiling takes.
"""
import argparse
import math

import torch
from torch.nn import functional

import nets
from peer_common import reset_peak, status_bytes, tell, timed

WARM = 3  # steps that do not count


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=nets.NETS)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--train", action="store_true")
    how.add_argument("--infer", action="store_true")
    how.add_argument("--export", metavar="FILE")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--plain-sgd", action="store_true")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--steps", type=int, default=10)
    return parser.parse_args()


def trainer(o, x, y, layout):
    """A step that returns its loss, and the net."""
    torch.manual_seed(1)
    net = nets.net_of(o.name).to(memory_format=layout).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=not o.plain_sgd)
    criterion = (functional.binary_cross_entropy_with_logits if o.name == "unet"
                 else functional.cross_entropy)

    def loss_of(x, y):
        return criterion(net(x), y)

    compute = torch.compile(loss_of, dynamic=False) if o.compile else loss_of

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = compute(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step, net


def train(o, x, layout):
    y = nets.target_of(o.name, o.batch)
    reset_peak()
    start_rss = status_bytes("VmRSS:")
    step, net = trainer(o, x, y, layout)
    for _ in range(WARM):
        loss = step()
    if o.compile:
        reset_peak()
    result = {"params": nets.parameters(net), "start_rss_bytes": start_rss,
              **timed(step, o.seconds, o.steps), "peak_rss_bytes": status_bytes("VmHWM:")}
    loss = loss.item()
    if not math.isfinite(loss):
        raise SystemExit(f"the loss is {loss}")
    with torch.no_grad():
        return {**result, "output": list(net(x).shape)}


def infer(o, x, layout):
    reset_peak()
    start_rss = status_bytes("VmRSS:")
    net, params = nets.predictor_of(o.name)
    net = net.to(memory_format=layout)
    if o.compile:
        torch._inductor.config.freezing = True  # weights are packed once
        net = torch.compile(net, dynamic=False)
    for _ in range(WARM):
        y = net(x)
    if o.compile:
        reset_peak()
    times = timed(lambda: net(x), o.seconds, o.steps)
    return {"params": params, "output": list(y.shape), "start_rss_bytes": start_rss, **times,
            "peak_rss_bytes": status_bytes("VmHWM:")}


def main():
    o = options()
    torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)
    layout = torch.channels_last if o.channels_last else torch.contiguous_format
    x = nets.input_of(o.name, o.batch).to(memory_format=layout)
    if o.export:
        net, params = nets.predictor_of(o.name)
        torch.onnx.export(net, (x,), o.export, input_names=["x"], dynamo=True)
        tell({"params": params, "input": list(x.shape)})
        return
    if o.compile:
        torch.compile(lambda x: x + 1)(torch.zeros(1))
    if o.train:
        result = train(o, x, layout)
    else:
        with torch.inference_mode():
            result = infer(o, x, layout)
    tell({**result, "threads": torch.get_num_threads(), "version": f"PyTorch {torch.__version__}"})


main()
