/* Sizes and epochs of brackets.
 *
 * Hyperband: Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization",
 * JMLR 2018, algorithm 1; and as in HpBandSter, the code of Falkner et al., "BOHB", ICML 2018,
 * where bracket i has s + 1 rungs, s = rungs - 1 - (i mod rungs), and floor(rungs / (s + 1)) eta^s
 * candidates.
 *
 * Both count rungs by a logarithm that rounding makes too small at times: ln(243) / ln(3) is
 * 4.999..., so that HpBandSter leaves out the rung of 1 epoch of 1 .. 243. Here a ratio that is
 * within 1e-9 of a power counts as that power. Sizes are computed in whole numbers. */
#include "bands.h"
#include <math.h>

uint32_t ni_bracket_rungs(double min_epochs, double max_epochs, uint32_t eta) {
    double ratio = max_epochs / min_epochs * (1 + 1e-9), power = eta;
    uint32_t rungs = 1;
    while (power <= ratio && rungs < NI_RUNGS) {
        power *= eta;
        rungs++;
    }
    return rungs;
}

nas_status ni_bracket_check(nas_context *context, double min_epochs, double max_epochs,
                            uint32_t eta) {
    char a[NI_NUMBER_TEXT], b[NI_NUMBER_TEXT];
    if (!(min_epochs >= 1e-6 && min_epochs <= max_epochs && max_epochs <= 1e6))
        return ni_fail(context, NAS_E_INVALID,
                       "min_epochs is %s and max_epochs %s: they must be 1e-6 .. 1e6, the first no "
                       "more than the second",
                       ni_f64_text(a, min_epochs), ni_f64_text(b, max_epochs));
    if (eta < 2 || eta > 1000)
        return ni_fail(context, NAS_E_INVALID, "eta is %u, must be in 2 .. 1000", eta);
    double first = pow(eta, ni_bracket_rungs(min_epochs, max_epochs, eta) - 1);
    if (first > NI_RACE_MOST)
        return ni_fail(context, NAS_E_INVALID,
                       "from %s to %s epochs by %u a bracket would have more than %d candidates: "
                       "raise min_epochs",
                       ni_f64_text(a, min_epochs), ni_f64_text(b, max_epochs), eta, NI_RACE_MOST);
    return NAS_OK;
}

static uint64_t power(uint32_t eta, uint32_t exponent) {
    uint64_t p = 1;
    for (uint32_t i = 0; i < exponent; i++)
        p *= eta;
    return p;
}

/* The last s + 1 rungs, n candidates in the first of them. */
static void fill(ni_bracket *out, double max_epochs, uint32_t eta, uint32_t s, uint64_t n) {
    memset(out, 0, sizeof *out);
    out->n = s + 1;
    for (uint32_t j = 0; j <= s; j++) {
        uint64_t size = n / power(eta, j);
        out->sizes[j] = (uint32_t)(size < 1 ? 1 : size);
        out->epochs[j] = max_epochs / (double)power(eta, s - j);
    }
}

void ni_bracket_halving(ni_bracket *out, double min_epochs, double max_epochs, uint32_t eta,
                        uint32_t candidates) {
    uint32_t s = ni_bracket_rungs(min_epochs, max_epochs, eta) - 1;
    fill(out, max_epochs, eta, s, candidates ? candidates : power(eta, s));
}

void ni_bracket_hyperband(ni_bracket *out, double min_epochs, double max_epochs, uint32_t eta,
                          uint64_t iteration, bool original) {
    uint32_t rungs = ni_bracket_rungs(min_epochs, max_epochs, eta);
    uint32_t s = rungs - 1 - (uint32_t)(iteration % rungs);
    uint64_t n = original ? (rungs * power(eta, s) + s) / (s + 1) /* rounded up */
                          : rungs / (s + 1) * power(eta, s);
    fill(out, max_epochs, eta, s, n);
}
