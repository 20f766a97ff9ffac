/* An error of the controller, the store or the search itself is the end of the search. */
#include "parts.h"

nas_status ni_search_fail(nas_search *s, nas_status status) {
    if (s->failed < 0) return status;
    s->failed = status;
    s->ended = NAS_ENDED_ERROR;
    s->failed_sentence = ni_strdup(s->context, nas_context_error(s->context));
    if (s->failed_sentence == NULL) ni_fail(s->context, status, "%s", nas_status_text(status));
    atomic_store(&s->cancel, 1);
    ni_cond_broadcast(s->news);
    return status;
}

nas_status ni_search_failed_again(nas_search *s) {
    return ni_fail(s->context, s->failed, "%s",
                   s->failed_sentence ? s->failed_sentence : nas_status_text(s->failed));
}
