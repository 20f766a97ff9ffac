"""Networks of every preset in PyTorch, written from the reference codes: what `nas arch info` says of
parameters and multiply-accumulates is compared with what modules hold and hooks count.

    peer_spaces.py NAS [N]       NAS: the program; N networks of each preset (200)

Tensors are on the meta device: shapes alone, no arithmetic. References: quark0/darts (cnn/model.py,
operations.py), google-research/nasbench (model_builder.py), D-X-Y/AutoDL-Projects (cell_operations.py),
xiusu/NAS-Bench-Macro (train/model.py), mit-han-lab/ProxylessNAS, melodyguan/enas (general_child.py)."""
import json
import re
import subprocess
import sys

import torch
from torch import nn
import torch.nn.functional as F


def conv_bn(cin, cout, k=1, stride=1, groups=1, dilation=1, act=None, before=False):
    kh, kw = k if isinstance(k, tuple) else (k, k)
    pad = ((kh - 1) * dilation // 2, (kw - 1) * dilation // 2)
    layers = [nn.ReLU()] if before else []
    layers += [nn.Conv2d(cin, cout, (kh, kw), stride, pad, dilation, groups, bias=False),
               nn.BatchNorm2d(cout)]
    return nn.Sequential(*layers, *([act] if act else []))


class Halves(nn.Module):
    def __init__(self, cin, cout, relu=True):
        super().__init__()
        self.relu = relu
        self.a = nn.Conv2d(cin, cout // 2, 1, 2, bias=False)
        self.b = nn.Conv2d(cin, cout - cout // 2, 1, 2, bias=False)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        if self.relu:
            x = F.relu(x)
        x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        return self.bn(torch.cat([self.a(x), self.b(x[:, :, 1:, 1:])], 1))


class MBConv(nn.Module):
    def __init__(self, cin, cout, k, stride, expand, act):
        super().__init__()
        mid = cin * expand
        layers = [] if expand == 1 else [conv_bn(cin, mid, 1, act=act())]
        layers += [conv_bn(mid, mid, k, stride, groups=mid, act=act()), conv_bn(mid, cout, 1)]
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and cin == cout

    def forward(self, x):
        y = self.body(x)
        return x + y if self.residual else y


class Zero(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, ::self.stride, ::self.stride] * 0


def separable(c, k, stride, dilation=1):
    return [nn.ReLU(), nn.Conv2d(c, c, k, stride, (k - 1) * dilation // 2, dilation, c, bias=False),
            nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c)]


def operation(name, c, stride=1, cout=None):
    cout = cout or c
    found = re.fullmatch(r'([a-z_-]+?)_?(\d)x(\d)(?:_(\d)x(\d))?(?:_e(\d))?(-bn-relu)?', name)
    if name == 'none':
        return Zero(stride)
    if name == 'skip_connect':
        return nn.Identity() if stride == 1 else Halves(c, c)
    if name == 'identity':
        return nn.Identity() if stride == 1 and c == cout else conv_bn(c, cout, 1, stride)
    kind, k = found.group(1), int(found.group(2))
    if found.group(7):
        if kind == 'conv':
            return conv_bn(c, cout, k, stride, act=nn.ReLU())
        return nn.Sequential(nn.Conv2d(c, c, k, stride, k // 2, groups=c, bias=False),
                             conv_bn(c, cout, 1, act=nn.ReLU()))
    if kind == 'nor_conv':
        return conv_bn(c, c, k, stride, before=True)
    if kind == 'sep_conv':
        return nn.Sequential(*separable(c, k, stride), *separable(c, k, 1))
    if kind == 'dil_conv':
        return nn.Sequential(*separable(c, k, stride, 2))
    if kind == 'dws_conv':
        return nn.Sequential(*separable(c, k, stride))
    if kind in ('max_pool', 'maxpool'):
        return nn.MaxPool2d(k, stride, k // 2)
    if kind == 'avg_pool':
        return nn.AvgPool2d(k, stride, k // 2, count_include_pad=False)
    if kind == 'conv':  # conv_7x1_1x7
        return nn.Sequential(nn.ReLU(), nn.Conv2d(c, c, (1, k), (1, stride), (0, k // 2), bias=False),
                             nn.Conv2d(c, c, (k, 1), (stride, 1), (k // 2, 0), bias=False),
                             nn.BatchNorm2d(c))
    act = nn.ReLU if kind == 'mbconv-relu' else nn.ReLU6
    return MBConv(c, cout, k, stride, int(found.group(6)), act)


def values(text):
    return dict(word.split('=', 1) for word in text.split())


# ---- cells of blocks: DARTS's network ------------------------------------------------------------------

def genotype(text, p):
    if text.startswith('Genotype'):
        return eval(text, {'Genotype': dict, 'range': range})
    ops = ['sep_conv_3x3', 'sep_conv_5x5', 'avg_pool_3x3', 'max_pool_3x3', 'skip_connect']
    numbers = list(map(int, text.split()))
    half = len(numbers) // 2
    made = {}
    for name, part in ('normal', numbers[:half]), ('reduce', numbers[half:]):
        made[name] = [(ops[part[i + 1]], part[i]) for i in range(0, half, 2)]
        used = {i for _, i in made[name]}
        made[name + '_concat'] = [i for i in range(2, len(made[name]) // 2 + 2) if i not in used]
    return made


class Cell(nn.Module):
    def __init__(self, g, cpp, cp, c, reduction, before):
        super().__init__()
        name = 'reduce' if reduction else 'normal'
        self.edges, self.out = g[name], list(g[name + '_concat'])
        self.joins = g.get(name + '_join', ['add'] * (len(self.edges) // 2))
        self.pre0 = Halves(cpp, c) if before else conv_bn(cpp, c, before=True)
        self.pre1 = conv_bn(cp, c, before=True)
        self.ops = nn.ModuleList(operation(op, c, 2 if reduction and i < 2 else 1) for op, i in self.edges)
        self.joined = nn.ModuleList(conv_bn(2 * c, c, before=True) if j == 'concat' else nn.Identity()
                                    for j in self.joins)

    def forward(self, a, b):
        states = [self.pre0(a), self.pre1(b)]
        for k, join in enumerate(self.joins):
            x = self.ops[2 * k](states[self.edges[2 * k][1]])
            y = self.ops[2 * k + 1](states[self.edges[2 * k + 1][1]])
            states.append(self.joined[k](torch.cat([x, y], 1)) if join == 'concat' else x + y)
        return torch.cat([states[i] for i in self.out], 1)


class Blocks(nn.Module):
    def __init__(self, text, p, rule):
        super().__init__()
        g, c, n = genotype(text, p), int(p['channels']), int(p['cells'])
        first, second = (n // 3, 2 * n // 3) if rule == 'thirds' else ((n - 2) // 3, 2 * (n - 2) // 3 + 1)
        self.stem = conv_bn(int(p['inputs']), 3 * c, 3)
        self.cells = nn.ModuleList()
        cpp = cp = 3 * c
        before = False
        for i in range(n):
            reduction = i in (first, second)
            c *= 2 if reduction else 1
            self.cells.append(Cell(g, cpp, cp, c, reduction, before))
            cpp, cp, before = cp, len(self.cells[-1].out) * c, reduction
        self.classifier = nn.Linear(cp, int(p['classes']))

    def forward(self, x):
        a = b = self.stem(x)
        for cell in self.cells:
            a, b = b, cell(a, b)
        return self.classifier(b.mean((2, 3)))


# ---- cells with operations on edges ------------------------------------------------------------------------

class Residual(nn.Module):
    def __init__(self, c, pool):
        super().__init__()
        self.pool = pool
        if pool:
            self.a = nn.Sequential(nn.MaxPool2d(2), conv_bn(c, 2 * c, before=True))
        else:
            self.a = nn.Sequential(conv_bn(c, 2 * c, 3, 2, before=True), conv_bn(2 * c, 2 * c, 3, before=True))
            self.b = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c, 2 * c, 1, bias=False))

    def forward(self, x):
        return self.a(x) if self.pool else self.a(x) + self.b(x)


class EdgeCell(nn.Module):
    def __init__(self, ops, c):
        super().__init__()
        self.edges = nn.ModuleDict({f'{a}-{b}': operation(op, c) for (a, b), op in ops.items()})

    def forward(self, x):
        nodes = [x]
        for b in range(1, 4):
            nodes.append(sum(self.edges[f'{a}-{b}'](nodes[a]) for a in range(b)))
        return nodes[3]


class Cells(nn.Module):
    def __init__(self, text, p, pool):
        super().__init__()
        if text.startswith('|'):
            nodes = [[e.split('~')[0] for e in node.strip('|').split('|')] for node in text.split('+')]
            ops = {(a, b + 1): op for b, node in enumerate(nodes) for a, op in enumerate(node)}
        else:
            ops = {(int(k[3]), int(k[0])): v for k, v in values(text).items()}
        c = int(p['channels'])
        layers = [conv_bn(int(p['inputs']), c, 3)]
        for stage in range(3):
            if stage:
                layers.append(Residual(c, pool))
                c *= 2
            layers += [EdgeCell(ops, c) for _ in range(int(p['cells']))]
        self.body = nn.Sequential(*layers, nn.BatchNorm2d(c), nn.ReLU())
        self.classifier = nn.Linear(c, int(p['classes']))

    def forward(self, x):
        return self.classifier(self.body(x).mean((2, 3)))


# ---- cells with a matrix ------------------------------------------------------------------------------------

def prune(matrix, ops):
    n = len(ops)
    forward, backward = {0}, {n - 1}
    for a in range(n):
        forward |= {b for b in range(n) if a in forward and matrix[a][b]}
    for b in reversed(range(n)):
        backward |= {a for a in range(n) if b in backward and matrix[a][b]}
    keep = sorted(forward & backward)
    return [[matrix[a][b] for b in keep] for a in keep], [ops[a] for a in keep]


class Module101(nn.Module):
    def __init__(self, matrix, ops, cin, cout):
        super().__init__()
        self.m, n = matrix, len(ops)
        channels = [0] * n
        channels[0], channels[-1] = cin, cout
        feeding = [v for v in range(1, n - 1) if matrix[v][n - 1]]
        for i, v in enumerate(feeding):
            channels[v] = cout // len(feeding) + (i < cout % len(feeding))
        for v in range(n - 3, 0, -1):
            if not matrix[v][n - 1]:
                channels[v] = max(channels[b] for b in range(v + 1, n - 1) if matrix[v][b])
        self.channels = channels
        self.ops = nn.ModuleList(operation(ops[v], channels[v]) for v in range(1, n - 1))
        self.proj = nn.ModuleDict({str(v): conv_bn(cin, channels[v], act=nn.ReLU())
                                   for v in range(1, n) if matrix[0][v]})

    def forward(self, x):
        n = len(self.m)
        made = [x]
        for v in range(1, n - 1):
            terms = [made[a][:, :self.channels[v]] for a in range(1, v) if self.m[a][v]]
            if self.m[0][v]:
                terms.append(self.proj[str(v)](x))
            made.append(self.ops[v - 1](sum(terms)))
        last = [made[a] for a in range(1, n - 1) if self.m[a][n - 1]]
        if not last:
            return self.proj[str(n - 1)](x)
        y = torch.cat(last, 1)
        return y + self.proj[str(n - 1)](x) if self.m[0][n - 1] else y


class Matrix(nn.Module):
    def __init__(self, text, p):
        super().__init__()
        matrix, ops = prune(*eval(text))
        c = int(p['channels'])
        layers, cin = [conv_bn(int(p['inputs']), c, 3, act=nn.ReLU())], c
        for stage in range(3):
            if stage:
                layers.append(nn.MaxPool2d(2))
                c *= 2
            for _ in range(int(p['modules'])):
                layers.append(Module101(matrix, ops, cin, c))
                cin = c
        self.body = nn.Sequential(*layers)
        self.classifier = nn.Linear(c, int(p['classes']))

    def forward(self, x):
        return self.classifier(self.body(x).mean((2, 3)))


# ---- stages, skips, chains, perceptrons ------------------------------------------------------------------------

class Stages(nn.Module):
    def __init__(self, text, p, stages, names, stem_stride, fixed, last, act):
        super().__init__()
        c = int(p['channels'])
        layers = [conv_bn(int(p['inputs']), c, 3, stem_stride, act=act())]
        for name, cout, stride in fixed:
            layers.append(operation(name, c, stride, cout))
            c = cout
        digits = list(text) if names else None
        given = None if names else values(text)
        for s, (cout, n, stride) in enumerate(stages):
            cout = cout or int(given[f'{s + 1}.channels'])
            for i in range(n):
                name = names[int(digits.pop(0))] if names else given[f'{s + 1}.{i + 1}']
                layers.append(operation(name, c, 1 if i else stride, cout))
                c = cout
        if last:
            layers.append(conv_bn(c, last, act=act()))
            c = last
        self.body = nn.Sequential(*layers)
        self.classifier = nn.Linear(c, int(p['classes']))

    def forward(self, x):
        return self.classifier(self.body(x).mean((2, 3)))


class Skips(nn.Module):
    names = ['conv3x3-bn-relu', 'sepconv3x3-bn-relu', 'conv5x5-bn-relu', 'sepconv5x5-bn-relu',
             'avg_pool_3x3', 'max_pool_3x3']

    def __init__(self, text, p):
        super().__init__()
        c, self.n = int(p['channels']), int(p['layers'])
        numbers = list(map(int, text.split()))
        self.stem = conv_bn(int(p['inputs']), c, 3)
        self.ops, self.joins, self.pools, self.taken = nn.ModuleList(), nn.ModuleList(), nn.ModuleList(), []
        for i in range(self.n):
            op, bits, numbers = numbers[0], numbers[1:i + 1], numbers[i + 1:]
            self.taken.append([k for k, bit in enumerate(bits) if bit])
            self.ops.append(nn.Sequential(conv_bn(c, c, act=nn.ReLU()), operation(self.names[op], c)))
            n = 1 + len(self.taken[-1])
            self.joins.append(conv_bn(n * c, c, before=True) if n > 1 else nn.Identity())
            pools = nn.ModuleList()
            if i + 1 in (self.n // 3, 2 * self.n // 3):
                wide = c * int(p['widen'])
                pools.extend(Halves(c, wide, relu=False) for _ in range(i + 2))
                c = wide
            self.pools.append(pools)
        self.classifier = nn.Linear(c, int(p['classes']), bias=False)

    def forward(self, x):
        outputs = [self.stem(x)]
        for i in range(self.n):
            y = self.ops[i](outputs[-1])
            outputs.append(self.joins[i](torch.cat([y] + [outputs[k] for k in self.taken[i]], 1)))
            if len(self.pools[i]):
                outputs = [pool(o) for pool, o in zip(self.pools[i], outputs)]
        return self.classifier(outputs[-1].mean((2, 3)))


class Chain(nn.Module):
    def __init__(self, text, p):
        super().__init__()
        v, n = values(text), int(p['layers'])
        self.anchors = [[k for k in range(i) if v[f'{i + 1}<-{k + 1}'] == '1'] for i in range(n)]
        filters = [int(v[f'{i + 1}.filters']) for i in range(n)]
        self.layers = nn.ModuleList()
        for i in range(n):
            cin = sum(filters[k] for k in self.anchors[i]) or int(p['inputs'])
            self.layers.append(conv_bn(cin, filters[i], (int(v[f'{i + 1}.height']), int(v[f'{i + 1}.width'])),
                                       act=nn.ReLU()))
        taken = {k for a in self.anchors for k in a}
        self.last = [i for i in range(n) if i not in taken]
        self.classifier = nn.Linear(sum(filters[i] for i in self.last), int(p['classes']))

    def forward(self, x):
        made = []
        for i, layer in enumerate(self.layers):
            made.append(layer(torch.cat([made[k] for k in self.anchors[i]], 1) if self.anchors[i] else x))
        return self.classifier(torch.cat([made[i] for i in self.last], 1).mean((2, 3)))


class MLP(nn.Module):
    def __init__(self, text, p):
        super().__init__()
        v, c, layers = values(text), int(p['inputs']), [nn.Flatten()]
        for i in range(1, int(p['most']) + 1):
            if v.get(f'{i}.exists', 'yes') == 'no' or f'{i}.units' not in v:
                break
            units = int(v[f'{i}.units'])
            layers += [nn.Linear(c, units), nn.Tanh() if v[f'{i}.activation'] == 'tanh' else nn.ReLU()]
            c = units
        self.body = nn.Sequential(*layers, nn.Linear(c, int(p['classes'])))

    def forward(self, x):
        return self.body(x)


MACRO = ['identity', 'mbconv-relu_3x3_e3', 'mbconv-relu_5x5_e6']
NETS = {
    'nas-bench-101': Matrix,
    'nas-bench-201': lambda t, p: Cells(t, p, False),
    'quick': lambda t, p: Cells(t, p, True),
    'nas-bench-macro': lambda t, p: Stages(t, p, [(64, 2, 2), (128, 3, 2), (256, 3, 2)], MACRO, 1, [], 1280,
                                           nn.ReLU),
    'darts': lambda t, p: Blocks(t, p, 'thirds'),
    'nasnet': lambda t, p: Blocks(t, p, 'nasnet'),
    'amoebanet': lambda t, p: Blocks(t, p, 'nasnet'),
    'pnas': lambda t, p: Blocks(t, p, 'nasnet'),
    'enas-micro': lambda t, p: Blocks(t, p, 'nasnet'),
    'enas-macro': Skips,
    'proxyless': lambda t, p: Stages(t, p, [(24, 4, 2), (40, 4, 2), (80, 4, 2), (96, 4, 1), (192, 4, 2),
                                            (320, 1, 1)], None, 2, [('mbconv_3x3_e1', 16, 1)], 1280, nn.ReLU6),
    'zoph-chain': Chain,
    'mlp': MLP,
    'tiny': lambda t, p: Stages(t, p, [(0, 2, 1), (0, 3, 2), (0, 3, 2)], None, 2, [], 0, nn.ReLU),
}


def counted(net, p):
    total = [0]

    def hook(m, _, y):
        if isinstance(m, nn.Conv2d):
            total[0] += y.numel() * m.weight.shape[1] * m.weight.shape[2] * m.weight.shape[3]
        elif isinstance(m, nn.Linear):
            total[0] += y.numel() * m.in_features

    for m in net.modules():
        m.register_forward_hook(hook)
    with torch.no_grad():
        net(torch.empty(1, int(p['inputs']), int(p['height']), int(p['width']), device='meta'))
    return sum(w.numel() for w in net.parameters()), total[0]


def main():
    program, n = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else '200'
    run = lambda *a: subprocess.run([program, *a], check=True, capture_output=True, text=True).stdout
    bad = 0
    for name in run('space', 'list').split():
        text = run('space', 'show', name)
        p = dict(re.findall(r'([a-z_]+): ([0-9.e+]+)', re.search(r'parameters: \{(.*)\}', text).group(1)))
        equal = total = 0
        for arch in run('space', 'sample', name, '-n', n, '--seed', '1').splitlines():
            ours = json.loads(run('arch', 'info', name, arch, '--json'))
            with torch.device('meta'):
                net = NETS[name](arch, p).eval()
            theirs = counted(net, p)
            total += 1
            equal += theirs == (ours['params'], ours['macs'])
            if theirs != (ours['params'], ours['macs']):
                print(f"{name}: {arch}\n  PyTorch {theirs}, libnas {ours['params'], ours['macs']}")
        bad += equal != total
        print(f'{name:16} {equal} of {total} equal', flush=True)
    print('MISS' if bad else 'PASS')
    return 1 if bad else 0


sys.exit(main())
