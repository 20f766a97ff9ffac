/* The inside of a tuning table. Seen by tuning.c and tuning_time.c alone. */
#ifndef NI_GRAPH_TUNING_H
#define NI_GRAPH_TUNING_H
#include "graph.h"

enum { NI_TUNING_NUMBERS = 15 };
typedef struct {
    int32_t n[NI_TUNING_NUMBERS]; /* the pass, then h w ci oh ow co kh kw sh sw ph pw dh dw */
} ni_tuning_key;

typedef struct {
    ni_tuning_key key;
    ni_way way;
    double seconds[2]; /* by ni_way; 0: not measured */
} ni_tuning_entry;

struct nas_tuning {
    nas_context *context;
    int32_t isa;
    NI_ARRAY(ni_tuning_entry) entries; /* in the order of their keys */
};

/* For one image. */
void ni_tuning_conv(const ni_tuning_entry *entry, ni_conv *c, int *what);

#endif
