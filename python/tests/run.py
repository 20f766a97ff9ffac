"""Runs one test module, or all: run.py [MODULE]. Exit status 77 (skipped) without numpy."""
import importlib.util
import pathlib
import sys
import unittest

if importlib.util.find_spec("numpy") is None:
    print(f"skipped: this Python ({sys.executable}) has no numpy (Debian: python3-numpy)")
    sys.exit(77)
here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent)]
names = sys.argv[1:] or sorted(path.stem for path in here.glob("test_*.py"))
suite = unittest.defaultTestLoader.loadTestsFromNames(names)
result = unittest.TextTestRunner(verbosity=2).run(suite)
sys.exit(not result.wasSuccessful() or result.testsRun == 0)
