/* Proposals and results: what the builders refuse, what the accessors say, and their bytes. */
#include "search/fixture.h"
#include "trial/trial.h"

/* One decision of each kind, and one that depends on the first. */
static nas_space *mixed_space(nas_context *context) {
    static const char *const kinds[] = {"conv", "pool", "none"}, *const sizes[] = {"3", "5"};
    nas_space *space;
    MUST(context, nas_space_create(&space, context, "mixed"));
    MUST(context, nas_space_add_choice(space, "kind", kinds, 3));
    MUST(context, nas_space_add_choice(space, "kernel", sizes, 2));
    MUST(context, nas_space_add_condition(space, "kind", "conv"));
    MUST(context, nas_space_add_integer(space, "width", 8, 64, 8));
    MUST(context, nas_space_add_real(space, "learning_rate", 0.001, 0.1, 1));
    MUST(context, nas_space_finish(space));
    return space;
}

typedef struct {
    test_allocator memory;
    nas_context *context;
    nas_space *space;
    nas_proposal_builder *builder;
} state;

static int begin(void **out) {
    state *s = calloc(1, sizeof *s);
    s->context = make_context(&s->memory, 1);
    s->space = mixed_space(s->context);
    MUST(s->context, ni_proposal_create(&s->builder, s->context, s->space, 11, 9, 7, 5));
    *out = s;
    return 0;
}
static int end(void **in) {
    state *s = *in;
    ni_proposal_builder_free(s->builder);
    nas_space_free(s->space);
    nas_context_free(s->context);
    assert_int_equal(s->memory.bytes, 0);
    free(s);
    return 0;
}

static void give_all(state *s, int64_t kind) {
    MUST(s->context, nas_propose_value(s->builder, 0, &(nas_value){kind, 0}));
    if (kind == 0) MUST(s->context, nas_propose_value(s->builder, 1, &(nas_value){1, 0}));
    MUST(s->context, nas_propose_value(s->builder, 2, &(nas_value){24, 0}));
    MUST(s->context, nas_propose_value(s->builder, 3, &(nas_value){0, 0.01}));
}

static void test_refused(void **in) {
    state *s = *in;
    nas_proposal_builder *b = s->builder;
    nas_context *c = s->context;
    nas_proposal *out;
    nas_path path = {0, 1, 1, 1}, twice[2] = {{1, 1, 1, 1}, {1, 1, 1, 1}};
    FAILS(c, NAS_E_INVALID, "no architecture", ni_proposal_finish(b, &out));
    FAILS(c, NAS_E_INVALID, "decision 4", nas_propose_value(b, 4, &(nas_value){0, 0}));
    FAILS(c, NAS_E_INVALID, "\"kind\": alternative 3", nas_propose_value(b, 0, &(nas_value){3, 0}));
    FAILS(c, NAS_E_INVALID, "alternative -1", nas_propose_value(b, 0, &(nas_value){-1, 0}));
    FAILS(c, NAS_E_INVALID, "8 .. 64 in steps of 8", nas_propose_value(b, 2, &(nas_value){9, 0}));
    FAILS(c, NAS_E_INVALID, "0.2 is not in 0.001 .. 0.1",
          nas_propose_value(b, 3, &(nas_value){0, 0.2}));
    FAILS(c, NAS_E_INVALID, "nan", nas_propose_value(b, 3, &(nas_value){0, NAN}));
    FAILS(c, NAS_E_INVALID, "only a choice has paths", nas_propose_paths(b, 2, &path, 1));
    FAILS(c, NAS_E_INVALID, "no path", nas_propose_paths(b, 0, &path, 0));
    FAILS(c, NAS_E_INVALID, "4 paths for 3", nas_propose_paths(b, 0, &path, 4));
    FAILS(c, NAS_E_INVALID, "\"pool\" is listed twice", nas_propose_paths(b, 0, twice, 2));
    path.alternative = 7;
    FAILS(c, NAS_E_INVALID, "path 0: alternative 7", nas_propose_paths(b, 0, &path, 1));
    path = (nas_path){0, 2, 1, 1};
    FAILS(c, NAS_E_INVALID, "active is 2", nas_propose_paths(b, 0, &path, 1));
    path = (nas_path){0, 1, INFINITY, 1};
    FAILS(c, NAS_E_DIVERGED, "weight is inf", nas_propose_paths(b, 0, &path, 1));
    path = (nas_path){0, 1, 1, 0};
    FAILS(c, NAS_E_INVALID, "channels is 0", nas_propose_paths(b, 0, &path, 1));
    FAILS(c, NAS_E_INVALID, "wants is 0", nas_propose_want(b, 0));
    FAILS(c, NAS_E_INVALID, "wants is 16", nas_propose_want(b, 16));
    FAILS(c, NAS_E_INVALID, "never sees the test split", nas_propose_batch(b, NAS_SPLIT_TEST, 0));
    FAILS(c, NAS_E_INVALID, "name must have", nas_propose_fidelity(b, "", 1));
    FAILS(c, NAS_E_INVALID, "\"epochs\" is -1", nas_propose_fidelity(b, "epochs", -1));
    FAILS(c, NAS_E_INVALID, "not an earlier one", nas_propose_from(b, 7, NAS_FROM_CONTINUE));
    FAILS(c, NAS_E_INVALID, "is none of", nas_propose_from(b, 1, 9));
    FAILS(c, NAS_E_INVALID, "not an earlier one", nas_propose_parent(b, 8));
    FAILS(c, NAS_E_INVALID, "neither", nas_propose_weights(b, 2, 0));
    FAILS(c, NAS_E_DIVERGED, "displacement is nan", nas_propose_displacement(b, NAN));
    FAILS(c, NAS_E_INVALID, "token is NULL", nas_propose_token(b, NULL, 3));

    nas_space *other = make_space(c, 2, 2);
    nas_random *random;
    nas_arch *arch;
    MUST(c, nas_random_create(&random, c, 1, 0, ""));
    MUST(c, nas_space_sample(other, random, &arch));
    FAILS(c, NAS_E_INVALID, "\"letters\"", nas_propose_arch(b, arch));
    nas_arch_free(arch);
    nas_random_free(random);
    nas_space_free(other);

    /* Only a part was given: the first that is missing is named, the one that cannot matter is not.
     */
    MUST(c, nas_propose_value(b, 0, &(nas_value){1, 0}));
    FAILS(c, NAS_E_INVALID, "nothing of decision \"width\"", ni_proposal_finish(b, &out));
}

static void test_discrete(void **in) {
    state *s = *in;
    nas_proposal_builder *b = s->builder;
    nas_proposal *p;
    uint32_t n;
    size_t n_token;
    int32_t how;
    uint64_t ahead;
    nas_value value;
    assert_int_equal(nas_propose_turn(b), 9);
    assert_int_equal(nas_propose_trial(b), 7);
    assert_ptr_equal(nas_propose_space(b), s->space);
    give_all(s, 0);
    MUST(s->context, nas_propose_fidelity(b, "epochs", 3));
    MUST(s->context, nas_propose_fidelity(b, "epochs", 4));
    MUST(s->context, nas_propose_from(b, 2, NAS_FROM_INHERIT));
    MUST(s->context, nas_propose_parent(b, 3));
    MUST(s->context, nas_propose_evaluator(b, "train"));
    MUST(s->context, nas_propose_note(b, "two\nlines"));
    MUST(s->context, nas_propose_token(b, "abc", 3));
    assert_string_equal(nas_proposal_evaluator(nas_propose_so_far(b)), "train");
    MUST(s->context, ni_proposal_finish(b, &p));
    assert_non_null(nas_proposal_arch(p));
    assert_int_equal(nas_proposal_turn(p), 9);
    assert_int_equal(nas_proposal_trial(p), 7);
    assert_int_equal(nas_proposal_seen(p), 5);
    assert_int_equal(nas_proposal_seed(p), 11);
    assert_int_equal(nas_proposal_wants(p), NAS_WANT_METRICS);
    assert_int_equal(nas_proposal_split(p), NAS_SPLIT_NONE);
    assert_true(nas_proposal_batch(p) == NAS_BATCH_WHOLE);
    assert_true(nas_proposal_fidelity(p, "epochs", 9) == 4);
    assert_true(nas_proposal_fidelity(p, "resolution", 9) == 9);
    assert_int_equal(nas_proposal_from(p, &how), 2);
    assert_int_equal(how, NAS_FROM_INHERIT);
    assert_int_equal(nas_proposal_parent(p), 3);
    assert_string_equal(nas_proposal_note(p), "two lines");
    assert_memory_equal(nas_proposal_token(p, &n_token), "abc", 3);
    assert_int_equal(n_token, 3);
    assert_int_equal(nas_proposal_weights(p, &ahead), NAS_WEIGHTS_LIVE);
    assert_int_equal(nas_proposal_ends_trial(p), 1);
    assert_int_equal(nas_proposal_path_count(p), 2); /* two choices */
    const nas_path *path = nas_proposal_paths(p, 1, &n);
    assert_int_equal(n, 1);
    assert_int_equal(path->alternative, 1);
    assert_true(path->active == 1 && path->weight == 1 && path->channels == 1);
    assert_null(nas_proposal_paths(p, 2, &n));
    assert_int_equal(n, 0);
    MUST(s->context, nas_proposal_value(p, 2, &value));
    assert_int_equal(value.integer, 24);
    FAILS(s->context, NAS_E_INVALID, "decision 9", nas_proposal_value(p, 9, &value));

    /* The stream belongs to seed, trial and purpose. */
    nas_random *one, *again, *other;
    MUST(s->context, nas_proposal_random(p, "weights", &one));
    MUST(s->context, nas_random_create(&again, s->context, 11, 7, "weights"));
    MUST(s->context, nas_proposal_random(p, "data", &other));
    uint64_t x = nas_random_u64(one);
    assert_true(x == nas_random_u64(again));
    assert_true(x != nas_random_u64(other));
    nas_random_free(one);
    nas_random_free(again);
    nas_random_free(other);
}

static void test_relaxed(void **in) {
    state *s = *in;
    nas_proposal_builder *b = s->builder;
    nas_proposal *p;
    uint32_t n;
    nas_path kinds[2] = {{2, 1, 0.25, 0.5}, {0, 0, 0.75, 1}}, kernel = {1, 1, 1, 1};
    nas_value value;
    MUST(s->context, nas_propose_paths(b, 0, kinds, 2));
    MUST(s->context, nas_propose_value(b, 2, &(nas_value){8, 0}));
    MUST(s->context, nas_propose_value(b, 3, &(nas_value){0, 0.05}));
    FAILS(s->context, NAS_E_INVALID, "\"kernel\"", ni_proposal_finish(b, &p)); /* conv is listed */
    MUST(s->context, nas_propose_paths(b, 1, &kernel, 1));
    MUST(s->context, nas_propose_want(b, NAS_WANT_ARCH_GRADIENT | NAS_WANT_KEEP_DIRECTION));
    MUST(s->context, nas_propose_batch(b, NAS_SPLIT_VALIDATION, 12));
    MUST(s->context, nas_propose_weights(b, NAS_WEIGHTS_LOOKAHEAD, 13));
    MUST(s->context, nas_propose_displacement(b, -0.5));
    MUST(s->context, nas_propose_continue_trial(b));
    MUST(s->context, ni_proposal_finish(b, &p));
    assert_null(nas_proposal_arch(p));
    assert_int_equal(nas_proposal_path_count(p), 3);
    assert_int_equal(nas_proposal_path_offset(p, 0), 0);
    assert_int_equal(nas_proposal_path_offset(p, 1), 2);
    assert_int_equal(nas_proposal_path_offset(p, 99), 3);
    const nas_path *paths = nas_proposal_paths(p, 0, &n);
    assert_int_equal(n, 2);
    assert_true(paths[0].alternative == 2 && paths[0].weight == 0.25 && paths[0].channels == 0.5);
    assert_true(paths[1].alternative == 0 && !paths[1].active);
    assert_int_equal(nas_proposal_ends_trial(p), 0);
    FAILS(s->context, NAS_E_STATE, "read its paths", nas_proposal_value(p, 0, &value));
    MUST(s->context, nas_proposal_value(p, 2, &value));
    assert_int_equal(value.integer, 8);
}

/* propose_arch, then one decision otherwise. */
static void test_changed_arch(void **in) {
    state *s = *in;
    nas_arch *arch;
    nas_proposal *p;
    nas_value values[4] = {{0, 0}, {1, 0}, {24, 0}, {0, 0.01}}, value;
    MUST(s->context, nas_arch_create(&arch, s->space, values, 4));
    MUST(s->context, nas_propose_arch(s->builder, arch));
    MUST(s->context, nas_propose_value(s->builder, 2, &(nas_value){64, 0}));
    MUST(s->context, ni_proposal_finish(s->builder, &p));
    assert_non_null(nas_proposal_arch(p));
    assert_false(nas_arch_equal(arch, nas_proposal_arch(p)));
    MUST(s->context, nas_arch_value(nas_proposal_arch(p), 2, &value));
    assert_int_equal(value.integer, 64);
    MUST(s->context, nas_arch_value(nas_proposal_arch(p), 1, &value));
    assert_int_equal(value.integer, 1);
    nas_arch_free(arch);
}

static void round_trip(state *s, nas_proposal *p) {
    nas_writer *writer;
    nas_reader *reader;
    nas_proposal *back;
    const char *what;
    size_t n;
    MUST(s->context, nas_writer_create(&writer, s->context));
    MUST(s->context, ni_proposal_save(p, writer));
    const unsigned char *bytes = nas_writer_data(writer, &n);
    MUST(s->context, nas_reader_create(&reader, s->context, bytes, n));
    MUST(s->context, ni_proposal_load(&back, s->context, s->space, reader));
    assert_int_equal(nas_reader_left(reader), 0);
    nas_reader_free(reader);
    assert_true(ni_proposal_equal(p, back, &what));
    assert_null(what);
    assert_int_equal(nas_proposal_seen(back), nas_proposal_seen(p));
    ni_proposal_free(back);
    /* Every shorter text of bytes is refused, and so is every one with a byte that differs, unless
     * it means another proposal. */
    unsigned char *copy = malloc(n);
    for (size_t cut = 0; cut < n; cut++) {
        memcpy(copy, bytes, cut);
        MUST(s->context, nas_reader_create(&reader, s->context, copy, cut));
        assert_true(ni_proposal_load(&back, s->context, s->space, reader) < 0);
        nas_reader_free(reader);
    }
    for (size_t at = 0; at < n; at++)
        for (int bit = 0; bit < 8; bit += 3) {
            memcpy(copy, bytes, n);
            copy[at] ^= (unsigned char)(1 << bit);
            MUST(s->context, nas_reader_create(&reader, s->context, copy, n));
            if (ni_proposal_load(&back, s->context, s->space, reader) >= 0) ni_proposal_free(back);
            nas_reader_free(reader);
        }
    free(copy);
    nas_writer_free(writer);
}

static void test_bytes(void **in) {
    state *s = *in;
    nas_proposal *p;
    nas_path kinds[2] = {{2, 1, 0.25, 0.5}, {1, 0, 0.75, 1}};
    give_all(s, 0);
    MUST(s->context, nas_propose_fidelity(s->builder, "epochs", 3));
    MUST(s->context, nas_propose_note(s->builder, "a note"));
    MUST(s->context, nas_propose_token(s->builder, "\0\1\2", 3));
    MUST(s->context, nas_propose_from(s->builder, 2, NAS_FROM_CONTINUE));
    MUST(s->context, ni_proposal_finish(s->builder, &p));
    round_trip(s, p);
    ni_proposal_reset(s->builder);
    assert_true(nas_proposal_from(nas_propose_so_far(s->builder), NULL) == NAS_TRIAL_NONE);
    MUST(s->context, nas_propose_paths(s->builder, 0, kinds, 2));
    MUST(s->context, nas_propose_value(s->builder, 2, &(nas_value){8, 0}));
    MUST(s->context, nas_propose_value(s->builder, 3, &(nas_value){0, 0.05}));
    MUST(s->context, nas_propose_continue_trial(s->builder));
    MUST(s->context, ni_proposal_finish(s->builder, &p));
    round_trip(s, p);
}

static void test_equal(void **in) {
    state *s = *in;
    nas_proposal *p, *other;
    nas_proposal_builder *b;
    const char *what;
    give_all(s, 1);
    MUST(s->context, ni_proposal_finish(s->builder, &p));
    MUST(s->context, ni_proposal_create(&b, s->context, s->space, 11, 9, 7, 5));
    MUST(s->context, nas_propose_arch(b, nas_proposal_arch(p)));
    MUST(s->context, ni_proposal_finish(b, &other));
    assert_true(ni_proposal_equal(p, other, &what)); /* said in two ways */
    assert_true(ni_proposal_reuse_key(p) != 0);
    assert_true(ni_proposal_reuse_key(p) == ni_proposal_reuse_key(other));
    MUST(s->context, nas_propose_fidelity(b, "epochs", 1));
    assert_false(ni_proposal_equal(p, other, &what));
    assert_string_equal(what, "fidelities");
    assert_true(ni_proposal_reuse_key(p) != ni_proposal_reuse_key(other));
    MUST(s->context, nas_propose_want(b, NAS_WANT_WEIGHT_STEP));
    assert_int_equal(ni_proposal_reuse_key(other), 0);
    assert_false(ni_proposal_equal(p, other, &what));
    assert_string_equal(what, "wants");
    ni_proposal_builder_free(b);
}

/* ---- results
 * ----------------------------------------------------------------------------------------- */

static void test_result(void **in) {
    state *s = *in;
    nas_context *c = s->context;
    nas_result_builder *b;
    nas_result *r;
    double value, x, y;
    size_t n;
    char long_name[80];
    const double gradient[3] = {1, -2, 3}, bad[2] = {1, NAN};
    memset(long_name, 'x', 79);
    long_name[79] = 0;
    MUST(c, nas_result_create(&b, c));
    FAILS(c, NAS_E_DIVERGED, "\"loss\" is inf", nas_result_set(b, "loss", INFINITY));
    FAILS(c, NAS_E_INVALID, "1 to 63 bytes", nas_result_set(b, long_name, 1));
    FAILS(c, NAS_E_INVALID, "1 to 63 bytes", nas_result_set(b, "two\nlines", 1));
    FAILS(c, NAS_E_DIVERGED, "curve \"loss\" is nan", nas_result_add_point(b, "loss", 1, NAN));
    FAILS(c, NAS_E_DIVERGED, "number 1 of the gradient", nas_result_set_gradient(b, bad, 2));
    FAILS(c, NAS_E_INVALID, "state 9", nas_result_set_state(b, 9));
    FAILS(c, NAS_E_INVALID, "reason 0", nas_result_set_infeasible(b, NAS_REASON_NONE, ""));
    assert_int_equal(nas_result_metric(nas_result_so_far(b), "loss", &value), NAS_E_NOT_FOUND);
    MUST(c, nas_result_set(b, "loss", -0.0));
    MUST(c, nas_result_set(b, "accuracy", 0.5));
    MUST(c, nas_result_set(b, "accuracy", 0.75));
    MUST(c, nas_result_add_point(b, "accuracy", 1, 0.5));
    MUST(c, nas_result_add_point(b, "accuracy", 2, 0.75));
    MUST(c, nas_result_add_point(b, "loss", 2, 0.1));
    MUST(c, nas_result_set_gradient(b, gradient, 3));
    MUST(c, ni_result_take(b, &r));
    assert_null(nas_result_metric_at(nas_result_so_far(b), 0, NULL)); /* the builder is empty */
    assert_string_equal(nas_result_metric_at(r, 0, &value), "loss");
    assert_true(value == 0 && !signbit(value));
    assert_string_equal(nas_result_metric_at(r, 1, &value), "accuracy");
    assert_true(value == 0.75);
    assert_null(nas_result_metric_at(r, 2, &value));
    assert_int_equal(nas_result_points(r, "accuracy"), 2);
    assert_int_equal(nas_result_points(r, "other"), 0);
    MUST(c, nas_result_point(r, "accuracy", 1, &x, &y));
    assert_true(x == 2 && y == 0.75);
    assert_int_equal(nas_result_point(r, "accuracy", 2, &x, &y), NAS_E_NOT_FOUND);
    assert_string_equal(nas_result_curve_at(r, 1), "loss");
    assert_null(nas_result_curve_at(r, 2));
    assert_memory_equal(nas_result_gradient(r, &n), gradient, sizeof gradient);
    assert_int_equal(n, 3);
    assert_true(isnan(nas_result_score(r)));
    ni_result_set_score(r, 0.75);

    MUST(c, ni_result_copy(r, b));
    MUST(c, nas_result_set_state(b, NAS_STATE_CACHED));
    assert_int_equal(nas_result_state(nas_result_so_far(b)), NAS_STATE_CACHED);
    assert_int_equal(nas_result_points(nas_result_so_far(b), "accuracy"), 2);
    MUST(c, nas_result_set_infeasible(b, NAS_REASON_DIVERGED, "loss is inf"));
    MUST(c, nas_result_set_state(b, NAS_STATE_COMPLETE));
    assert_int_equal(nas_result_reason(nas_result_so_far(b)), NAS_REASON_NONE);
    assert_string_equal(nas_result_sentence(nas_result_so_far(b)), "");
    MUST(c, nas_result_set_infeasible(b, NAS_REASON_DIVERGED, "loss is inf"));

    nas_writer *writer;
    nas_reader *reader;
    nas_result *back;
    const nas_result *both[2] = {r, nas_result_so_far(b)};
    for (int i = 0; i < 2; i++) {
        MUST(c, nas_writer_create(&writer, c));
        MUST(c, ni_result_save(both[i], writer));
        const void *bytes = nas_writer_data(writer, &n);
        MUST(c, nas_reader_create(&reader, c, bytes, n));
        MUST(c, ni_result_load(&back, c, reader));
        nas_reader_free(reader);
        assert_int_equal(nas_result_state(back), nas_result_state(both[i]));
        assert_int_equal(nas_result_reason(back), nas_result_reason(both[i]));
        assert_string_equal(nas_result_sentence(back), nas_result_sentence(both[i]));
        assert_true(nas_result_score(back) == 0.75);
        assert_int_equal(nas_result_points(back, "accuracy"), 2);
        ni_result_free(back);
        for (size_t cut = 0; cut < n; cut++) {
            MUST(c, nas_reader_create(&reader, c, bytes, cut));
            assert_true(ni_result_load(&back, c, reader) < 0);
            nas_reader_free(reader);
        }
        nas_writer_free(writer);
    }
    ni_result_free(r);
    nas_result_free(b);
}

static void test_time_names(void **in) {
    (void)in;
    assert_true(ni_metric_is_time("seconds"));
    assert_true(ni_metric_is_time("train_seconds"));
    assert_false(ni_metric_is_time("_seconds"));
    assert_false(ni_metric_is_time("seconds_left"));
    assert_false(ni_metric_is_time("latency"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_discrete, begin, end),
        cmocka_unit_test_setup_teardown(test_relaxed, begin, end),
        cmocka_unit_test_setup_teardown(test_changed_arch, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes, begin, end),
        cmocka_unit_test_setup_teardown(test_equal, begin, end),
        cmocka_unit_test_setup_teardown(test_result, begin, end),
        cmocka_unit_test(test_time_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
