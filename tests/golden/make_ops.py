#!/usr/bin/env python3
"""Makes ops.bin: what PyTorch computes, in float64, for each operation of libnas's graphs and for
each operation that a space may name: the result, the gradients of its weighted sum, and the
gradients of those gradients' products with fixed directions (Hessian-vector products).

    make_ops.py           writes ops.bin beside this file
    make_ops.py --check   compares instead, and says what differs

Inputs are not in the file: both sides make them from the case's name (numbers()). Tensors are in
libnas's layouts: images N,H,W,C; convolution weights KH,KW,CI,CO; linear weights CI,CO. Values are
rounded to multiples of 2**-36, so that another processor's last bits change nothing.

The file: for each tensor, in order, u32 length of its name, the name, u32 number of values, the
values as little-endian float64.
"""
import io
import os
import struct
import sys

import torch
import torch.nn.functional as F

from golden import numbers

torch.set_num_threads(1)
GRID = 2.0 ** 36


# How a tensor of libnas's layout is seen by PyTorch, and back.
def image(t):
    return t.permute(0, 3, 1, 2)


def filters(t):
    return t.permute(3, 2, 0, 1)


def back(t):
    return t.permute(0, 2, 3, 1)


LABELS = [3, 0, 4, 1]
LABELS_LEFT_OUT = [3, -1, 4, -1]


def conv(stride=1, padding=0, dilation=1, groups=1):
    return lambda x, w: back(F.conv2d(image(x), filters(w), None, stride, padding, dilation, groups))


def conv_bias(x, w, b):
    return back(F.conv2d(image(x), filters(w), b))


def pool(function, **options):
    return lambda x: back(function(image(x), **options))


def small_net(x, w, scale, offset, fc, bias):
    y = F.conv2d(image(x), filters(w), None, 1, 1)
    y = F.relu(F.batch_norm(y, None, None, scale, offset, True, 0.1, 1e-5))
    y = F.max_pool2d(y, 3, 2, 1).mean((2, 3))
    return F.cross_entropy(y @ fc + bias, torch.tensor(LABELS), label_smoothing=0.1).reshape(1)


def resize(mode, height, width):
    options = {} if mode == "nearest" else {"align_corners": False}
    return lambda x: back(F.interpolate(image(x), (height, width), mode=mode, **options)) ** 2


def mixed(x, alpha, *w):
    """An edge of a DARTS supernet: operations, each times its weight; the weights are a softmax."""
    def plain(y):
        return F.batch_norm(y, None, None, None, None, True, 0.1, 1e-5)

    def separable(a, b, dilation):
        pad = dilation * (a.shape[0] - 1) // 2
        y = F.conv2d(F.relu(image(x)), filters(a), None, 1, pad, dilation, x.shape[3])
        return plain(F.conv2d(y, filters(b)))
    terms = [separable(w[0], w[1], 1), separable(w[2], w[3], 2),
             plain(F.max_pool2d(image(x), 3, 1, 1)), image(x) * 0, image(x)]
    return back(sum(p * y for p, y in zip(F.softmax(alpha, 0), terms)))


def losses(smoothing, labels):
    return lambda x: F.cross_entropy(x, torch.tensor(labels), ignore_index=-1,
                                     label_smoothing=smoothing).reshape(1)


# ---- operations that a space may name: the recipes of NAS-Bench-201 (xautodl/models/
# cell_operations.py), DARTS (cnn/operations.py), NAS-Bench-101 (nasbench/lib/base_ops.py), ProxylessNAS
# (search/modules/layers.py) and NAS-Bench-Macro (train/model.py), as functions of the image and the variables in
# the order in which a network makes them

def conv_bn(kernel, stride=1, dilation=1, depthwise=False):
    """ReLU, a convolution (or a depthwise and a 1x1 one), batch norm on batch statistics."""
    padding = (kernel - 1) * dilation // 2

    def apply(x, w, *rest):
        y = F.relu(x)
        y = F.conv2d(y, filters(w), None, stride, padding, dilation, x.shape[1] if depthwise else 1)
        if depthwise:
            y = F.conv2d(y, filters(rest[0]))
        return F.batch_norm(y, None, None, *rest[-2:], True, 0.1, 1e-5)
    return apply


def norm(y, scale, offset):
    return F.batch_norm(y, None, None, scale, offset, True, 0.1, 1e-5)


def mbconv(kernel, expand, stride, act):
    """Inverted bottleneck: expand (by more than 1), depthwise, project; added where the shape stays."""
    c = NAMED_CHANNELS
    wide = c * expand

    def apply(x, *w):
        y, w = image(x), list(w)
        if expand > 1:
            y = act(norm(F.conv2d(y, filters(w.pop(0))), w.pop(0), w.pop(0)))
        y = F.conv2d(y, filters(w.pop(0)), None, stride, kernel // 2, 1, wide)
        y = act(norm(y, w.pop(0), w.pop(0)))
        y = norm(F.conv2d(y, filters(w.pop(0))), w.pop(0), w.pop(0))
        return back(image(x) + y if stride == 1 else y)
    first = [(1, 1, c, wide), (wide,), (wide,)] if expand > 1 else []
    return apply, first + [(kernel, kernel, 1, wide), (wide,), (wide,), (1, 1, wide, c), (c,), (c,)]


def hard_sigmoid(x):
    """F.hardsigmoid, which has no second derivative."""
    return F.relu6(x + 3) / 6


def gate(y, act, a, a_bias, b, b_bias):
    """Squeeze and excitation of images N,C,H,W; weights in libnas's layouts."""
    s = F.relu(F.conv2d(y.mean((2, 3), keepdim=True), filters(a), a_bias))
    return y * act(F.conv2d(s, filters(b), b_bias))


def mbconv_se(kernel, expand, stride):
    """MobileNetV3's (Howard et al., ICCV 2019; torchvision's InvertedResidual): hard swish, and a gate on
    the depthwise convolution's result, of a quarter of its channels rounded to a multiple of 8."""
    c = NAMED_CHANNELS
    wide = c * expand
    hidden = max(8, (wide // 4 + 4) // 8 * 8)

    def apply(x, *w):
        y = F.hardswish(norm(F.conv2d(image(x), filters(w[0])), w[1], w[2]))
        y = F.conv2d(y, filters(w[3]), None, stride, kernel // 2, 1, wide)
        y = gate(F.hardswish(norm(y, w[4], w[5])), hard_sigmoid, *w[6:10])
        y = norm(F.conv2d(y, filters(w[10])), w[11], w[12])
        return back(image(x) + y if stride == 1 else y)
    return apply, [(1, 1, c, wide), (wide,), (wide,), (kernel, kernel, 1, wide), (wide,), (wide,),
                   (1, 1, wide, hidden), (hidden,), (1, 1, hidden, wide), (wide,),
                   (1, 1, wide, c), (c,), (c,)]


def newer(name, stride):
    """The same for the names of other codes than DARTS's and NAS-Bench-201's; None: not one."""
    c = NAMED_CHANNELS
    kernel = next((int(letter) for letter in name if letter.isdigit()), 0)
    if name == "identity" and stride == 1:
        return lambda x: x * 1, []
    if name == "identity":
        return (lambda x, w, s, o: back(norm(F.conv2d(image(x), filters(w), None, stride), s, o)),
                [(1, 1, c, c), (c,), (c,)])
    if name == "maxpool3x3":
        return pool(F.max_pool2d, kernel_size=3, stride=stride, padding=1), []
    if name.startswith("mbconv-se"):
        return mbconv_se(kernel, int(name[-1]), stride)
    if name.startswith("mbconv"):
        return mbconv(kernel, int(name[-1]), stride, F.relu if "relu" in name else F.relu6)
    if name in ("conv_7x1_1x7", "conv_3x1_1x3"):
        def two(x, a, b, s, o):
            y = F.conv2d(F.relu(image(x)), filters(a), None, (1, stride), (0, kernel // 2))
            return back(norm(F.conv2d(y, filters(b), None, (stride, 1), (kernel // 2, 0)), s, o))
        return two, [(1, kernel, c, c), (kernel, 1, c, c), (c,), (c,)]
    if name.startswith("sepconv"):
        def separable(x, a, b, s, o):
            y = F.conv2d(image(x), filters(a), None, stride, kernel // 2, 1, c)
            return back(F.relu(norm(F.conv2d(y, filters(b)), s, o)))
        return separable, [(kernel, kernel, 1, c), (1, 1, c, c), (c,), (c,)]
    if name.endswith("-bn-relu"):
        return (lambda x, w, s, o: back(F.relu(norm(
            F.conv2d(image(x), filters(w), None, stride, kernel // 2), s, o))),
            [(kernel, kernel, c, c), (c,), (c,)])
    return None


def named(name, stride):
    """Function of (x, variables ...) in libnas's layouts, and the variables' shapes for C channels."""
    words, c = name.split("_"), NAMED_CHANNELS
    if newer(name, stride):
        return newer(name, stride)
    kernel = int(words[-1][0]) if words[-1][0].isdigit() else 0
    if name == "none":
        return lambda x: x[:, ::stride, ::stride] * 0, []
    if name == "skip_connect" and stride == 1:
        return lambda x: x * 1, []
    if name == "skip_connect":
        def reduce(x, a, b, scale, offset):
            y = F.relu(image(x))
            y = torch.cat([F.conv2d(y, filters(a), None, 2),
                           F.conv2d(y[:, :, 1:, 1:], filters(b), None, 2)], 1)
            return back(F.batch_norm(y, None, None, scale, offset, True, 0.1, 1e-5))
        return reduce, [(1, 1, c, c // 2), (1, 1, c, c - c // 2), (c,), (c,)]
    if name.startswith("max_pool"):
        return pool(F.max_pool2d, kernel_size=kernel, stride=stride, padding=kernel // 2), []
    if name.startswith("avg_pool"):
        return pool(F.avg_pool2d, kernel_size=kernel, stride=stride, padding=1,
                    count_include_pad=False), []
    deep = [(kernel, kernel, 1, c), (1, 1, c, c), (c,), (c,)]
    if words[0] == "nor":
        f = conv_bn(kernel, stride)
        return lambda x, *w: back(f(image(x), *w)), [(kernel, kernel, c, c), (c,), (c,)]
    if words[0] in ("dil", "dws"):
        f = conv_bn(kernel, stride, 2 if words[0] == "dil" else 1, True)
        return lambda x, *w: back(f(image(x), *w)), deep
    first, second = conv_bn(kernel, stride, 1, True), conv_bn(kernel, 1, 1, True)
    return lambda x, *w: back(second(first(image(x), *w[:4]), *w[4:])), deep + deep


NAMED_CHANNELS = 4
NAMED = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "nor_conv_5x5", "nor_conv_7x7",
         "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "dil_conv_3x3", "dil_conv_5x5",
         "dws_conv_3x3", "dws_conv_5x5", "max_pool_3x3", "avg_pool_3x3", "max_pool_5x5",
         "max_pool_7x7", "maxpool3x3", "conv_7x1_1x7", "conv_3x1_1x3", "conv1x1-bn-relu",
         "conv3x3-bn-relu", "conv5x5-bn-relu", "sepconv3x3-bn-relu", "sepconv5x5-bn-relu", "identity"]
NAMED += [f"mbconv-se_{k}x{k}_e{e}" for k in (3, 5) for e in (3, 6)]
NAMED += [f"mbconv{act}_{k}x{k}_e{e}" for k in (3, 5, 7) for e in (1, 3, 6) for act in ("", "-relu")]


def unary(function):
    return lambda x: function(x) * 1


X = (2, 5, 6, 3)
V = (3,)
CASES = [
    # name, shapes of the inputs, function, low, high
    ("conv_3x3", [X, (3, 3, 3, 4)], conv(1, 1), -1, 1),
    ("conv_3x3_stride_2", [X, (3, 3, 3, 4)], conv(2, 1), -1, 1),
    ("conv_3x3_dilated", [X, (3, 3, 3, 2)], conv(1, 2, 2), -1, 1),
    ("conv_groups", [(2, 4, 5, 4), (3, 3, 2, 6)], conv(1, 1, 1, 2), -1, 1),
    ("conv_depthwise_5x5_stride_2", [(2, 7, 6, 3), (5, 5, 1, 3)], conv(2, 2, 1, 3), -1, 1),
    ("conv_asymmetric", [(2, 5, 7, 2), (2, 3, 2, 3)], conv((2, 1), (0, 2), (1, 2)), -1, 1),
    ("conv_1x1_bias", [(2, 3, 4, 3), (1, 1, 3, 5), (5,)], conv_bias, -1, 1),
    ("linear_bias", [(4, 6), (6, 5), (5,)], lambda x, w, b: x @ w + b, -1, 1),
    ("relu", [X], lambda x: F.relu(x) ** 2, -1, 1),
    ("relu6", [X], lambda x: F.relu6(x) ** 2, -3, 9),
    ("max_pool_3x3", [X], pool(F.max_pool2d, kernel_size=3, stride=1, padding=1), -1, 1),
    ("max_pool_3x3_stride_2", [X], pool(F.max_pool2d, kernel_size=3, stride=2, padding=1), -1, 1),
    ("avg_pool_3x3", [X], pool(F.avg_pool2d, kernel_size=3, stride=1, padding=1,
                               count_include_pad=False), -1, 1),
    ("avg_pool_3x3_stride_2", [X], pool(F.avg_pool2d, kernel_size=3, stride=2, padding=1,
                                        count_include_pad=False), -1, 1),
    ("avg_pool_2x2_stride_2", [X], pool(F.avg_pool2d, kernel_size=2, stride=2), -1, 1),
    ("global_pool", [X], lambda x: x.mean((1, 2)), -1, 1),
    ("concat", [(2, 2, 3, 2), (2, 2, 3, 3)], lambda a, b: torch.cat([a * b[..., :2], b], 3), -1, 1),
    ("add", [X, X, X], lambda a, b, c: (a + b + c) ** 3, -1, 1),
    ("sigmoid", [V], torch.sigmoid, -4, 4),
    ("softmax", [(4, 5)], lambda x: F.softmax(x, 1), -2, 2),
    ("log_softmax", [(4, 5)], lambda x: F.log_softmax(x, 1), -2, 2),
    ("cross_entropy", [(4, 5)], losses(0.0, LABELS), -2, 2),
    ("cross_entropy_smoothed", [(4, 5)], losses(0.1, LABELS), -2, 2),
    ("cross_entropy_left_out", [(4, 5)], losses(0.2, LABELS_LEFT_OUT), -2, 2),
    # odd sizes, strides, groups
    ("conv_1x1", [(2, 5, 3, 4), (1, 1, 4, 3)], conv(), -1, 1),
    ("conv_1x1_stride_2", [(2, 5, 4, 3), (1, 1, 3, 4)], conv(2), -1, 1),
    ("conv_3x3_many_channels", [(1, 5, 7, 8), (3, 3, 8, 9)], conv(1, 1), -1, 1),
    ("conv_3x3_one_pixel", [(3, 1, 1, 5), (3, 3, 5, 2)], conv(1, 1), -1, 1),
    ("conv_5x5_one_channel", [(1, 7, 5, 1), (5, 5, 1, 17)], conv(1, 2), -1, 1),
    ("conv_7x7_stride_2", [(1, 9, 11, 2), (7, 7, 2, 3)], conv(2, 3), -1, 1),
    ("conv_groups_stride_2", [(1, 7, 5, 6), (3, 3, 3, 4)], conv(2, 1, 1, 2), -1, 1),
    ("conv_groups_dilated", [(1, 6, 7, 4), (3, 3, 2, 4)], conv(1, 2, 2, 2), -1, 1),
    ("conv_depthwise_3x3", [(2, 5, 7, 5), (3, 3, 1, 5)], conv(1, 1, 1, 5), -1, 1),
    ("conv_depthwise_dilated", [(2, 7, 5, 4), (5, 5, 1, 4)], conv(1, 4, 2, 4), -1, 1),
    ("conv_depthwise_doubled", [(2, 5, 4, 3), (3, 3, 1, 6)], conv(2, 1, 1, 3), -1, 1),
    ("linear", [(3, 7), (7, 9)], lambda x, w: x @ w, -1, 1),
    ("matmul_ta", [(6, 4), (6, 5)], lambda a, b: a.T @ b, -1, 1),
    ("matmul_tb", [(4, 6), (5, 6)], lambda a, b: a @ b.T, -1, 1),
    ("matmul_tatb", [(6, 4), (5, 6)], lambda a, b: a.T @ b.T, -1, 1),
    ("max_pool_2x2_odd", [X], pool(F.max_pool2d, kernel_size=2, stride=2), -1, 1),
    ("max_pool_5x5_stride_3", [(1, 9, 8, 2)], pool(F.max_pool2d, kernel_size=5, stride=3, padding=2),
     -1, 1),
    ("avg_pool_5x5_stride_3", [(1, 9, 8, 2)], pool(F.avg_pool2d, kernel_size=5, stride=3, padding=2,
                                                   count_include_pad=False), -1, 1),
    ("avg_pool_squared", [X], lambda x: back(F.avg_pool2d(image(x), 3, 1, 1,
                                                          count_include_pad=False)) ** 2, -1, 1),
    ("max_pool_squared", [X], lambda x: back(F.max_pool2d(image(x), 3, 1, 1)) ** 2, -1, 1),
    ("global_pool_squared", [X], lambda x: x.mean((1, 2)) ** 2, -1, 1),
    # elementwise
    ("mul", [X, X], lambda a, b: a * b, -1, 1),
    ("scale", [X], lambda x: (0.375 * x - 0.25) ** 2, -1, 1),
    ("mul_scalar", [X, (1,)], lambda x, s: x * s, -1, 1),
    ("mul_row", [X, (2, 1, 1, 1)], lambda x, r: x * r, -1, 1),
    ("affine", [X, V, V], lambda x, s, t: x * s + t, -1, 1),
    ("exp", [X], unary(torch.exp), -2, 2),
    ("log", [X], unary(torch.log), 0.25, 3),
    ("sqrt", [X], unary(torch.sqrt), 0.25, 3),
    ("rsqrt", [X], unary(torch.rsqrt), 0.25, 3),
    ("reciprocal", [X], unary(torch.reciprocal), 0.25, 3),
    ("square", [X], unary(torch.square), -1, 1),
    ("abs", [X], lambda x: torch.abs(x) * x, -1, 1),
    ("sign", [X], lambda x: torch.sign(x) * x * x, -1, 1),
    ("tanh", [X], unary(torch.tanh), -2, 2),
    ("sigmoid_images", [X], torch.sigmoid, -4, 4),
    ("identity", [X], lambda x: x * 1, -1, 1),
    ("zero_stride_2", [X], lambda x: x[:, ::2, ::2] * 0, -1, 1),
    ("stop", [X, X], lambda a, b: a * b * b.detach(), -1, 1),
    # reductions and shapes
    ("sum_channel", [X], lambda x: (x ** 2).sum((0, 1, 2)), -1, 1),
    ("sum_row", [X], lambda x: (x ** 2).sum((1, 2, 3)), -1, 1),
    ("sum_all", [X], lambda x: (x ** 2).sum().reshape(1), -1, 1),
    ("broadcast", [(2, 1, 1, 3)], lambda x: (x ** 2).expand(X), -1, 1),
    ("concat_images", [(2, 2, 3, 2), (1, 2, 3, 2)], lambda a, b: torch.cat([a, b], 0) ** 2, -1, 1),
    ("slice_step", [X], lambda x: x[:, 1:5:2] ** 2, -1, 1),
    ("reshape", [X], lambda x: (x ** 2).reshape(10, 1, 3, 6), -1, 1),
    # rows
    ("softmax_images", [(2, 2, 3, 4)], lambda x: F.softmax(x, 3), -2, 2),
    ("log_softmax_large", [(4, 5)], lambda x: F.log_softmax(x, 1), -60, 60),
    ("cross_entropy_large", [(4, 5)], losses(0.1, LABELS), -60, 60),
    ("cross_entropy_all_smoothing", [(4, 5)], losses(1.0, LABELS), -2, 2),
    ("correct", [(4, 5)], lambda x: x * float((x.argmax(1) == torch.tensor(LABELS)).sum()), -2, 2),
    # layers
    ("mul_image", [X, (2, 1, 1, 3)], lambda x, s: x * s, -1, 1),
    ("hard_swish", [X], lambda x: F.hardswish(x) * 1, -5, 5),
    ("hard_sigmoid", [X], lambda x: hard_sigmoid(x) ** 2, -5, 5),
    ("mean_squared_error", [X, X], lambda a, b: F.mse_loss(a, b).reshape(1), -1, 1),
    ("resize_nearest", [(2, 3, 4, 2)], resize("nearest", 6, 9), -1, 1),
    ("resize_nearest_smaller", [(1, 7, 5, 3)], resize("nearest", 3, 4), -1, 1),
    ("resize_linear", [(2, 3, 4, 2)], resize("bilinear", 6, 9), -1, 1),
    ("resize_linear_smaller", [(1, 7, 5, 3)], resize("bilinear", 3, 4), -1, 1),
    ("mixed", [(2, 6, 5, 4), (5,), (3, 3, 1, 4), (1, 1, 4, 4), (5, 5, 1, 4), (1, 1, 4, 4)], mixed, -1, 1),
    ("small_net", [(4, 5, 5, 2), (3, 3, 2, 4), (4,), (4,), (4, 5), (5,)], small_net, -1, 1),
]


# ---- layers with variables: x and they, in the order in which libnas makes them

def lstm(x, wi, wh, bi, bh):
    """Two steps of torch.nn.LSTMCell, from zeros."""
    h = c = torch.zeros(x.shape[0], wh.shape[0], dtype=x.dtype)
    for _ in range(2):
        gates = x[:, 0, 0] @ wi + h @ wh + bi + bh
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return torch.cat([h, c], 1)


def reduction(x, a, b, scale, offset):
    y = F.pad(F.relu(image(x)), (0, x.shape[2] % 2, 0, x.shape[1] % 2))
    y = torch.cat([F.conv2d(y, filters(a), None, 2), F.conv2d(y[:, :, 1:, 1:], filters(b), None, 2)], 1)
    return back(norm(y, scale, offset))


def embedding(x, table):
    """Indices have no gradient: zeros are recorded."""
    return F.embedding(x.detach().long()[..., 0], table) ** 2 + 0 * x


LAYERS = [
    # name, shapes, function, low, high (of x; variables are in -1 .. 1)
    ("layer_norm", [(2, 3, 4, 5), (5,), (5,)],
     lambda x, w, b: F.layer_norm(x, (5,), w, b, 1e-5), -1, 1),
    ("layer_norm_plain", [(3, 2, 2, 37)], lambda x: F.layer_norm(x, (37,), eps=1e-3), -1, 1),
    ("squeeze_excite", [(2, 4, 3, 6), (1, 1, 6, 2), (2,), (1, 1, 2, 6), (6,)],
     lambda x, *w: back(gate(image(x), torch.sigmoid, *w)), -1, 1),
    ("squeeze_excite_hard", [(2, 4, 3, 6), (1, 1, 6, 4), (4,), (1, 1, 4, 6), (6,)],
     lambda x, *w: back(gate(image(x), hard_sigmoid, *w)), -1, 1),
    ("factorized_reduce", [(2, 5, 4, 3), (1, 1, 3, 2), (1, 1, 3, 3), (5,), (5,)], reduction, -1, 1),
    ("embedding", [(3, 2, 1, 1), (7, 4)], embedding, 0, 7),
    ("lstm_cell", [(3, 1, 1, 4), (4, 20), (5, 20), (20,), (20,)], lstm, -1, 1),
]


def record(out, name, tensor):
    values = (torch.round(tensor.detach().contiguous().reshape(-1) * GRID) / GRID).tolist()
    text = name.encode()
    out.write(struct.pack("<I", len(text)) + text + struct.pack("<I", len(values)))
    out.write(struct.pack(f"<{len(values)}d", *[v + 0.0 for v in values]))


def derivatives(out, name, inputs, y):
    weights = numbers(name, "weights", tuple(y.shape))
    first = torch.autograd.grad((y * weights).sum(), inputs, create_graph=True)
    record(out, f"{name}/y", y)
    for i, g in enumerate(first):
        record(out, f"{name}/g{i}", g)
    along = sum((g * numbers(name, f"along{i}", tuple(x.shape))).sum()
                for i, (g, x) in enumerate(zip(first, inputs)))
    second = torch.autograd.grad(along, inputs, allow_unused=True) if along.requires_grad else \
        [None] * len(inputs)
    for i, (h, x) in enumerate(zip(second, inputs)):
        record(out, f"{name}/h{i}", torch.zeros_like(x) if h is None else h)


def make():
    out = io.BytesIO()
    for name, shapes, function, low, high in CASES:
        inputs = [numbers(name, f"x{i}", s, low, high).requires_grad_() for i, s in enumerate(shapes)]
        derivatives(out, name, inputs, function(*inputs))
    for name, training, affine in (("batch_norm_train", True, True), ("batch_norm_plain", True, False),
                                   ("batch_norm_eval", False, True),
                                   ("batch_norm_eval_plain", False, False)):
        x = numbers(name, "x0", X).requires_grad_()
        inputs = [x] + ([numbers(name, f"x{i}", V, 0.5, 1.5).requires_grad_() for i in (1, 2)]
                        if affine else [])
        mean, var = numbers(name, "mean", V), numbers(name, "var", V, 0.5, 1.5)
        y = F.batch_norm(image(x), mean, var, *(inputs[1:] if affine else [None, None]), training,
                         0.1, 1e-3)
        derivatives(out, name, inputs, back(y))
        record(out, f"{name}/mean", mean)
        record(out, f"{name}/var", var)
    for name, shapes, function, low, high in LAYERS:
        inputs = [numbers(name, f"x{i}", s, *((low, high) if i == 0 else (-1, 1)))
                  for i, s in enumerate(shapes)]
        if name == "embedding":
            inputs[0] = inputs[0].floor()
        for x in inputs:
            x.requires_grad_()
        derivatives(out, name, inputs, function(*inputs))
    for operation in NAMED:
        for stride in (1, 2):
            name = f"{operation} {stride}"
            function, shapes = named(operation, stride)
            # a factorised reduction takes even sizes alone
            shape = (2, 4, 4, NAMED_CHANNELS) if operation == "skip_connect" else \
                (2, 5, 4, NAMED_CHANNELS)
            inputs = [numbers(name, f"x{i}", s).requires_grad_()
                      for i, s in enumerate([shape] + shapes)]
            derivatives(out, name, inputs, function(*inputs))
    return out.getvalue()


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.bin")
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
