/* Comma-separated values. */
#include "csv.h"

enum { MOST_BYTES = 1 << 30 };

nas_status ni_csv_open(ni_csv *csv, nas_context *context, const char *path) {
    void *bytes;
    size_t n;
    memset(csv, 0, sizeof *csv);
    csv->context = context;
    csv->path = path;
    NI_TRY(ni_file_read(context, path, MOST_BYTES, &bytes, &n));
    csv->bytes = csv->at = bytes;
    csv->end = csv->bytes + n;
    if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) csv->at += 3;
    if (memchr(bytes, 0, n) == NULL) return NAS_OK;
    ni_csv_close(csv);
    return ni_fail(context, NAS_E_CORRUPT, "%s: not a text: it has a 0 byte", path);
}

void ni_csv_close(ni_csv *csv) {
    if (csv->context == NULL) return;
    ni_free(csv->context, csv->bytes);
    NI_ARRAY_FREE(csv->context, &csv->cells);
    csv->bytes = NULL;
}

/* A cell in quotes: its contents move over the quotes. `at` is behind the first one. */
static nas_status quoted(ni_csv *csv, char *at, ni_cell *cell, char **after) {
    char *to = at;
    cell->text = at;
    for (; at < csv->end; at++) {
        if (*at == '"') {
            if (at + 1 >= csv->end || at[1] != '"') break;
            at++;
        }
        csv->lines += *at == '\n';
        *to++ = *at;
    }
    if (at == csv->end)
        return ni_fail(csv->context, NAS_E_SYNTAX, "%s:%llu: a quote is not closed", csv->path,
                       (unsigned long long)csv->line);
    cell->n = (uint32_t)(to - cell->text);
    *after = at + 1;
    if (*after < csv->end && **after != ',' && **after != '\n' && **after != '\r')
        return ni_fail(csv->context, NAS_E_SYNTAX, "%s:%llu: text behind a closing quote",
                       csv->path, (unsigned long long)csv->line);
    return NAS_OK;
}

nas_status ni_csv_next(ni_csv *csv) {
    csv->cells.n = 0;
    for (; csv->at < csv->end && (*csv->at == '\n' || *csv->at == '\r'); csv->at++)
        csv->lines += *csv->at == '\n';
    if (csv->at >= csv->end) return NAS_DONE;
    csv->line = csv->lines + 1;
    for (char *at = csv->at;;) {
        ni_cell cell = {at, 0};
        char *after = at;
        if (at < csv->end && *at == '"') {
            NI_TRY(quoted(csv, at + 1, &cell, &after));
        } else {
            while (after < csv->end && *after != ',' && *after != '\n' && *after != '\r')
                after++;
            cell.n = (uint32_t)(after - at);
        }
        NI_TRY(NI_PUSH(csv->context, &csv->cells, cell));
        char ended = after < csv->end ? *after : '\n';
        if (after < csv->end && ended == '\r' && after + 1 < csv->end && after[1] == '\n') {
            *after++ = 0;
            ended = '\n';
        }
        csv->lines += after < csv->end && ended == '\n';
        cell.text[cell.n] = 0; /* over the separator, or the file's own 0 */
        at = after < csv->end ? after + 1 : after;
        if (ended == ',') continue;
        csv->at = at;
        return NAS_OK;
    }
}
