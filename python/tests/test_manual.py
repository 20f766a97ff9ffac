"""Every block of Python in docs/python.md, one after the other, and the example."""
import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from support import ROOT


class Manual(unittest.TestCase):
    def test_every_block_runs(self):
        page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
        blocks = list(re.finditer(r"^```python\n(.*?)^```$", page, re.S | re.M))
        self.assertGreater(len(blocks), 6)
        names, here, said = {"__name__": "manual"}, os.getcwd(), io.StringIO()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                for block in blocks:
                    # Blank lines before it, so that a traceback has the page's line numbers.
                    lines = page[:block.start(1)].count("\n")
                    with contextlib.redirect_stdout(said):
                        exec(compile("\n" * lines + block.group(1), "docs/python.md", "exec"), names)
            finally:
                os.chdir(here)
                names.clear()
        self.assertIn("all trials done", said.getvalue())
        self.assertIn("it came out: too deep for me", said.getvalue())
        self.assertIn("ValueError: too deep for me", said.getvalue())

    def test_the_example_runs(self):
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        for path in sorted(pathlib.Path(ROOT, "examples").glob("*.py")):
            done = subprocess.run([sys.executable, str(path)], env=environment, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(b"best", done.stdout)


if __name__ == "__main__":
    unittest.main()
