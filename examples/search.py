"""A search in Python with an evaluation of one's own: regularized evolution looks for the network of
a made-up score, four proposals in flight, two evaluated at once. Replace judge() by whatever trains
and measures your networks.

    python3 search.py          the package libnas is installed with the library (meson install)
"""
import libnas

space = libnas.Space.create("example", {
    "depth": range(1, 17),
    "width": range(8, 65, 8),
    "kind": ["plain", "separable", "dilated"],
})


def judge(proposal):
    if proposal["depth"] * proposal["width"] > 800:
        raise MemoryError("too large for the device")  # an infeasible trial; the search goes on
    far = (proposal["depth"] - 9) / 16 + (proposal["width"] - 40) / 64
    return 0.9 - far * far + 0.05 * (proposal["kind"] == "separable")


search = libnas.Search(space, ("evolution", {"population": 16, "sample": 4}), judge,
                       max_trials=200, window=4, workers=2, seed=1)
search.run(trial_ended=lambda trial, result: trial.score == search.best.score and print(
    f"trial {trial.number}: {trial.score:.4f} {trial.arch}"))
print(f"best of {len(search)}, {search.state.infeasible} infeasible: {search.best.arch}")
