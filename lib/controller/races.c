/* Brackets that run: rungs of candidates, of which the best go on to the next rung (Jamieson and
 * Talwalkar, AISTATS 2016; Li et al., JMLR 2018, algorithm 1, lines 4 to 8).
 *
 * A rung ends when all of its candidates were told. Then the best, of equals the earlier, are
 * promoted, in the order in which they stand. A candidate that failed or vanished is never among
 * them: where more failed than would be dropped, the next rung is smaller, and where all failed
 * the bracket ends. What is proposed depends on which results were told, not on their order. */
#include "bands.h"
#include <math.h>

void ni_races_init(ni_races *races, nas_context *context, const nas_space *space,
                   const char *name) {
    memset(races, 0, sizeof *races);
    races->context = races->pairs.context = context;
    races->space = space;
    races->name = name;
}

static void free_race(nas_context *context, ni_race *race) {
    for (uint32_t i = 0; race->racers && i < race->plan.sizes[0]; i++)
        nas_arch_free(race->racers[i].arch);
    ni_free(context, race->racers);
    ni_free(context, race->ranks);
}

void ni_races_free(ni_races *races) {
    if (races->context == NULL) return;
    for (size_t i = 0; i < races->open.n; i++)
        free_race(races->context, &races->open.items[i]);
    NI_ARRAY_FREE(races->context, &races->open);
    ni_rung_pairs_free(&races->pairs);
}

nas_status ni_draw_uniform(const nas_space *space, nas_random *stream, nas_arch **out,
                           ni_text *note) {
    ni_text_add(note, "sampled");
    return nas_space_sample(space, stream, out);
}

/* ---- ask
 * -------------------------------------------------------------------------------------------- */

static nas_status new_race(ni_races *races, uint64_t number, ni_race *out) {
    memset(out, 0, sizeof *out);
    out->number = number;
    races->plan(races->user, number, &out->plan);
    out->size = out->plan.sizes[0];
    out->racers = ni_calloc(races->context, out->size, sizeof *out->racers);
    out->ranks = ni_calloc(races->context, out->size, sizeof *out->ranks);
    if (out->racers && out->ranks) return NAS_OK;
    free_race(races->context, out);
    return NAS_E_MEMORY;
}

static nas_status open_race(ni_races *races) {
    ni_race race;
    NI_TRY(new_race(races, races->started, &race));
    nas_status status = NI_PUSH(races->context, &races->open, race);
    if (status < 0)
        free_race(races->context, &race);
    else
        races->started++;
    return status;
}

/* "bracket 2, 9 epochs: goes on from trial 7" */
static void note_rung(ni_text *note, const ni_race *race) {
    ni_text_add(note, "bracket ");
    ni_text_u64(note, race->number + 1);
    ni_text_add(note, ", ");
    ni_text_f64(note, race->plan.epochs[race->rung]);
    ni_text_add(note, race->plan.epochs[race->rung] == 1 ? " epoch: " : " epochs: ");
}

static nas_status propose(ni_races *races, ni_race *race, nas_random *stream,
                          nas_proposal_builder *out) {
    ni_racer *racer = &race->racers[race->asked];
    nas_arch *drawn = NULL;
    nas_status status = NAS_OK;
    ni_text note;
    ni_text_init(&note, races->context);
    note_rung(&note, race);
    if (race->rung == 0) {
        NI_GOTO(end, races->draw(races->user, stream, &drawn, &note));
        NI_GOTO(end, nas_propose_arch(out, drawn));
    } else {
        ni_text_add(&note, races->continues ? "goes on from trial " : "again, after trial ");
        ni_text_u64(&note, racer->from + 1); /* people count trials from 1 */
        NI_GOTO(end, nas_propose_arch(out, racer->arch));
        if (races->continues)
            NI_GOTO(end, nas_propose_from(out, racer->from, NAS_FROM_CONTINUE));
        else
            NI_GOTO(end, nas_propose_parent(out, racer->from));
    }
    NI_GOTO(end, nas_propose_fidelity(out, "epochs", race->plan.epochs[race->rung]));
    NI_GOTO(end, note.status);
    NI_GOTO(end, nas_propose_note(out, ni_text_get(&note)));
    if (drawn) {
        racer->arch = drawn;
        racer->from = NAS_TRIAL_NONE;
        drawn = NULL;
    }
    racer->turn = nas_propose_turn(out);
    racer->trial = nas_propose_trial(out);
    race->asked++;
end:
    nas_arch_free(drawn);
    ni_text_free(&note);
    return status;
}

nas_status ni_races_ask(ni_races *races, nas_random *stream, nas_proposal_builder *out) {
    for (size_t i = 0; i < races->open.n; i++)
        if (races->open.items[i].asked < races->open.items[i].size)
            return propose(races, &races->open.items[i], stream, out);
    bool more = races->brackets == 0 || races->started < races->brackets;
    if (!more && races->open.n == 0) return NAS_DONE;
    if (!more || (races->open.n > 0 && !races->overlap)) return NAS_WAIT;
    NI_TRY(open_race(races));
    return propose(races, &races->open.items[races->open.n - 1], stream, out);
}

/* ---- tell
 * ------------------------------------------------------------------------------------------- */

static bool better(const ni_racer_rank *x, const ni_racer_rank *y) {
    return x->score != y->score ? x->score > y->score : x->racer < y->racer;
}

/* A heap with the worst on top. (Not qsort: it may take memory that is not the context's.) */
static void sift(ni_racer_rank *ranks, uint32_t from, uint32_t n) {
    for (uint32_t child; (child = 2 * from + 1) < n; from = child) {
        if (child + 1 < n && better(&ranks[child], &ranks[child + 1])) child++;
        if (better(&ranks[child], &ranks[from])) return;
        ni_racer_rank t = ranks[from];
        ranks[from] = ranks[child];
        ranks[child] = t;
    }
}

/* From a rung of which all were told to the next; false: the bracket is over. */
static bool next_rung(ni_race *race) {
    uint32_t n = 0, alive = 0, kept = 0;
    for (uint32_t i = 0; i < race->size; i++)
        if (isfinite(race->racers[i].score))
            race->ranks[alive++] = (ni_racer_rank){race->racers[i].score, i};
    if (race->rung + 1 < race->plan.n) n = race->plan.sizes[race->rung + 1];
    if (n > alive) n = alive;
    if (n == 0) return false;
    /* The n best are a heap, whose top any better one replaces. */
    ni_racer_rank *best = race->ranks;
    for (uint32_t i = n / 2; i-- > 0;)
        sift(best, i, n);
    for (uint32_t i = n; i < alive; i++)
        if (better(&race->ranks[i], &best[0])) {
            best[0] = race->ranks[i];
            sift(best, 0, n);
        }
    const ni_racer_rank worst = best[0];
    for (uint32_t i = 0; i < race->size; i++) {
        ni_racer one = race->racers[i];
        const ni_racer_rank rank = {one.score, i};
        memset(&race->racers[i], 0, sizeof race->racers[i]);
        if (isfinite(one.score) && !better(&worst, &rank))
            race->racers[kept++] =
                (ni_racer){.arch = one.arch, .from = one.trial, .before = one.score};
        else
            nas_arch_free(one.arch);
    }
    race->rung++;
    race->size = n;
    race->asked = race->told = 0;
    return true;
}

static ni_racer *find(ni_races *races, uint64_t turn, size_t *at) {
    for (*at = 0; *at < races->open.n; ++*at) {
        ni_race *race = &races->open.items[*at];
        for (uint32_t i = 0; i < race->asked; i++)
            if (race->racers[i].turn == turn && !race->racers[i].told) return &race->racers[i];
    }
    return NULL;
}

nas_status ni_races_tell(ni_races *races, const nas_proposal *asked, const nas_result *got) {
    size_t at;
    double score = nas_result_score(got);
    ni_racer *racer = find(races, nas_proposal_turn(asked), &at);
    if (racer == NULL) return NAS_OK;
    ni_race *race = &races->open.items[at];
    if (isfinite(score) && race->rung > 0)
        NI_TRY(ni_rung_pairs_add(&races->pairs, race->plan.epochs[race->rung - 1],
                                 race->plan.epochs[race->rung], racer->before, score));
    racer->score = isfinite(score) ? score : -INFINITY;
    racer->told = true;
    race->told++;
    if (race->told < race->size || next_rung(race)) return NAS_OK;
    free_race(races->context, race);
    memmove(race, race + 1, (--races->open.n - at) * sizeof *race);
    races->finished++;
    return NAS_OK;
}

/* ---- state
 * ------------------------------------------------------------------------------------------- */

static nas_status save_race(const ni_race *race, nas_writer *to) {
    uint32_t n = race->rung == 0 ? race->asked : race->size;
    NI_TRY(nas_write_u64(to, race->number));
    NI_TRY(nas_write_u64(to, race->rung));
    NI_TRY(nas_write_u64(to, race->size));
    NI_TRY(nas_write_u64(to, race->asked));
    for (uint32_t i = 0; i < n; i++) {
        const ni_racer *r = &race->racers[i];
        NI_TRY(nas_write_arch(to, r->arch));
        NI_TRY(nas_write_u64(to, r->from));
        NI_TRY(nas_write_f64(to, r->before));
        NI_TRY(nas_write_u64(to, r->turn));
        NI_TRY(nas_write_u64(to, r->trial));
        NI_TRY(nas_write_f64(to, r->score));
        NI_TRY(nas_write_u64(to, r->told));
    }
    return NAS_OK;
}

nas_status ni_races_save(const ni_races *races, nas_writer *to) {
    NI_TRY(nas_write_u64(to, races->started));
    NI_TRY(nas_write_u64(to, races->finished));
    NI_TRY(nas_write_u64(to, races->open.n));
    for (size_t i = 0; i < races->open.n; i++)
        NI_TRY(save_race(&races->open.items[i], to));
    return ni_rung_pairs_save(&races->pairs, to);
}

static nas_status damaged(const ni_races *races, const char *what) {
    return ni_fail(races->context, NAS_E_CORRUPT, "%s: its saved state is damaged: %s", races->name,
                   what);
}

static nas_status load_racers(ni_races *races, ni_race *race, nas_reader *from) {
    uint32_t n = race->rung == 0 ? race->asked : race->size;
    for (uint32_t i = 0; i < n; i++) {
        ni_racer *r = &race->racers[i];
        uint64_t told;
        NI_TRY(nas_read_arch(from, races->space, &r->arch));
        NI_TRY(nas_read_u64(from, &r->from));
        NI_TRY(nas_read_f64(from, &r->before));
        NI_TRY(nas_read_u64(from, &r->turn));
        NI_TRY(nas_read_u64(from, &r->trial));
        NI_TRY(nas_read_f64(from, &r->score));
        NI_TRY(nas_read_u64(from, &told));
        if (told > (uint64_t)(i < race->asked)) return damaged(races, "told before it was asked");
        r->told = told != 0;
        race->told += r->told;
    }
    /* A rung of which all were told is over: it cannot have been saved. */
    return race->told < race->size ? NAS_OK : damaged(races, "a rung that is over");
}

static nas_status load_race(ni_races *races, nas_reader *from) {
    uint64_t number, rung, size, asked;
    ni_race race;
    NI_TRY(nas_read_u64(from, &number));
    NI_TRY(nas_read_u64(from, &rung));
    NI_TRY(nas_read_u64(from, &size));
    NI_TRY(nas_read_u64(from, &asked));
    if (number >= races->started) return damaged(races, "a bracket that was not begun");
    NI_TRY(new_race(races, number, &race));
    nas_status status = NAS_OK;
    if (rung >= race.plan.n || size < 1 || size > race.plan.sizes[rung] ||
        (rung == 0 && size != race.plan.sizes[0]) || asked > size)
        status = damaged(races, "a rung of another size");
    if (status >= 0) {
        race.rung = (uint32_t)rung;
        race.size = (uint32_t)size;
        race.asked = (uint32_t)asked;
        status = load_racers(races, &race, from);
    }
    if (status >= 0) status = NI_PUSH(races->context, &races->open, race);
    if (status < 0) free_race(races->context, &race);
    return status;
}

nas_status ni_races_load(ni_races *races, nas_reader *from) {
    uint64_t n;
    NI_TRY(nas_read_u64(from, &races->started));
    NI_TRY(nas_read_u64(from, &races->finished));
    NI_TRY(nas_read_u64(from, &n));
    if (n > races->started || races->finished != races->started - n)
        return damaged(races, "more brackets run than were begun");
    for (uint64_t i = 0; i < n; i++)
        NI_TRY(load_race(races, from));
    return ni_rung_pairs_load(&races->pairs, from);
}

nas_status ni_races_describe(const ni_races *races, ni_text *to) {
    ni_text_f(to, "%s: %llu brackets finished, %zu run\n", races->name,
              (unsigned long long)races->finished, races->open.n);
    for (size_t i = 0; i < races->open.n; i++) {
        const ni_race *race = &races->open.items[i];
        ni_text_f(to, "bracket %llu: rung %u of %u, ", (unsigned long long)race->number + 1,
                  race->rung + 1, race->plan.n);
        ni_text_f64(to, race->plan.epochs[race->rung]);
        ni_text_f(to, " epochs, %u of %u told, %u in flight\n", race->told, race->size,
                  race->asked - race->told);
    }
    return ni_rung_pairs_describe(&races->pairs, to);
}

nas_status ni_races_tell_of(const ni_races *races, nas_sink *to) {
    ni_text text;
    ni_text_init(&text, races->context);
    nas_status status = ni_races_describe(races, &text);
    if (status >= 0) status = text.status;
    if (status >= 0) status = nas_sink_text(to, ni_text_get(&text));
    ni_text_free(&text);
    return status;
}

/* ---- a controller that is races, and no more
 * --------------------------------------------------------------------------------------------------
 */

static nas_status draw_uniform(void *user, nas_random *stream, nas_arch **out, ni_text *note) {
    return ni_draw_uniform(((ni_races *)user)->space, stream, out, note);
}

static nas_status races_ask(void *user, nas_random *stream, nas_proposal_builder *out) {
    return ni_races_ask(user, stream, out);
}

static nas_status races_tell(void *user, const nas_proposal *asked, const nas_result *got) {
    return ni_races_tell(user, asked, got);
}

static nas_status races_save(void *user, nas_writer *to) {
    const ni_races *races = user;
    const ni_race_settings *o = &races->settings;
    NI_TRY(nas_write_u64(to, o->format));
    NI_TRY(nas_write_f64(to, o->min_epochs));
    NI_TRY(nas_write_f64(to, o->max_epochs));
    for (uint32_t i = 0; i < o->n; i++)
        NI_TRY(nas_write_u64(to, o->values[i]));
    return ni_races_save(races, to);
}

static nas_status races_load(void *user, nas_reader *from) {
    ni_races *races = user;
    const ni_race_settings *o = &races->settings;
    nas_context *context = races->context;
    NI_TRY(ni_format_same(context, races->name, from, o->format));
    NI_TRY(ni_setting_same_real(context, races->name, "min_epochs", from, o->min_epochs));
    NI_TRY(ni_setting_same_real(context, races->name, "max_epochs", from, o->max_epochs));
    NI_TRY(ni_settings_same(context, races->name, from, o->names, o->values, o->n));
    return ni_races_load(races, from);
}

static nas_status races_describe(void *user, nas_sink *to) {
    return ni_races_tell_of(user, to);
}

static void races_destroy(void *user) {
    ni_races *races = user;
    const nas_space *space = races->space;
    nas_context *context = races->context;
    ni_races_free(races);
    ni_space_release(space);
    ni_free(context, races);
}

nas_status ni_races_controller(nas_controller **out, ni_races *races, const nas_space *space,
                               const char *name,
                               void (*plan)(void *user, uint64_t number, ni_bracket *out),
                               const ni_race_settings *settings) {
    nas_context *context = ni_space_context(space);
    ni_races_init(races, context, space, name);
    ni_space_hold(space);
    races->settings = *settings;
    races->brackets = settings->brackets;
    races->overlap = settings->overlap;
    races->continues = settings->continues;
    races->user = races;
    races->plan = plan;
    races->draw = draw_uniform;
    const nas_controller_ops ops = {.struct_size = sizeof ops,
                                    .flags = settings->continues ? NAS_CONTROLLER_CONTINUES : 0,
                                    .ask = races_ask,
                                    .tell = races_tell,
                                    .save = races_save,
                                    .load = races_load,
                                    .describe = races_describe,
                                    .destroy = races_destroy};
    return ni_controller_make(out, context, name, &ops, races);
}
