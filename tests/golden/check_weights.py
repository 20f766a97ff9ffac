#!/usr/bin/env python3
"""Weights between libnas and PyTorch's NAS-Bench-201 network, both ways, by name: a safetensors file
that libnas wrote is loaded into the network, one that PyTorch wrote into libnas, and each time both
must give the same logits, to 1e-5 of the largest.

    check_weights.py PROGRAM       PROGRAM: tests/nn/test-training of a build

Without PyTorch: says so, exit status 77.
"""
import os
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: this Python has no PyTorch")
    sys.exit(77)
import golden


def libnas(program, what, path):
    """Logits of libnas's network with the file that it wrote or read."""
    out = subprocess.run([program, what, path], check=True, capture_output=True, text=True).stdout
    return torch.tensor([float(line) for line in out.split()], dtype=torch.float64)


def load(path):
    """By the package, if it is there: the reader of golden.py must say the same."""
    tensors, metadata = golden.safetensors_load(path)
    try:
        from safetensors.torch import load_file
    except ImportError:
        return tensors, metadata, "golden.py"
    package = load_file(path)
    assert package.keys() == tensors.keys()
    assert all(torch.equal(package[name], tensors[name]) for name in tensors)
    return tensors, metadata, "safetensors"


def compare(what, ours, theirs):
    off = ((ours - theirs.reshape(-1)).abs().max() / theirs.abs().max()).item()
    print(f"{'PASS' if off <= 1e-5 else 'MISS'}: {what}: logits differ by at most {off:.1e} of the largest")
    return off <= 1e-5


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    images, _ = golden.batch()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "libnas.safetensors")
        ours = libnas(sys.argv[1], "write", path)
        tensors, metadata, reader = load(path)
        net = golden.Network(golden.ARCHS["a"])
        missing, unexpected = net.load_state_dict(tensors, strict=False)
        assert not unexpected, unexpected
        assert all(name.endswith("num_batches_tracked") for name in missing), missing
        assert metadata["libnas.arch"] == golden.ARCHS["a"], metadata
        with torch.no_grad():
            theirs = net.double().eval()(images)
        good &= compare(f"libnas to PyTorch, {len(tensors)} tensors by {reader}", ours, theirs)

        path = os.path.join(folder, "pytorch.safetensors")
        torch.manual_seed(1)
        net = golden.Network(golden.ARCHS["a"])
        net(images.float())  # statistics that are not those of the beginning
        golden.safetensors_save(net.state_dict(), path)
        with torch.no_grad():
            theirs = net.double().eval()(images)
        good &= compare("PyTorch to libnas", libnas(sys.argv[1], "read", path), theirs)
    sys.exit(0 if good else 1)


main()
