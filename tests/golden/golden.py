"""What the scripts of this folder share: numbers made from names, on both sides alike; the file of
recorded tensors; NAS-Bench-201's network in PyTorch, with the reference code's names; safetensors
without its package."""
import json
import struct

import torch
import torch.nn as nn

MASK = (1 << 64) - 1


def mix(z):
    """splitmix64's finaliser."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def numbers(name, which, shape, low=-1.0, high=1.0):
    """Uniform in [low, high), from the name of the case and of the tensor."""
    key = 0xCBF29CE484222325
    for byte in f"{name}/{which}".encode():
        key = ((key ^ byte) * 0x100000001B3) & MASK
    count = 1
    for d in shape:
        count *= d
    values = [(mix((key + i * 0x9E3779B97F4A7C15) & MASK) >> 11) / 2.0 ** 53 for i in range(count)]
    return torch.tensor(values, dtype=torch.float64).reshape(shape) * (high - low) + low


# ---- NAS-Bench-201's network (Dong and Yang, ICLR 2020; AutoDL-Projects,
# xautodl/models/cell_infers/tiny_network.py): its names, so that weights go over by them

class Zero(nn.Module):
    def forward(self, x):
        return x * 0.0


class ReLUConvBN(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride):
        super().__init__()
        self.op = nn.Sequential(nn.ReLU(), nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
                                nn.BatchNorm2d(c_out))

    def forward(self, x):
        return self.op(x)


def edge(name, c):
    return {"none": Zero, "skip_connect": nn.Identity,
            "nor_conv_1x1": lambda: ReLUConvBN(c, c, 1, 1),
            "nor_conv_3x3": lambda: ReLUConvBN(c, c, 3, 1),
            "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False)}[name]()


class Cell(nn.Module):
    def __init__(self, genotype, c):
        super().__init__()
        self.layers = nn.ModuleList()
        self.inputs = []
        for node in genotype:
            self.inputs.append([])
            for name, source in node:
                self.inputs[-1].append((len(self.layers), source))
                self.layers.append(edge(name, c))

    def forward(self, x):
        nodes = [x]
        for node in self.inputs:
            nodes.append(sum(self.layers[layer](nodes[source]) for layer, source in node))
        return nodes[-1]


class Reduction(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv_a = ReLUConvBN(c_in, c_out, 3, 2)
        self.conv_b = ReLUConvBN(c_out, c_out, 3, 1)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x):
        return self.downsample(x) + self.conv_b(self.conv_a(x))


class Network(nn.Module):
    def __init__(self, arch, c=4, n=1, classes=10):
        super().__init__()
        genotype = [[tuple(part.split("~")) for part in node.strip("|").split("|")]
                    for node in arch.split("+")]
        genotype = [[(name, int(source)) for name, source in node] for node in genotype]
        self.stem = nn.Sequential(nn.Conv2d(3, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c))
        self.cells = nn.ModuleList()
        for stage in range(3):
            if stage:
                self.cells.append(Reduction(c, 2 * c))
                c *= 2
            for _ in range(n):
                self.cells.append(Cell(genotype, c))
        self.lastact = nn.Sequential(nn.BatchNorm2d(c), nn.ReLU())
        self.classifier = nn.Linear(c, classes)

    def forward(self, x):
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x)
        return self.classifier(self.lastact(x).mean((2, 3)))


# All five operations on other edges. Each node is used: libnas leaves out what the result does not
# depend on, and PyTorch goes on to count statistics there.
ARCHS = {
    "a": "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "b": "|avg_pool_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|none~0|nor_conv_3x3~1|nor_conv_1x1~2|",
}
BATCH, SIDE = 8, 12
LABELS = [3, 0, 4, 1, 7, 9, 2, 3]


def bounds(name, shape):
    """Between what the first values of a variable lie: of a network that is alive."""
    if len(shape) > 1:
        fan_in = 1
        for d in shape[1:]:
            fan_in *= d
        bound = (3.0 / fan_in) ** 0.5
        return -bound, bound
    return (0.5, 1.5) if name.endswith(("weight", "running_var")) else (-0.5, 0.5)


def float32(t):
    return t.to(torch.float32).to(torch.float64)


def network(arch):
    """In float64, with weights and statistics from their names; each of them a float32 number."""
    net = Network(ARCHS[arch]).double()
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            value.copy_(float32(numbers(f"network {arch}", name, tuple(value.shape),
                                        *bounds(name, value.shape))))
    return net


def batch():
    """Images as PyTorch has them, and labels."""
    images = float32(numbers("batch", "images", (BATCH, SIDE, SIDE, 3), -2, 2))
    return images.permute(0, 3, 1, 2), torch.tensor(LABELS)


# ---- safetensors: the length of a JSON header, the header, the numbers

TYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}


def safetensors_save(state, path):
    """As the package does: the longest types first, then by name."""
    names = {dtype: text for text, dtype in TYPES.items()}
    order = sorted(state, key=lambda name: (-state[name].element_size(), name))
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in order:
        value = state[name].contiguous()
        raw = value.reshape(-1).numpy().tobytes()
        header[name] = {"dtype": names[value.dtype], "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def safetensors_load(path):
    """Tensors by name, and the metadata."""
    with open(path, "rb") as f:
        raw = f.read()
    length, = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        piece = bytearray(raw[8 + length + begin:8 + length + end])
        tensors[name] = torch.frombuffer(piece, dtype=TYPES[about["dtype"]]).reshape(about["shape"])
    return tensors, metadata
