/* Contexts and memory: options, allocator, limits, children, slots, arrays, arenas, maps, and the
 * sweep that fails each allocation of a scenario in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <unistd.h>
#include "allocator.h"
#include "core/core.h"

static nas_context *plain_context(void) {
    nas_context *context = NULL;
    assert_int_equal(nas_context_create(&context, NULL), NAS_OK);
    return context;
}

/* ---- the versioned struct ------------------------------------------------------------------- */

typedef struct {
    uint32_t struct_size, a, b, c;
} three;

static void options_may_be_shorter_or_longer(void **state) {
    (void)state;
    nas_context *context = plain_context();
    const three defaults = {sizeof(three), 1, 2, 3};
    struct {
        three head;
        uint32_t tail[4];
    } longer = {{sizeof longer, 10, 20, 30}, {0}};

    three got = defaults;
    assert_int_equal(ni_options(context, &got, sizeof got, 8, NULL, "three"), NAS_OK);
    assert_int_equal(got.c, 3);

    three shorter = {8, 10, 20, 30}; /* as compiled when there was only `a` */
    got = defaults;
    assert_int_equal(ni_options(context, &got, sizeof got, 8, &shorter, "three"), NAS_OK);
    assert_int_equal(got.struct_size, sizeof(three));
    assert_int_equal(got.a, 10);
    assert_int_equal(got.b, 2);
    assert_int_equal(got.c, 3);

    got = defaults;
    assert_int_equal(ni_options(context, &got, sizeof got, 8, &longer, "three"), NAS_OK);
    assert_int_equal(got.c, 30);

    longer.tail[3] = 1;
    got = defaults;
    assert_int_equal(ni_options(context, &got, sizeof got, 8, &longer, "three"), NAS_E_UNSUPPORTED);
    assert_int_equal(got.a, 1); /* untouched */
    assert_non_null(strstr(nas_context_error(context), "three: byte 28"));

    three unset = {0, 0, 0, 0};
    assert_int_equal(ni_options(context, &got, sizeof got, 8, &unset, "three"), NAS_E_INVALID);
    assert_non_null(strstr(nas_context_error(context), "struct_size is 0"));
    unset.struct_size = 0xcdcdcdcd;
    assert_int_equal(ni_options(context, &got, sizeof got, 8, &unset, "three"), NAS_E_INVALID);
    nas_context_free(context);
}

/* ---- contexts ------------------------------------------------------------------------------- */

typedef struct {
    int n;
    int32_t level;
    char text[2000];
} last_log;

static void keep_log(void *user, int32_t level, const char *text) {
    last_log *log = user;
    log->n++;
    log->level = level;
    snprintf(log->text, sizeof log->text, "%s", text);
}

static void context_options_are_checked(void **state) {
    (void)state;
    last_log log = {0};
    nas_context *context = NULL;
    nas_context_options options;
    nas_context_options_init(&options);
    const nas_context_options fresh = NAS_CONTEXT_OPTIONS_INIT;
    assert_memory_equal(&options, &fresh, sizeof options);
    options.log = keep_log;
    options.log_user = &log;

    options.threads = 5000;
    assert_int_equal(nas_context_create(&context, &options), NAS_E_INVALID);
    assert_non_null(strstr(log.text, "threads"));
    options.threads = 3;
    options.isa = 77;
    assert_int_equal(nas_context_create(&context, &options), NAS_E_UNSUPPORTED);
    assert_non_null(strstr(log.text, "77"));
    options.isa = NAS_ISA_GENERIC;
    options.flags = 1;
    assert_int_equal(nas_context_create(&context, &options), NAS_E_INVALID);
    options.flags = 0;
    options.log_level = 9;
    assert_int_equal(nas_context_create(&context, &options), NAS_E_INVALID);
    options.log_level = 0;
    options.memory_limit = 10;
    assert_int_equal(nas_context_create(&context, &options), NAS_E_MEMORY);
    options.memory_limit = 0;
    nas_allocator half = {sizeof half, 0, NULL, test_allocate, NULL, test_release};
    options.allocator = &half;
    assert_int_equal(nas_context_create(&context, &options), NAS_E_INVALID);
    options.allocator = NULL;
    assert_int_equal(nas_context_create(NULL, &options), NAS_E_INVALID);
    assert_null(context);

    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    assert_int_equal(nas_context_threads(context), 3);
    assert_int_equal(nas_context_isa(context), NAS_ISA_GENERIC);
    nas_context_free(context);
    nas_context_free(NULL);

    context = plain_context();
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    assert_in_range(nas_context_threads(context), 1, (uintmax_t)processors);
    assert_true(ni_isa_available(nas_context_isa(context)));
    assert_int_equal(nas_context_isa(context), ni_isa_best());
    nas_context_free(context);
}

static void names_of_statuses_and_versions(void **state) {
    (void)state;
    assert_int_equal(nas_version(), NAS_VERSION);
    assert_string_equal(nas_version_text(), NAS_VERSION_TEXT);
    assert_string_equal(nas_status_name(NAS_E_MEMORY), "NAS_E_MEMORY");
    assert_string_equal(nas_status_text(NAS_E_MEMORY), "out of memory");
    assert_string_equal(nas_status_name(NAS_OK), "NAS_OK");
    assert_string_equal(nas_status_name(-77), "NAS_STATUS_UNKNOWN");
    assert_string_equal(nas_status_name(-1234), "NAS_STATUS_CALLER");
    assert_non_null(nas_status_text(55));
    assert_string_equal(nas_isa_name(NAS_ISA_AVX2), "avx2");
    assert_string_equal(nas_isa_name(99), "unknown");
}

static void freeing_with_children_is_refused(void **state) {
    (void)state;
    last_log log = {0};
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.log = keep_log;
    options.log_user = &log;
    nas_context *context;
    nas_writer *writer;
    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    assert_int_equal(nas_writer_create(&writer, context), NAS_OK);
    nas_context_free(context);
    assert_int_equal(log.n, 1);
    assert_int_equal(log.level, NAS_LOG_ERROR);
    assert_non_null(strstr(log.text, "1 handles"));
    assert_int_equal(nas_write_u64(writer, 5), NAS_OK); /* all still works */
    nas_writer_free(writer);
    nas_context_free(context);
    assert_int_equal(log.n, 1);
}

static int created, destroyed;

static nas_status create_slot(void **out, nas_context *context) {
    created++;
    *out = ni_strdup(context, "slot");
    return *out ? NAS_OK : NAS_E_MEMORY;
}

static nas_status create_nothing(void **out, nas_context *context) {
    (void)out;
    return ni_fail(context, NAS_E_LIMIT, "not now");
}

static void destroy_slot(nas_context *context, void *data) {
    destroyed++;
    ni_free(context, data);
}

static void slots_are_made_once(void **state) {
    (void)state;
    nas_context *context = plain_context();
    void *first = NULL, *second = NULL;
    created = destroyed = 0;
    assert_int_equal(ni_context_slot(&first, context, 1, create_nothing, destroy_slot),
                     NAS_E_LIMIT);
    assert_null(first);
    assert_int_equal(ni_context_slot(&first, context, 1, create_slot, destroy_slot), NAS_OK);
    assert_int_equal(ni_context_slot(&second, context, 1, create_slot, destroy_slot), NAS_OK);
    assert_ptr_equal(first, second);
    assert_string_equal(first, "slot");
    assert_int_equal(created, 1);
    nas_context_free(context);
    assert_int_equal(destroyed, 1);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void blocks_keep_alignment_and_contents(void **state) {
    (void)state;
    test_allocator heap = TEST_ALLOCATOR_INIT;
    nas_allocator table = test_allocator_table(&heap);
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.allocator = &table;
    nas_context *context;
    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    nas_memory_use before = NAS_MEMORY_USE_INIT, now = NAS_MEMORY_USE_INIT;
    assert_int_equal(nas_context_memory(context, &before), NAS_OK);
    assert_int_equal(before.bytes_now, (uint64_t)heap.bytes);

    static const size_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 1000, 4096, 100001};
    for (size_t i = 0; i < NI_COUNT(sizes); i++) {
        size_t n = sizes[i];
        unsigned char *a = ni_alloc(context, n), *b = ni_alloc_aligned(context, n);
        assert_non_null(a);
        assert_non_null(b);
        assert_int_equal((uintptr_t)a % 16, 0);
        assert_int_equal((uintptr_t)b % 64, 0);
        memset(a, 1, n);
        memset(b, 2, n);
        a = ni_realloc(context, a, n * 3 + 1);
        b = ni_realloc(context, b, n * 3 + 1);
        assert_non_null(a);
        assert_non_null(b);
        assert_int_equal((uintptr_t)b % 64, 0);
        for (size_t k = 0; k < n; k++)
            assert_true(a[k] == 1 && b[k] == 2);
        a = ni_realloc(context, a, n / 2);
        b = ni_realloc(context, b, n / 2);
        assert_non_null(a);
        assert_non_null(b);
        for (size_t k = 0; k < n / 2; k++)
            assert_true(a[k] == 1 && b[k] == 2);
        assert_int_equal(nas_context_memory(context, &now), NAS_OK);
        assert_int_equal(now.bytes_now, (uint64_t)heap.bytes);
        assert_true(now.bytes_peak >= now.bytes_now + n);
        ni_free(context, a);
        ni_free(context, b);
    }
    ni_free(context, NULL);
    char *zero = ni_calloc(context, 10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zero[i], 0);
    ni_free(context, zero);
    char *copy = ni_strndup(context, "abcdef", 3);
    assert_string_equal(copy, "abc");
    ni_free(context, copy);
    copy = ni_memdup(context, "xyz", 4);
    assert_string_equal(copy, "xyz");
    ni_free(context, copy);

    assert_int_equal(nas_context_memory(context, &now), NAS_OK);
    assert_int_equal(now.bytes_now, before.bytes_now);
    assert_int_equal(now.allocations, (uint64_t)heap.calls);
    now.struct_size = 3;
    assert_int_equal(nas_context_memory(context, &now), NAS_E_INVALID);
    nas_context_free(context);
    assert_int_equal(heap.blocks, 0);
    assert_int_equal(heap.bytes, 0);
    assert_false(heap.wrong_size);
}

static void impossible_sizes_fail(void **state) {
    (void)state;
    nas_context *context = plain_context();
    size_t size;
    uint64_t wide;
    assert_false(ni_mul_size(SIZE_MAX, 2, &size));
    assert_false(ni_add_size(SIZE_MAX, 1, &size));
    assert_false(ni_mul_u64(UINT64_MAX, 2, &wide));
    assert_true(ni_mul_size(6, 7, &size));
    assert_int_equal(size, 42);
    assert_null(ni_calloc(context, SIZE_MAX / 2, 3));
    assert_null(ni_alloc(context, SIZE_MAX - 3));
    assert_null(ni_alloc_aligned(context, SIZE_MAX - 3));
    void *block = ni_alloc(context, 10);
    assert_null(ni_realloc(context, block, SIZE_MAX - 3));
    assert_int_equal(nas_context_error_status(context), NAS_E_MEMORY);
    ni_free(context, block);
    nas_memory_use use = NAS_MEMORY_USE_INIT;
    nas_context_memory(context, &use);
    assert_true(use.bytes_now < 100000);
    nas_context_free(context);
}

static void the_limit_holds(void **state) {
    (void)state;
    nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
    options.memory_limit = 100000;
    nas_context *context;
    assert_int_equal(nas_context_create(&context, &options), NAS_OK);
    void *most = ni_alloc(context, 80000);
    assert_non_null(most);
    assert_null(ni_alloc(context, 30000));
    assert_int_equal(nas_context_error_status(context), NAS_E_MEMORY);
    assert_non_null(strstr(nas_context_error(context), "30000"));
    assert_non_null(strstr(nas_context_error(context), "memory_limit is 100000"));
    assert_null(ni_realloc(context, most, 120000)); /* and the old block is still there */
    memset(most, 7, 80000);
    ni_free(context, most);
    most = ni_alloc(context, 90000);
    assert_non_null(most);
    ni_free(context, most);
    nas_memory_use use = NAS_MEMORY_USE_INIT;
    nas_context_memory(context, &use);
    assert_true(use.bytes_peak <= 100000);
    nas_context_free(context);
}

/* ---- containers ----------------------------------------------------------------------------- */

static void arrays_grow(void **state) {
    (void)state;
    nas_context *context = plain_context();
    NI_ARRAY(int) numbers = {0};
    for (int i = 0; i < 10000; i++)
        assert_int_equal(NI_PUSH(context, &numbers, i), NAS_OK);
    assert_int_equal(numbers.n, 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(numbers.items[i], i);
    NI_ARRAY_FREE(context, &numbers);
    assert_null(numbers.items);
    assert_int_equal(numbers.capacity, 0);
    nas_context_free(context);
}

static void arenas_hand_out_zeroed_memory(void **state) {
    (void)state;
    nas_context *context = plain_context();
    ni_arena *arena;
    assert_int_equal(ni_arena_create(&arena, context), NAS_OK);
    static unsigned char *block[500];
    static const size_t sizes[] = {1, 7, 16, 100, 3000, 70000, 0};
    for (size_t i = 0; i < NI_COUNT(block); i++) {
        size_t n = sizes[i % NI_COUNT(sizes)];
        block[i] = ni_arena_alloc(arena, n);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 16, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(block[i][k], 0);
        memset(block[i], (int)(i % 250 + 1), n);
    }
    for (size_t i = 0; i < NI_COUNT(block); i++)
        for (size_t k = 0; k < sizes[i % NI_COUNT(sizes)]; k++)
            assert_int_equal(block[i][k], i % 250 + 1);
    assert_string_equal(ni_arena_strdup(arena, "name"), "name");
    assert_null(ni_arena_alloc(arena, SIZE_MAX - 5));
    ni_arena_free(arena);
    ni_arena_free(NULL);
    nas_context_free(context);
}

static void maps_agree_with_a_plain_table(void **state) {
    (void)state;
    enum { KEYS = 700 };
    static bool there[KEYS];
    static uint64_t wanted[KEYS];
    nas_context *context = plain_context();
    ni_map *map;
    nas_random random;
    size_t count = 0;
    memset(there, 0, sizeof there);
    ni_random_init(&random, 1, 0, "map");
    assert_int_equal(ni_map_create(&map, context), NAS_OK);
    assert_false(ni_map_get(map, 0, NULL));
    assert_false(ni_map_remove(map, 0));
    for (int turn = 0; turn < 50000; turn++) {
        uint64_t i = nas_random_below(&random, KEYS), key = i * i * 4096; /* 0 among them */
        uint64_t value = nas_random_u64(&random), got = 0;
        /* More removals in the second half, so that the table empties through long runs. */
        if (nas_random_below(&random, 10) < (turn < 25000 ? 6 : 3)) {
            assert_int_equal(ni_map_put(map, key, value), NAS_OK);
            count += !there[i];
            there[i] = true;
            wanted[i] = value;
        } else {
            assert_int_equal(ni_map_remove(map, key), there[i]);
            count -= there[i];
            there[i] = false;
        }
        i = nas_random_below(&random, KEYS);
        assert_int_equal(ni_map_get(map, i * i * 4096, &got), there[i]);
        if (there[i]) assert_int_equal(got, wanted[i]);
        assert_int_equal(ni_map_count(map), count);
    }
    for (uint64_t i = 0; i < KEYS; i++)
        assert_int_equal(ni_map_get(map, i * i * 4096, NULL), there[i]);
    ni_map_free(map);
    ni_map_free(NULL);
    nas_context_free(context);
}

static void hashes_are_the_published_ones(void **state) {
    (void)state;
    /* XXH3 of nothing, 64 and 128 bits, from xxHash's documentation of its test vectors. */
    assert_true(ni_hash("", 0) == 0x2d06800538d394c2u);
    ni_hash128 wide = ni_hash_128("", 0);
    assert_true(wide.low == 0x6001c324468d497fu);
    assert_true(wide.high == 0x99aa06d3014798d8u);
    assert_true(ni_hash_text("abc") == ni_hash("abc", 3));
    assert_true(ni_hash_seeded("abc", 3, 1) != ni_hash("abc", 3));
    assert_true(ni_hash_seeded("abc", 3, 0) == ni_hash("abc", 3));
}

static void nearest_names(void **state) {
    (void)state;
    static const char *const known[] = {"population", "sample",     "seed",
                                        "epochs",     "batch-size", "lr"};
    size_t n = NI_COUNT(known);
    assert_string_equal(ni_nearest("populaton", known, n), "population");
    assert_string_equal(ni_nearest("sede", known, n), "seed");
    assert_string_equal(ni_nearest("batch_size", known, n), "batch-size");
    assert_string_equal(ni_nearest("Epoch", known, n), "epochs");
    assert_string_equal(ni_nearest("pop", known, n), "population");
    assert_string_equal(ni_nearest("rl", known, n), "lr");
    assert_null(ni_nearest("optimizer", known, n));
    assert_null(ni_nearest("x", known, n));
    assert_null(ni_nearest("", known, n));
    assert_null(ni_nearest("seed", known, 0));
    char endless[300];
    memset(endless, 's', sizeof endless);
    endless[299] = 0;
    assert_null(ni_nearest(endless, known, n));
}

/* ---- each allocation fails in turn ---------------------------------------------------------- */

static void add_piece(void *user, uint32_t piece, uint32_t lane) {
    (void)lane;
    ((int *)user)[piece]++;
}

static void nothing(void *user) {
    (void)user;
}

static nas_status swallow(void *user, const void *bytes, size_t n) {
    (void)bytes;
    *(size_t *)user += n;
    return NAS_OK;
}

static nas_status scenario(nas_context *context, const char *path) {
    nas_status status = NAS_OK;
    ni_arena *arena = NULL;
    ni_map *map = NULL;
    nas_sink *file = NULL, *memory = NULL, *own = NULL;
    nas_writer *writer = NULL;
    nas_reader *reader = NULL;
    nas_random *random = NULL;
    ni_thread *thread = NULL;
    ni_mutex *mutex = NULL;
    ni_cond *cond = NULL;
    void *contents = NULL, *slot, *aligned = NULL;
    NI_ARRAY(double) numbers = {0};
    ni_text text;
    size_t n, written = 0;
    int done[16] = {0};
    ni_text_init(&text, context);
    NI_GOTO(end, ni_arena_create(&arena, context));
    for (int i = 0; i < 100; i++) {
        if (!ni_arena_alloc(arena, 200)) {
            status = NAS_E_MEMORY;
            goto end;
        }
    }
    NI_GOTO(end, ni_map_create(&map, context));
    for (uint64_t i = 0; i < 100; i++) {
        NI_GOTO(end, ni_map_put(map, i, i));
        NI_GOTO(end, NI_PUSH(context, &numbers, (double)i));
    }
    aligned = ni_alloc_aligned(context, 100);
    if (!aligned) {
        status = NAS_E_MEMORY;
        goto end;
    }
    NI_GOTO(end, ni_context_slot(&slot, context, 0, create_slot, destroy_slot));
    for (int i = 0; i < 100; i++)
        ni_text_f(&text, "%d of a longer line of text, %s\n", i, "and so on");
    ni_text_json(&text, "\"<\n");
    ni_text_f64(&text, 0.1);
    NI_GOTO(end, text.status);
    NI_GOTO(end, nas_sink_file(&file, context, path));
    NI_GOTO(end, nas_sink_text(file, ni_text_get(&text)));
    NI_GOTO(end, nas_sink_close(file));
    NI_GOTO(end, ni_file_read(context, path, 1 << 20, &contents, &n));
    assert_string_equal(contents, ni_text_get(&text));
    NI_GOTO(end, nas_sink_memory(&memory, context));
    NI_GOTO(end, ni_sink_f(memory, "%s", ni_text_get(&text)));
    NI_GOTO(end, nas_sink_create(&own, context, swallow, &written));
    NI_GOTO(end, ni_sink_f(own, "%d", 12));
    NI_GOTO(end, nas_writer_create(&writer, context));
    NI_GOTO(end, nas_write_f64s(writer, numbers.items, numbers.n));
    NI_GOTO(end, nas_write_text(writer, "text"));
    const void *bytes = nas_writer_data(writer, &n);
    NI_GOTO(end, nas_reader_create(&reader, context, bytes, n));
    NI_GOTO(end, nas_random_create(&random, context, 1, 2, "purpose"));
    NI_GOTO(end, ni_mutex_create(&mutex, context));
    NI_GOTO(end, ni_cond_create(&cond, context));
    NI_GOTO(end, ni_thread_start(&thread, context, nothing, NULL));
    ni_parallel(context, NI_COUNT(done), add_piece, done); /* runs without a pool, too */
    for (size_t i = 0; i < NI_COUNT(done); i++)
        assert_int_equal(done[i], 1);
end:
    ni_thread_join(thread);
    ni_cond_free(cond);
    ni_mutex_free(mutex);
    nas_random_free(random);
    nas_reader_free(reader);
    nas_writer_free(writer);
    nas_sink_free(own);
    nas_sink_free(memory);
    nas_sink_free(file);
    ni_text_free(&text);
    NI_ARRAY_FREE(context, &numbers);
    ni_free(context, aligned);
    ni_free(context, contents);
    ni_map_free(map);
    ni_arena_free(arena);
    return status;
}

static void sweep(bool forever) {
    char path[] = "/tmp/libnas-memory-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    long long n = 1, refused = 0;
    for (bool more = true; more; n++) {
        test_allocator heap = TEST_ALLOCATOR_INIT;
        heap.fail_at = n;
        heap.forever = forever;
        nas_allocator table = test_allocator_table(&heap);
        nas_context_options options = NAS_CONTEXT_OPTIONS_INIT;
        options.allocator = &table;
        options.threads = 3;
        nas_context *context = NULL;
        nas_status status = nas_context_create(&context, &options);
        if (status == NAS_OK) {
            status = scenario(context, path);
            if (status < 0) {
                assert_int_equal(nas_context_error_status(context), NAS_E_MEMORY);
                assert_non_null(strstr(nas_context_error(context), "out of memory"));
            }
            if (!forever) { /* a context that ran short once is as good as new */
                heap.fail_at = 0;
                assert_int_equal(scenario(context, path), NAS_OK);
            }
        } else {
            assert_null(context);
        }
        assert_true(status == NAS_OK || status == NAS_E_MEMORY);
        if (!heap.failed) assert_int_equal(status, NAS_OK);
        refused += status < 0;
        more = heap.failed > 0;
        nas_context_free(context);
        assert_int_equal(heap.blocks, 0);
        assert_int_equal(heap.bytes, 0);
        assert_false(heap.wrong_size);
    }
    unlink(path);
    assert_true(refused > 40);
    print_message("%lld allocations failed in turn, %lld of them an error\n", n - 1, refused);
}

static void each_allocation_fails_in_turn(void **state) {
    (void)state;
    sweep(false);
}

static void each_allocation_and_all_after_it_fail(void **state) {
    (void)state;
    sweep(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_be_shorter_or_longer),
        cmocka_unit_test(context_options_are_checked),
        cmocka_unit_test(names_of_statuses_and_versions),
        cmocka_unit_test(freeing_with_children_is_refused),
        cmocka_unit_test(slots_are_made_once),
        cmocka_unit_test(blocks_keep_alignment_and_contents),
        cmocka_unit_test(impossible_sizes_fail),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(arrays_grow),
        cmocka_unit_test(arenas_hand_out_zeroed_memory),
        cmocka_unit_test(maps_agree_with_a_plain_table),
        cmocka_unit_test(hashes_are_the_published_ones),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(each_allocation_fails_in_turn),
        cmocka_unit_test(each_allocation_and_all_after_it_fail),
    };
    return cmocka_run_group_tests_name("core: contexts and memory", tests, NULL, NULL);
}
