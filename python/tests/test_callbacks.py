"""Exceptions out of every kind of callback, Ctrl-C, and what is kept alive for how long."""
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import unittest
import weakref

import libnas
from support import Case, Sampler, score


class Boom(Exception):
    """What the callbacks raise."""


def boom(*arguments, **named):
    raise Boom("from here")


class Exceptions(Case):
    def comes_out(self, call, error=Boom, function="boom"):
        """The very exception, with its traceback down to where it was raised."""
        try:
            call()
        except error as exception:  # assertRaises would drop the traceback
            self.assertIs(type(exception), error)
            frames = [frame.name for frame in traceback.extract_tb(exception.__traceback__)]
            self.assertIn(function, frames)
        else:
            self.fail("nothing was raised")

    def test_controllers(self):
        for name in ("ask", "tell", "load", "save"):
            class Bad(Sampler):
                def save(self):
                    return b"state"

                def load(self, data):
                    pass
            setattr(Bad, name, boom)
            path = self.path(name)
            if name == "load":
                with libnas.Search(self.space, _stateful(), score, store=path,
                                   max_trials=9) as first:
                    first.step()
                Bad.__name__ = "Stateful"
                self.comes_out(lambda: libnas.Search(self.space, Bad(), score, store=path,
                                                     max_trials=9))
                continue
            search = libnas.Search(self.space, Bad(), score, store=path, max_trials=3)
            self.comes_out(search.run)
            # Once failed, failed: it says so, and what was finished is there.
            with self.fails(libnas.Error, "Boom: from here"):
                search.run()
            self.assertEqual(search.ended, "error")

    def test_forget(self):
        class Bad(Sampler):
            forget = boom
        search = libnas.Search(self.space, Bad(), max_trials=3)
        proposal = search.ask()
        self.comes_out(lambda: search.forget(proposal))

    def test_ask_and_tell(self):
        class Bad(Sampler):
            tell = boom
        search = libnas.Search(self.space, Bad(), max_trials=3)
        proposal = search.ask()
        self.comes_out(lambda: search.tell(proposal, 0.5))

        class Worse(Sampler):
            ask = boom
        self.comes_out(libnas.Search(self.space, Worse(), max_trials=3).ask)

    def test_a_controller_that_answers_nonsense(self):
        for answer, error in ((3, TypeError), ("nonsense", libnas.Error), (None, libnas.Error)):
            class Bad(libnas.Controller):
                def ask(self, proposal, random):
                    return answer
            with self.assertRaises(error):
                libnas.Search(self.space, Bad(), score).run()

        class Half(Sampler):
            def save(self):
                return b""
        with self.fails(TypeError, "one of save and load"):
            libnas.Search(self.space, Half(), score)

        class Text(Sampler):
            def save(self):
                return "text"

            def load(self, data):
                pass
        with self.fails(TypeError, "must answer bytes, not str"):
            libnas.Search(self.space, Text(), score, max_trials=2).run()

    def test_a_search_inside_its_controller(self):
        class Bad(Sampler):
            def tell(self, proposal, result):
                return search.best
        search = libnas.Search(self.space, Bad(), score, max_trials=3)
        with self.fails(libnas.State, "inside its controller"):
            search.run()

    def test_evaluators_make_the_trial_infeasible(self):
        raised = [ValueError("too\ndeep"), MemoryError("no room"), libnas.Diverged("step 3"),
                  libnas.Infeasible("does not fit", reason="memory"), libnas.Infeasible("no"),
                  OSError(2, "gone"), AssertionError()]

        def evaluate(proposal):
            raise raised[proposal.trial]
        for workers in (1, 2):
            search = libnas.Search(self.space, "random", evaluate, max_trials=len(raised),
                                   window=2, workers=workers)
            self.assertEqual(search.run(), "all trials done")
            self.assertEqual([(t.reason, t.sentence) for t in search.trials], [
                ("callback", "ValueError: too deep"), ("memory", "MemoryError: no room"),
                ("diverged", "step 3"), ("memory", "does not fit"), ("constraint", "no"),
                ("callback", "FileNotFoundError: [Errno 2] gone"), ("callback", "AssertionError")])

    def test_evaluators_that_raise(self):
        for workers in (1, 2):
            for how in ("function", "class"):
                path = self.path(f"{how}{workers}")

                def evaluate(proposal):
                    return boom() if proposal.trial == 3 else score(proposal)

                class Bad(libnas.Evaluator):
                    name = "callback"
                    raises = True
                    concurrent = True
                    stateless = True

                    def evaluate(self, proposal, progress):
                        return evaluate(proposal)
                arguments = dict(max_trials=8, window=2, workers=workers, store=path)
                search = libnas.Search(self.space, "random", Bad(), **arguments) if how == "class" \
                    else libnas.Search(self.space, "random", evaluate, raises=True, **arguments)
                self.comes_out(search.run)
                self.assertEqual(search.ended, "stopped by the caller")
                # Trial 3 is not recorded as infeasible; with it mended the search goes on.
                self.assertEqual(len(search), 3)
                search.close()
                search = libnas.Search(self.space, "random", score, **arguments)
                self.assertEqual(search.run(), "all trials done")
                self.assertEqual(search.state.infeasible, 0)
                search.close()

    def test_other_calls_of_evaluators(self):
        class Good(libnas.Evaluator):
            def evaluate(self, proposal, progress):
                return score(proposal)

            def prepare(self, space, data):
                self.prepared = (space, data)
        good = Good()
        libnas.Search(self.space, "random", good, max_trials=1).run()
        self.assertEqual(good.prepared, (self.space, None))

        class BadPrepare(Good):
            prepare = boom
        self.comes_out(lambda: libnas.Search(self.space, "random", BadPrepare()))

        class BadObserve(Good):
            observe = boom
        self.comes_out(libnas.Search(self.space, "random", BadObserve(), max_trials=2).run)

        class BadSave(Good):
            save = boom

            def load(self, data):
                pass
        search = libnas.Search(self.space, "random", BadSave(), max_trials=2)
        self.comes_out(search.run)
        self.assertRaises(NotImplementedError, libnas.Evaluator().evaluate, None, None)

    def test_what_is_no_exception_always_comes_out(self):
        def leave(proposal):
            sys.exit(3)
        for workers in (1, 2):
            search = libnas.Search(self.space, "random", leave, window=2, workers=workers)
            self.comes_out(search.run, SystemExit, "leave")
            self.assertEqual((search.ended, len(search)), ("stopped by the caller", 0))

    def test_hooks(self):
        def evaluate(proposal, progress):
            progress.report(1, 1, accuracy=0.5)
            return score(proposal)
        for workers in (1, 2):
            for name in ("trial_started", "epoch_ended", "trial_ended", "turn_ended", "should_stop"):
                search = libnas.Search(self.space, "random", evaluate, max_trials=6, window=2,
                                       workers=workers)
                self.comes_out(lambda: search.run(**{name: boom}))
                self.assertIn(search.ended, ("stopped by the caller", "all trials done"), name)
                self.assertEqual(search.state.infeasible, 0)

    def test_progress_of_a_training(self):
        import numpy
        space = libnas.Space.preset("quick", height=8, width=8, classes=2, least_macs=0,
                                    context=self.context)
        data = libnas.Dataset.from_arrays(numpy.zeros((80, 8, 8), numpy.uint8),
                                          numpy.arange(80) % 2, context=self.context)
        model = libnas.Model(space.sample(1))
        before = model.tensors
        self.comes_out(lambda: model.train(data, boom, epochs=2))
        for name, values in model.tensors.items():  # a failed call changes nothing
            self.assertTrue(numpy.array_equal(values, before[name]), name)

    def test_a_log_function(self):
        """It may be called at any time, in any thread: what it raises is shown, and goes nowhere."""
        from libnas import _callbacks
        seen = []
        before, sys.unraisablehook = sys.unraisablehook, seen.append
        try:
            _callbacks.log_function(boom, {})(None, 1, b"a line")
        finally:
            sys.unraisablehook = before
        self.assertEqual([(type(one.exc_value), one.object) for one in seen], [(Boom, boom)])

    def test_a_hook_that_closes_the_search(self):
        search = libnas.Search(self.space, "random", score, max_trials=5)
        search.run(trial_ended=lambda trial, result: search.close() if trial.number == 2 else None)
        self.assertTrue(search.closed)
        with self.fails(libnas.State, "closed"):
            search.run()


def _stateful():
    class Stateful(Sampler):
        def save(self):
            return b"state"

        def load(self, data):
            pass
    return Stateful()


class Interrupts(Case):
    """Ctrl-C, wherever it comes."""

    def interrupted(self, evaluate, **options):
        search = libnas.Search(self.space, "random", evaluate, **options)
        main = threading.get_ident()
        started = threading.Event()

        def interrupt():
            started.wait(10)
            time.sleep(0.05)
            signal.pthread_kill(main, signal.SIGINT)
        thread = threading.Thread(target=interrupt)
        thread.start()
        with self.assertRaises(KeyboardInterrupt):
            search.run(trial_started=lambda proposal: started.set())
        thread.join()
        self.assertEqual(search.ended, "stopped by the caller")
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
        self.assertEqual(search.run(), "stopped by the caller")  # it came out once

    def test_in_python(self):
        def busy(proposal):
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                pass
            self.fail("the interrupt did not come")
        self.interrupted(busy)

    def test_between_short_evaluations(self):
        self.interrupted(score)

    def test_with_workers(self):
        def nap(proposal):
            time.sleep(0.02)
            return 0.5
        self.interrupted(nap, window=2, workers=2)

    def test_in_the_library(self):
        import numpy
        space = libnas.Space.preset("quick", height=16, width=16, classes=2, least_macs=0,
                                    context=self.context)
        data = libnas.Dataset.from_arrays(numpy.zeros((400, 16, 16), numpy.uint8),
                                          numpy.arange(400) % 2, context=self.context)
        self.space = space
        self.interrupted(("train", {"epochs": 10000}), data=data)


class Life(Case):
    def test_collected_in_every_callback(self):
        """The garbage collector runs inside of everything, and nothing but the search is kept."""
        class Greedy(Sampler):
            def ask(self, proposal, random):
                gc.collect()
                return super().ask(proposal, random)

            def tell(self, proposal, result):
                gc.collect()

            def save(self):
                gc.collect()
                return b""

            def load(self, data):
                gc.collect()

            def __del__(self):
                gone.append("controller")

        class Judge(libnas.Evaluator):
            concurrent = True

            def evaluate(self, proposal, progress):
                gc.collect()
                progress.report(1, 1, accuracy=1.0)
                return score(proposal)

            def observe(self, proposal, result):
                gc.collect()

            def __del__(self):
                gone.append("evaluator")

        gone = []

        def collect(*arguments):
            gc.collect()
        for workers in (1, 2):
            search = libnas.Search(self.space, Greedy(6), Judge(), window=2, workers=workers)
            gc.collect()
            self.assertEqual(gone, [])
            search.run(trial_started=collect, epoch_ended=collect, trial_ended=collect,
                       turn_ended=collect, should_stop=collect)
            self.assertEqual(len(search), 6)
            del search
            gc.collect()
            self.assertEqual(sorted(gone), ["controller", "evaluator"])
            gone.clear()

    def test_cycles(self):
        """A controller that knows its search, a context that nobody else knows: all is collected."""
        context = libnas.Context()
        search = libnas.Search(libnas.Space.create("one", {"a": ["x", "y"]}, context=context),
                               Sampler(3), score)
        search.run()
        controller = Sampler(3)
        controller.search = libnas.Search(search.space, controller, score)
        controller.search.run()
        handles = [weakref.ref(part._handle) for part in (context, search, controller.search)]
        del context, search, controller
        gc.collect()
        self.assertEqual([handle() for handle in handles], [None] * 3)

    def test_closed_in_the_wrong_order(self):
        context = libnas.Context(log=lambda level, line: self.said.append(line))
        space = libnas.Space.create("one", {"a": ["x", "y"]}, context=context)
        arch = space.sample(1)
        store = libnas.Store(context=context)
        search = libnas.Search(space, "random", lambda p: 0.5, store=store, max_trials=3)
        handle = context._handle
        context.close()
        space.close()
        store.close()
        with self.fails(libnas.State, "is closed"):
            space.sample(2)
        self.assertEqual(search.run(), "all trials done")
        self.assertIn(arch.text, ("a=x", "a=y"))
        search.close()
        self.assertIsNotNone(handle.pointer)  # the architecture is still there
        arch.close()
        self.assertIsNone(handle.pointer)

    def test_what_is_lent_cannot_be_kept(self):
        kept = []

        class Keeps(Sampler):
            def ask(self, proposal, random):
                kept.extend([proposal, random])
                return super().ask(proposal, random)

            def tell(self, proposal, result):
                kept.append(proposal)

        def evaluate(proposal, progress):
            kept.extend([proposal, progress])
            archs.append(proposal.arch)
            return 0.5
        archs = []
        search = libnas.Search(self.space, Keeps(1), evaluate)
        search.run()
        builder, random, proposal, progress, told = kept[:5]
        for use in (lambda: builder.turn, random.u64, lambda: proposal.arch, progress.poll,
                    lambda: told.turn):
            with self.assertRaises(libnas.State):
                use()
        search.close()
        self.assertEqual(len(archs[0].values), 4)  # an architecture may be kept

    def test_many_short_searches(self):
        def one():
            search = libnas.Search(self.space, Sampler(2), score)
            search.run()
        one()
        gc.collect()
        before = self.context.memory["bytes_now"]
        for _ in range(50):
            one()
        gc.collect()
        self.assertEqual(self.context.memory["bytes_now"], before)

    def test_end_of_the_process(self):
        """Whatever is open at the end of the process is no trouble, and nothing is printed."""
        program = ("import libnas, sys\n"
                   "space = libnas.Space.create('s', {'a': ['x', 'y']})\n"
                   "search = libnas.Search(space, 'random', lambda p: 0.5, max_trials=3)\n"
                   "search.run()\n"
                   "held = libnas.Search(space, 'random'); proposal = held.ask()\n"
                   "arch = space.sample(1); sys.modules['keep'] = (search, arch, held)\n")
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        done = subprocess.run([sys.executable, "-c", program], env=environment, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_fork(self):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.space.sample(1)
                said = "nothing"
            except libnas.Forked:
                said = "forked"
            except BaseException as exception:
                said = repr(exception)
            os.write(write, said.encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            self.assertEqual(pipe.read(), b"forked")
        os.waitpid(child, 0)


if __name__ == "__main__":
    unittest.main()
