/* What successive halving, Hyperband and BOHB share: sizes and epochs of brackets, the races that
 * run them, rank correlation, kernel densities. Seen by lib/controller and its tests. */
#ifndef NI_CONTROLLER_BANDS_H
#define NI_CONTROLLER_BANDS_H
#include "controller.h"

/* ---- brackets (brackets.c)
 * ---------------------------------------------------------------------- */

enum { NI_RUNGS = 32, NI_RACE_MOST = 1000000 /* candidates of a bracket */ };

/* Rung k trains sizes[k] candidates to epochs[k], k = 0 .. n-1. */
typedef struct {
    uint32_t n;
    uint32_t sizes[NI_RUNGS];
    double epochs[NI_RUNGS];
} ni_bracket;

/* Checks what all four have: 0 < min <= max, eta >= 2, brackets of at most NI_RACE_MOST. */
nas_status ni_bracket_check(nas_context *context, double min_epochs, double max_epochs,
                            uint32_t eta);
/* How many rungs lie between: floor(log_eta(max / min)) + 1, safe against rounding. */
uint32_t ni_bracket_rungs(double min_epochs, double max_epochs, uint32_t eta);
/* One bracket over all rungs; candidates 0: eta^(rungs - 1). */
void ni_bracket_halving(ni_bracket *out, double min_epochs, double max_epochs, uint32_t eta,
                        uint32_t candidates);
/* The iteration-th bracket of Hyperband, from 0; original: sizes of Li et al. */
void ni_bracket_hyperband(ni_bracket *out, double min_epochs, double max_epochs, uint32_t eta,
                          uint64_t iteration, bool original);

/* ---- rank correlation (rank.c)
 * ------------------------------------------------------------------ */

/* Spearman's, ties with their mean rank; NAN where there is none (n < 2, or one side all equal). */
nas_status ni_spearman(nas_context *context, const double *a, const double *b, size_t n,
                       double *out);

/* Scores of one candidate at a rung and at the next. */
typedef struct {
    double low, high; /* epochs */
    double before, after;
} ni_rung_pair;
typedef struct {
    nas_context *context;
    NI_ARRAY(ni_rung_pair) pairs;
} ni_rung_pairs;
nas_status ni_rung_pairs_add(ni_rung_pairs *to, double low, double high, double before,
                             double after);
nas_status ni_rung_pairs_save(const ni_rung_pairs *pairs, nas_writer *to);
nas_status ni_rung_pairs_load(ni_rung_pairs *pairs, nas_reader *from);
/* "3 to 9 epochs: rank correlation 0.83 over 12 promoted": a line for each two adjacent rungs. */
nas_status ni_rung_pairs_describe(const ni_rung_pairs *pairs, ni_text *to);
void ni_rung_pairs_free(ni_rung_pairs *pairs);

/* ---- races: brackets that run (races.c)
 * --------------------------------------------------------- */

typedef struct {
    nas_arch *arch; /* held; NULL: not drawn yet */
    uint64_t from;  /* the trial that it was promoted from, or NAS_TRIAL_NONE */
    double before;  /* its score there */
    uint64_t turn, trial;
    double score; /* once told; -INFINITY: failed */
    bool told;
} ni_racer;

typedef struct {
    double score;
    uint32_t racer;
} ni_racer_rank;

typedef struct {
    uint64_t number; /* of the bracket, from 0 */
    ni_bracket plan;
    uint32_t rung, size, asked, told; /* of the rung that runs */
    ni_racer *racers;                 /* plan.sizes[0] of them */
    ni_racer_rank *ranks;             /* scratch, as many */
} ni_race;

/* What a controller that is all races goes by, and keeps with its state: min_epochs, max_epochs,
 * then the values. */
enum { NI_RACE_SETTINGS = 5 };
typedef struct {
    uint64_t format; /* of the state */
    double min_epochs, max_epochs;
    uint64_t brackets; /* 0: no end */
    bool overlap, continues;
    const char *names[NI_RACE_SETTINGS];
    uint64_t values[NI_RACE_SETTINGS];
    uint32_t n;
} ni_race_settings;

typedef struct {
    nas_context *context;
    const nas_space *space; /* held by who owns this */
    const char *name;       /* static */
    uint64_t brackets;      /* 0: no end */
    bool overlap, continues;
    ni_race_settings settings; /* of ni_races_controller */
    void *user;
    /* Sizes of a bracket. */
    void (*plan)(void *user, uint64_t number, ni_bracket *out);
    /* A candidate for the first rung; adds to the note where it comes from. */
    nas_status (*draw)(void *user, nas_random *stream, nas_arch **out, ni_text *note);
    uint64_t started, finished;
    NI_ARRAY(ni_race) open;
    ni_rung_pairs pairs;
} ni_races;

void ni_races_init(ni_races *races, nas_context *context, const nas_space *space, const char *name);
void ni_races_free(ni_races *races);
nas_status ni_races_ask(ni_races *races, nas_random *stream, nas_proposal_builder *out);
/* Results of others' proposals are passed over. */
nas_status ni_races_tell(ni_races *races, const nas_proposal *asked, const nas_result *got);
nas_status ni_races_save(const ni_races *races, nas_writer *to);
nas_status ni_races_load(ni_races *races, nas_reader *from);
nas_status ni_races_describe(const ni_races *races, ni_text *to);
/* A controller that is races with uniform draws, and no more: successive halving, Hyperband.
 * `races` is the first member of a zeroed block, which is freed where this fails; plan's user is
 * that block. */
nas_status ni_races_controller(nas_controller **out, ni_races *races, const nas_space *space,
                               const char *name,
                               void (*plan)(void *user, uint64_t number, ni_bracket *out),
                               const ni_race_settings *settings);
/* What these draw. */
nas_status ni_draw_uniform(const nas_space *space, nas_random *stream, nas_arch **out,
                           ni_text *note);
nas_status ni_races_tell_of(const ni_races *races, nas_sink *to); /* describe, for people */

/* ---- settings (settings.c)
 * ---------------------------------------------------------------------- */

nas_status ni_switch_check(nas_context *context, const char *name, int32_t value); /* 0 or 1 */
/* For load: the format of a state; kept settings and those of now, differing is NAS_E_STATE. */
nas_status ni_format_same(nas_context *context, const char *controller, nas_reader *from,
                          uint64_t format);
nas_status ni_settings_same(nas_context *context, const char *controller, nas_reader *from,
                            const char *const *names, const uint64_t *now, size_t n);
nas_status ni_setting_same_real(nas_context *context, const char *controller, const char *name,
                                nas_reader *from, double now);

/* ---- kernel densities (density.c)
 * -------------------------------------------------------------- */

/* Of n rows of d columns. A column with levels[j] = 0 is continuous (a unit interval), one with
 * c levels holds codes 0 .. c-1. */
typedef struct {
    nas_context *context;
    uint32_t n, d;
    const double *rows;     /* borrowed, n x d */
    const uint32_t *levels; /* borrowed, d */
    double *bandwidths;     /* d */
    uint32_t *distinct;     /* d: levels that the rows have */
} ni_density;
nas_status ni_density_create(ni_density *out, nas_context *context, const double *rows, uint32_t n,
                             uint32_t d, const uint32_t *levels, double min_bandwidth);
void ni_density_free(ni_density *density);
double ni_density_pdf(const ni_density *density, const double *x);

/* Fills what is NAN in rows: from a random row that has it, or else at random. `whole` is scratch
 * for a copy of the rows. */
void ni_density_impute(double *rows, double *whole, uint32_t n, uint32_t d, const uint32_t *levels,
                       nas_random *stream);
/* Draws `samples` vectors around rows of `good` and keeps in `best` the one with the least
 * bad / good; `accept` (NULL: all) may refuse one that would be kept: NAS_E_INFEASIBLE. *found
 * false: none was acceptable. draw: scratch of d. */
typedef struct {
    const ni_density *good, *bad;
    uint32_t samples;
    double factor, min_bandwidth;
    nas_status (*accept)(void *user, const double *x);
    void *user;
} ni_density_search;
nas_status ni_density_propose(const ni_density_search *search, nas_random *stream, double *draw,
                              double *best, bool *found);

#endif
