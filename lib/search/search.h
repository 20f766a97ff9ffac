/* lib/search: the one loop. Nothing stands above it in the library, so its parts are its own: see
 * parts.h. */
#ifndef NI_SEARCH_H
#define NI_SEARCH_H
#include "../controller/controller.h"
#include "../store/store.h"
#include "libnas/search.h"

#endif
