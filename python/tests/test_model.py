"""Data from arrays, models: training, measuring, predicting, tensors, files."""
import pathlib
import unittest

import numpy

import libnas
from support import Case


def bars(n, seed=0, dtype=numpy.uint8, channels=1):
    """Images 8 x 8, bright above (class 1) or below (class 0)."""
    rng = numpy.random.default_rng(seed)
    images = rng.integers(0, 80, (n, 8, 8, channels))
    labels = numpy.arange(n) % 2
    images[labels == 1, :4] += 120
    images[labels == 0, 4:] += 120
    return images.astype(dtype), labels


class Data(Case):
    def test_from_arrays(self):
        images, labels = bars(100)
        test, test_labels = bars(40, 1)
        data = libnas.Dataset.from_arrays(images, labels, test, test_labels, validation=20,
                                          context=self.context)
        info = data.info
        self.assertEqual((info.n_train, info.n_validation, info.n_test), (80, 20, 40))
        self.assertEqual((info.height, info.width, info.channels, info.classes), (8, 8, 1, 2))
        read, read_labels = data.read("train")
        self.assertEqual((read.shape, read.dtype), ((80, 8, 8, 1), numpy.float32))
        self.assertTrue(numpy.array_equal(read_labels, labels[:80]))
        plain = images[:80] / 255
        self.assertTrue(numpy.allclose(read, (plain - plain.mean()) / plain.std(), atol=1e-4))
        self.assertAlmostEqual(info.mean[0], plain.mean(), places=6)
        part, part_labels = data.read("test", 10, 5)
        self.assertTrue(numpy.array_equal(part, data.read("test")[0][10:15]))
        self.assertTrue(numpy.array_equal(part_labels, test_labels[10:15]))
        with self.assertRaises(libnas.Error):
            data.read("test", 39, 2)
        images[:] = 0  # they were copied
        self.assertTrue(numpy.array_equal(data.read("train")[0], read))

    def test_floats_as_they_are(self):
        images, labels = bars(50, dtype=numpy.float32, channels=3)
        data = libnas.Dataset.from_arrays(images, labels, normalise=False, validation=10, classes=4,
                                          context=self.context)
        self.assertTrue(numpy.array_equal(data.read("train")[0], images[:40]))
        self.assertEqual(data.info.classes, 4)
        self.assertTrue(numpy.array_equal(data.read("validation")[0], images[40:]))
        fixed = libnas.Dataset.from_arrays(images, labels, mean=[1, 2, 3], deviation=[2, 2, 4],
                                           validation=0, context=self.context)
        self.assertTrue(numpy.allclose(fixed.read("train")[0],
                                       (images - [1, 2, 3]) / [2, 2, 4], rtol=1e-5))
        # Any memory order, a grey image without its axis, labels of any integer type.
        strided = numpy.asfortranarray(images[::3, ::-1])
        other = libnas.Dataset.from_arrays(strided, labels[::3].astype(numpy.uint8), validation=0,
                                           normalise=False, context=self.context)
        self.assertTrue(numpy.array_equal(other.read("train")[0], strided))
        grey = libnas.Dataset.from_arrays(images[..., 0], labels, context=self.context)
        self.assertEqual(grey.info.channels, 1)

    def test_wrong_arrays(self):
        images, labels = bars(10)
        for arguments, error, words in (
                ((images.astype(float), labels), TypeError, "float64"),
                ((images.astype(numpy.int16), labels), TypeError, "int16"),
                ((images[0, 0], labels), ValueError, "(N, H, W, C)"),
                ((images, labels[:9]), ValueError, "(10,)"),
                ((images, labels.astype(float)), TypeError, "integers"),
                ((images, labels - 1), ValueError, "classes - 1"),
                ((images, labels, images[:, :7], labels), ValueError, "(8, 8, 1)"),
                ((images, labels, images.astype(numpy.float32), labels), TypeError, "float32"),
                ((images, labels, images), ValueError, "come together")):
            with self.fails(error, words):
                libnas.Dataset.from_arrays(*arguments, context=self.context)
        with self.fails(libnas.Error, "label"):
            libnas.Dataset.from_arrays(images, labels + 1, classes=2, context=self.context)
        with self.fails(libnas.NotFound, "flip"):
            libnas.Dataset.from_arrays(images, labels, flap=True, context=self.context)
        with self.fails(ValueError, "at most 4"):
            libnas.Dataset.from_arrays(images, labels, mean=range(5), context=self.context)
        with self.assertRaises(libnas.Error):
            libnas.Dataset.open(self.path("nothing"), context=self.context)
        with self.fails(ValueError, "train, validation"):
            libnas.Dataset.from_arrays(images, labels, context=self.context).read("all")

    @unittest.skipUnless(pathlib.Path("/usr/share/datasets/fashion-mnist").exists(),
                         "Debian's dataset-fashion-mnist is not installed")
    def test_by_name(self):
        data = libnas.Dataset.open("fashion-mnist", context=self.context, limit_train=1000,
                                   limit_test=100)
        self.assertEqual(data.info.classes, 10)


class Models(Case):
    def setUp(self):
        super().setUp()
        self.network = libnas.Space.preset("quick", height=8, width=8, classes=2, least_macs=0,
                                           context=self.context)
        images, labels = bars(200)
        self.data = libnas.Dataset.from_arrays(images, labels, *bars(60, 1), flip=True,
                                               context=self.context)

    def tearDown(self):
        self.network = self.data = None
        super().tearDown()

    def test_train_evaluate_predict(self):
        model = libnas.Model(self.network.sample(1), seed=3)
        self.assertEqual(model.info.mean, (0.0,))
        epochs = []
        self.assertTrue(model.train(self.data, epochs.append, seed=5, epochs=3, batch=16,
                                    learning_rate=0.05))
        self.assertEqual([e.epoch for e in epochs], [1, 2, 3])
        self.assertEqual((epochs[0].epochs, epochs[-1].step), (3, epochs[-1].steps))
        self.assertLess(epochs[-1].train_loss, epochs[0].train_loss)
        self.assertGreater(epochs[-1].validation_accuracy, 0.9)
        measured = model.evaluate(self.data)
        self.assertGreater(measured.accuracy, 0.95)
        self.assertEqual(measured.n, 60)
        images, labels = self.data.read("test")
        logits = model.predict(images)
        self.assertEqual((logits.shape, logits.dtype), ((60, 2), numpy.float32))
        self.assertAlmostEqual((logits.argmax(1) == labels).mean(), measured.accuracy, places=6)
        self.assertTrue(numpy.array_equal(model.predict(images[..., 0]), logits))
        self.assertTrue(numpy.array_equal(model.predict(images[::-1])[::-1], logits))
        self.assertEqual(model.predict(images[:0]).shape, (0, 2))
        self.assertEqual(model.info.mean, self.data.info.mean)

        again = libnas.Model(self.network.sample(1), seed=3)
        again.train(self.data, seed=5, epochs=3, batch=16, learning_rate=0.05, validate=0)
        self.assertTrue(numpy.array_equal(again.predict(images), logits))

    def test_stopped(self):
        model = libnas.Model(self.network.sample(1))
        epochs = []

        def stop(epoch):
            epochs.append(epoch)
            return libnas.STOP
        self.assertFalse(model.train(self.data, stop, epochs=5, batch=16, validate=0))
        self.assertEqual(len(epochs), 1)
        self.assertIsNone(epochs[0].validation_accuracy)

    def test_wrong_uses(self):
        model = libnas.Model(self.network.sample(1))
        images, _ = self.data.read("test")
        with self.fails(ValueError, "(8, 8, 1)", "numpy.moveaxis"):
            model.predict(images.transpose(0, 3, 1, 2))
        with self.fails(ValueError, "(8, 8, 1)"):
            model.predict(numpy.zeros((2, 9, 8, 1), numpy.float32))
        with self.fails(TypeError, "float32"):
            model.predict(numpy.zeros((2, 8, 8, 1), numpy.uint8))
        with self.fails(TypeError, "astype"):
            model.predict(images.astype(float))
        with self.fails(libnas.NotFound, "epochs"):
            model.train(self.data, epoch=3)
        other = libnas.Dataset.from_arrays(numpy.zeros((99, 9, 9), numpy.uint8), numpy.arange(99) % 2,
                                           context=self.context)
        for use in (lambda: model.train(other), lambda: model.evaluate(other)):
            with self.assertRaises(libnas.Error):
                use()
        with self.fails(libnas.Error, "network"):
            libnas.Model(self.space.sample(1))
        with self.assertRaises(libnas.Diverged):
            model.train(self.data, epochs=2, batch=16, learning_rate=1e6, momentum=0.99)

    def test_tensors(self):
        model = libnas.Model(self.network.sample(1), seed=3)
        tensors = model.tensors
        self.assertEqual({name: values.shape for name, values in tensors.items()}, model.shapes)
        self.assertEqual(tensors["stem.0.weight"].shape, (16, 1, 3, 3))
        self.assertTrue(all(values.dtype == numpy.float32 for values in tensors.values()))
        images, _ = self.data.read("test")
        logits = model.predict(images)
        name = "stem.0.weight"
        model[name] = -tensors[name]
        self.assertTrue(numpy.array_equal(model[name], -tensors[name]))
        self.assertFalse(numpy.array_equal(model.predict(images), logits))
        model[name] = tensors[name].astype(float).tolist()
        self.assertTrue(numpy.array_equal(model.predict(images), logits))
        for wrong, error in ((("nothing", 0), KeyError), ((name, numpy.zeros(3)), ValueError)):
            with self.assertRaises(error):
                model[wrong[0]] = wrong[1]
        with self.assertRaises(KeyError):
            model["nothing"]

    def test_files(self):
        model = libnas.Model(self.network.sample(1), seed=3)
        model.train(self.data, epochs=1, batch=16)
        images, _ = self.data.read("test")
        logits = model.predict(images)
        path = pathlib.Path(self.path("model.safetensors"))
        model.save(path)
        loaded = libnas.Model.load(path, context=self.context)
        self.assertTrue(numpy.array_equal(loaded.predict(images), logits))
        self.assertEqual(loaded.info, model.info)
        self.assertEqual(loaded.arch.text, model.arch.text)
        self.assertEqual(loaded.arch.space.hash, self.network.hash)
        arch = loaded.arch
        loaded.close()
        self.assertEqual(arch.costs, model.arch.costs)  # it outlives the model
        fresh = libnas.Model(model.arch, seed=4)
        self.assertFalse(numpy.array_equal(fresh.predict(images), logits))
        fresh.load_weights(path)
        self.assertTrue(numpy.array_equal(fresh.predict(images), logits))
        with self.assertRaises(libnas.Error):
            libnas.Model.load(self.path("nothing"), context=self.context)
        path.write_bytes(path.read_bytes()[:1000])
        with self.assertRaises(libnas.Error):
            libnas.Model.load(path, context=self.context)

    def test_a_search_that_trains(self):
        search = libnas.Search(self.network, "random", ("train", {"epochs": 1, "batch": 32}),
                               data=self.data, max_trials=2, seed=1)
        epochs = []
        search.run(epoch_ended=lambda proposal, done, total, metric, value: epochs.append(done))
        self.assertEqual(epochs, [1, 1])
        self.assertEqual(set(search.best.metrics) & {"accuracy", "params", "macs"},
                         {"accuracy", "params", "macs"})
        self.assertEqual(search.best.metrics["params"], search.best_arch.costs.params)

        class Around(libnas.Evaluator):
            """The built-in training, and a metric more."""

            def __init__(self, inner):
                self.inner = inner

            def prepare(self, space, data):
                self.inner.prepare(space, data)

            def evaluate(self, proposal, progress):
                result = self.inner.evaluate(proposal, progress)
                result.metrics["convolutions"] = proposal.arch.text.count("conv")
                return result
        inner = libnas.BuiltinEvaluator("train", epochs=1, batch=32, context=self.context)
        around = libnas.Search(self.network, "random", Around(inner), data=self.data, max_trials=2,
                               seed=1)
        around.run()
        for one, other in zip(search.trials, around.trials):
            self.assertEqual(one.score, other.score)
            self.assertEqual(other.metrics["convolutions"], other.arch.count("conv"))
        with self.fails(libnas.Unsupported, "data set"):
            libnas.Search(self.network, "random", "train")


if __name__ == "__main__":
    unittest.main()
