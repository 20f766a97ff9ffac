/* lib/controller: one file a controller, and what they share. */
#ifndef NI_CONTROLLER_H
#define NI_CONTROLLER_H
#include "../evaluator/evaluator.h"
#include "libnas/controller.h"

uint32_t ni_controller_flags(const nas_controller *controller);
bool ni_controller_has_state(const nas_controller *controller);
bool ni_controller_has_forget(const nas_controller *controller);
/* Built in: the same state and stream give the same proposal, so that a resume may repeat asks from
 * an older checkpoint. Of the caller's own that is not taken for granted. */
bool ni_controller_repeats(const nas_controller *controller);
nas_context *ni_controller_context(const nas_controller *controller);

/* ---- for the files of this room
 * ------------------------------------------------------------------ */

/* As nas_controller_create, for one built in. Frees self by the table's destroy when it fails. */
nas_status ni_controller_make(nas_controller **out, nas_context *context, const char *name,
                              const nas_controller_ops *ops, void *self);

/* Candidates that were proposed: a set that remembers its order, so that it can be saved. */
typedef struct {
    nas_context *context;
    ni_map *map;
    NI_ARRAY(uint64_t) keys;
} ni_seen;
nas_status ni_seen_init(ni_seen *seen, nas_context *context);
void ni_seen_free(ni_seen *seen);
bool ni_seen_has(const ni_seen *seen, uint64_t key);
nas_status ni_seen_add(ni_seen *seen, uint64_t key);
nas_status ni_seen_save(const ni_seen *seen, nas_writer *to);
nas_status ni_seen_load(ni_seen *seen, nas_reader *from); /* adds */
/* Equal for architectures that are one candidate: isomorphic networks, same hyper-parameters. */
uint64_t ni_candidate_key(const nas_arch *arch);

/* For load: a kept setting and the one of now; differing is NAS_E_STATE with both in the sentence.
 */
nas_status ni_setting_same(nas_context *context, const char *controller, const char *name,
                           uint64_t kept, uint64_t now);

#endif
