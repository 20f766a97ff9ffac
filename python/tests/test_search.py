"""Searches: spaces, built-in parts, parts of one's own, ask and tell, stores, sameness."""
import collections
import os
import subprocess
import threading
import time
import unittest

import libnas
from support import Case, Sampler, letters, score


class Spaces(Case):
    def test_decisions(self):
        space = libnas.Space.create(
            "mixed", {"depth": range(2, 11, 4), "kind": ["plain", "wide"], "factor": range(1, 3),
                      "rate": libnas.Real(0.001, 1.0, log=True)},
            conditions={"factor": ("kind", "wide")}, constraints=["depth * factor <= 12"],
            context=self.context)
        depth, kind, factor, rate = space.decisions
        self.assertEqual((depth.kind, depth.low, depth.high, depth.step), ("integer", 2, 10, 4))
        self.assertEqual((kind.alternatives, kind.condition), (("plain", "wide"), None))
        self.assertEqual(factor.condition, ("kind", "wide"))
        self.assertEqual((rate.low, rate.high, rate.log), (0.001, 1.0, True))
        self.assertEqual(rate.role, "hyperparameter")
        self.assertFalse(space.has_network)
        arch = space.arch({"depth": 6, "kind": "plain", "rate": 0.5})
        self.assertEqual(arch.values, {"depth": 6, "kind": "plain", "factor": None, "rate": 0.5})
        self.assertEqual(space.arch(arch.text), arch)
        self.assertEqual(hash(space.arch(str(arch))), hash(arch))
        self.assertNotEqual(space.arch({"depth": 2, "kind": "plain", "rate": 0.5}), arch)
        bad = space.arch({"depth": 10, "kind": "wide", "factor": 2, "rate": 0.5})
        with self.fails(libnas.Infeasible, "depth * factor <= 12"):
            bad.check()
        again = libnas.Space.parse(space.text, context=self.context)
        self.assertEqual(again.hash, space.hash)

    def test_wrong_spaces_and_values(self):
        with self.fails(libnas.Syntax, "here.yaml:2"):
            libnas.Space.parse("space: x\n\tdecisions: 1\n", "here.yaml", context=self.context)
        with self.fails(libnas.NotFound, "nas-bench-201"):
            libnas.Space.open("nas-bench-20", context=self.context)
        for decisions, error in (({"a": range(0)}, ValueError), ({"a": 3}, TypeError),
                                 ({"a": [1, 2]}, TypeError), ({"a\0b": ["x"]}, ValueError)):
            with self.assertRaises(error):
                libnas.Space.create("wrong", decisions, context=self.context)
        with self.fails(ValueError, "no such decision"):
            libnas.Space.create("wrong", {"a": ["x", "y"]}, conditions={"b": ("a", "x")},
                                context=self.context)
        with self.fails(ValueError, "'z' is none of a, b"):
            self.space.arch({"d0": "z", "d1": "a", "d2": "a", "d3": "a"})
        with self.fails(ValueError, "d3 has no value"):
            self.space.arch({"d0": "a", "d1": "a", "d2": "a"})
        with self.fails(ValueError, "no decision 'd9'"):
            self.space.arch({"d0": "a", "d1": "a", "d2": "a", "d3": "a", "d9": "a"})
        with self.assertRaises(libnas.NotFound):
            self.space.decision("nothing")
        with self.assertRaises(TypeError):
            self.space.sample()

    def test_count_sample_mutate(self):
        self.assertEqual(self.space.count(), 5**4)
        large = libnas.Space.create("large", {f"d{i}": range(1000) for i in range(12)},
                                    context=self.context)
        self.assertEqual(large.count(), 1000**12)
        self.assertEqual(len({self.space.at(i) for i in range(5**4)}), 5**4)
        stream = libnas.Random(3, 1, "here", context=self.context)
        archs = [self.space.sample(stream) for _ in range(20)]
        again = libnas.Random(3, 1, "here", context=self.context)
        self.assertEqual(archs, [self.space.sample(again) for _ in range(20)])
        self.assertGreater(len(set(archs)), 10)
        for arch in archs:
            other = self.space.mutate(arch, stream)
            self.assertEqual(sum(arch[d.name] != other[d.name] for d in self.space.decisions), 1)

    def test_presets(self):
        self.assertIn("nas-bench-201", libnas.presets())
        self.assertIn("operations", libnas.preset_text("quick"))
        with self.assertRaises(KeyError):
            libnas.preset_text("slow")
        space = libnas.Space.preset("nas-bench-201", context=self.context)
        self.assertEqual(space.count(), 15625)
        arch = space.arch("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
                          "|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|")
        self.assertEqual((arch.costs.params, arch.costs.macs), (1288506, 184730240))

    def test_random(self):
        r = libnas.Random(1, context=self.context)
        self.assertTrue(all(0 <= r.below(7) < 7 for _ in range(100)))
        self.assertTrue(all(0 <= r.uniform() < 1 for _ in range(100)))
        self.assertEqual(sorted(r.permutation(9)), list(range(9)))
        self.assertEqual({r.pick([0, 1, 0, 3]) for _ in range(100)}, {1, 3})
        self.assertIn(r.choice("abc"), "abc")
        for wrong in (lambda: r.below(0), lambda: r.pick([])):
            with self.assertRaises(ValueError):
                wrong()


class Searches(Case):
    def test_builtin_controllers_and_a_function(self):
        for controller in ("random", ("evolution", {"population": 10, "sample": 3})):
            search = libnas.Search(self.space, controller, score, max_trials=100, seed=1)
            self.assertIsNone(search.ended)
            self.assertEqual(search.run(), "all trials done")
            self.assertEqual((len(search), search.state.trials), (100, 100))
            self.assertEqual(search.best.score, max(t.score for t in search.trials))
            self.assertEqual(search.best_arch.text, search.best.arch)
            self.assertGreater(search.best.score, 0.8)
            self.assertEqual(search.best.metrics, {"accuracy": search.best.score})

    def test_settings_are_checked(self):
        with self.fails(libnas.Error, "population"):
            libnas.Search(self.space, ("evolution", {"popualtion": 10}), score)
        with self.fails(libnas.Error, "evolution"):
            libnas.Search(self.space, "evolutoin", score)
        for wrong in ({"controller": 3}, {"evaluator": 3}, {"evaluators": {}, "evaluator": score}):
            with self.assertRaises(TypeError):
                libnas.Search(self.space, **wrong)
        with self.fails(ValueError, "turns, arrival"):
            libnas.Search(self.space, "random", score, order="any")
        search = libnas.Search(self.space, "random", score, max_trials=1)
        with self.fails(TypeError, "trial_done"):
            search.run(trial_done=print)
        with self.fails(libnas.NotFound, "no trial"):
            search.best

    def test_objectives(self):
        def two(proposal):
            return {"accuracy": score(proposal), "size": 1 + 3 * score(proposal)}
        search = libnas.Search(self.space, "random", two, max_trials=50,
                               objective=libnas.Objective("size", minimise=True))
        search.run()
        self.assertEqual(search.best.metrics["size"],
                         min(trial.metrics["size"] for trial in search.store))
        search = libnas.Search(self.space, "random", two, max_trials=5, objective=[
            "accuracy", libnas.Objective("size", limit=2, exponent=-1)])
        search.run()
        for trial in search.trials:
            self.assertAlmostEqual(trial.score,
                                   trial.metrics["accuracy"] * 2 / trial.metrics["size"])

    def test_answers(self):
        answers = iter([0.5, {"accuracy": 0.6}, libnas.Result({"accuracy": 0.7}, {
            "loss": [(1, 2.0), (2, 1.5)], "accuracy": [0.1, 0.7]}),
            libnas.Result(state="infeasible", reason="time", sentence="late"), "much", float("nan")])
        search = libnas.Search(self.space, "random", lambda proposal: next(answers), max_trials=6)
        search.run()
        trials = search.trials
        self.assertEqual([t.score for t in trials[:3]], [0.5, 0.6, 0.7])
        x, y = search.store.curve(2, "loss")
        self.assertEqual((list(x), list(y)), ([1, 2], [2.0, 1.5]))
        x, y = search.store.curve(2, "accuracy")
        self.assertEqual((list(x), list(y)), ([1, 2], [0.1, 0.7]))
        self.assertEqual(len(search.store.curve(1, "loss")[0]), 0)
        self.assertEqual(sorted(search.store.curves(2)), ["accuracy", "loss"])
        self.assertEqual(search.store.curves(1), {})
        self.assertEqual([(t.state, t.reason) for t in trials[3:]], [
            ("infeasible", "time"), ("infeasible", "callback"), ("infeasible", "diverged")])
        self.assertEqual(trials[3].sentence, "late")
        self.assertIn("not str", trials[4].sentence)

    def test_step_and_stop(self):
        search = libnas.Search(self.space, "random", score, max_trials=3)
        self.assertEqual([search.step() for _ in range(4)], [True, True, True, False])
        search = libnas.Search(self.space, "random", score)
        self.assertEqual(search.run(trial_ended=lambda trial, result: (
            search.stop() if trial.number == 4 else None)), "stopped by the caller")
        self.assertIn(len(search), (5, 6))
        search = libnas.Search(self.space, "random", lambda p: libnas.STOP if p.trial == 4 else 0.5)
        self.assertEqual(search.run(), "stopped by the caller")
        self.assertEqual(len(search), 4)

    def test_hooks(self):
        seen = collections.Counter()

        def evaluate(proposal, progress):
            self.assertTrue(progress.report(1, 2, accuracy=0.25))
            self.assertTrue(progress.report(2, 2, accuracy=0.5))
            self.assertTrue(progress.poll())
            self.assertFalse(progress.keep_due())
            self.assertIsNone(progress.kept)
            self.assertIsNone(progress.started_from)
            return score(proposal)

        def started(proposal):
            seen["started"] += 1
            self.assertEqual(proposal.fidelity("epochs", 7), 7)
            self.assertEqual(proposal.wants, {"metrics"})

        def epoch(proposal, done, total, metric, value):
            seen["epochs"] += 1
            self.assertEqual((total, metric, value), (2, "accuracy", done / 4))

        def ended(trial, result):
            seen["trials"] += 1
            self.assertEqual(trial.metrics, result.metrics)
            self.assertEqual(trial.score, result.score)
            self.assertEqual(len(search), trial.number + 1)  # a search may be asked in a hook
            self.assertGreaterEqual(search.best.score, trial.score)

        def turn(proposal, result):
            seen["turns"] += 1
            self.assertEqual(proposal.arch, search.space.arch(search.trials[-1].arch))

        search = libnas.Search(self.space, "random", evaluate, max_trials=5)
        search.run(trial_started=started, epoch_ended=epoch, trial_ended=ended, turn_ended=turn,
                   should_stop=lambda: False)
        self.assertEqual(seen, {"started": 5, "epochs": 10, "trials": 5, "turns": 5})
        search = libnas.Search(self.space, "random", evaluate, max_trials=5)
        self.assertEqual(search.run(should_stop=lambda: True), "stopped by the caller")
        search = libnas.Search(self.space, "random", evaluate, max_trials=50)
        search.run(trial_ended=lambda trial, result: libnas.STOP)
        self.assertLess(len(search), 3)

    def test_a_controller_of_ones_own(self):
        controller = Sampler(12)
        search = libnas.Search(self.space, controller, score, seed=3)
        self.assertEqual(search.run(), "controller done")
        self.assertEqual(controller.told, [(t.number, t.score) for t in search.trials])
        self.assertEqual(search.store.fact("controller"), "Sampler")

    def test_a_controller_says_all_that_it_can(self):
        got = []

        class Full(libnas.Controller):
            name = "full"
            continues = True

            def ask(self, proposal, random):
                if proposal.trial == 3:
                    return libnas.DONE
                proposal.arch({d.name: "c" for d in proposal.space.decisions})
                proposal.value("d1", "b")
                proposal.fidelity("epochs", 3)
                proposal.note(f"turn {proposal.turn}")
                proposal.token(b"mine\0too")
                if proposal.trial:
                    proposal.from_trial(proposal.trial - 1, "continue")
                    proposal.parent(0)
                assert proposal.so_far.token == b"mine\0too"
                return None

            def tell(self, proposal, result):
                got.append((proposal.token, proposal.note, proposal["d1"], proposal.parent,
                            proposal.from_trial, proposal.fidelity("epochs"), proposal.seen,
                            proposal.fidelity("other"), proposal.ends_trial, proposal.evaluator))

            def describe(self):
                return "what it thinks"

        class Continues(libnas.Evaluator):
            continues = True
            stateless = True

            def evaluate(self, proposal, progress):
                self.before = progress.started_from
                progress.keep(b"weights of %d" % proposal.trial)
                return libnas.Result({"accuracy": 0.5})

        evaluator = Continues()
        search = libnas.Search(self.space, Full(), evaluator)
        search.run()
        self.assertEqual(got, [
            (b"mine\0too", "turn 0", "b", None, None, 3, 0, None, True, ""),
            (b"mine\0too", "turn 1", "b", 0, (0, "continue"), 3, 1, None, True, ""),
            (b"mine\0too", "turn 2", "b", 0, (1, "continue"), 3, 2, None, True, "")])
        self.assertEqual(evaluator.before, b"weights of 1")
        self.assertEqual([t.from_trial for t in search.trials], [None, 0, 1])

    def test_a_relaxed_search(self):
        """Paths, batches, a gradient: a weighted sum whose best weights are found by descent."""
        class Relaxed(libnas.Controller):
            needs_gradient = True

            def __init__(self):
                self.weights = [0.2] * 5
                self.offsets = []

            def ask(self, proposal, random):
                for d in proposal.space.decisions:
                    proposal.paths(d.name, [(i, True, w) for i, w in enumerate(self.weights)])
                proposal.want("metrics", "arch_gradient")
                proposal.batch("validation", proposal.turn)
                if proposal.turn % 10 < 9:
                    proposal.continue_trial()

            def tell(self, proposal, result):
                self.offsets.append([proposal.path_offset(f"d{i}") for i in range(4)])
                assert proposal.arch is None and proposal.split == "validation"
                assert proposal.batch == proposal.turn
                self.weights = [w - 0.1 * sum(result.gradient[i::5]) / 4
                                for i, w in enumerate(self.weights)]

        class Square(libnas.Evaluator):
            arch_gradient = True

            def evaluate(self, proposal, progress):
                gradient, loss = [], 0.0
                for d in proposal.space.decisions:
                    for alternative, active, weight, channels in proposal.paths(d.index):
                        aim = 1.0 if alternative == 2 else 0.0
                        loss += (weight - aim) ** 2
                        gradient.append(2 * (weight - aim))
                return libnas.Result({"loss": loss}, gradient=gradient)

        controller = Relaxed()
        search = libnas.Search(self.space, controller, Square(), max_trials=3,
                               objective=libnas.Objective("loss", minimise=True))
        search.run()
        self.assertEqual((len(search), search.state.turns), (3, 30))
        self.assertEqual(controller.offsets[0], [0, 5, 10, 15])
        self.assertGreater(controller.weights[2], 0.99)
        self.assertLess(controller.weights[0], 0.01)

    def test_wrapping_controllers_and_evaluators(self):
        class Wrapper(libnas.Controller):
            def __init__(self, inner):
                self.inner, self.asked, self.told = inner, 0, 0

            def ask(self, proposal, random):
                self.asked += 1
                return self.inner.ask(proposal, random)

            def tell(self, proposal, result):
                self.told += 1
                self.inner.tell(proposal, result)

            def save(self):
                return self.inner.save()

            def load(self, data):
                self.inner.load(data)

            def describe(self):
                return self.inner.describe()

        options = {"population": 8, "sample": 3}
        inner = libnas.BuiltinController(self.space, "evolution", **options)
        wrapper = Wrapper(inner)
        search = libnas.Search(self.space, wrapper, score, max_trials=40, seed=5)
        search.run()
        plain = libnas.Search(self.space, ("evolution", options), score, max_trials=40, seed=5)
        plain.run()
        self.assertEqual([t.arch for t in search.trials], [t.arch for t in plain.trials])
        self.assertEqual((wrapper.asked, wrapper.told), (40, 40))
        other = libnas.BuiltinController(self.space, "evolution", **options)
        other.load(inner.save())
        self.assertEqual(other.save(), inner.save())
        with self.assertRaises(libnas.Error):
            other.load(b"nonsense")

    def test_several_evaluators(self):
        class Twice(Sampler):
            def ask(self, proposal, random):
                answer = super().ask(proposal, random)
                proposal.evaluator("second" if proposal.trial % 2 else "first")
                return answer
        search = libnas.Search(self.space, Twice(6), evaluators={
            "first": lambda p: 0.25, "second": lambda p: 0.75})
        search.run()
        self.assertEqual([t.score for t in search.trials], [0.25, 0.75] * 3)
        self.assertEqual(search.trials[1].evaluator, "second")

    def test_threads(self):
        """Two workers: evaluations overlap, and the search is the same."""
        dumps, most = [], 0
        for workers in (1, 2):
            running, lock, threads = [0, 0], threading.Lock(), set()

            def evaluate(proposal):
                with lock:
                    threads.add(threading.get_ident())
                    running[0] += 1
                    running[1] = max(running)
                deadline = time.monotonic() + 10
                # Waits for another to run beside it, the first time, when there can be one.
                while workers == 2 and running[1] < 2 and time.monotonic() < deadline:
                    time.sleep(0.001)
                with lock:
                    running[0] -= 1
                return score(proposal)
            search = libnas.Search(self.space, ("evolution", {"population": 8, "sample": 3}),
                                   libnas.FunctionEvaluator(evaluate, concurrent=True),
                                   max_trials=40, seed=5, window=4, workers=workers)
            search.run()
            dumps.append(search.store.dump())
            most = running[1]
            self.assertEqual(threading.get_ident() in threads, workers == 1)
        self.assertEqual(dumps[0], dumps[1])
        self.assertEqual(most, 2)

    def test_the_same_search_in_c(self):
        program = os.environ.get("LIBNAS_TEST_SAME")
        if not program:
            self.skipTest("LIBNAS_TEST_SAME does not name the program (meson sets it)")

        def evaluate(proposal):
            total = 0.0
            for d in proposal.space.decisions:
                total += d.alternatives.index(proposal[d.name]) / 4
            total = total / 4 + proposal.random("noise").uniform() / 8
            if total < 0.3:
                raise libnas.Infeasible("too small", reason="memory")
            return libnas.Result({"accuracy": total},
                                 {"accuracy": [total * epoch / 3 for epoch in (1, 2, 3)]})
        said = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual((said.returncode, said.stderr), (0, b""))
        for workers in (1, 2):
            search = libnas.Search(self.space, ("evolution", {"population": 8, "sample": 3}), evaluate,
                                   window=3, workers=workers, max_trials=40, seed=7)
            search.run()
            self.assertGreater(search.state.infeasible, 0)
            self.assertEqual(search.store.dump(), said.stdout.decode())


class AskTell(Case):
    def test_any_order(self):
        dumps = []
        for backwards in (False, True):
            search = libnas.Search(self.space, ("evolution", {"population": 8, "sample": 3}),
                                   max_trials=40, seed=2, window=4)
            flight, waited = [], 0
            while True:
                proposal = search.ask()
                if proposal is libnas.WAIT:
                    waited += 1
                elif proposal is not None:
                    flight.append(proposal)
                    continue
                if not flight:
                    break
                one = flight.pop(-1 if backwards else 0)
                search.tell(one, score(one))
                with self.fails(libnas.State, "ended"):
                    one.arch
            self.assertGreater(waited, 5)
            self.assertEqual((len(search), search.ended), (40, "all trials done"))
            dumps.append(search.store.dump())
        self.assertEqual(dumps[0], dumps[1])

    def test_forget_and_mistakes(self):
        search = libnas.Search(self.space, "random", max_trials=3, window=2)
        other = libnas.Search(self.space, "random", max_trials=3, window=2)
        first, second, foreign = search.ask(), search.ask(), other.ask()
        self.assertIs(search.ask(), libnas.WAIT)
        with self.fails(libnas.State, "not one that this search's ask gave"):
            search.tell(foreign, 0.5)
        with self.assertRaises(TypeError):
            search.tell(first, "much")
        with self.assertRaises(libnas.Diverged):
            search.tell(first, float("inf"))
        search.forget(first)
        search.tell(second, {"accuracy": 0.5})
        third = search.ask()
        search.tell(third, libnas.Result(state="infeasible", reason="time", sentence="too late"))
        self.assertIsNone(search.ask())
        self.assertEqual([(t.state, t.reason) for t in search.trials], [
            ("infeasible", "vanished"), ("complete", "none"), ("infeasible", "time")])
        with self.fails(libnas.State, "no evaluator"):
            libnas.Search(self.space, "random").run()
        other.close()
        with self.fails(libnas.State, "ended"):
            foreign.turn

    def test_from_several_threads(self):
        search = libnas.Search(self.space, "random", max_trials=60, seed=2, window=6)
        failures = []

        def work():
            try:
                while True:
                    proposal = search.ask()
                    if proposal is None:
                        return
                    if proposal is libnas.WAIT:
                        time.sleep(0.001)
                        continue
                    search.tell(proposal, score(proposal))
            except BaseException as exception:
                failures.append(exception)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        plain = libnas.Search(self.space, "random", max_trials=60, seed=2, window=6)
        while (proposal := plain.ask()) is not None:
            plain.tell(proposal, score(proposal))
        self.assertEqual(search.store.dump(), plain.store.dump())


class Stores(Case):
    def test_a_store_is_read(self):
        path = self.path("search.nas")
        with libnas.Search(self.space, "random", lambda p: {"accuracy": score(p), "size": 3},
                           store=path, max_trials=10, settings="of mine") as search:
            search.run()
            dump = search.store.dump()
        with libnas.Store(path, read_only=True, context=self.context) as store:
            self.assertEqual(len(store), 10)
            self.assertEqual(store.fact("controller"), "random")
            self.assertEqual(store.fact("settings"), "of mine")
            self.assertEqual(store.fact("nothing", "else"), "else")
            self.assertEqual([t.number for t in store], list(range(10)))
            self.assertEqual([t.number for t in store[2:4]], [2, 3])
            self.assertEqual(store[-1], store[9])
            with self.assertRaises(IndexError):
                store[10]
            self.assertEqual(store.best.score, max(store.metrics("accuracy")))
            self.assertEqual(list(store.metrics("size")), [3] * 10)
            self.assertTrue(all(value != value for value in store.metrics("other")))
            self.assertEqual(store.dump(), dump)
            space = libnas.Space.parse(store.fact("space"), context=self.context)
            self.assertEqual(space.arch(store.best.arch).text, store.best.arch)
            with self.assertRaises(libnas.Error):
                store.set_fact("mine", "too")
        with self.fails(libnas.State, "Store is closed"):
            store.fact("seed")
        with libnas.Store(path, context=self.context) as store:
            store.set_fact("mine", "too")
            store.put_blob("bytes", b"a\0b")
            self.assertEqual((store.fact("mine"), store.blob("bytes")), ("too", b"a\0b"))
            self.assertIsNone(store.blob("nothing"))

    def test_what_is_no_store(self):
        with open(self.path("text"), "w", encoding="utf-8") as file:
            file.write("not a store, however long it is " * 100)
        with self.assertRaises((libnas.Corrupt, libnas.IO)):
            libnas.Store(self.path("text"), context=self.context)
        with self.assertRaises(libnas.Error):
            libnas.Store(self.path("absent"), create=False, context=self.context)

    def test_resume(self):
        """A Python controller with state: stopped after 7 trials, goes on in a new one."""
        class Climber(libnas.Controller):
            def __init__(self):
                self.best = None

            def ask(self, proposal, random):
                if self.best is None:
                    return proposal.space.sample(random)
                return proposal.space.mutate(proposal.space.arch(self.best[1]), random)

            def tell(self, proposal, result):
                if self.best is None or result.score > self.best[0]:
                    self.best = (result.score, proposal.arch.text)

            def save(self):
                return repr(self.best).encode()

            def load(self, data):
                self.best = eval(data.decode())  # our own bytes

        whole = libnas.Search(self.space, Climber(), score, max_trials=20, seed=4)
        whole.run()
        path = self.path("search.nas")
        with libnas.Search(self.space, Climber(), score, max_trials=20, seed=4, store=path) as first:
            first.run(trial_ended=lambda trial, result: libnas.STOP if trial.number == 6 else None)
            stopped = len(first)
        self.assertLess(stopped, 20)
        with libnas.Search(self.space, Climber(), score, max_trials=20, seed=4, store=path) as second:
            self.assertEqual(len(second), stopped)
            self.assertEqual(second.run(), "all trials done")
            self.assertEqual(second.store.dump(), whole.store.dump())
        with self.fails(libnas.State, "seed"):
            libnas.Search(self.space, Climber(), score, max_trials=20, seed=5, store=path)


class Reports(Case):
    def test_reports_and_drawings(self):
        search = libnas.Search(self.space, "random", score, max_trials=5)
        search.run()
        quick = libnas.Space.preset("quick", context=self.context).sample(1)
        page = search.store.report(title="Mine & yours")
        self.assertIn("<html", page)
        self.assertIn("Mine &amp; yours", page)
        self.assertIn("Mine & yours", search.store.report(title="Mine & yours", format="text"))
        search.store.report(self.path("page.html"))
        with open(self.path("page.html"), encoding="utf-8") as file:
            self.assertIn("<html", file.read())
        for format, word in (("svg", "<svg"), ("dot", "digraph"), ("text", "")):
            self.assertIn(word, quick.draw(format))
        with self.assertRaises(ValueError):
            quick.draw("png")


class Contexts(Case):
    def test_default(self):
        space = letters(None)
        self.assertIs(space.context, libnas.default_context())
        self.assertIn("threads", repr(space.context))
        libnas.Search(space, "random", score, max_trials=2).run()

    def test_options(self):
        context = libnas.Context(threads=3, isa="generic")
        self.assertEqual((context.threads, context.isa), (3, "generic"))
        self.assertGreater(context.memory["bytes_peak"], 0)
        with self.assertRaises(ValueError):
            libnas.Context(isa="best of all")
        with self.assertRaises(libnas.Invalid):
            libnas.Context(threads=100000)
        with self.assertRaises(libnas.OutOfMemory):
            small = libnas.Context(memory_limit=30000)
            letters(small, 8, 8).sample(1)
            [letters(small, 8, 8) for _ in range(100)]

    def test_everything_has_a_repr(self):
        search = libnas.Search(self.space, "random", score, max_trials=1)
        search.run()
        shown = [self.space, self.space.sample(1), search, search.store, search.state, search.best,
                 libnas.Result({"accuracy": 1}), libnas.Random(1, context=self.context), libnas.WAIT,
                 libnas.BuiltinController(self.space, "random"), self.context,
                 libnas.BuiltinEvaluator("train", context=self.context), libnas.FunctionEvaluator(score)]
        for thing in shown:
            self.assertRegex(repr(thing), r"^(<?libnas\.|SearchState|Trial)")
            if hasattr(thing, "close"):
                thing.close()
                self.assertIn("closed", repr(thing))
                thing.close()


if __name__ == "__main__":
    unittest.main()
