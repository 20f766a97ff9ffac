/* lib/trial: proposals and results: what passes between controllers, evaluators and the search.
 *
 * A proposal and its builder are one object in two roles, and so are a result and its builder. */
#ifndef NI_TRIAL_H
#define NI_TRIAL_H
#include "../space/space.h"
#include "libnas/proposal.h"
#include "libnas/result.h"

/* ---- proposals: made by the search for an ask, frozen when it comes back
 * ------------------------- */
nas_status ni_proposal_create(nas_proposal_builder **out, nas_context *context,
                              const nas_space *space, uint64_t seed, uint64_t turn, uint64_t trial,
                              uint64_t seen);
/* Back to how it was made, for an ask that was answered WAIT. */
void ni_proposal_reset(nas_proposal_builder *builder);
/* Checks that it is whole (every decision that is active is given); the builder becomes the
 * proposal. On failure it stays a builder. */
nas_status ni_proposal_finish(nas_proposal_builder *builder, nas_proposal **out);
void ni_proposal_builder_free(nas_proposal_builder *builder);
void ni_proposal_free(nas_proposal *proposal);
nas_context *ni_proposal_context(const nas_proposal *proposal);
nas_context *ni_proposal_builder_context(const nas_proposal_builder *builder);
/* Is everything in the two equal (for replay)? Where not, *what names the first difference
 * (static). */
bool ni_proposal_equal(const nas_proposal *a, const nas_proposal *b, const char **what);
/* Equal for two proposals whose results would be one: same network, hyper-parameters, fidelity,
 * evaluator, nothing relaxed or continued. 0: a proposal whose result cannot serve another. */
uint64_t ni_proposal_reuse_key(const nas_proposal *proposal);
/* Of its parts: hashes of the network, of the hyper-parameters and of the fidelities (0: none); the
 * evaluator's name, NULL is "". */
uint64_t ni_reuse_key(uint64_t network, uint64_t hyper, const char *evaluator, uint64_t fidelities);
nas_status ni_proposal_save(const nas_proposal *proposal, nas_writer *to);
nas_status ni_proposal_load(nas_proposal **out, nas_context *context, const nas_space *space,
                            nas_reader *from);

/* ---- results
 * --------------------------------------------------------------------------------------- */
nas_status ni_result_take(nas_result_builder *from,
                          nas_result **out);               /* from is empty afterwards */
nas_result *ni_result_finish(nas_result_builder *builder); /* the builder becomes the result */
void ni_result_free(nas_result *result);
void ni_result_clear(nas_result_builder *builder);
bool ni_metric_is_time(const char *metric); /* "seconds" and its like: not compared between runs */
void ni_result_set_score(nas_result *result, double score);
nas_status ni_result_copy(const nas_result *from, nas_result_builder *to); /* for cached results */
nas_status ni_result_save(const nas_result *result, nas_writer *to);
nas_status ni_result_load(nas_result **out, nas_context *context, nas_reader *from);

#endif
