/* libnas.h: the whole public interface.
 *
 *   base.h        versions, status codes, the rules that every header keeps
 *   context.h     allocator, log, threads, errors: what everything hangs off
 *   random.h      counter-based random streams
 *   io.h          sinks for text, and the bytes of saved state
 *   op.h          operations of one's own
 *   space.h       search spaces and architectures
 *   proposal.h    what a controller asks to be tried
 *   result.h      what came of it
 *   controller.h  what proposes: the table, and those built in
 *   evaluator.h   what judges: the table, and those built in
 *   dataset.h     images and labels
 *   tuning.h      which way convolutions go, measured on the machine
 *   model.h       one network: trained, measured, used, kept
 *   store.h       what a search leaves behind
 *   search.h      the loop
 *   report.h      what people look at
 */
#ifndef LIBNAS_H
#define LIBNAS_H
#include "base.h"
#include "context.h"
#include "random.h"
#include "io.h"
#include "op.h"
#include "space.h"
#include "proposal.h"
#include "result.h"
#include "controller.h"
#include "dataset.h"
#include "tuning.h"
#include "model.h"
#include "evaluator.h"
#include "store.h"
#include "search.h"
#include "report.h"
#endif
