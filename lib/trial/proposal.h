/* A proposal as it is in memory. Shared by the files of this room alone. */
#ifndef NI_PROPOSAL_H
#define NI_PROPOSAL_H
#include "trial.h"

#define NI_NAME_BYTES 64 /* metric, curve, fidelity names, with their 0 */
#define NI_FIDELITIES 16
#define NI_NOTE_ROOM  96

/* Is a text fit to be a name: 1 to 63 bytes, no control characters? */
bool ni_name_ok(const char *name);

typedef struct {
    char name[NI_NAME_BYTES];
    double value;
} ni_fidelity;

/* How a decision was given. */
enum { NI_NOT_GIVEN = 0, NI_GIVEN_VALUE = 1, NI_GIVEN_PATHS = 2 };

typedef struct {
    uint32_t given;  /* NI_NOT_GIVEN, ... */
    uint32_t offset; /* of its paths, once finished; while it is built: in `listed` */
    uint32_t n_paths;
    uint32_t active; /* while it is finished: can the decision matter? */
    nas_value value;
} ni_slot;

struct nas_proposal {
    nas_context *context;
    const nas_space *space;
    uint64_t seed, turn, trial, seen;
    uint64_t batch, from, parent, lookahead_batch;
    uint32_t wants, n_decisions, n_fidelities;
    int32_t split, how, weights, ends_trial;
    double displacement;
    nas_arch *arch;  /* NULL while nothing gave one, and for a relaxed proposal */
    ni_slot *slots;  /* one for each decision: behind the struct, in its block */
    bool by_slots;   /* some were given; else propose_arch alone was used, and none is set yet */
    nas_path *paths; /* all of them, decision by decision, once finished: of a discrete proposal
                        behind the slots, else a block of their own */
    nas_path *room;  /* behind the slots: one path a decision */
    uint32_t n_paths;
    NI_ARRAY(nas_path) listed; /* as nas_propose_paths gave them */
    NI_ARRAY(ni_fidelity) fidelities;
    char *evaluator, *note; /* NULL: ""; a short note is in note_room */
    char note_room[NI_NOTE_ROOM];
    unsigned char *token;
    size_t n_token;
};
/* The same object, while a controller writes it. Its block: the struct, n_decisions slots, as many
 * paths. */
struct nas_proposal_builder {
    nas_proposal proposal;
};

#endif
