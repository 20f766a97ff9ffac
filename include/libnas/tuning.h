/* tuning.h: a table, measured on the machine, of which way its convolutions go.
 *
 * A convolution can be made by the library's own kernels or as a matrix product by BLIS. Which of the
 * two is a fixed model of its shape and the instruction set (docs/engine.md): nothing is measured, and
 * results are the same bits wherever that instruction set is. Who wants the last per cent measures a
 * table, keeps it, and gives it to trainings and plans (nas_train_options, nas_plan_options); shapes
 * that it has not go by the model. Last bits of results then depend on the table, so its hash is kept
 * with a search, and a search goes on with the same table alone. They never depend on the number of
 * threads.
 *
 * A table does not change once it is made; any threads may use it at once. It is of its context's
 * instruction set, and must outlive whatever was made with it. */
#ifndef LIBNAS_TUNING_H
#define LIBNAS_TUNING_H
#include "base.h"
NAS_EXTERN_C_BEGIN

/* Measures both ways of every convolution of these n networks, in training and in measuring, on the
 * calling thread: about a tenth of a second for each shape. Keep the machine quiet. NAS_E_UNSUPPORTED where
 * there is one way alone: the generic instruction set, a build without BLIS. */
NAS_API nas_status nas_tuning_measure(nas_tuning **out, nas_context *context,
                                      const nas_arch *const *archs, size_t n);
NAS_API void nas_tuning_free(nas_tuning *tuning);

/* Of what it says, not of the times behind it: two tables with the same choices give the same bits,
 * and have the same hash. */
NAS_API uint64_t nas_tuning_hash(const nas_tuning *tuning);
/* How many choices it has; and of them those for BLIS. */
NAS_API uint32_t nas_tuning_count(const nas_tuning *tuning, uint32_t *blis);

/* As text, a line a choice with the times that were measured; and back. NAS_E_VERSION, NAS_E_SYNTAX (with
 * the line), NAS_E_CORRUPT (cut off or changed) and NAS_E_UNSUPPORTED (another instruction set's) name
 * the file; `name` stands for it where there is none. */
NAS_API nas_status nas_tuning_write(const nas_tuning *tuning, nas_sink *to);
NAS_API nas_status nas_tuning_parse(nas_tuning **out, nas_context *context, const char *text, size_t n,
                                    const char *name);
NAS_API nas_status nas_tuning_load(nas_tuning **out, nas_context *context, const char *path);

NAS_EXTERN_C_END
#endif
