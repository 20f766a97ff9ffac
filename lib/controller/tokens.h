/* A space as a sequence of tokens, for controllers that learn: each decision is one token with a
 * finite alphabet. A choice has its alternatives, an integer its values; an integer of many values
 * and a real number, on its logarithm where the space says so, are cut into equal bins, and a value
 * is drawn uniformly inside the bin. So every token is a softmax, and a probability over tokens is
 * one over architectures (for reals: a density that is constant in each bin). */
#ifndef NI_TOKENS_H
#define NI_TOKENS_H
#include "controller.h"

enum { NI_TOKEN_ABSENT = -1 }; /* the decision's condition is not met, or it is undecided yet */

typedef struct {
    const char *name; /* borrowed from the space */
    uint32_t n;       /* alternatives, values or bins */
    uint32_t offset;  /* its first slot of `width` */
    uint32_t shared; /* its first slot of `shared_width`: the same for "cell.1.op1", "cell.2.op1" */
    uint32_t level;  /* decisions of one block have one level: names equal up to the last dot */
    int32_t condition, condition_token; /* -1: none */
    int32_t kind;
    bool binned;
} ni_token;

typedef struct {
    nas_context *context;
    const nas_space *space; /* held */
    uint32_t n;             /* decisions */
    uint32_t width, shared_width, levels;
    bool alike; /* every level has the decisions of level 0, by the names' ends */
    ni_token *items;
} ni_tokens;

/* bins: of a real, and of an integer of more than so many values. */
nas_status ni_tokens_init(ni_tokens *tokens, const nas_space *space, uint32_t bins);
void ni_tokens_free(ni_tokens *tokens);
/* Given the tokens before it, is this decision active? */
bool ni_token_active(const ni_tokens *tokens, const int32_t *chosen, uint32_t decision);
/* chosen: tokens->n of them. */
nas_status ni_tokens_read(const ni_tokens *tokens, const nas_arch *arch, int32_t *chosen);
/* Values inside bins are drawn from the stream; stream NULL: the middle of the bin. */
nas_status ni_tokens_arch(const ni_tokens *tokens, const int32_t *chosen, nas_random *stream,
                          nas_arch **out);

#endif
