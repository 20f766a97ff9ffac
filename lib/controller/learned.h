/* Controllers that learn, by name and settings: rows of the list in builtin.c. */
#ifndef NI_LEARNED_H
#define NI_LEARNED_H
#include "controller.h"

extern const char ni_reinforce_table_settings[], ni_reinforce_settings_text[],
    ni_predictor_settings[], ni_progressive_settings[];
nas_status ni_make_reinforce_table(nas_controller **out, const nas_space *space,
                                   const char *const *settings, size_t n_settings);
nas_status ni_make_reinforce(nas_controller **out, const nas_space *space,
                             const char *const *settings, size_t n_settings);
nas_status ni_make_predictor(nas_controller **out, const nas_space *space,
                             const char *const *settings, size_t n_settings);
nas_status ni_make_progressive(nas_controller **out, const nas_space *space,
                               const char *const *settings, size_t n_settings);

#endif
