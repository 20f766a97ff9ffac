"""The peer of bench-step: the same training step in PyTorch, in one of its modes.

Reads "run N" lines and answers with the seconds of each step, as bench-step does.

    python3 bench/peer_step.py THREADS MODE BATCH OP0 .. OP5
    MODE: default, channels_last, compile, compile_channels_last
"""
import sys
import time

import torch
from torch import nn
import torch.nn.functional as F


def relu_conv_bn(ci, co, kernel, stride=1):
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(ci, co, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(co),
    )


class Zero(nn.Module):
    def forward(self, x):
        return x * 0


def operation(name, c):
    return {
        "nor_conv_3x3": lambda: relu_conv_bn(c, c, 3),
        "nor_conv_1x1": lambda: relu_conv_bn(c, c, 1),
        "skip_connect": nn.Identity,
        "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        "none": Zero,
    }[name]()


class Cell(nn.Module):
    def __init__(self, c, names):
        super().__init__()
        self.ops = nn.ModuleList(operation(name, c) for name in names)

    def forward(self, x):
        nodes = [x]
        edge = 0
        for to in range(1, 4):
            total = None
            for source in range(to):
                y = self.ops[edge](nodes[source])
                total = y if total is None else total + y
                edge += 1
            nodes.append(total)
        return nodes[3]


class Reduction(nn.Module):
    def __init__(self, ci, co):
        super().__init__()
        self.a = relu_conv_bn(ci, co, 3, 2)
        self.b = relu_conv_bn(co, co, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(ci, co, 1, bias=False))

    def forward(self, x):
        return self.shortcut(x) + self.b(self.a(x))


class Network(nn.Module):
    def __init__(self, names):
        super().__init__()
        layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)]
        c = 16
        for stage in range(3):
            if stage:
                layers.append(Reduction(c, 2 * c))
                c *= 2
            layers += [Cell(c, names) for _ in range(5)]
        layers += [nn.BatchNorm2d(c), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.classifier = nn.Linear(c, 10)

    def forward(self, x):
        return self.classifier(self.body(x).mean((2, 3)))


def main():
    threads, mode, batch = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    names = sys.argv[4:10]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = Network(names).train()
    x = torch.randn(batch, 3, 32, 32)
    y = torch.arange(batch) % 10
    if "channels_last" in mode:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
    run = model
    if "compile" in mode:
        run = torch.compile(model)

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(run(x), y).backward()
        optimizer.step()

    step()
    print(f"ready torch={torch.__version__} mode={mode} threads={threads} "
          f"params={sum(p.numel() for p in model.parameters())}", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            step()
            times.append(f"{time.perf_counter() - start:.6f}")
        print(" ".join(times), flush=True)


main()
