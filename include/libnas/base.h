/* libnas: neural architecture search as a library.
 *
 * base.h: versions, status codes, and the rules that every other header keeps.
 *
 * Rules
 *   Handles       are incomplete structs. nas_X_create (or another call whose last word says how)
 *                 gives one through its first argument; nas_X_free ends it and takes NULL.
 *   Results       come first: out-parameters before inputs. A pointer to a pointer gives the
 *                 caller something to free, unless its comment says "borrowed".
 *   Errors        every call that can fail returns nas_status. What a failed call did to its
 *                 out-parameters: nothing. nas_context_error() has the sentence.
 *   Options       are structs whose first member is struct_size. Fill one by its NAS_X_INIT macro
 *                 or its nas_X_init() function, then change what differs. Structs grow at the end
 *                 only; a longer one is accepted when what this library does not know is zero.
 *   Answers       come in such structs too: set struct_size before the call; nothing is written past
 *                 it.
 *   Threads       a handle takes one call at a time; different handles may be used at once.
 *                 Where more is allowed, the function says so.
 *   Shapes        images are N, H, W, C: batch, rows, columns, channels. Channels are innermost.
 *   Units         seconds, bytes, multiply-accumulates (one for each use of a weight).
 */
#ifndef LIBNAS_BASE_H
#define LIBNAS_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
#define NAS_EXTERN_C_BEGIN extern "C" {
#define NAS_EXTERN_C_END }
#else
#define NAS_EXTERN_C_BEGIN
#define NAS_EXTERN_C_END
#endif

#if defined(__GNUC__)
#define NAS_API __attribute__((visibility("default")))
#else
#define NAS_API
#endif

NAS_EXTERN_C_BEGIN

#define NAS_VERSION_MAJOR 0
#define NAS_VERSION_MINOR 1
#define NAS_VERSION_PATCH 0
#define NAS_VERSION_TEXT "0.1.0"
/* One number that compares: major * 1000000 + minor * 1000 + patch. */
#define NAS_VERSION (NAS_VERSION_MAJOR * 1000000 + NAS_VERSION_MINOR * 1000 + NAS_VERSION_PATCH)

/* The version of the library that runs, as NAS_VERSION. A program that needs what it was
 * compiled with checks  nas_version() >= NAS_VERSION  and  nas_version() / 1000000 ==
 * NAS_VERSION_MAJOR. */
NAS_API uint32_t nas_version(void);
NAS_API const char *nas_version_text(void); /* static storage */

/* What a call came to. Zero is success. Positive: not an error, but not the usual answer either.
 * Negative: an error. Values are never changed or used again. From NAS_STATUS_CALLER downwards
 * they belong to the application: a callback may return them, and they come through unchanged. */
typedef int32_t nas_status;

#define NAS_STATUS_MAP(X)                                                                          \
    X(NAS_OK, 0, "success")                                                                        \
    X(NAS_WAIT, 1, "no proposal now: tell a result first")                                         \
    X(NAS_DONE, 2, "nothing more to propose or to read")                                           \
    X(NAS_STOP, 3, "stop here, cleanly")                                                           \
    X(NAS_E_INVALID, -1, "invalid argument")                                                       \
    X(NAS_E_MEMORY, -2, "out of memory")                                                           \
    X(NAS_E_NOT_FOUND, -3, "not found")                                                            \
    X(NAS_E_SYNTAX, -4, "text cannot be parsed")                                                   \
    X(NAS_E_IO, -5, "reading or writing failed")                                                   \
    X(NAS_E_CORRUPT, -6, "data is damaged or not of this kind")                                    \
    X(NAS_E_VERSION, -7, "written by a later version")                                             \
    X(NAS_E_UNSUPPORTED, -8, "not supported")                                                      \
    X(NAS_E_STATE, -9, "not allowed in this state")                                                \
    X(NAS_E_INFEASIBLE, -10, "no candidate satisfies the constraints")                             \
    X(NAS_E_CANCELLED, -11, "cancelled")                                                           \
    X(NAS_E_LIMIT, -12, "a limit was reached")                                                     \
    X(NAS_E_CALLBACK, -13, "a callback failed")                                                    \
    X(NAS_E_FORKED, -14, "context used in a child process after fork")                             \
    X(NAS_E_DIVERGED, -15, "a number is not finite")                                               \
    X(NAS_E_EXISTS, -16, "exists already")                                                         \
    X(NAS_E_SHAPE, -17, "shapes do not fit")                                                       \
    X(NAS_E_BUSY, -18, "in use by another process or thread")                                      \
    X(NAS_E_DIFFERS, -19, "a replay differs from its record")                                      \
    X(NAS_E_INTERNAL, -99, "internal error")

enum {
#define NAS_STATUS_X(name, value, text) name = (value),
    NAS_STATUS_MAP(NAS_STATUS_X)
#undef NAS_STATUS_X
};
#define NAS_STATUS_CALLER (-1000)

/* The name ("NAS_E_MEMORY") and the text ("out of memory") of a status; never NULL. */
NAS_API const char *nas_status_name(nas_status status);
NAS_API const char *nas_status_text(nas_status status);

typedef struct nas_context nas_context;         /* context.h */
typedef struct nas_random nas_random;           /* random.h */
typedef struct nas_sink nas_sink;               /* io.h */
typedef struct nas_writer nas_writer;           /* io.h */
typedef struct nas_reader nas_reader;           /* io.h */
typedef struct nas_space nas_space;             /* space.h */
typedef struct nas_arch nas_arch;               /* space.h */
typedef struct nas_proposal nas_proposal;       /* proposal.h */
typedef struct nas_proposal_builder nas_proposal_builder;
typedef struct nas_result nas_result;           /* result.h */
typedef struct nas_result_builder nas_result_builder;
typedef struct nas_reporter nas_reporter;       /* evaluator.h */
typedef struct nas_controller nas_controller;   /* controller.h */
typedef struct nas_evaluator nas_evaluator;     /* evaluator.h */
typedef struct nas_graph nas_graph;             /* op.h */
typedef struct nas_dataset nas_dataset;         /* dataset.h */
typedef struct nas_tuning nas_tuning;           /* tuning.h */
typedef struct nas_model nas_model;             /* model.h */
typedef struct nas_search nas_search;           /* search.h */
typedef struct nas_store nas_store;             /* store.h */

/* Called exactly once when a handle lets go of a pointer that it was given; NULL: nothing to do. */
typedef void (*nas_destroy_fn)(void *user);

/* Layout of a public struct, for bindings that cannot see C: name, size, and each member's name,
 * offset and size. nas_layout(i) answers NULL past the last; static storage. */
typedef struct {
    const char *name;
    uint32_t offset, size;
} nas_layout_member;
typedef struct {
    const char *name;
    uint32_t size, n_members;
    const nas_layout_member *members;
} nas_layout_struct;
NAS_API const nas_layout_struct *nas_layout(uint32_t index);

NAS_EXTERN_C_END
#endif
