/* A program of the first release: see first.h. */
#include <string.h>
#include <libnas/libnas.h>
#include "first_check.h" /* made by headers.py from the first release's header */
#include "first.h"

const first_member *first_members(void) {
    static const first_member members[] = {
#define MEMBER(type, member)                                                                       \
    {#type, #member, offsetof(type, member), sizeof(((type *)NULL)->member)},
        EACH_MEMBER(MEMBER){NULL, NULL, 0, 0}};
    return members;
}

const first_struct *first_structs(void) {
    static first_struct structs[] = {
#define STRUCT(type, n) {#type, sizeof(type), 0},
        EACH_STRUCT(STRUCT){NULL, 0, 0}};
    for (first_struct *s = structs; s->type; s++) {
#define SIZED(name)                                                                                \
    if (!strcmp(s->type, #name)) s->sized = 1;
        EACH_SIZED(SIZED)
    }
    return structs;
}

size_t first_size(const char *type) {
    for (const first_struct *s = first_structs(); s->type; s++)
        if (!strcmp(s->type, type)) return s->size;
    return 0;
}

const char *first_init_that_is_wrong(void) {
#define INIT(type)                                                                                 \
    do {                                                                                           \
        struct {                                                                                   \
            type options;                                                                          \
            unsigned char guard[256];                                                              \
        } room;                                                                                    \
        memset(&room, 0xA5, sizeof room);                                                          \
        type##_init(&room.options);                                                                \
        if (room.options.struct_size != sizeof(type)) return #type;                                \
        for (size_t i = 0; i < sizeof room.guard; i++)                                             \
            if (room.guard[i] != 0xA5) return #type;                                               \
    } while (0);
    EACH_INIT_FUNCTION(INIT)
    return NULL;
}
