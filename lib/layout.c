/* layout.c: nas_layout, the table of all public structs, for bindings that cannot see C. The list
 * is in layout.inc; the numbers are the compiler's. */
#include "libnas/libnas.h"

#define STRUCT(type)         static const nas_layout_member type##_members[] = {
#define MEMBER(type, member) {#member, offsetof(type, member), sizeof(((type *)NULL)->member)},
/* clang-format off */
#define END(type)            };
/* clang-format on */
#include "layout.inc"
#undef STRUCT
#undef MEMBER
#undef END

#define STRUCT(type)                                                                               \
    {#type, sizeof(type), sizeof type##_members / sizeof *type##_members, type##_members},
#define MEMBER(type, member)
#define END(type)
static const nas_layout_struct layouts[] = {
#include "layout.inc"
};

const nas_layout_struct *nas_layout(uint32_t index) {
    return index < sizeof layouts / sizeof *layouts ? &layouts[index] : NULL;
}
