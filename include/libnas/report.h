/* report.h: what people look at: reports of a store, drawings of architectures. */
#ifndef LIBNAS_REPORT_H
#define LIBNAS_REPORT_H
#include "base.h"
#include "io.h"
#include "space.h"
#include "store.h"
NAS_EXTERN_C_BEGIN

typedef struct {
    uint32_t struct_size, flags;
    const char *title;      /* NULL: from the store */
    const nas_space *space; /* NULL: made again from the store's text (drawings need it) */
    uint32_t best;          /* how many of the best are drawn; 4 */
    uint32_t reserved;
} nas_report_options;
#define NAS_REPORT_OPTIONS_INIT {sizeof(nas_report_options), 0, NULL, NULL, 4, 0}
NAS_API void nas_report_options_init(nas_report_options *options);

/* One self-contained page (inline SVG, no scripts needed, no network): best so far, score against
 * parameters, the best cells drawn, learning curves, settings, seed, how many of the proposed
 * networks were distinct. */
NAS_API nas_status nas_report_html(nas_store *store, const nas_report_options *options, nas_sink *to);
/* The same facts as plain text, 80 columns. */
NAS_API nas_status nas_report_text(nas_store *store, const nas_report_options *options, nas_sink *to);

enum { NAS_DRAW_SVG = 0, NAS_DRAW_DOT = 1, NAS_DRAW_TEXT = 2 };
/* An architecture's cells (or chain) as a graph. DOT is for graphviz; SVG needs nothing else. */
NAS_API nas_status nas_arch_draw(const nas_arch *arch, int32_t format, nas_sink *to);

NAS_EXTERN_C_END
#endif
