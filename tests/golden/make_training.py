#!/usr/bin/env python3
"""Makes training.bin: how PyTorch trains small NAS-Bench-201 networks (C = 4, N = 1, 10 classes, all
five operations) on one batch, in float64: the loss and the learning rate of each step, after each
step of every tensor its length and its product with two fixed directions, in the end every number of
every tensor, and the logits with running statistics; for each optimizer, schedule, weight decay and
what else a training may be set to. And weights.safetensors: such a network as PyTorch leaves it.

    make_training.py           writes both beside this file
    make_training.py --check   compares instead, and says what differs

First weights, images and directions are not in the file: both sides make them from names
(golden.py). Values are rounded to float32 (at the ends) or to multiples of 2**-30.

The file: for each tensor, in order, u32 length of its name, the name, u32 number of values, the
values as little-endian float32 (names that end in "/all") or float64.
"""
import io
import os
import struct
import sys

import torch
import torch.nn.functional as F

import golden

torch.set_num_threads(1)
STEPS = 6

# as nas_train_options names them; warmup in steps
CASES = {
    "sgd a": dict(learning_rate=0.1, final_rate=0.01, momentum=0.9, nesterov=1, weight_decay=0.005,
                  schedule="cosine"),
    "sgd b": dict(learning_rate=0.05, momentum=0.9, nesterov=1, weight_decay=0.005,
                  schedule="cosine"),
    "decay all a": dict(learning_rate=0.1, final_rate=0.001, momentum=0.8, nesterov=0,
                        weight_decay=0.02, decay_all=1, label_smoothing=0.1, schedule="one-cycle",
                        warmup=2),
    "plain b": dict(learning_rate=0.1, momentum=0, weight_decay=0, schedule="constant", warmup=3),
    "clip a": dict(learning_rate=0.2, momentum=0.9, nesterov=1, weight_decay=0.005, clip=0.5,
                   schedule="constant"),
    "ema a": dict(learning_rate=0.1, momentum=0.9, nesterov=1, weight_decay=0.005, ema=0.3,
                  schedule="cosine"),
    "adam a": dict(optimizer="adam", learning_rate=0.01, momentum=0.9, beta2=0.99, epsilon=1e-3,
                   weight_decay=0.01, schedule="cosine"),
    "adam b": dict(optimizer="adam", learning_rate=0.003, momentum=0.8, beta2=0.999, epsilon=1e-4,
                   weight_decay=0.05, decay_all=1, schedule="one-cycle", warmup=1),
    "adamw a": dict(optimizer="adamw", learning_rate=0.01, momentum=0.9, beta2=0.99, epsilon=1e-3,
                    weight_decay=0.2, clip=1, label_smoothing=0.2, schedule="cosine"),
    "adamw b": dict(optimizer="adamw", learning_rate=0.01, momentum=0.9, beta2=0.99, epsilon=1e-3,
                    weight_decay=0.2, decay_all=1, final_rate=0.002, schedule="cosine"),
}


def optimizer_of(net, o):
    weights = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() == 1]
    decay = o["weight_decay"]
    groups = [{"params": weights, "weight_decay": decay},
              {"params": others, "weight_decay": decay if o.get("decay_all") else 0}]
    kind = o.get("optimizer", "sgd")
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=o["learning_rate"], momentum=o["momentum"],
                               nesterov=bool(o.get("nesterov")))
    cls = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
    return cls(groups, lr=o["learning_rate"], betas=(o["momentum"], o["beta2"]), eps=o["epsilon"])


def schedule_of(optimizer, o):
    warmup, rules = o.get("warmup", 0), torch.optim.lr_scheduler
    rest = STEPS - warmup
    after = rules.ConstantLR(optimizer, 1) if o["schedule"] == "constant" else \
        rules.CosineAnnealingLR(optimizer, rest, o.get("final_rate", 0))
    if not warmup:
        return after
    rise = rules.LinearLR(optimizer, 1 / (warmup + 1), 1, warmup)
    return rules.SequentialLR(optimizer, [rise, after], [warmup])


def record(out, name, values, code):
    text = name.encode()
    out.write(struct.pack("<I", len(text)) + text + struct.pack("<I", len(values)))
    out.write(struct.pack(f"<{len(values)}{code}", *values))


def rounded(values):
    return [round(v * 2 ** 30) / 2 ** 30 for v in values]


def summary(name, value):
    """Length, and products with two directions."""
    flat = value.detach().reshape(-1)
    return [flat.norm().item()] + [
        (flat * golden.numbers(name, f"direction {k}", tuple(flat.shape))).sum().item()
        for k in range(2)]


def train(out, case, o):
    net = golden.network(case.split()[-1])
    optimizer = optimizer_of(net, o)
    schedule = schedule_of(optimizer, o)
    images, labels = golden.batch()
    average = None
    if o.get("ema"):
        # a young average forgets faster: TensorFlow's ExponentialMovingAverage with num_updates
        def mean(old, new, n):
            keep = min(o["ema"], (1 + n.item()) / (10 + n.item()))
            return keep * old + (1 - keep) * new
        average = torch.optim.swa_utils.AveragedModel(net, avg_fn=mean, use_buffers=True)
        average.update_parameters(net)  # the first weights
    losses, rates = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels, label_smoothing=o.get("label_smoothing", 0))
        loss.backward()
        if o.get("clip"):
            torch.nn.utils.clip_grad_norm_(net.parameters(), o["clip"])
        losses.append(loss.item())
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
        if average:
            average.update_parameters(net)
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                record(out, f"{case}/{step + 1}/{name}", rounded(summary(name, value)), "d")
    record(out, f"{case}/losses", rounded(losses), "d")
    record(out, f"{case}/rates", rates, "d")
    kept = average.module if average else net
    if case in ("sgd a", "adam b", "ema a"):
        for name, value in kept.state_dict().items():
            if value.is_floating_point():
                record(out, f"{case}/{name}/all", value.reshape(-1).tolist(), "f")
    kept.eval()
    logits = kept(images)
    record(out, f"{case}/logits", rounded(logits.reshape(-1).tolist()), "d")
    record(out, f"{case}/measured", rounded([F.cross_entropy(logits, labels).item()]), "d")


def weights(path):
    """A network after two steps, as torch.save's neighbours write it: statistics and counters too."""
    net = golden.network("b")
    images, labels = golden.batch()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()
    net = net.float()
    golden.safetensors_save(net.state_dict(), path)
    return net.double().eval()(images)


def make(path):
    out = io.BytesIO()
    for case, options in CASES.items():
        train(out, case, options)
    logits = weights(path)
    record(out, "weights/logits", rounded(logits.reshape(-1).tolist()), "d")
    return out.getvalue()


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    paths = [os.path.join(here, name) for name in ("training.bin", "weights.safetensors")]
    check = "--check" in sys.argv[1:]
    other = paths[1] + ".new" if check else paths[1]
    made = make(other)
    status = 0
    if not check:
        with open(paths[0], "wb") as f:
            f.write(made)
    for path, new in zip(paths, (made, open(other, "rb").read())):
        same = open(path, "rb").read() == new
        status |= not same
        print(f"{path}: {len(new)} bytes, {'the same' if same else 'differs'} (PyTorch {torch.__version__})")
    if check:
        os.remove(other)
    return status


if __name__ == "__main__":
    sys.exit(main())
