/* nas_layout against the headers, both ways: every struct and every member of theirs is in the
 * library's table with the compiler's numbers, and nothing else is. The same for the first release:
 * what its programs know of a struct has not moved. */
#include "plugin.h"
#include "check.h" /* made by headers.py */
#include "first.h"

static const nas_layout_struct *find(const char *name) {
    for (uint32_t i = 0; nas_layout(i); i++)
        if (!strcmp(nas_layout(i)->name, name)) return nas_layout(i);
    return NULL;
}

static void check_member(const char *name, const char *member, size_t offset, size_t size) {
    const nas_layout_struct *found = find(name);
    if (found == NULL) fail_msg("nas_layout has no %s", name);
    for (uint32_t i = 0; i < found->n_members; i++) {
        const nas_layout_member *m = &found->members[i];
        if (strcmp(m->name, member) != 0) continue;
        if (m->offset != offset || m->size != size)
            fail_msg("%s.%s: offset %u size %u in nas_layout, %zu and %zu in the header", name,
                     member, m->offset, m->size, offset, size);
        return;
    }
    fail_msg("nas_layout has no %s.%s", name, member);
}

static void headers_are_in_the_table(void **state) {
    (void)state;
    size_t structs = 0, members = 0;
#define STRUCT(type, n)                                                                            \
    structs++;                                                                                     \
    if (find(#type) == NULL) fail_msg("nas_layout has no %s", #type);                              \
    assert_int_equal(find(#type)->size, sizeof(type));                                             \
    assert_int_equal(find(#type)->n_members, n);
    EACH_STRUCT(STRUCT)
#define MEMBER(type, member)                                                                       \
    members++;                                                                                     \
    check_member(#type, #member, offsetof(type, member), sizeof(((type *)NULL)->member));
    EACH_MEMBER(MEMBER)
    size_t there = 0, all = 0;
    for (uint32_t i = 0; nas_layout(i); i++) {
        there++;
        all += nas_layout(i)->n_members;
    }
    assert_int_equal(there, structs);
    assert_int_equal(all, members);
    assert_null(nas_layout(UINT32_MAX));
    print_message("%zu structs, %zu members\n", structs, members);
}

static void structs_have_no_holes_at_their_end(void **state) {
    (void)state;
    /* A member that were added where there was padding would be read as garbage of an older caller,
     * whose struct_size covers it. */
    for (uint32_t i = 0; nas_layout(i); i++) {
        const nas_layout_struct *s = nas_layout(i);
        const nas_layout_member *last = &s->members[s->n_members - 1];
        if (last->offset + last->size != s->size)
            fail_msg("%s ends with padding after %s: add a reserved member", s->name, last->name);
    }
}

static void the_first_release_has_not_moved(void **state) {
    (void)state;
    size_t n = 0;
    for (const first_member *m = first_members(); m->type; m++, n++)
        check_member(m->type, m->member, m->offset, m->size);
    for (const first_struct *s = first_structs(); s->type; s++) {
        assert_non_null(find(s->type));
        assert_true(find(s->type)->size >= s->size);
        /* A struct that does not begin with its size can never grow. */
        if (!s->sized) assert_int_equal(find(s->type)->size, s->size);
    }
    assert_true(n > 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_in_the_table),
        cmocka_unit_test(structs_have_no_holes_at_their_end),
        cmocka_unit_test(the_first_release_has_not_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
