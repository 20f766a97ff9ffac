/* Texts of which there are few different ones among many trials: each is kept once, and named by a
 * number. Number 0 is the empty text. */
#include "parts.h"

nas_status ni_words_init(ni_words *words, nas_context *context) {
    memset(words, 0, sizeof *words);
    words->context = context;
    NI_TRY(ni_arena_create(&words->arena, context));
    return NI_PUSH(context, &words->texts, "");
}

void ni_words_free(ni_words *words) {
    if (words->context == NULL) return;
    ni_arena_free(words->arena);
    NI_ARRAY_FREE(words->context, &words->texts);
    ni_free(words->context, words->table);
    memset(words, 0, sizeof *words);
}

static uint32_t *seek(const ni_words *words, uint32_t *table, size_t capacity, const char *text) {
    size_t i = (size_t)ni_hash_text(text) & (capacity - 1);
    while (table[i] && strcmp(words->texts.items[table[i]], text) != 0)
        i = (i + 1) & (capacity - 1);
    return &table[i];
}

static nas_status grow(ni_words *words) {
    size_t capacity = words->capacity ? 2 * words->capacity : 64;
    uint32_t *table = ni_calloc(words->context, capacity, sizeof *table);
    if (table == NULL) return NAS_E_MEMORY;
    for (uint32_t w = 1; w < words->texts.n; w++)
        *seek(words, table, capacity, words->texts.items[w]) = w;
    ni_free(words->context, words->table);
    words->table = table;
    words->capacity = capacity;
    return NAS_OK;
}

nas_status ni_word(ni_words *words, const char *text, uint32_t *out) {
    *out = 0;
    if (text == NULL || text[0] == 0) return NAS_OK;
    if (words->texts.n * 4 > words->capacity * 3) NI_TRY(grow(words));
    uint32_t *at = seek(words, words->table, words->capacity, text);
    if (*at == 0) {
        if (words->texts.n >= UINT32_MAX)
            return ni_fail(words->context, NAS_E_LIMIT, "the store has 2^32 different texts");
        const char *copy = ni_arena_strdup(words->arena, text);
        if (copy == NULL) return NAS_E_MEMORY;
        NI_TRY(NI_PUSH(words->context, &words->texts, copy));
        *at = (uint32_t)(words->texts.n - 1);
    }
    *out = *at;
    return NAS_OK;
}

const char *ni_word_text(const ni_words *words, uint32_t word) {
    return words->texts.items[word];
}
