"""A side of a comparison: a program that says "ready ..." and then answers lines on its standard input
(bench/step.h, bench/peer_step.py)."""
import subprocess
import time

PAUSE = 0.3  # seconds: OpenMP's threads spin for a while after work, on the processors of whoever is next


class Side:
    def __init__(self, name, command):
        self.name = name
        self.times = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        # what a side says before it is ready (exporters talk) is skipped; "": it never was
        self.ready = next((line.strip() for line in self.process.stdout if line.startswith("ready")), "")

    def run(self, n):
        """Seconds of n runs, once the other sides are quiet."""
        time.sleep(PAUSE)
        self.process.stdin.write(f"run {n}\n")
        self.process.stdin.flush()
        self.times += [float(word) for word in self.process.stdout.readline().split()]

    def memory(self):
        """The process's peak so far, bytes."""
        self.process.stdin.write("memory\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()
