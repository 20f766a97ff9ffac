"""What the tests share: small spaces, evaluations of known answers."""
import contextlib
import gc
import pathlib
import tempfile
import unittest

import libnas

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def letters(context, n=4, m=5):
    """n choices of m alternatives."""
    names = "abcdefgh"[:m]
    return libnas.Space.create("letters", {f"d{i}": list(names) for i in range(n)}, context=context)


def score(proposal):
    """Best where every choice is the last alternative."""
    space = proposal.space
    return sum(d.alternatives.index(proposal[d.index]) / (len(d.alternatives) - 1)
               for d in space.decisions) / len(space.decisions)


class Sampler(libnas.Controller):
    """Samples `most` architectures; counts what it is told."""

    def __init__(self, most=10):
        self.most, self.asked, self.told = most, 0, []

    def ask(self, proposal, random):
        if self.asked == self.most:
            return libnas.DONE
        self.asked += 1
        return proposal.space.sample(random)

    def tell(self, proposal, result):
        self.told.append((proposal.trial, result.score))


class Case(unittest.TestCase):
    """A context for each test, which must hold nothing but itself at the end."""

    def setUp(self):
        self.said = []
        self.context = libnas.Context(threads=2, log=lambda level, line: self.said.append(line))
        self.space = letters(self.context)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def tearDown(self):
        """Every handle is gone, in the right order, and not a byte is left."""
        self.space = None
        gc.collect()
        handle = self.context._handle
        self.context.close()
        self.assertIsNone(handle.pointer, "something made from the context is still there")
        self.assertEqual([line for line in self.said if "context_free" in line], [])

    def path(self, name):
        return str(pathlib.Path(self.folder.name, name))

    @contextlib.contextmanager
    def fails(self, error, *words):
        with self.assertRaises(error) as caught:
            yield caught
        for word in words:
            self.assertIn(word, str(caught.exception))
