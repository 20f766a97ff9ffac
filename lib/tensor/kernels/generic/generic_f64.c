/* The generic kernels for float64: graphs that check gradients are built on these. */
#define T           double
#define T_DTYPE     NI_F64
#define T_NAME      "f64-generic"
#define T_MAKER     ni_kernels_generic_f64
#define T_FUN(name) name
#include "generic.inc"
