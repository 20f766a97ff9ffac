/* The inside of a model. Seen by lib/evaluator alone. */
#ifndef NI_EVALUATOR_MODEL_H
#define NI_EVALUATOR_MODEL_H
#include "fit.h"

struct nas_model {
    nas_context *context;
    nas_arch *arch;
    nas_space *owned_space; /* of a model that was loaded from a file */
    ni_arch_net build;
    ni_net net;
    ni_trainer *measuring;   /* holds the weights */
    ni_predictor *predictor; /* thawed by whoever writes them: ni_model_values */
    uint64_t seed;
    double mean[4], deviation[4]; /* of the data it was trained on */
};

float *ni_model_values(nas_model *model); /* the weights, to be written */
void ni_model_shape(const ni_var *var, nas_tensor_info *out);
void ni_model_copy(const ni_var *var, float *memory, float *file, bool to_file);

#endif
