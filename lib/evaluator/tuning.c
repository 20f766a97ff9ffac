/* Which convolutions a tuning table is measured for: those of the steps that train and measure
 * these networks. */
#include "evaluator.h"
#include "libnas/tuning.h"

/* The same shapes whatever the batch; one of the fewest images that steps still run by groups of.
 */
enum { BATCH = 16 };

static nas_status list(nas_tuning *tuning, const ni_step_graph *step) {
    const ni_plan_options plan = {.plan_only = 1, .isa = NAS_ISA_BEST};
    ni_program *program;
    NI_TRY(ni_program_create(&program, step->graph, step->outputs, step->n_outputs, &plan));
    nas_status status = ni_program_tune(program, tuning);
    ni_program_free(program);
    return status;
}

static nas_status list_network(nas_context *context, nas_tuning *tuning, const nas_arch *arch) {
    ni_arch_net build;
    ni_net net;
    ni_vars *vars;
    ni_step_graph train = {0}, measure = {0};
    NI_TRY(ni_arch_network(&net, &build, arch, 0));
    NI_TRY(ni_vars_create(&vars, context));
    nas_status status = ni_training_graph(&train, context, vars, &net, BATCH, 0);
    if (status >= 0) status = list(tuning, &train);
    if (status >= 0) status = ni_measuring_graph(&measure, context, vars, &net, BATCH);
    if (status >= 0) status = list(tuning, &measure);
    ni_step_graph_free(&train);
    ni_step_graph_free(&measure);
    ni_vars_free(vars);
    return status;
}

nas_status nas_tuning_measure(nas_tuning **out, nas_context *context, const nas_arch *const *archs,
                              size_t n) {
    nas_tuning *tuning;
    NI_TRY(ni_enter(context));
    if (!out || !archs || n == 0)
        return ni_fail(context, NAS_E_INVALID,
                       "nas_tuning_measure: out and at least one architecture must be given");
    for (size_t i = 0; i < n; i++)
        if (!archs[i] || ni_space_context(nas_arch_space(archs[i])) != context)
            return ni_fail(context, NAS_E_INVALID, "nas_tuning_measure: architecture %zu is %s", i,
                           archs[i] ? "of another context" : "NULL");
    NI_TRY(ni_tuning_create(&tuning, context));
    nas_status status = NAS_OK;
    for (size_t i = 0; status >= 0 && i < n; i++)
        status = list_network(context, tuning, archs[i]);
    if (status >= 0) status = ni_tuning_time(tuning);
    if (status < 0)
        nas_tuning_free(tuning);
    else
        *out = tuning;
    return status;
}
