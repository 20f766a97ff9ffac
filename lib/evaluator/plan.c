/* What a network's training or measuring will take, before anything runs: nas_arch_plan. */
#include <inttypes.h>
#include "evaluator.h"
#include "libnas/model.h"

void nas_plan_options_init(nas_plan_options *options) {
    *options = (nas_plan_options)NAS_PLAN_OPTIONS_INIT;
}

static nas_status check(nas_context *context, const nas_plan_options *o) {
    if (o->batch < 1 || o->batch > 65536)
        return ni_fail(context, NAS_E_INVALID,
                       "nas_plan_options: batch is %" PRIu32 " and must be 1 to 65536", o->batch);
    if (o->training < 0 || o->training > 1 || o->fusion < 0 || o->fusion > 1)
        return ni_fail(context, NAS_E_INVALID,
                       "nas_plan_options: training and fusion must be 0 or 1");
    return NAS_OK;
}

nas_status nas_arch_plan(const nas_arch *arch, const nas_plan_options *options, nas_plan_info *info,
                         nas_sink *to) {
    nas_context *context = ni_space_context(nas_arch_space(arch));
    nas_plan_options o = NAS_PLAN_OPTIONS_INIT;
    nas_plan_info answer = {.struct_size = sizeof answer};
    ni_arch_net build;
    ni_net net;
    ni_vars *vars = NULL;
    ni_step_graph step = {0};
    ni_program *program = NULL;
    NI_TRY(ni_enter(context));
    NI_TRY(ni_options(context, &o, sizeof o, sizeof o, options, "nas_plan_options"));
    NI_TRY(check(context, &o));
    NI_TRY(ni_arch_network(&net, &build, arch, 0));
    NI_TRY(ni_vars_create(&vars, context));
    nas_status status = o.training ? ni_training_graph(&step, context, vars, &net, o.batch, 0)
                                   : ni_measuring_graph(&step, context, vars, &net, o.batch);
    ni_plan_options plan = {.no_fusion = !o.fusion,
                            .plan_only = 1,
                            .isa = NAS_ISA_BEST,
                            .memory_limit = (size_t)o.memory_limit,
                            .tuning = o.tuning};
    if (status >= 0)
        status = ni_program_create(&program, step.graph, step.outputs, step.n_outputs, &plan);
    if (status >= 0) {
        answer.tensor_bytes = ni_program_peak_activations(program);
        answer.scratch_bytes = ni_program_bytes(program) - answer.tensor_bytes;
        answer.value_bytes = ni_vars_size(vars) * sizeof(float);
        answer.macs = ni_graph_macs(step.graph, step.logits);
        answer.steps = ni_program_steps(program);
    }
    if (status >= 0 && info) {
        nas_train_options training = NAS_TRAIN_OPTIONS_INIT;
        training.memory_limit = o.memory_limit;
        status = ni_training_bytes(context, &net, o.batch, o.training ? &training : NULL, !o.fusion,
                                   o.tuning, &answer.peak_bytes);
    }
    if (status >= 0 && info)
        status = ni_answer(context, info, &answer, sizeof answer, sizeof answer, "nas_plan_info");
    if (status >= 0 && to) status = ni_program_describe(program, to);
    ni_program_free(program);
    ni_step_graph_free(&step);
    ni_vars_free(vars);
    return status;
}
