/* Comma-separated values (RFC 4180), read in place: cells are slices of the file's bytes. */
#ifndef NI_CSV_H
#define NI_CSV_H
#include "evaluator.h"

typedef struct {
    char *text; /* ends with a 0 byte; quotes are taken away in place */
    uint32_t n;
} ni_cell;
typedef struct {
    nas_context *context;
    const char *path;
    char *bytes, *at, *end;
    uint64_t line;  /* of the cells, from 1 */
    uint64_t lines; /* line breaks passed so far */
    NI_ARRAY(ni_cell) cells;
} ni_csv;

/* The whole file is read; path is borrowed. */
nas_status ni_csv_open(ni_csv *csv, nas_context *context, const char *path);
/* The next line that is not empty: NAS_OK, or NAS_DONE after the last. */
nas_status ni_csv_next(ni_csv *csv);
void ni_csv_close(ni_csv *csv);

#endif
