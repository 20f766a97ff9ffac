/* Networks that were published, by name: the cells of DARTS (cnn/genotypes.py), NASNet and
 * AmoebaNet (the same file), PNASNet (chenxi116/PNASNet.pytorch, genotypes.py) and ENAS
 * (scripts/cifar10_micro_final.sh); cells and networks that papers on the benchmarks single out. */
#include "internal.h"

#define CELL(normal, normal_concat, reduce, reduce_concat)                                         \
    "Genotype(normal=[" normal "], normal_concat=" normal_concat ", reduce=[" reduce               \
    "], reduce_concat=" reduce_concat ")"
#define PNASNET                                                                                    \
    "('sep_conv_5x5', 0), ('max_pool_3x3', 0), ('sep_conv_7x7', 1), ('max_pool_3x3', 1), "         \
    "('sep_conv_5x5', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 4), ('max_pool_3x3', 1), "         \
    "('sep_conv_3x3', 0), ('skip_connect', 1)"

static const struct {
    const char *space, *name, *text; /* space: the preset that it belongs to */
} all[] = {
    {"darts", "DARTS_V1",
     CELL("('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), "
          "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)",
          "[2, 3, 4, 5]",
          "('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), "
          "('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)",
          "[2, 3, 4, 5]")},
    {"darts", "DARTS_V2",
     CELL("('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
          "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)",
          "[2, 3, 4, 5]",
          "('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), "
          "('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)",
          "[2, 3, 4, 5]")},
    {"nasnet", "NASNet-A",
     CELL("('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 0), ('sep_conv_3x3', 0), "
          "('avg_pool_3x3', 1), ('skip_connect', 0), ('avg_pool_3x3', 0), ('avg_pool_3x3', 0), "
          "('sep_conv_3x3', 1), ('skip_connect', 1)",
          "[2, 3, 4, 5, 6]",
          "('sep_conv_5x5', 1), ('sep_conv_7x7', 0), ('max_pool_3x3', 1), ('sep_conv_7x7', 0), "
          "('avg_pool_3x3', 1), ('sep_conv_5x5', 0), ('skip_connect', 3), ('avg_pool_3x3', 2), "
          "('sep_conv_3x3', 2), ('max_pool_3x3', 1)",
          "[4, 5, 6]")},
    {"amoebanet", "AmoebaNet-A",
     CELL("('avg_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 2), "
          "('sep_conv_3x3', 0), ('avg_pool_3x3', 3), ('sep_conv_3x3', 1), ('skip_connect', 1), "
          "('skip_connect', 0), ('avg_pool_3x3', 1)",
          "[4, 5, 6]",
          "('avg_pool_3x3', 0), ('sep_conv_3x3', 1), ('max_pool_3x3', 0), ('sep_conv_7x7', 2), "
          "('sep_conv_7x7', 0), ('avg_pool_3x3', 1), ('max_pool_3x3', 0), ('max_pool_3x3', 1), "
          "('conv_7x1_1x7', 0), ('sep_conv_3x3', 5)",
          "[3, 4, 6]")},
    {"pnas", "PNASNet-5", CELL(PNASNET, "[2, 3, 4, 5, 6]", PNASNET, "[2, 3, 4, 5, 6]")},
    {"enas-micro", "ENAS",
     "0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1 1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1"},
    {"nas-bench-201", "ResNet",
     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"},
    {"nas-bench-101", "inception",
     "[[0,1,1,1,0,1,0],[0,0,0,0,0,0,1],[0,0,0,0,0,0,1],[0,0,0,0,1,0,0],[0,0,0,0,0,0,1],"
     "[0,0,0,0,0,0,1],[0,0,0,0,0,0,0]],['input','conv1x1-bn-relu','conv3x3-bn-relu',"
     "'conv3x3-bn-relu','conv3x3-bn-relu','maxpool3x3','output']"},
    {"nas-bench-macro", "best", "22212220"},
};

const char *nas_space_published(const nas_space *space, uint32_t index) {
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (strcmp(all[i].space, space->name) == 0 && index-- == 0) return all[i].name;
    return NULL;
}

const char *ni_published_text(const char *name) {
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (strcmp(all[i].name, name) == 0) return all[i].text;
    return NULL;
}

const char *ni_published_nearest(const nas_space *space, const char *name) {
    const char *known[NI_COUNT(all)];
    size_t n = 0;
    for (size_t i = 0; i < NI_COUNT(all); i++)
        if (strcmp(all[i].space, space->name) == 0) known[n++] = all[i].name;
    return ni_nearest(name, known, n);
}
