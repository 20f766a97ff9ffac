/* The set of candidates that a controller has proposed. */
#include "controller.h"

nas_status ni_seen_init(ni_seen *seen, nas_context *context) {
    memset(seen, 0, sizeof *seen);
    seen->context = context;
    return ni_map_create(&seen->map, context);
}

void ni_seen_free(ni_seen *seen) {
    if (seen->context == NULL) return;
    ni_map_free(seen->map);
    NI_ARRAY_FREE(seen->context, &seen->keys);
}

bool ni_seen_has(const ni_seen *seen, uint64_t key) {
    uint64_t value;
    return ni_map_get(seen->map, key, &value);
}

nas_status ni_seen_add(ni_seen *seen, uint64_t key) {
    if (ni_seen_has(seen, key)) return NAS_OK;
    NI_TRY(NI_PUSH(seen->context, &seen->keys, key));
    nas_status status = ni_map_put(seen->map, key, 1);
    if (status < 0) seen->keys.n--;
    return status;
}

nas_status ni_seen_save(const ni_seen *seen, nas_writer *to) {
    NI_TRY(nas_write_u64(to, seen->keys.n));
    for (size_t i = 0; i < seen->keys.n; i++)
        NI_TRY(nas_write_u64(to, seen->keys.items[i]));
    return NAS_OK;
}

nas_status ni_seen_load(ni_seen *seen, nas_reader *from) {
    uint64_t n, key;
    NI_TRY(nas_read_u64(from, &n));
    for (uint64_t i = 0; i < n; i++) {
        NI_TRY(nas_read_u64(from, &key));
        NI_TRY(ni_seen_add(seen, key));
    }
    return NAS_OK;
}

uint64_t ni_candidate_key(const nas_arch *arch) {
    uint64_t both[2] = {nas_arch_network_hash(arch), ni_arch_hyper_hash(arch)};
    return ni_hash(both, sizeof both);
}
