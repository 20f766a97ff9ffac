/* Reading a space file: what the document's reader (file.c) and those of the templates share. */
#ifndef NI_SPACE_LOAD_H
#define NI_SPACE_LOAD_H
#include "internal.h"

typedef struct {
    nas_context *context;
    ni_document document;
    nas_space *space;
    const ni_yaml *parameters;
    const char *const *overrides;
    size_t n_overrides;
    uint32_t first_edge;
    ni_cells_options cells;
    int64_t height, width, channels, classes;
} ni_load;

/* Puts the place before the thread's sentence. */
nas_status ni_load_fail(ni_load *l, const ni_yaml *at, nas_status status);
/* A number, or "$name" of a parameter. */
nas_status ni_load_number(ni_load *l, const ni_yaml *at, const char *what, double *out);
nas_status ni_load_integer(ni_load *l, const ni_yaml *at, const char *what, int64_t low,
                           int64_t high, int64_t *out);
/* map[key], or what *out held where there is none (map may be NULL). */
nas_status ni_load_member(ni_load *l, const ni_yaml *map, const char *key, int64_t low,
                          int64_t high, int64_t *out);
/* map[key] as an index into `known`; *out stays where there is none. */
nas_status ni_load_word(ni_load *l, const ni_yaml *map, const char *key, const char *const *known,
                        uint32_t n, uint32_t *out);
/* map[key]: a list of 1 to 64 names of registered operations; borrowed from the document. */
nas_status ni_load_operations(ni_load *l, const ni_yaml *map, const char *key, const char **names,
                              uint32_t *n);
/* map[key]: a list of whole numbers, 1 to `most` of them. */
nas_status ni_load_integers(ni_load *l, const ni_yaml *map, const char *key, int64_t low,
                            int64_t high, int64_t *out, uint32_t most, uint32_t *n);
/* network's image into the loader; batch_norm into the two numbers (which hold the defaults). */
nas_status ni_load_image(ni_load *l, const ni_yaml *network);
nas_status ni_load_batch_norm(ni_load *l, const ni_yaml *network, double *epsilon,
                              double *momentum);
/* A choice of the template's own, its sentence with the place of `at`; named by a format. */
nas_status ni_load_choice(ni_load *l, const ni_yaml *at, const char *const *names, uint32_t n,
                          const char *format, ...) NI_PRINTF(5, 6);

/* Templates: each reads `network` and its part ("cell" or "layers"), adds its decisions and makes
 * l->space->template. */
nas_status ni_blocks_read(ni_load *l, const ni_yaml *network, const ni_yaml *part);
nas_status ni_matrix_read(ni_load *l, const ni_yaml *network, const ni_yaml *part);
nas_status ni_stages_read(ni_load *l, const ni_yaml *network, const ni_yaml *part);
nas_status ni_skips_read(ni_load *l, const ni_yaml *network, const ni_yaml *part);
nas_status ni_chain_read(ni_load *l, const ni_yaml *network, const ni_yaml *part);
nas_status ni_mlp_read(ni_load *l, const ni_yaml *network, const ni_yaml *part);
/* Fills in what the loader knows of the base: image, classes, identity from the given words. */
void ni_load_base(ni_load *l, ni_template *t, const void *fixed, size_t bytes);

#endif
