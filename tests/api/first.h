/* What the tests learn of the first release's header: first.c is compiled against
 * first/libnas/libnas.h, the header of 0.1.0, and links whatever library there is now. */
#ifndef TESTS_API_FIRST_H
#define TESTS_API_FIRST_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *type, *member; /* type NULL: the end */
    size_t offset, size;
} first_member;
typedef struct {
    const char *type;
    size_t size;
    int sized; /* its first member is struct_size */
} first_struct;
const first_member *first_members(void);
const first_struct *first_structs(void);
size_t first_size(const char *type); /* 0: there was none */

/* Calls every nas_X_init of 0.1.0 on a struct of 0.1.0; the name of one that wrote past its end or
 * did not set the size, else NULL. */
const char *first_init_that_is_wrong(void);
#endif
