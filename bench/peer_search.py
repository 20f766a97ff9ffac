"""Optuna's samplers and Nevergrad's optimizers on a published table; run by show-peers-search.

    peer_search.py TABLE.csv 201|macro EVALUATIONS OPTUNA_SEEDS NEVERGRAD_SEEDS GP_SEEDS

One line on standard output for each sampler: library, name, seeds, then the best value of each seed.
A decision of the table is a categorical of the library: six of five operations (NAS-Bench-201, value:
cifar10-val), eight of three (NAS-Bench-Macro, value: the mean of the three accuracies). Samplers that take
numbers alone get the same decisions as integers (named so). Each call of the objective counts, repeated
ones too."""
import csv
import logging
import sys
import time
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]


def load(path, kind):
    """The table as a dictionary from choices to a value; how many decisions, how many alternatives."""
    table = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if kind == "macro":
                key = tuple(int(c) for c in row["arch"])
                table[key] = sum(float(row[f"test_acc_{i}"]) for i in (1, 2, 3)) / 3
            else:
                nodes = row["cell"].split("+")
                edges = [e.split("~")[0] for node in nodes for e in node.strip("|").split("|")]
                table[tuple(OPERATIONS.index(e) for e in edges)] = float(row["cifar10-val"])
    n, k = (8, 3) if kind == "macro" else (6, 5)
    assert len(table) == k ** n, (len(table), k ** n)
    return table, n, k


# ---- Optuna

def optuna_samplers(slow):
    import optuna
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    s = optuna.samplers
    few = {"random": (s.RandomSampler, False), "TPE": (s.TPESampler, False),
           "TPE, multivariate": (lambda seed: s.TPESampler(seed=seed, multivariate=True), False),
           "NSGA-II": (lambda seed: s.NSGAIISampler(seed=seed), False),
           "NSGA-II, population 10": (lambda seed: s.NSGAIISampler(seed=seed, population_size=10), False)}
    try:
        import cmaes  # noqa: F401
        few["CMA-ES, integers"] = (lambda seed: s.CmaEsSampler(seed=seed), True)
    except ImportError:
        print("# optuna: CMA-ES left out, no package cmaes", file=sys.stderr)
    if slow:
        try:
            import torch  # noqa: F401
            few["GP"] = (lambda seed: s.GPSampler(seed=seed), False)
        except ImportError:
            print("# optuna: GP left out, no package torch", file=sys.stderr)
    return few


def run_optuna(make, integers, table, n, k, evaluations, seed):
    import optuna
    study = optuna.create_study(direction="maximize", sampler=make(seed=seed))
    values = []

    def objective(trial):
        if integers:
            key = tuple(trial.suggest_int(f"d{i}", 0, k - 1) for i in range(n))
        else:
            key = tuple(trial.suggest_categorical(f"d{i}", list(range(k))) for i in range(n))
        values.append(table[key])
        return values[-1]

    study.optimize(objective, n_trials=evaluations)
    assert len(values) == evaluations
    return max(values)


# ---- Nevergrad

NEVERGRAD = ["RandomSearch", "OnePlusOne", "DiscreteOnePlusOne", "PortfolioDiscreteOnePlusOne",
             "DoubleFastGADiscreteOnePlusOne", "DiscreteLenglerOnePlusOne", "cGA", "NGOpt", "DE", "TwoPointsDE",
             "PSO", "TBPSA"]


def run_nevergrad(name, table, n, k, evaluations, seed):
    import nevergrad
    import numpy
    space = nevergrad.p.Tuple(*(nevergrad.p.Choice(list(range(k))) for _ in range(n)))
    space.random_state = numpy.random.RandomState(seed)
    optimizer = nevergrad.optimizers.registry[name](parametrization=space, budget=evaluations, num_workers=1)
    best = None
    for _ in range(evaluations):
        candidate = optimizer.ask()
        value = table[tuple(candidate.value)]
        optimizer.tell(candidate, -value)
        best = value if best is None else max(best, value)
    return best


def main():
    path, kind = sys.argv[1], sys.argv[2]
    evaluations, seeds, nevergrad_seeds, gp_seeds = (int(a) for a in sys.argv[3:7])
    table, n, k = load(path, kind)
    tasks = []
    try:
        import optuna
        print(f"# optuna {optuna.__version__}", flush=True)
        for name, (make, integers) in optuna_samplers(gp_seeds > 0).items():
            count = gp_seeds if name == "GP" else seeds
            tasks.append(("optuna", name, count, lambda seed, make=make, integers=integers: run_optuna(
                make, integers, table, n, k, evaluations, seed)))
    except ImportError:
        print("# optuna is not there", flush=True)
    try:
        import nevergrad
        print(f"# nevergrad {nevergrad.__version__}", flush=True)
        for name in NEVERGRAD:
            if name not in nevergrad.optimizers.registry:
                print(f"# nevergrad has no {name}", flush=True)
                continue
            tasks.append(("nevergrad", name, nevergrad_seeds, lambda seed, name=name: run_nevergrad(
                name, table, n, k, evaluations, seed)))
    except ImportError:
        print("# nevergrad is not there", flush=True)
    for library, name, count, run in tasks:
        start = time.time()
        try:
            best = [run(seed) for seed in range(1, count + 1)]
        except Exception as error:  # an optimizer that cannot: said, and the others go on
            print(f"# {library} {name}: {type(error).__name__}: {str(error)[:200]!r}", flush=True)
            continue
        seconds = (time.time() - start) / max(count, 1)
        print("\t".join([library, name, f"{seconds:.2f}", *(f"{b:.4f}" for b in best)]), flush=True)


main()
