/* The learning rate of a step. Cosine: Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts;
 * by steps, not epochs. */
#include <math.h>
#include "nn.h"

double ni_learning_rate(const nas_train_options *o, uint64_t step, uint64_t total_steps,
                        double steps_an_epoch) {
    double warm = o->warmup * steps_an_epoch, at = (double)step, total = (double)total_steps;
    if (warm > total) warm = total;
    if (at < warm) return o->learning_rate * (at + 1) / (warm + 1);
    if (o->schedule == NAS_SCHEDULE_CONSTANT) return o->learning_rate;
    double part = total > warm ? (at - warm) / (total - warm) : 1;
    if (part > 1) part = 1;
    return o->final_rate +
           (o->learning_rate - o->final_rate) * 0.5 * (1 + cos(3.14159265358979323846 * part));
}
