/* lib/controller: one file a controller, and what they share. */
#ifndef NI_CONTROLLER_H
#define NI_CONTROLLER_H
#include "../evaluator/evaluator.h"
#include "libnas/controller.h"

uint32_t ni_controller_flags(const nas_controller *controller);
bool ni_controller_has_state(const nas_controller *controller);
/* Built in: the same state and stream give the same proposal, so that a resume may repeat asks from
 * an older checkpoint. Of the caller's own that is not taken for granted. */
bool ni_controller_repeats(const nas_controller *controller);
nas_context *ni_controller_context(const nas_controller *controller);

#endif
