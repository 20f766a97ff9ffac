/* Variables: named parameters and state, laid out in one buffer that lives outside the graphs. */
#include <math.h>
#include "graph.h"

enum { VAR_ALIGN = 16 }; /* elements: 64 bytes of float32 */

struct ni_vars {
    nas_context *context;
    ni_arena *names;
    ni_map *by_name; /* hash of the name, probed upwards, to slot */
    NI_ARRAY(ni_var) vars;
    size_t size;
    int64_t parameters;
};

nas_status ni_vars_create(ni_vars **out, nas_context *context) {
    ni_vars *vars = ni_calloc(context, 1, sizeof *vars);
    nas_status status;
    if (!vars) return NAS_E_MEMORY;
    vars->context = context;
    NI_GOTO(fail, ni_arena_create(&vars->names, context));
    NI_GOTO(fail, ni_map_create(&vars->by_name, context));
    *out = vars;
    return NAS_OK;
fail:
    ni_vars_free(vars);
    return status;
}

void ni_vars_free(ni_vars *vars) {
    if (!vars) return;
    nas_context *context = vars->context;
    NI_ARRAY_FREE(context, &vars->vars);
    if (vars->by_name) ni_map_free(vars->by_name);
    if (vars->names) ni_arena_free(vars->names);
    ni_free(context, vars);
}

/* The key at which a name stands or would stand: equal hashes of different names go upwards. */
static uint64_t name_key(const ni_vars *vars, const char *name, uint32_t *slot, bool *found) {
    uint64_t key = ni_hash_text(name), value;
    for (*found = false; ni_map_get(vars->by_name, key, &value); key++) {
        if (strcmp(vars->vars.items[value].name, name) != 0) continue;
        *slot = (uint32_t)value;
        *found = true;
        break;
    }
    return key;
}

nas_status ni_vars_add(ni_vars *vars, const ni_var *var, uint32_t *slot) {
    bool found;
    uint64_t key = name_key(vars, var->name, slot, &found);
    if (found) {
        const ni_var *old = &vars->vars.items[*slot];
        if (ni_shape_equal(old->shape, var->shape) && old->kind == var->kind) return NAS_OK;
        const int64_t *a = old->shape.d, *b = var->shape.d;
        return ni_fail(vars->context, NAS_E_SHAPE,
                       "variable '%s' exists as %lldx%lldx%lldx%lld (%s) and is wanted as "
                       "%lldx%lldx%lldx%lld (%s): give one of them another name",
                       var->name, (long long)a[0], (long long)a[1], (long long)a[2],
                       (long long)a[3], old->kind == NI_STATE ? "state" : "parameter",
                       (long long)b[0], (long long)b[1], (long long)b[2], (long long)b[3],
                       var->kind == NI_STATE ? "state" : "parameter");
    }
    ni_var copy = *var;
    size_t count = 1, end;
    for (int i = 0; i < 4; i++)
        if (var->shape.d[i] < 1 || !ni_mul_size(count, (size_t)var->shape.d[i], &count) ||
            count > SIZE_MAX / 64)
            return ni_fail(vars->context, NAS_E_SHAPE,
                           "variable '%s' has no size that can be held (%lldx%lldx%lldx%lld)",
                           var->name, (long long)var->shape.d[0], (long long)var->shape.d[1],
                           (long long)var->shape.d[2], (long long)var->shape.d[3]);
    if (!ni_add_size(vars->size, (count + VAR_ALIGN - 1) / VAR_ALIGN * VAR_ALIGN, &end) ||
        end > SIZE_MAX / 64 || vars->vars.n >= NI_NONE)
        return ni_fail(vars->context, NAS_E_LIMIT, "variable '%s' does not fit beside the others",
                       var->name);
    copy.offset = vars->size;
    copy.name = ni_arena_strdup(vars->names, var->name);
    if (!copy.name) return NAS_E_MEMORY;
    NI_TRY(NI_PUSH(vars->context, &vars->vars, copy));
    nas_status status = ni_map_put(vars->by_name, key, vars->vars.n - 1);
    if (status < 0) {
        vars->vars.n--;
        return status;
    }
    vars->size = end;
    if (var->kind == NI_PARAMETER) vars->parameters += (int64_t)count;
    *slot = (uint32_t)(vars->vars.n - 1);
    return NAS_OK;
}

void ni_vars_undo(ni_vars *vars, uint32_t count) {
    for (; vars->vars.n > count; vars->vars.n--) {
        const ni_var *last = &vars->vars.items[vars->vars.n - 1];
        uint32_t slot;
        bool found;
        uint64_t key = name_key(vars, last->name, &slot, &found);
        if (found) ni_map_remove(vars->by_name, key);
        if (last->kind == NI_PARAMETER) vars->parameters -= ni_shape_count(last->shape);
        vars->size = last->offset;
    }
}

uint32_t ni_vars_count(const ni_vars *vars) {
    return (uint32_t)vars->vars.n;
}

const ni_var *ni_vars_get(const ni_vars *vars, uint32_t slot) {
    return &vars->vars.items[slot];
}

bool ni_vars_find(const ni_vars *vars, const char *name, uint32_t *slot) {
    bool found;
    uint32_t at = 0;
    name_key(vars, name, &at, &found);
    if (found) *slot = at;
    return found;
}

size_t ni_vars_size(const ni_vars *vars) {
    return vars->size;
}

int64_t ni_vars_parameters(const ni_vars *vars) {
    return vars->parameters;
}

static double draw(const ni_var *var, nas_random *random) {
    double bound = var->init_a;
    switch (var->init) {
    case NI_INIT_ZEROS:
        return 0;
    case NI_INIT_ONES:
        return 1;
    case NI_INIT_NORMAL:
        return var->init_a * nas_random_normal(random);
    case NI_INIT_KAIMING_NORMAL:
        return sqrt(2 / var->init_a) * nas_random_normal(random);
    case NI_INIT_KAIMING_UNIFORM:
        bound = 1 / sqrt((double)(var->fan_in > 0 ? var->fan_in : 1));
        break;
    case NI_INIT_UNIFORM:
        break;
    }
    return bound * (2 * nas_random_uniform(random) - 1);
}

void ni_vars_initialise(const ni_vars *vars, void *values, uint32_t dtype, uint64_t seed) {
    memset(values, 0, vars->size * ni_dtype_size(dtype));
    for (size_t slot = 0; slot < vars->vars.n; slot++) {
        const ni_var *var = &vars->vars.items[slot];
        nas_random random;
        ni_random_init(&random, seed, ni_hash_text(var->name), "initialise");
        for (int64_t i = 0, n = ni_shape_count(var->shape); i < n; i++) {
            double value = draw(var, &random);
            if (dtype == NI_F64)
                ((double *)values)[var->offset + (size_t)i] = value;
            else
                ((float *)values)[var->offset + (size_t)i] = (float)value;
        }
    }
}
