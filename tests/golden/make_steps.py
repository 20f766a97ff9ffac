#!/usr/bin/env python3
"""Makes steps.bin: 50 training steps of a small NAS-Bench-201 network (C = 1, N = 1, 10 classes, all five
operations) by PyTorch, in float64: the weights, running statistics and momentum before each step and after
the last one, each rounded to float32 before the step is made from them, and the loss of each. SGD with
Nesterov momentum, weight decay of all parameters, half a cosine; other images in each step.

    make_steps.py           writes it beside this file
    make_steps.py --check   compares instead, and says what differs

First weights and images are not in the file: both sides make them from names (golden.py). The file is as
training.bin: "step T/values/all" (float32: every tensor in the network's own order, in PyTorch's layout),
"step T/momentum/all", "step/losses" (float64, in multiples of 2**-30)."""
import io
import math
import os
import sys

import torch
import torch.nn.functional as F

import golden
from make_training import record, rounded

torch.set_num_threads(1)
STEPS, RATE, MOMENTUM, DECAY = 50, 0.1, 0.9, 5e-4


def tensors(net):
    return [value for value in net.state_dict().values() if value.is_floating_point()]


def flat(values):
    return torch.cat([value.detach().reshape(-1) for value in values]).tolist()


def make():
    out = io.BytesIO()
    net = golden.Network(golden.ARCHS["a"], c=1).double()
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            value.copy_(golden.float32(golden.numbers("steps", name, tuple(value.shape),
                                                      *golden.bounds(name, value.shape))))
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY)
    labels, losses = torch.tensor(golden.LABELS), []
    for step in range(STEPS + 1):
        buffers = [optimizer.state.get(p, {}).get("momentum_buffer") for p in net.parameters()]
        buffers = [torch.zeros_like(p) if b is None else b for b, p in zip(buffers, net.parameters())]
        for value in tensors(net) + buffers:
            value.detach().copy_(golden.float32(value.detach()))
        record(out, f"step {step}/values/all", flat(tensors(net)), "f")
        record(out, f"step {step}/momentum/all", flat(buffers), "f")
        if step == STEPS:
            break
        shape = (golden.BATCH, golden.SIDE, golden.SIDE, 3)
        images = golden.float32(golden.numbers("steps", f"images {step}", shape, -2, 2)).permute(0, 3, 1, 2)
        optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    record(out, "step/losses", rounded(losses), "d")
    return out.getvalue()


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "steps.bin")
    made = make()
    if "--check" in sys.argv[1:]:
        with open(path, "rb") as f:
            same = f.read() == made
        print(f"{path}: {'the same' if same else 'differs'} (PyTorch {torch.__version__})")
        return 0 if same else 1
    with open(path, "wb") as f:
        f.write(made)
    print(f"{path}: {len(made)} bytes (PyTorch {torch.__version__})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
