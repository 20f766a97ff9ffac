"""The peers of bench-step, bench-darts and bench-mobile: the same training steps in PyTorch, in one of
its modes.

Reads "run N" lines and answers with the seconds of each step, as those do; "memory" with the process's
peak in bytes.

    python3 bench/peer_step.py THREADS MODE BATCH WORK [OP0 .. OP5]
    MODE: default, channels_last, compile, compile_channels_last
    WORK: nas-bench-201 (with the operations of a cell's six edges), darts, mobile, layer (with kernel and
    dilation: as bench-layer)

As "infer" before the mode (infer:default, infer:onnxruntime, ..), the network's logits of BATCH images instead,
without gradients: the peers of bench-infer. infer:onnxruntime exports the network and needs onnxruntime and
onnxscript; infer:script traces, freezes and optimises it.
"""
import resource
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


# ---- DARTS's supernet (Liu et al. 2019): C = 16, 8 layers ----

def norm(c):
    return nn.BatchNorm2d(c, affine=False)


def separable(c, kernel, stride, dilation=1):
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c, c, kernel, stride, dilation * (kernel // 2), dilation, groups=c, bias=False),
        nn.Conv2d(c, c, 1, bias=False), norm(c))


class Halve(nn.Module):
    def __init__(self, ci, co):
        super().__init__()
        self.conv_1 = nn.Conv2d(ci, co // 2, 1, 2, bias=False)
        self.conv_2 = nn.Conv2d(ci, co // 2, 1, 2, bias=False)
        self.bn = norm(co)

    def forward(self, x):
        x = F.relu(x)
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], 1))


class Nothing(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, ::self.stride, ::self.stride].mul(0.)


class Mixed(nn.Module):
    def __init__(self, c, stride):
        super().__init__()
        self.ops = nn.ModuleList([
            Nothing(stride),
            nn.Sequential(nn.MaxPool2d(3, stride, 1), norm(c)),
            nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(c)),
            nn.Identity() if stride == 1 else Halve(c, c),
            nn.Sequential(separable(c, 3, stride), separable(c, 3, 1)),
            nn.Sequential(separable(c, 5, stride), separable(c, 5, 1)),
            separable(c, 3, stride, 2), separable(c, 5, stride, 2)])

    def forward(self, x, weights):
        return sum(w * op(x) for w, op in zip(weights, self.ops))


class SuperCell(nn.Module):
    def __init__(self, before, last, c, reduction, after_reduction):
        super().__init__()
        self.first = Halve(before, c) if after_reduction else nn.Sequential(
            nn.ReLU(), nn.Conv2d(before, c, 1, bias=False), norm(c))
        self.second = nn.Sequential(nn.ReLU(), nn.Conv2d(last, c, 1, bias=False), norm(c))
        self.edges = nn.ModuleList(
            Mixed(c, 2 if reduction and j < 2 else 1) for i in range(4) for j in range(i + 2))

    def forward(self, before, last, weights):
        states, at = [self.first(before), self.second(last)], 0
        for i in range(4):
            states.append(sum(self.edges[at + j](x, weights[at + j]) for j, x in enumerate(states)))
            at += i + 2
        return torch.cat(states[2:], 1)


class Supernet(nn.Module):
    def __init__(self, c=16, layers=8):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), nn.BatchNorm2d(3 * c))
        before = last = 3 * c
        self.cells, self.reductions, was = nn.ModuleList(), [], False
        for i in range(layers):
            reduction = i in (layers // 3, 2 * layers // 3)
            c *= 2 if reduction else 1
            self.cells.append(SuperCell(before, last, c, reduction, was))
            self.reductions.append(int(reduction))
            before, last, was = last, 4 * c, reduction
        self.classifier = nn.Linear(last, 10)
        self.register_buffer("alphas", 1e-3 * torch.randn(2, 14, 8))

    def forward(self, x):
        weights = self.alphas.softmax(-1)
        before = last = self.stem(x)
        for cell, kind in zip(self.cells, self.reductions):
            before, last = last, cell(before, last, weights[kind])
        return self.classifier(last.mean((2, 3)))


# ---- a small network of inverted residuals ----

def conv_norm(ci, co, kernel, stride=1, groups=1, act=True):
    layers = [nn.Conv2d(ci, co, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(co)]
    return nn.Sequential(*layers, *([nn.ReLU6()] if act else []))


class Inverted(nn.Module):
    def __init__(self, ci, co, kernel, stride):
        super().__init__()
        self.residual = stride == 1 and ci == co
        self.body = nn.Sequential(conv_norm(ci, 3 * ci, 1), conv_norm(3 * ci, 3 * ci, kernel, stride, 3 * ci),
                                  conv_norm(3 * ci, co, 1, act=False))

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


def mobile():
    layers, c = [conv_norm(3, 16, 3)], 16
    for blocks, co, kernel, stride in ((2, 24, 3, 1), (3, 32, 5, 2), (3, 64, 3, 2), (2, 96, 5, 1)):
        for i in range(blocks):
            layers.append(Inverted(c, co, kernel, stride if i == 0 else 1))
            c = co
    return nn.Sequential(*layers, conv_norm(c, 256, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


def layer_step(mode, batch, kernel, dilation):
    """Forward and backward of one separable layer, gradients of input and weights."""
    model = separable(16, kernel, 1, dilation).train()
    x, dy = torch.randn(2, batch, 16, 32, 32)
    if "channels_last" in mode:
        model = model.to(memory_format=torch.channels_last)
        x, dy = (t.to(memory_format=torch.channels_last) for t in (x, dy))
    x.requires_grad_()
    run = torch.compile(model) if "compile" in mode else model

    def step():
        x.grad = None
        for p in model.parameters():
            p.grad = None
        run(x).backward(dy)

    return model, step


def network_step(mode, batch, work, names):
    makers = {"nas-bench-201": lambda: Network(names), "darts": Supernet, "mobile": mobile}
    model = makers[work]().train()
    x = torch.randn(batch, 3, 32, 32)
    y = torch.arange(batch) % 10
    if "channels_last" in mode:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
    run = torch.compile(model) if "compile" in mode else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(run(x), y).backward()
        optimizer.step()

    return model, step


def inference(mode, batch, work, names, threads):
    """Logits of a batch; batch norms have seen some images, so that they are not the identity."""
    model = {"nas-bench-201": lambda: Network(names), "mobile": mobile}[work]().train()
    x = torch.randn(batch, 3, 32, 32)
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(16, 3, 32, 32))
    model.eval()
    if mode == "onnxruntime":
        return model, onnx_runner(model, x, threads)
    if "channels_last" in mode:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    run = model
    if mode == "script":
        run = torch.jit.optimize_for_inference(torch.jit.trace(model, x))
    elif "compile" in mode:
        run = torch.compile(model)

    def step():
        with torch.inference_mode():
            run(x)

    return model, step


def onnx_runner(model, x, threads):
    import tempfile
    import onnxruntime
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/network.onnx"
        torch.onnx.export(model, (x,), path, dynamo=True, external_data=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, array = session.get_inputs()[0].name, x.numpy()
    return lambda: session.run(None, {name: array})


def main():
    threads, mode, batch = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    work = sys.argv[4]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if mode.startswith("infer:"):
        model, step = inference(mode[6:], batch, work, sys.argv[5:], threads)
    elif work == "layer":
        model, step = layer_step(mode, batch, int(sys.argv[5]), int(sys.argv[6]))
    else:
        model, step = network_step(mode, batch, work, sys.argv[5:])
    for _ in range(5 if mode.startswith("infer:") else 1):
        step()
    print(f"ready torch={torch.__version__} mode={mode} threads={threads} "
          f"params={sum(p.numel() for p in model.parameters())}", flush=True)
    for line in sys.stdin:
        if line.startswith("memory"):
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)
            continue
        times = []
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            step()
            times.append(f"{time.perf_counter() - start:.6f}")
        print(" ".join(times), flush=True)


main()
