/* What tests that drive controllers by hand share. */
#ifndef TESTS_CONTROLLER_SUPPORT_H
#define TESTS_CONTROLLER_SUPPORT_H
#include "controller/controller.h"
#include "search/fixture.h"

/* One ask by hand, as the search makes it. */
static inline nas_status ask(fixture *f, nas_controller *controller, uint64_t turn,
                             nas_proposal **out) {
    nas_proposal_builder *builder;
    nas_random stream;
    nas_status status = ni_proposal_create(&builder, f->context, f->space, 42, turn, turn, turn);
    if (status < 0) return status;
    ni_random_init(&stream, 42, turn, "ask");
    status = nas_controller_ask(controller, &stream, builder);
    if (status == NAS_OK) status = ni_proposal_finish(builder, out);
    if (status != NAS_OK) ni_proposal_builder_free(builder);
    return status;
}

static inline nas_controller *named(fixture *f, const char *name, const char *const *settings,
                                    size_t n) {
    nas_controller *controller;
    MUST(f->context, nas_controller_named(&controller, f->space, name, settings, n));
    return controller;
}

/* What a controller kept, put into a fresh one, which keeps the same bytes. */
static inline nas_controller *reload(fixture *f, nas_controller *old, nas_controller *fresh) {
    nas_writer *writer, *again;
    nas_reader *reader;
    size_t n, n_again;
    MUST(f->context, nas_writer_create(&writer, f->context));
    MUST(f->context, nas_controller_save(old, writer));
    const void *bytes = nas_writer_data(writer, &n);
    MUST(f->context, nas_reader_create(&reader, f->context, bytes, n));
    MUST(f->context, nas_controller_load(fresh, reader));
    assert_int_equal(nas_reader_left(reader), 0);
    nas_reader_free(reader);
    MUST(f->context, nas_writer_create(&again, f->context));
    MUST(f->context, nas_controller_save(fresh, again));
    const void *bytes_again = nas_writer_data(again, &n_again);
    assert_int_equal(n, n_again);
    assert_memory_equal(bytes, bytes_again, n);
    nas_writer_free(writer);
    nas_writer_free(again);
    nas_controller_free(old);
    return fresh;
}

#endif
