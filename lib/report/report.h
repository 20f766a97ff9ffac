/* lib/report: what people look at: reports of a store, drawings of architectures. Nothing of it is
 * used by other rooms; the public part is libnas/report.h. */
#ifndef NI_REPORT_H
#define NI_REPORT_H
#include "../store/store.h"
#include "libnas/report.h"

#endif
