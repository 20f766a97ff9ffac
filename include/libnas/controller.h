/* controller.h: what proposes. Built-in controllers and the caller's own use the same table. */
#ifndef LIBNAS_CONTROLLER_H
#define LIBNAS_CONTROLLER_H
#include "base.h"
#include "io.h"
#include "proposal.h"
#include "random.h"
#include "result.h"
NAS_EXTERN_C_BEGIN

/* All calls of one controller come one at a time. Any may return an error (negative): the search
 * stops with that status. */
typedef struct {
    uint32_t struct_size, flags; /* flags: NAS_CONTROLLER_* */
    /* NAS_OK: `out` holds a proposal. NAS_WAIT: tell me a result first. NAS_DONE: I have finished.
     * stream: random numbers of this turn alone; the same turn gets the same ones after a resume. */
    nas_status (*ask)(void *self, nas_random *stream, nas_proposal_builder *out);
    /* Results come in the order of the search's settings; asked is the proposal, its token too.
     * NULL: results are of no interest. A controller that wraps others may tell them of proposals
     * that they did not make: those built in learn from them like from their own. */
    nas_status (*tell)(void *self, const nas_proposal *asked, const nas_result *got);
    /* A turn that will never be told. NULL: tell is called with an infeasible result instead. */
    nas_status (*forget)(void *self, uint64_t turn);
    /* All of its state, and the same back into a fresh one. NULL for both: without state. */
    nas_status (*save)(void *self, nas_writer *to);
    nas_status (*load)(void *self, nas_reader *from);
    /* Text for people and reports: probabilities, ranks. NULL: nothing to say. */
    nas_status (*describe)(void *self, nas_sink *to);
    void (*destroy)(void *self); /* NULL: nothing to do */
} nas_controller_ops;
enum {
    NAS_CONTROLLER_NEEDS_GRADIENT = 1, /* proposes ARCH_GRADIENT: the evaluator must serve it */
    NAS_CONTROLLER_NEEDS_WEIGHTS = 2,  /* proposes WEIGHT_STEP */
    NAS_CONTROLLER_CONTINUES = 4       /* proposes nas_propose_from: what evaluators keep of finished
                                          trials stays, for those that start from them */
};

/* A controller of one's own. The table is copied; self belongs to the controller on success. name
 * is kept in the store ("my evolution"); a resume asks for the same one. */
NAS_API nas_status nas_controller_create(nas_controller **out, nas_context *context, const char *name,
                                         const nas_controller_ops *ops, void *self);
NAS_API void nas_controller_free(nas_controller *controller);
NAS_API const char *nas_controller_name(const nas_controller *controller); /* borrowed */
/* Calls of the table from outside a search: for controllers that wrap controllers. */
NAS_API nas_status nas_controller_ask(nas_controller *controller, nas_random *stream,
                                      nas_proposal_builder *out);
NAS_API nas_status nas_controller_tell(nas_controller *controller, const nas_proposal *asked,
                                       const nas_result *got);
NAS_API nas_status nas_controller_forget(nas_controller *controller, uint64_t turn);
NAS_API nas_status nas_controller_save(nas_controller *controller, nas_writer *to);
NAS_API nas_status nas_controller_load(nas_controller *controller, nas_reader *from);
NAS_API nas_status nas_controller_describe(nas_controller *controller, nas_sink *to);

/* ---- built in -------------------------------------------------------------------------------------- */

/* By name and settings, as in a search file: "random", "evolution"; settings "population=20",
 * "sample=5". An unknown one is an error that suggests the nearest. */
NAS_API nas_status nas_controller_named(nas_controller **out, const nas_space *space,
                                        const char *name, const char *const *settings,
                                        size_t n_settings);
/* Name of the index-th built-in controller, NULL past the last; its settings, one a line
 * "population = 20: individuals alive at once, 1 .. 1000000". Static storage. */
NAS_API const char *nas_controller_builtin(uint32_t index);
NAS_API const char *nas_controller_settings(const char *name);

/* Uniform samples of the space. */
typedef struct {
    uint32_t struct_size, flags;
    int32_t replacement; /* 1: may repeat itself. 0: never the same network twice while others
                            are left; NAS_DONE when all were tried */
    int32_t reserved;
} nas_random_options;
#define NAS_RANDOM_OPTIONS_INIT {sizeof(nas_random_options), 0, 1, 0}
NAS_API void nas_random_options_init(nas_random_options *options);
NAS_API nas_status nas_controller_random(nas_controller **out, const nas_space *space,
                                         const nas_random_options *options);

/* Every architecture of the space in the order of nas_space_at; NAS_DONE after the last. */
typedef struct {
    uint32_t struct_size, flags;
    uint64_t first;   /* 0; index to begin with */
    int32_t distinct; /* 0; 1: of isomorphic networks the first alone */
    int32_t reserved;
} nas_exhaustive_options;
#define NAS_EXHAUSTIVE_OPTIONS_INIT {sizeof(nas_exhaustive_options), 0, 0, 0, 0}
NAS_API void nas_exhaustive_options_init(nas_exhaustive_options *options);
NAS_API nas_status nas_controller_exhaustive(nas_controller **out, const nas_space *space,
                                             const nas_exhaustive_options *options);

/* Local search: White et al., "Exploring the loss landscape in neural architecture search", UAI 2021,
 * algorithm 1. Random networks, then the neighbours of the best of them, and so from the best neighbour
 * on until none is better; then anew. */
typedef struct {
    uint32_t struct_size, flags;
    uint32_t initial; /* 1: random networks that a climb begins with the best of */
    int32_t whole;    /* 0: goes on from the first neighbour that is better; 1: looks at all of them and
                         goes on from the best */
    int32_t distinct; /* 1: of isomorphic networks one is evaluated, and counts for all */
    int32_t reserved;
} nas_local_search_options;
#define NAS_LOCAL_SEARCH_OPTIONS_INIT {sizeof(nas_local_search_options), 0, 1, 0, 1, 0}
NAS_API void nas_local_search_options_init(nas_local_search_options *options);
NAS_API nas_status nas_controller_local_search(nas_controller **out, const nas_space *space,
                                               const nas_local_search_options *options);

/* Who dies when one is born. */
enum {
    NAS_DEATH_OLDEST = 0, /* aging: regularized evolution */
    NAS_DEATH_WORST = 1,  /* plain: the worst of the whole population (of equals the oldest) */
    NAS_DEATH_LOSER = 2   /* tournament: the worst of a sample; the best of another is the parent */
};
/* Regularized (aging) evolution: Real et al., "Regularized evolution for image classifier
 * architecture search", AAAI 2019, algorithm 1; with another `death` plain and tournament evolution
 * (Real et al., "Large-scale evolution of image classifiers", ICML 2017, section 3.1). */
typedef struct {
    uint32_t struct_size, flags;
    uint32_t population; /* 100 */
    uint32_t sample;     /* 25: drawn for each parent; at most population */
    int32_t replacement; /* 1: drawn with replacement, as the authors' code does */
    int32_t distinct;    /* 1: a network that was proposed before is drawn again, up to `retries`
                            times, so that no training is spent twice */
    uint32_t retries;    /* 100 */
    uint32_t mutations;  /* 1: mutations between parent and child */
    int32_t death;       /* NAS_DEATH_OLDEST */
    int32_t reserved;
    const char *mutation; /* rule of nas_space_mutate_as; NULL: "uniform". Copied */
} nas_evolution_options;
#define NAS_EVOLUTION_OPTIONS_INIT                                                                 \
    {sizeof(nas_evolution_options), 0, 100, 25, 1, 0, 100, 1, NAS_DEATH_OLDEST, 0, NULL}
NAS_API void nas_evolution_options_init(nas_evolution_options *options);
NAS_API nas_status nas_controller_evolution(nas_controller **out, const nas_space *space,
                                            const nas_evolution_options *options);

/* ---- bands: many candidates for a few epochs, the better ones for more -------------------------
 *
 * These propose the fidelity "epochs". A promotion goes on from the weights of the trial that it
 * promotes (NAS_FROM_CONTINUE) unless continues is 0: then it trains anew. A trial that failed or
 * vanished is never promoted and holds nothing up. Rungs: max_epochs / eta^k, down to min_epochs. */

/* Successive halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and
 * hyperparameter optimization", AISTATS 2016. */
typedef struct {
    uint32_t struct_size, flags;
    double min_epochs, max_epochs; /* 1, 27 */
    uint32_t eta;                  /* 3: one of so many is promoted */
    uint32_t candidates;           /* of the first rung; 0: eta^(rungs - 1) */
    uint32_t brackets;             /* how often; 0: until the budget ends */
    int32_t overlap;               /* 1: the next bracket begins while a rung waits for its results.
                                      0: NAS_WAIT */
    int32_t continues;             /* 1 */
    int32_t reserved;
} nas_halving_options;
#define NAS_HALVING_OPTIONS_INIT {sizeof(nas_halving_options), 0, 1, 27, 3, 0, 0, 1, 1, 0}
NAS_API void nas_halving_options_init(nas_halving_options *options);
NAS_API nas_status nas_controller_halving(nas_controller **out, const nas_space *space,
                                          const nas_halving_options *options);

/* Asynchronous successive halving: Li et al., "A system for massively parallel hyperparameter
 * tuning", MLSys 2020, algorithm 2. It never waits while candidates are left. */
typedef struct {
    uint32_t struct_size, flags;
    double min_epochs, max_epochs; /* 1, 27 */
    uint32_t eta;                  /* 3 */
    uint32_t candidates;           /* sampled in all; 0: until the budget ends */
    int32_t continues;             /* 1 */
    int32_t reserved;
} nas_asha_options;
#define NAS_ASHA_OPTIONS_INIT {sizeof(nas_asha_options), 0, 1, 27, 3, 0, 1, 0}
NAS_API void nas_asha_options_init(nas_asha_options *options);
NAS_API nas_status nas_controller_asha(nas_controller **out, const nas_space *space,
                                       const nas_asha_options *options);

/* Hyperband: Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization",
 * JMLR 2018; brackets as in Falkner et al. 2018's code, or as in the paper. */
typedef struct {
    uint32_t struct_size, flags;
    double min_epochs, max_epochs; /* 1, 27 */
    uint32_t eta;                  /* 3 */
    uint32_t brackets;             /* 0: until the budget ends */
    int32_t original;              /* 0: sizes of HpBandSter; 1: of Li et al. */
    int32_t overlap;               /* 1 */
    int32_t continues;             /* 1 */
    int32_t reserved;
} nas_hyperband_options;
#define NAS_HYPERBAND_OPTIONS_INIT {sizeof(nas_hyperband_options), 0, 1, 27, 3, 0, 0, 1, 1, 0}
NAS_API void nas_hyperband_options_init(nas_hyperband_options *options);
NAS_API nas_status nas_controller_hyperband(nas_controller **out, const nas_space *space,
                                            const nas_hyperband_options *options);

/* BOHB: Falkner et al., "BOHB: robust and efficient hyperparameter optimization at scale", ICML
 * 2018: Hyperband whose candidates come from kernel densities of good and bad ones. */
typedef struct {
    uint32_t struct_size, flags;
    double min_epochs, max_epochs; /* 1, 27 */
    double random_fraction;        /* 1/3: of the candidates, sampled uniformly. 1: Hyperband */
    double bandwidth_factor;       /* 3: proposals are so much wider than the density */
    double min_bandwidth;          /* 1e-3 */
    uint32_t eta;                  /* 3 */
    uint32_t brackets;             /* 0: until the budget ends */
    uint32_t min_points;           /* of good ones and of bad ones in a model; 0, and what is less
                                      than it: decisions + 1 */
    uint32_t top_percent;          /* 15: of the results are the good ones */
    uint32_t samples;              /* 64: drawn for a proposal, the most promising is taken */
    int32_t original;              /* 0 */
    int32_t overlap;               /* 1 */
    int32_t continues;             /* 1 */
    int32_t ordinal;               /* 1: a choice among rising numbers is ordered, not categorical */
    int32_t repeats;               /* 0: the model proposes no network that was proposed before */
} nas_bohb_options;
#define NAS_BOHB_OPTIONS_INIT                                                                      \
    {sizeof(nas_bohb_options), 0, 1, 27, 1.0 / 3, 3, 1e-3, 3, 0, 0, 15, 64, 0, 1, 1, 1, 0}
NAS_API void nas_bohb_options_init(nas_bohb_options *options);
NAS_API nas_status nas_controller_bohb(nas_controller **out, const nas_space *space,
                                       const nas_bohb_options *options);
/* NSGA-II, for several objectives: Deb et al., "A fast and elitist multiobjective genetic algorithm:
 * NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002. It reads the metrics that it is
 * told, not the search's score. */
typedef struct {
    uint32_t struct_size, flags;
    uint32_t population; /* 50 */
    int32_t distinct;    /* 1: what was proposed before is drawn again, up to `retries` times */
    uint32_t retries;    /* 100 */
    uint32_t reserved;
    double crossover;    /* 0.9: probability that a child has two parents */
    double mutation;     /* 1: probability that it is mutated (without crossover it always is) */
    const char *objectives; /* "accuracy,-params": metrics, - before those that are to be small. NULL:
                               "accuracy,-params". Copied */
} nas_nsga2_options;
#define NAS_NSGA2_OPTIONS_INIT {sizeof(nas_nsga2_options), 0, 50, 1, 100, 0, 0.9, 1, NULL}
NAS_API void nas_nsga2_options_init(nas_nsga2_options *options);
NAS_API nas_status nas_controller_nsga2(nas_controller **out, const nas_space *space,
                                        const nas_nsga2_options *options);

/* The average reward that REINFORCE's rewards are compared with. */
enum {
    NAS_BASELINE_CORRECTED = 0, /* bias-corrected moving average, moved by the reward before it is used:
                                   the first advantage is 0 */
    NAS_BASELINE_FIRST = 1,     /* begins at the first reward, is moved after use */
    NAS_BASELINE_ZERO = 2       /* begins at 0, is moved after use */
};
enum {
    NAS_ENTROPY_REWARD = 0,     /* entropy * H is added to the reward */
    NAS_ENTROPY_REGULARIZER = 1 /* entropy * H is added to what is maximised */
};

/* REINFORCE (Williams 1992) with a table of softmaxes, one a decision: the baseline of NAS-Bench-201
 * (Dong and Yang, ICLR 2020). Integers of more than `bins` values and reals are softmaxes over bins. */
typedef struct {
    uint32_t struct_size, flags;
    double learning_rate; /* 0.05: Adam */
    double decay;         /* 0.9: of the baseline, 0 .. 0.999999 */
    double entropy;       /* 0: weight of the policy's entropy */
    double temperature;   /* 1: logits are divided by it */
    double tanh_constant; /* 0: none; c: logits become c tanh(logit / temperature) */
    double init;          /* 0.001: first logits are init * N(0, 1) */
    int32_t baseline;     /* NAS_BASELINE_* */
    int32_t entropy_mode; /* NAS_ENTROPY_* */
    uint32_t batch;       /* 1: results for an update */
    uint32_t bins;        /* 10 */
    uint32_t retries;     /* 1000: samples drawn again where a constraint does not hold */
    uint32_t reserved;
} nas_reinforce_table_options;
#define NAS_REINFORCE_TABLE_OPTIONS_INIT \
    {sizeof(nas_reinforce_table_options), 0, 0.05, 0.9, 0, 1, 0, 0.001, 0, 0, 1, 10, 1000, 0}
NAS_API void nas_reinforce_table_options_init(nas_reinforce_table_options *options);
NAS_API nas_status nas_controller_reinforce_table(nas_controller **out, const nas_space *space,
                                                  const nas_reinforce_table_options *options);

/* REINFORCE with a recurrent policy: Zoph and Le, "Neural architecture search with reinforcement
 * learning", ICLR 2017. An LSTM reads each token and gives the next softmax; skip anchors ("4<-2") are
 * Bernoullis that look back at the layers they may come from. */
typedef struct {
    uint32_t struct_size, flags;
    double learning_rate; /* 0.005: Adam */
    double decay;         /* 0.9 */
    double entropy;       /* 0 */
    double temperature;   /* 1 */
    double tanh_constant; /* 0 */
    double init;          /* 0.08: weights are U(-init, init), biases 0 */
    int32_t baseline, entropy_mode;
    uint32_t batch;       /* 1 */
    uint32_t bins;        /* 10 */
    uint32_t retries;     /* 1000 */
    uint32_t units;       /* 35: of each layer, and of embeddings */
    uint32_t layers;      /* 1 or 2 */
    uint32_t reserved;
} nas_reinforce_options;
#define NAS_REINFORCE_OPTIONS_INIT \
    {sizeof(nas_reinforce_options), 0, 0.005, 0.9, 0, 1, 0, 0.08, 0, 0, 1, 10, 1000, 35, 1, 0}
NAS_API void nas_reinforce_options_init(nas_reinforce_options *options);
NAS_API nas_status nas_controller_reinforce(nas_controller **out, const nas_space *space,
                                            const nas_reinforce_options *options);

/* Bayesian optimisation with an ensemble of neural predictors: White et al., "BANANAS", AAAI 2021. An
 * ensemble of perceptrons learns all results; mutations of the best are its candidates; each draws from
 * the normal distribution of its predictions (independent Thompson sampling), the highest are tried. */
enum {
    NAS_PREDICTOR_AUTO = 0,    /* PATH where the space has at most 1024 paths, else ONE_HOT */
    NAS_PREDICTOR_ONE_HOT = 1, /* of nas_arch_encode */
    NAS_PREDICTOR_PATH = 2
};
typedef struct {
    uint32_t struct_size, flags;
    uint32_t initial;    /* 10: random networks first */
    uint32_t refit;      /* 10: proposals from one fit */
    uint32_t candidates; /* 200: scored after each fit */
    uint32_t parents;    /* 10: the best so far, which are mutated */
    uint32_t mutations;  /* 2: of a candidate, 1 .. so many */
    uint32_t members;    /* 5: networks of the ensemble */
    uint32_t units;      /* 32: of each hidden layer */
    uint32_t layers;     /* 2: hidden ones */
    uint32_t epochs;     /* 40 */
    uint32_t batch;      /* 32 */
    int32_t encoding;    /* NAS_PREDICTOR_ONE_HOT: what it sees of a network */
    uint32_t reserved;
    double learning_rate; /* 0.01: Adam, falling to a tenth */
    double weight_decay;  /* 0.01: decoupled */
    double random_share;  /* 0.3: of candidates that are random samples instead */
} nas_predictor_options;
#define NAS_PREDICTOR_OPTIONS_INIT \
    {sizeof(nas_predictor_options), 0, 10, 10, 200, 10, 2, 5, 32, 2, 40, 32, 1, 0, 0.01, 0.01, 0.3}
NAS_API void nas_predictor_options_init(nas_predictor_options *options);
NAS_API nas_status nas_controller_predictor(nas_controller **out, const nas_space *space,
                                            const nas_predictor_options *options);

/* Progressive search: Liu et al., "Progressive neural architecture search", ECCV 2018. A beam from small
 * networks to large: level by level each of the best is extended by every alternative of one more block
 * (or decision), an ensemble of surrogates scores the extensions, the best of them are tried. */
enum {
    NAS_SURROGATE_MLP = 0, /* embeddings averaged over blocks, two hidden layers */
    NAS_SURROGATE_LSTM = 1 /* over the sequence of decisions */
};
typedef struct {
    uint32_t struct_size, flags;
    uint32_t beam;        /* 32: networks tried and extended at each level after the first (K) */
    uint32_t level;       /* 0: decisions whose names are equal up to the last dot are one level;
                             n: n decisions */
    int32_t surrogate;    /* NAS_SURROGATE_* */
    uint32_t members;     /* 5: each learns from 4/5 of the results */
    uint32_t embedding;   /* 32 */
    uint32_t units;       /* 32 */
    uint32_t epochs;      /* 60 */
    uint32_t batch;       /* 16 */
    uint32_t bins;        /* 10: of reals, and of integers of more values */
    uint32_t probes;      /* 0: extensions drawn uniformly that are tried at each level besides, to
                             measure the surrogate by */
    double learning_rate; /* 0.01: Adam, falling to a tenth */
    const char *base;     /* what is undecided yet, as an architecture's text; NULL: the first
                             alternative of each decision. Copied */
} nas_progressive_options;
#define NAS_PROGRESSIVE_OPTIONS_INIT \
    {sizeof(nas_progressive_options), 0, 32, 0, 0, 5, 32, 32, 60, 16, 10, 0, 0.01, NULL}
NAS_API void nas_progressive_options_init(nas_progressive_options *options);
NAS_API nas_status nas_controller_progressive(nas_controller **out, const nas_space *space,
                                              const nas_progressive_options *options);

NAS_EXTERN_C_END
#endif
