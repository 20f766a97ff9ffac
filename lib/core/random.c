/* random.c: Philox 4x32-10 and what is drawn from it.
 *
 * Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
 *
 * Every draw uses operations alone that IEEE 754 defines to the bit (the library is compiled
 * without contraction, and the logarithm is this file's own), so that a stream is the same on every
 * machine: a processor's libm is not. The layout of a stream is part of what a seed means, and does
 * not change: key     = seed, low word first counter = block number (64 bits, low word first), then
 * the stream (64 bits, low word first) stream  = XXH3-64 of 16 bytes: the trial, then XXH3-64 of
 * the purpose's text, both little-endian and the words of a block are used in their order. */
#include <math.h>
#include "core.h"

#define MULTIPLIER_0 0xD2511F53u
#define MULTIPLIER_1 0xCD9E8D57u
#define WEYL_0       0x9E3779B9u
#define WEYL_1       0xBB67AE85u

void ni_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)MULTIPLIER_0 * c0, p1 = (uint64_t)MULTIPLIER_1 * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += WEYL_0;
        k1 += WEYL_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* AHEAD blocks whose counters follow each other. A block alone waits for each of its
 * multiplications; several at once do not wait for each other. */
enum { AHEAD = NI_RANDOM_AHEAD / 4 };

static void ahead_plain(const uint32_t counter[4], const uint32_t key[2], uint32_t *out) {
    const uint64_t from = counter[0] | (uint64_t)counter[1] << 32;
    for (unsigned i = 0; i < AHEAD; i++) {
        const uint32_t at[4] = {(uint32_t)(from + i), (uint32_t)((from + i) >> 32), counter[2],
                                counter[3]};
        ni_philox(at, key, &out[4 * i]);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))
/* Four blocks, a word of each in the lower half of a 64-bit lane: the upper halves hold what no
 * product reads. */
typedef struct {
    __m256i c0, c1, c2, c3;
} four_blocks;
AVX2 static inline four_blocks four_begin(uint64_t from, const uint32_t counter[4]) {
    __m256i c0 = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)from), _mm256_set_epi64x(3, 2, 1, 0));
    return (four_blocks){c0, _mm256_srli_epi64(c0, 32), _mm256_set1_epi64x(counter[2]),
                         _mm256_set1_epi64x(counter[3])};
}
AVX2 static inline four_blocks four_round(four_blocks x, __m256i k0, __m256i k1) {
    __m256i p0 = _mm256_mul_epu32(_mm256_set1_epi64x(MULTIPLIER_0), x.c0);
    __m256i p1 = _mm256_mul_epu32(_mm256_set1_epi64x(MULTIPLIER_1), x.c2);
    return (four_blocks){
        _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), x.c1), k0), p1,
        _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), x.c3), k1), p0};
}
AVX2 static inline void four_end(four_blocks x, uint32_t *out) {
    /* words 0 and 1 of each block, and 2 and 3 */
    __m256i a = _mm256_blend_epi32(x.c0, _mm256_slli_epi64(x.c1, 32), 0xaa);
    __m256i b = _mm256_blend_epi32(x.c2, _mm256_slli_epi64(x.c3, 32), 0xaa);
    __m256i even = _mm256_unpacklo_epi64(a, b), odd = _mm256_unpackhi_epi64(a, b);
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)(out + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}
AVX2 static void ahead_avx2(const uint32_t counter[4], const uint32_t key[2], uint32_t *out) {
    _Static_assert(AHEAD == 8, "four by four");
    const uint64_t from = counter[0] | (uint64_t)counter[1] << 32;
    __m256i k0 = _mm256_set1_epi64x(key[0]), k1 = _mm256_set1_epi64x(key[1]);
    four_blocks a = four_begin(from, counter), b = four_begin(from + 4, counter);
    for (int round = 0; round < 10; round++) {
        a = four_round(a, k0, k1);
        b = four_round(b, k0, k1);
        k0 = _mm256_add_epi32(k0, _mm256_set1_epi64x(WEYL_0));
        k1 = _mm256_add_epi32(k1, _mm256_set1_epi64x(WEYL_1));
    }
    four_end(a, out);
    four_end(b, out + 16);
}

static void philox_ahead(const uint32_t counter[4], const uint32_t key[2], uint32_t *out) {
    if (__builtin_cpu_supports("avx2"))
        ahead_avx2(counter, key, out);
    else
        ahead_plain(counter, key, out);
}
#else
static void philox_ahead(const uint32_t counter[4], const uint32_t key[2], uint32_t *out) {
    ahead_plain(counter, key, out);
}
#endif

static void put_le64(unsigned char *to, uint64_t value) {
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

void ni_random_init(nas_random *random, uint64_t seed, uint64_t trial, const char *purpose) {
    unsigned char name[16];
    put_le64(name, trial);
    put_le64(name + 8, ni_hash_text(purpose));
    uint64_t stream = ni_hash(name, sizeof name);
    memset(random, 0, sizeof *random);
    random->key[0] = (uint32_t)seed;
    random->key[1] = (uint32_t)(seed >> 32);
    random->stream[0] = (uint32_t)stream;
    random->stream[1] = (uint32_t)(stream >> 32);
}

nas_status nas_random_create(nas_random **out, nas_context *context, uint64_t seed, uint64_t trial,
                             const char *purpose) {
    NI_TRY(ni_enter(context));
    if (!out || !purpose)
        return ni_fail(context, NAS_E_INVALID,
                       "nas_random_create: out and purpose must not be NULL");
    nas_random *random = ni_alloc(context, sizeof *random);
    if (!random) return NAS_E_MEMORY;
    ni_random_init(random, seed, trial, purpose);
    random->context = context;
    ni_context_hold(context);
    *out = random;
    return NAS_OK;
}

void nas_random_free(nas_random *random) {
    /* One without a context is lent, and belongs to whoever lent it. */
    if (!random || !random->context) return;
    nas_context *context = random->context;
    ni_free(context, random);
    ni_context_release(context);
}

static void make_words(nas_random *random) {
    const uint32_t counter[4] = {(uint32_t)random->counter, (uint32_t)(random->counter >> 32),
                                 random->stream[0], random->stream[1]};
    philox_ahead(counter, random->key, random->words);
    random->counter += AHEAD;
    random->used = 0;
    random->made = NI_RANDOM_AHEAD;
}

static inline uint32_t word(nas_random *random) {
    if (random->used == random->made) make_words(random);
    return random->words[random->used++];
}

uint64_t ni_random_word_pair(nas_random *random) {
    uint64_t low = word(random);
    return low | (uint64_t)word(random) << 32;
}

uint64_t nas_random_u64(nas_random *random) {
    return ni_random_word_pair(random);
}

/* Without a division for the n of most decisions. */
static uint64_t reciprocal_of(uint64_t n) {
#define R(n) UINT64_MAX / (n)
    static const uint64_t known[65] = {
        0,     R(1),  R(2),  R(3),  R(4),  R(5),  R(6),  R(7),  R(8),  R(9),  R(10), R(11), R(12),
        R(13), R(14), R(15), R(16), R(17), R(18), R(19), R(20), R(21), R(22), R(23), R(24), R(25),
        R(26), R(27), R(28), R(29), R(30), R(31), R(32), R(33), R(34), R(35), R(36), R(37), R(38),
        R(39), R(40), R(41), R(42), R(43), R(44), R(45), R(46), R(47), R(48), R(49), R(50), R(51),
        R(52), R(53), R(54), R(55), R(56), R(57), R(58), R(59), R(60), R(61), R(62), R(63), R(64)};
#undef R
    return n < NI_COUNT(known) ? known[n] : ni_reciprocal(n);
}

uint64_t nas_random_below(nas_random *random, uint64_t n) {
    return n == 0 ? 0 : ni_random_below_by(random, n, reciprocal_of(n));
}

void ni_random_below_many(nas_random *random, uint32_t n, uint32_t *out, size_t count) {
    if (n == 0) {
        memset(out, 0, count * sizeof *out);
        return;
    }
    const uint64_t reciprocal = reciprocal_of(n), sure = UINT64_MAX - n;
    for (size_t done = 0; done < count;) {
        size_t pairs = (random->made - random->used) / 2;
        const uint32_t *at = &random->words[random->used];
        size_t i = 0;
        if (pairs > count - done) pairs = count - done;
        for (; i < pairs; i++) {
            uint64_t value = ni_two_words(at + 2 * i);
            if (value > sure) break; /* perhaps to be drawn again: the plain way knows */
            out[done + i] = (uint32_t)ni_remainder(value, n, reciprocal);
        }
        random->used += (uint32_t)(2 * i);
        done += i;
        if (i == pairs && i > 0) continue;
        out[done++] = (uint32_t)ni_random_below_by(random, n, reciprocal);
    }
}

double nas_random_uniform(nas_random *random) {
    return (double)(nas_random_u64(random) >> 11) * 0x1p-53;
}

/* Natural logarithm of a normal number > 0 by additions, multiplications and one division: x = m
 * 2^e with m near 1, log m = 2 atanh((m - 1) / (m + 1)) by its series, to about one unit in the
 * last place. */
static double exact_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | (uint64_t)1023 << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    double s = (m - 1.0) / (m + 1.0), s2 = s * s, sum = 0.0;
    for (int k = 25; k >= 3; k -= 2)
        sum = (sum + 1.0 / k) * s2;
    return (double)exponent * 0.6931471805599453 + 2.0 * (s + s * sum);
}

/* Marsaglia's polar method ("A convenient method for generating normal variables", 1964). */
double nas_random_normal(nas_random *random) {
    if (random->has_normal) {
        random->has_normal = 0;
        return random->normal;
    }
    double x, y, square;
    do {
        x = 2.0 * nas_random_uniform(random) - 1.0;
        y = 2.0 * nas_random_uniform(random) - 1.0;
        square = x * x + y * y;
    } while (square >= 1.0 || square == 0.0);
    double scale = sqrt(-2.0 * exact_log(square) / square);
    random->normal = y * scale;
    random->has_normal = 1;
    return x * scale;
}

void nas_random_shuffle(nas_random *random, uint32_t *values, size_t n) {
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)nas_random_below(random, i);
        uint32_t held = values[i - 1];
        values[i - 1] = values[j];
        values[j] = held;
    }
}

size_t nas_random_pick(nas_random *random, const double *weights, size_t n) {
    double most = 0.0, sum = 0.0;
    bool usable = true;
    for (size_t i = 0; i < n; i++) {
        if (!(weights[i] >= 0.0) || isinf(weights[i])) usable = false;
        if (weights[i] > most) most = weights[i];
    }
    if (!usable || most == 0.0) return (size_t)nas_random_below(random, n);
    /* Huge and tiny weights: a power of two changes no proportion and keeps the sum finite. */
    int exponent;
    frexp(most, &exponent);
    for (size_t i = 0; i < n; i++)
        sum += ldexp(weights[i], -exponent);
    double point = nas_random_uniform(random) * sum, passed = 0.0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (weights[i] == 0.0) continue;
        last = i;
        passed += ldexp(weights[i], -exponent);
        if (point < passed) return i;
    }
    return last; /* rounding of the product put the point on the end itself */
}

void ni_random_fill_uniform(nas_random *random, float *out, size_t n, float low, float high) {
    float span = high - low;
    for (size_t i = 0; i < n; i++)
        out[i] = low + span * ((float)(word(random) >> 8) * 0x1p-24f);
}

void ni_random_fill_normal(nas_random *random, float *out, size_t n, float mean, float deviation) {
    for (size_t i = 0; i < n; i++)
        out[i] = (float)((double)mean + (double)deviation * nas_random_normal(random));
}
