/* lib/controller: one file a controller, and what they share. */
#ifndef NI_CONTROLLER_H
#define NI_CONTROLLER_H
#include "../evaluator/evaluator.h"
#include "libnas/controller.h"

uint32_t ni_controller_flags(const nas_controller *controller);
bool ni_controller_has_state(const nas_controller *controller);

#endif
