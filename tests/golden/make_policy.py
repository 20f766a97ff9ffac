#!/usr/bin/env python3
"""Makes policy.txt: what PyTorch computes, in float64, for the recurrent policy of REINFORCE: the
log-probabilities of given sequences and the gradient of -1/m sum (advantage log P + entropy H).

    make_policy.py           writes policy.txt beside this file
    make_policy.py --check   compares instead, and says what differs

The space: a choice of 3, a choice of 2, a choice of 4; then two layers' skip anchors are a case of
their own ("1.op", "2.op", "2<-1", "3.op", "3<-1", "3<-2"). Parameters are not in the file: both sides
make them, 0.4 sin(1.3 i + 0.7 k + 0.1) for element i (rows of inputs, columns of outputs) of the k-th
variable in the file's order. Lines: case, name, values.
"""
import math
import os
import sys

import torch
import torch.nn.functional as F

UNITS = 5


def parameter(k, shape):
    n = math.prod(shape)
    values = [0.4 * math.sin(1.3 * i + 0.7 * k + 0.1) for i in range(n)]
    return torch.tensor(values, dtype=torch.float64).reshape(shape).requires_grad_()


def run(name, sizes, anchors, layers, temperature, bound, rows, advantages, entropy):
    """sizes: alternatives of each decision. anchors: None, or for each decision None or (layer looked
    at); decisions of one run of anchors are one step. layer_of: the layer whose state a step gives."""
    width = sum(sizes)
    offsets = [sum(sizes[:d]) for d in range(len(sizes))]
    names = [("embedding", (width, UNITS)), ("head.weight", (UNITS, width)), ("head.bias", (width,))]
    if anchors:
        names += [("anchor.previous", (UNITS, UNITS)), ("anchor.current", (UNITS, UNITS)),
                  ("anchor.v", (UNITS, 1))]
    for layer in range(layers):
        names += [(f"lstm.{layer}.weight_ih", (UNITS, 4 * UNITS)),
                  (f"lstm.{layer}.weight_hh", (UNITS, 4 * UNITS)), (f"lstm.{layer}.bias", (4 * UNITS,))]
    p = {n: parameter(k, shape) for k, (n, shape) in enumerate(names)}
    # PyTorch's own cells, their weights set from ours.
    def cell(layer, x, state):
        mine = torch.nn.LSTMCell(UNITS, UNITS, dtype=torch.float64)
        weights = {"weight_ih": p[f"lstm.{layer}.weight_ih"].t(), "weight_hh": p[f"lstm.{layer}.weight_hh"].t(),
                   "bias_ih": p[f"lstm.{layer}.bias"], "bias_hh": torch.zeros(4 * UNITS, dtype=torch.float64)}
        return torch.func.functional_call(mine, weights, (x, state))

    def shape_logits(z):
        z = z / temperature
        return bound * torch.tanh(z) if bound > 0 else z

    logs, entropies = [], []
    for row in rows:
        x = torch.zeros(1, UNITS, dtype=torch.float64)
        state = [(x, x) for _ in range(layers)]
        at_layer, log, h, d = {}, 0, 0, 0
        while d < len(sizes):
            inp = x
            for layer in range(layers):
                state[layer] = cell(layer, inp, state[layer])
                inp = state[layer][0]
            layer_number, end = (anchors[d][0] if anchors else 0), d + 1
            looks = anchors and anchors[d][1]
            if looks:
                while end < len(sizes) and anchors[end][0] == layer_number and anchors[end][1]:
                    end += 1
            at_layer[layer_number] = inp
            x = torch.zeros(1, UNITS, dtype=torch.float64)
            for e in range(d, end):
                columns = slice(offsets[e], offsets[e] + sizes[e])
                if looks:
                    s = torch.tanh(at_layer[anchors[e][1]] @ p["anchor.previous"] + inp @ p["anchor.current"])
                    s = shape_logits(s @ p["anchor.v"])
                    z = torch.cat([torch.zeros_like(s), s], 1)
                else:
                    z = shape_logits(inp @ p["head.weight"][:, columns] + p["head.bias"][columns])
                lp = F.log_softmax(z, 1)
                log = log + lp[0, row[e]]
                h = h - (lp.exp() * lp).sum()
                x = x + p["embedding"][offsets[e] + row[e]]
            d = end
        logs.append(log)
        entropies.append(h)
    m = len(rows)
    loss = -sum(a * l + entropy * h for a, l, h in zip(advantages, logs, entropies)) / m
    gradients = torch.autograd.grad(loss, list(p.values()))
    yield f"{name} logs", [l.item() for l in logs]
    yield f"{name} entropies", [h.item() for h in entropies]
    for (n, _), g in zip(names, gradients):
        yield f"{name} {n}", g.flatten().tolist()


def everything():
    rows = [[0, 1, 3], [2, 0, 0], [1, 1, 2]]
    yield from run("plain", [3, 2, 4], None, 1, 1.0, 0.0, rows, [0.5, -1.25, 2.0], 0.0)
    yield from run("shaped", [3, 2, 4], None, 2, 2.5, 1.5, rows, [0.5, -1.25, 2.0], 0.3)
    anchors = [(1, None), (2, None), (2, 1), (3, None), (3, 1), (3, 2)]
    rows = [[0, 1, 0, 1, 1, 1], [1, 0, 1, 0, 0, 1]]
    yield from run("anchors", [2, 2, 2, 2, 2, 2], anchors, 1, 1.0, 0.0, rows, [1.0, -0.5], 0.1)


def main():
    torch.manual_seed(0)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "policy.txt")
    lines = [f"{name} {len(v)} " + " ".join(f"{x:.12e}" for x in v) for name, v in everything()]
    if "--check" in sys.argv[1:]:
        with open(path) as f:
            kept = f.read().split("\n")[:-1]
        bad = len(kept) != len(lines)
        for a, b in zip(kept, lines):
            x, y = a.split(), b.split()
            if x[:3] != y[:3] or any(abs(float(u) - float(v)) > 1e-10 for u, v in zip(x[3:], y[3:])):
                print("differs:", " ".join(x[:2]))
                bad = True
        sys.exit(bad)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


main()
