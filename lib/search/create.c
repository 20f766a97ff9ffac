/* Making a search: its options checked, its parts joined if they fit, its store begun or resumed.
 */
#include "parts.h"
#include <math.h>

void nas_search_options_init(nas_search_options *options) {
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
    options->window = 1;
    options->target = NAN;
    options->checkpoint_seconds = 60;
}

/* ---- checks
 * ---------------------------------------------------------------------------------------------- */

static nas_status not_negative(nas_context *context, const char *name, double value) {
    char text[NI_NUMBER_TEXT];
    if (value >= 0 && isfinite(value)) return NAS_OK;
    return ni_fail(context, NAS_E_INVALID, "%s is %s, must be finite and not below 0", name,
                   ni_f64_text(text, value));
}

static nas_status check_options(nas_context *context, const nas_search_options *o) {
    if (o->flags != 0)
        return ni_fail(context, NAS_E_INVALID, "flags of the search is %u, must be 0", o->flags);
    if (o->space == NULL) return ni_fail(context, NAS_E_INVALID, "the search has no space");
    if (o->controller == NULL)
        return ni_fail(context, NAS_E_INVALID, "the search has no controller");
    if (o->window < 1 || o->window > NI_WINDOW_MOST)
        return ni_fail(context, NAS_E_INVALID, "window is %u, must be in 1 .. %d", o->window,
                       NI_WINDOW_MOST);
    if (o->workers > 4096)
        return ni_fail(context, NAS_E_INVALID, "workers is %u, must be in 0 .. 4096", o->workers);
    if (o->order != NAS_ORDER_TURNS && o->order != NAS_ORDER_ARRIVAL)
        return ni_fail(context, NAS_E_INVALID, "order is %d, must be one of NAS_ORDER_*", o->order);
    if (o->reuse != 0 && o->reuse != 1)
        return ni_fail(context, NAS_E_INVALID, "reuse is %d, must be 0 or 1", o->reuse);
    NI_TRY(not_negative(context, "max_epochs", o->max_epochs));
    NI_TRY(not_negative(context, "max_seconds", o->max_seconds));
    NI_TRY(not_negative(context, "trial_seconds", o->trial_seconds));
    NI_TRY(not_negative(context, "checkpoint_seconds", o->checkpoint_seconds));
    if ((o->n_evaluators && o->evaluators == NULL) || (o->n_objectives && o->objectives == NULL))
        return ni_fail(context, NAS_E_INVALID, "%u evaluators and %u objectives, but NULL for them",
                       o->n_evaluators, o->n_objectives);
    if (o->n_evaluators > 1024 || o->n_objectives > 1024)
        return ni_fail(context, NAS_E_LIMIT,
                       "%u evaluators and %u objectives: at most 1024 of each", o->n_evaluators,
                       o->n_objectives);
    if (o->store && ni_store_read_only(o->store))
        return ni_fail(context, NAS_E_STATE, "the store was opened to be read only");
    return NAS_OK;
}

static nas_status copy_entries(nas_search *s, const nas_search_options *o) {
    s->entries = ni_calloc(s->context, o->n_evaluators ? o->n_evaluators : 1, sizeof *s->entries);
    if (s->entries == NULL) return NAS_E_MEMORY;
    for (uint32_t i = 0; i < o->n_evaluators; i++) {
        const nas_named_evaluator *given = &o->evaluators[i];
        if (given->evaluator == NULL || given->name == NULL || given->name[0] == 0 ||
            strlen(given->name) > 255)
            return ni_fail(s->context, NAS_E_INVALID,
                           "evaluator %u of the search needs a name of 1 to 255 bytes and a handle",
                           i);
        bool first = true;
        for (uint32_t j = 0; j < i; j++) {
            if (!strcmp(s->entries[j].name, given->name))
                return ni_fail(s->context, NAS_E_EXISTS, "two evaluators are named \"%s\"",
                               given->name);
            first &= s->entries[j].evaluator != given->evaluator;
        }
        s->entries[i].name = ni_strdup(s->context, given->name);
        if (s->entries[i].name == NULL) return NAS_E_MEMORY;
        s->entries[i].evaluator = given->evaluator;
        s->entries[i].first = first;
        s->n_entries++;
    }
    return NAS_OK;
}

static nas_status copy_aims(nas_search *s, const nas_search_options *o) {
    static const nas_objective accuracy = {.metric = "accuracy", .weight = 1};
    uint32_t n = o->n_objectives ? o->n_objectives : 1;
    char text[NI_NUMBER_TEXT];
    s->aims = ni_calloc(s->context, n, sizeof *s->aims);
    if (s->aims == NULL) return NAS_E_MEMORY;
    for (uint32_t i = 0; i < n; i++) {
        const nas_objective *given = o->n_objectives ? &o->objectives[i] : &accuracy;
        if (given->metric == NULL || given->metric[0] == 0 || strlen(given->metric) > 63)
            return ni_fail(s->context, NAS_E_INVALID,
                           "objective %u needs the name of a metric, 1 to 63 bytes", i);
        if (!isfinite(given->weight) || !isfinite(given->limit) || !isfinite(given->exponent) ||
            (given->minimise != 0 && given->minimise != 1))
            return ni_fail(
                s->context, NAS_E_INVALID,
                "objective \"%s\": weight, limit and exponent must be finite, minimise 0 or 1",
                given->metric);
        if (given->exponent != 0 && !(given->limit > 0))
            return ni_fail(
                s->context, NAS_E_INVALID,
                "objective \"%s\": limit is %s, must be above 0 where there is an exponent",
                given->metric, ni_f64_text(text, given->limit));
        s->aims[i].metric = ni_strdup(s->context, given->metric);
        if (s->aims[i].metric == NULL) return NAS_E_MEMORY;
        s->aims[i].about = *given;
        s->aims[i].about.metric = s->aims[i].metric;
        s->n_aims++;
    }
    return NAS_OK;
}

/* Do the parts fit? The sentence says which does not and why. */
static nas_status check_parts(nas_search *s) {
    uint32_t needs = ni_controller_flags(s->controller);
    bool gradient = false, weights = false, starts = false;
    const char *name = nas_controller_name(s->controller);
    if (ni_controller_context(s->controller) != s->context)
        return ni_fail(s->context, NAS_E_INVALID, "controller \"%s\" belongs to another context",
                       name);
    if (ni_space_context(s->space) != s->context)
        return ni_fail(s->context, NAS_E_INVALID, "space \"%s\" belongs to another context",
                       nas_space_name(s->space));
    if (ni_store_context(s->store) != s->context)
        return ni_fail(s->context, NAS_E_INVALID, "the store belongs to another context");
    for (uint32_t i = 0; i < s->n_entries; i++) {
        const nas_evaluator *evaluator = s->entries[i].evaluator;
        uint32_t flags = nas_evaluator_flags(evaluator);
        if (ni_evaluator_context(evaluator) != s->context)
            return ni_fail(s->context, NAS_E_INVALID, "evaluator \"%s\" belongs to another context",
                           s->entries[i].name);
        if ((flags & NAS_EVALUATOR_NEEDS_NETWORK) && !nas_space_has_network(s->space))
            return ni_fail(
                s->context, NAS_E_UNSUPPORTED,
                "evaluator \"%s\" needs networks, but space \"%s\" has no network template",
                s->entries[i].name, nas_space_name(s->space));
        if ((flags & NAS_EVALUATOR_NEEDS_DATA) && s->data == NULL)
            return ni_fail(s->context, NAS_E_UNSUPPORTED,
                           "evaluator \"%s\" needs a data set, but the search has none",
                           s->entries[i].name);
        gradient |= (flags & NAS_EVALUATOR_ARCH_GRADIENT) != 0;
        weights |= (flags & NAS_EVALUATOR_WEIGHT_STEP) != 0;
        starts |= (flags & (NAS_EVALUATOR_CONTINUES | NAS_EVALUATOR_INHERITS)) != 0;
        s->serial |= !(flags & NAS_EVALUATOR_CONCURRENT);
        s->serial_state |= !(flags & NAS_EVALUATOR_CONCURRENT) && ni_evaluator_has_state(evaluator);
    }
    s->continues = (needs & NAS_CONTROLLER_CONTINUES) != 0;
    s->checkpoint_each = !ni_controller_repeats(s->controller);
    if (s->n_entries == 0) return NAS_OK;
    if ((needs & NAS_CONTROLLER_NEEDS_GRADIENT) && !gradient)
        return ni_fail(
            s->context, NAS_E_UNSUPPORTED,
            "controller \"%s\" needs gradients of the architecture, which evaluator \"%s\" "
            "does not give; a supernet evaluator does",
            name, s->entries[0].name);
    if ((needs & NAS_CONTROLLER_NEEDS_WEIGHTS) && !weights)
        return ni_fail(
            s->context, NAS_E_UNSUPPORTED,
            "controller \"%s\" needs shared weights, which evaluator \"%s\" does not have; a "
            "supernet evaluator does",
            name, s->entries[0].name);
    if ((needs & NAS_CONTROLLER_CONTINUES) && !starts)
        return ni_fail(s->context, NAS_E_UNSUPPORTED,
                       "controller \"%s\" continues trials, which evaluator \"%s\" cannot", name,
                       s->entries[0].name);
    return NAS_OK;
}

/* ---- facts
 * --------------------------------------------------------------------------------------------------
 */

typedef struct {
    const char *key;
    ni_text value;
    bool identity; /* another one is another search */
} ni_fact_now;
enum { MOST_FACTS = 32 };
typedef struct {
    ni_fact_now facts[MOST_FACTS];
    size_t n;
} ni_facts;

static ni_text *fact(ni_facts *facts, nas_context *context, const char *key, bool identity) {
    ni_fact_now *now = &facts->facts[facts->n++];
    now->key = key;
    now->identity = identity;
    ni_text_init(&now->value, context);
    return &now->value;
}

static void list_facts(nas_search *s, const nas_search_options *o, ni_facts *facts) {
    nas_context *c = s->context;
    nas_dataset_info data = {.struct_size = sizeof data};
    ni_text_add(fact(facts, c, "space_name", true), nas_space_name(s->space));
    ni_text_f(fact(facts, c, "space_hash", true), "%016llx",
              (unsigned long long)nas_space_hash(s->space));
    ni_text_add(fact(facts, c, "controller", true), nas_controller_name(s->controller));
    ni_text *text = fact(facts, c, "evaluators", true);
    for (uint32_t i = 0; i < s->n_entries; i++) {
        const char *identity = ni_evaluator_identity(s->entries[i].evaluator);
        ni_text_f(text, "%s%s: %s%s%s", i ? "; " : "", s->entries[i].name,
                  nas_evaluator_name(s->entries[i].evaluator), identity[0] ? " " : "", identity);
    }
    text = fact(facts, c, "objectives", true);
    for (uint32_t i = 0; i < s->n_aims; i++) {
        const nas_objective *about = &s->aims[i].about;
        ni_text_f(text, "%s%s %s weight ", i ? "; " : "", about->minimise ? "minimise" : "maximise",
                  about->metric);
        ni_text_f64(text, about->weight);
        if (about->exponent == 0) continue;
        ni_text_add(text, " limit ");
        ni_text_f64(text, about->limit);
        ni_text_add(text, " exponent ");
        ni_text_f64(text, about->exponent);
    }
    text = fact(facts, c, "data", true);
    if (s->data && nas_dataset_describe(s->data, &data) == NAS_OK)
        ni_text_f(text, "%lld training, %lld validation, %lld test images; hash %016llx",
                  (long long)data.n_train, (long long)data.n_validation, (long long)data.n_test,
                  (unsigned long long)data.hash);
    ni_text_u64(fact(facts, c, "seed", true), o->seed);
    ni_text_u64(fact(facts, c, "window", true), o->window);
    ni_text_add(fact(facts, c, "order", true), o->order == NAS_ORDER_TURNS ? "turns" : "arrival");
    ni_text_add(fact(facts, c, "reuse", true), o->reuse ? "yes" : "no");
    ni_text_u64(fact(facts, c, "max_trials", false), o->max_trials);
    ni_text_u64(fact(facts, c, "max_evaluations", false), o->max_evaluations);
    ni_text_f64(fact(facts, c, "max_epochs", false), o->max_epochs);
    ni_text_f64(fact(facts, c, "max_seconds", false), o->max_seconds);
    ni_text_f64(fact(facts, c, "trial_seconds", false), o->trial_seconds);
    ni_text_f64(fact(facts, c, "target", false), o->target);
    ni_text_add(fact(facts, c, "ended", false), nas_ended_text(NAS_ENDED_NOT));
    ni_text_add(fact(facts, c, "libnas", false), nas_version_text());
    ni_text_add(fact(facts, c, "isa", false), nas_isa_name(nas_context_isa(c)));
    text = NULL; /* a fact of searches that have a table alone */
    for (uint32_t i = 0; i < s->n_entries; i++) {
        uint64_t hash = ni_evaluator_tuning(s->entries[i].evaluator);
        if (!hash) continue;
        if (text) ni_text_put(text, ", ");
        if (!text) text = fact(facts, c, "tuning", false);
        ni_text_f(text, "%016llx", (unsigned long long)hash);
    }
}

/* The tuning table that trainings go by: the same, or none as before. */
static nas_status check_tuning(nas_search *s, nas_store *store, const ni_facts *facts) {
    const char *was = ni_store_find_fact(store, "tuning"), *now = NULL;
    for (size_t i = 0; i < facts->n; i++)
        if (!strcmp(facts->facts[i].key, "tuning")) now = ni_text_get(&facts->facts[i].value);
    if (was && now && !strcmp(was, now)) return NAS_OK;
    if (!was && !now) return NAS_OK;
    return ni_fail(
        s->context, NAS_E_STATE,
        "the store's search trained with %s%s, this one would with %s%s: last bits would "
        "differ; resume with the same, or use another store",
        was ? "tuning table " : "no tuning table", was ? was : "",
        now ? "tuning table " : "no tuning table", now ? now : "");
}

static nas_status check_same(nas_search *s, nas_store *store, const ni_facts *facts) {
    for (size_t i = 0; i < facts->n; i++) {
        const char *now = ni_text_get(&facts->facts[i].value);
        const char *was = ni_store_find_fact(store, facts->facts[i].key);
        if (was == NULL || !strcmp(was, now)) continue;
        if (!strcmp(facts->facts[i].key, "isa"))
            ni_log(s->context, NAS_LOG_WARNING,
                   "the search began on %s and goes on on %s: last bits of results may differ", was,
                   now);
        if (!facts->facts[i].identity) continue;
        return ni_fail(
            s->context, NAS_E_STATE,
            "the store holds another search: its %s is \"%s\", this one's is \"%s\"; resume "
            "with the same, or use another store",
            facts->facts[i].key, was, now);
    }
    return NAS_OK;
}

static nas_status put_facts(nas_search *s, const nas_search_options *o, const ni_facts *facts,
                            bool resumed) {
    for (size_t i = 0; i < facts->n; i++)
        NI_TRY(
            ni_store_put_fact(s->store, facts->facts[i].key, ni_text_get(&facts->facts[i].value)));
    if (resumed) return NAS_OK;
    char digits[NI_NUMBER_TEXT];
    NI_TRY(ni_store_put_fact(s->store, "space", nas_space_text(s->space)));
    NI_TRY(ni_store_put_fact(s->store, "settings", o->settings ? o->settings : ""));
    return ni_store_put_fact(s->store, "started", ni_f64_text(digits, (double)ni_unix_time()));
}

static nas_status begin_store(nas_search *s, const nas_search_options *o) {
    ni_facts facts = {.n = 0};
    nas_status status = NAS_OK;
    bool resumed = ni_store_find_fact(s->store, "controller") != NULL;
    list_facts(s, o, &facts);
    for (size_t i = 0; status >= 0 && i < facts.n; i++)
        status = facts.facts[i].value.status;
    if (status >= 0 && !resumed && ni_store_rows(s->store) > 0)
        status =
            ni_fail(s->context, NAS_E_CORRUPT, "the store has trials but does not say of what");
    if (status >= 0 && resumed) status = check_same(s, s->store, &facts);
    if (status >= 0 && resumed) status = check_tuning(s, s->store, &facts);
    if (status >= 0 && s->record) status = check_same(s, s->record, &facts);
    if (status >= 0 && s->record) status = check_tuning(s, s->record, &facts);
    if (status >= 0) status = ni_store_begin(s->store);
    if (status >= 0) {
        status = put_facts(s, o, &facts, resumed);
        if (status < 0)
            ni_store_rollback(s->store);
        else
            status = ni_store_commit(s->store);
    }
    for (size_t i = 0; i < facts.n; i++)
        ni_text_free(&facts.facts[i].value);
    if (status >= 0 && resumed) status = ni_search_resume(s);
    return status;
}

/* ---- making one
 * -----------------------------------------------------------------------------------------------
 */

static nas_status make(nas_search *s, const nas_search_options *o) {
    NI_TRY(ni_mutex_create(&s->lock, s->context));
    NI_TRY(ni_cond_create(&s->news, s->context));
    NI_TRY(ni_map_create(&s->reuse, s->context));
    if (o->hooks) {
        memset(&s->hooks, 0, sizeof s->hooks);
        NI_TRY(ni_options(s->context, &s->hooks, sizeof s->hooks, sizeof s->hooks, o->hooks,
                          "nas_search_hooks"));
    }
    NI_TRY(copy_entries(s, o));
    NI_TRY(copy_aims(s, o));
    s->owns_store = s->store == NULL;
    if (s->owns_store) NI_TRY(nas_store_open(&s->store, s->context, NULL, NULL));
    NI_TRY(check_parts(s));
    s->n_workers = o->workers ? o->workers : nas_context_threads(s->context);
    if (s->n_workers > o->window) s->n_workers = o->window;
    if (s->serial) s->n_workers = 1;
    for (uint32_t i = 0; i < s->n_entries; i++)
        if (s->entries[i].first)
            NI_TRY(nas_evaluator_prepare(s->entries[i].evaluator, s->space, s->data));
    s->started = s->last_checkpoint = ni_clock();
    return begin_store(s, o);
}

nas_status ni_search_make(nas_search **out, nas_context *context, const nas_search_options *given,
                          nas_store *record) {
    nas_search_options options;
    nas_search_options_init(&options);
    NI_TRY(ni_enter(context));
    if (given == NULL) return ni_fail(context, NAS_E_INVALID, "the search's options are NULL");
    NI_TRY(
        ni_options(context, &options, sizeof options, sizeof options, given, "nas_search_options"));
    if (record) options.store = NULL;
    NI_TRY(check_options(context, &options));
    nas_search *s = ni_calloc(context, 1, sizeof *s);
    if (s == NULL) return NAS_E_MEMORY;
    s->context = context;
    s->space = options.space;
    s->controller = options.controller;
    s->data = options.data;
    s->store = options.store;
    s->record = record;
    s->options = options;
    ni_context_hold(context);
    ni_space_hold(s->space);
    nas_status status = make(s, &options);
    if (status < 0) {
        s->failed = status; /* nothing more is written */
        nas_search_free(s);
        return status;
    }
    *out = s;
    return NAS_OK;
}

nas_status nas_search_create(nas_search **out, nas_context *context,
                             const nas_search_options *options) {
    return ni_search_make(out, context, options, NULL);
}

void nas_search_free(nas_search *search) {
    if (search == NULL) return;
    nas_context *context = search->context;
    if (search->failed >= 0 && search->ended == NAS_ENDED_NOT && ni_enter(context) >= 0) {
        ni_mutex_lock(search->lock);
        (void)ni_search_checkpoint(search);
        ni_mutex_unlock(search->lock);
    }
    for (size_t i = 0; i < search->events.n; i++)
        if (search->events.items[i].kind == NI_EVENT_TURN)
            ni_turn_free(search, search->events.items[i].turn);
    NI_ARRAY_FREE(context, &search->events);
    for (size_t i = 0; i < search->flight.n; i++)
        ni_turn_free(search, search->flight.items[i]);
    NI_ARRAY_FREE(context, &search->flight);
    if (search->owns_store) nas_store_free(search->store);
    for (uint32_t i = 0; i < search->n_entries; i++)
        ni_free(context, search->entries[i].name);
    ni_free(context, search->entries);
    for (uint32_t i = 0; i < search->n_aims; i++)
        ni_free(context, search->aims[i].metric);
    ni_free(context, search->aims);
    ni_map_free(search->reuse);
    ni_free(context, search->failed_sentence);
    ni_cond_free(search->news);
    ni_mutex_free(search->lock);
    ni_space_release(search->space);
    ni_free(context, search);
    ni_context_release(context);
}
