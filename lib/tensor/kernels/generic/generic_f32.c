/* The generic kernels for float32. */
#define T           float
#define T_DTYPE     NI_F32
#define T_NAME      "f32-generic"
#define T_MAKER     ni_kernels_generic_f32
#define T_FUN(name) name##f
#include "generic.inc"
