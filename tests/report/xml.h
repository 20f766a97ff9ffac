/* A strict little reader of XML, as far as the library writes it: no entities but the five, tags
 * that close in order, attributes quoted and once each, nothing raw where it must be escaped. */
#ifndef TESTS_REPORT_XML_H
#define TESTS_REPORT_XML_H
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char open[64][32];
    int depth;
    size_t elements;
    char wrong[120]; /* "" while all is well */
} xml_check;

static inline bool xml_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == ':';
}

static inline const char *xml_fail(xml_check *x, const char *what, const char *at) {
    snprintf(x->wrong, sizeof x->wrong, "%s at: %.60s", what, at);
    return NULL;
}

static inline const char *xml_text(xml_check *x, const char *at, char end) {
    for (; *at && *at != end && *at != '<'; at++) {
        if ((unsigned char)*at < 32 && *at != '\n' && *at != '\t')
            return xml_fail(x, "control character", at);
        if (*at != '&') continue;
        static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
        bool good = false;
        for (size_t i = 0; i < 5; i++)
            good = good || !strncmp(at, known[i], strlen(known[i]));
        if (!good) return xml_fail(x, "bare &", at);
    }
    return at;
}

static inline const char *xml_tag(xml_check *x, const char *at) {
    const char *start = at++;
    bool closes = *at == '/';
    char name[32], seen[16][32];
    size_t n = 0, attributes = 0;
    if (closes) at++;
    while (xml_name(*at) && n < sizeof name - 1)
        name[n++] = *at++;
    name[n] = 0;
    if (n == 0) return xml_fail(x, "bare <", start);
    if (closes) {
        if (*at != '>') return xml_fail(x, "attributes of a closing tag", start);
        if (x->depth == 0 || strcmp(x->open[x->depth - 1], name) != 0)
            return xml_fail(x, "closes what is not open", start);
        x->depth--;
        return at + 1;
    }
    x->elements++;
    for (;;) {
        bool space = *at == ' ' || *at == '\n';
        while (*at == ' ' || *at == '\n')
            at++;
        if (*at == '>' || (*at == '/' && at[1] == '>')) break;
        if (!space || attributes == 16) return xml_fail(x, "bad attribute", start);
        n = 0;
        while (xml_name(*at) && n < 31)
            seen[attributes][n++] = *at++;
        seen[attributes][n] = 0;
        for (size_t i = 0; i < attributes; i++)
            if (!strcmp(seen[i], seen[attributes])) return xml_fail(x, "attribute twice", start);
        attributes++;
        if (n == 0 || *at++ != '=' || *at++ != '"') return xml_fail(x, "bad attribute", start);
        at = xml_text(x, at, '"');
        if (!at) return NULL;
        if (*at++ != '"') return xml_fail(x, "attribute without end", start);
    }
    if (*at == '/') return at + 2;
    if (x->depth == 64) return xml_fail(x, "too deep", start);
    snprintf(x->open[x->depth++], 32, "%s", name);
    return at + 1;
}

static inline bool xml_good(xml_check *x, const char *text) {
    memset(x, 0, sizeof *x);
    const char *at = text;
    if (!strncmp(at, "<!DOCTYPE html>\n", 16)) at += 16;
    while (at && *at) {
        if (x->depth == 0 && *at == '\n') {
            at++;
            continue;
        }
        if (x->depth == 0 && (*at != '<' || x->elements)) {
            xml_fail(x, "outside of the root", at);
            break;
        }
        at = *at == '<' ? xml_tag(x, at) : xml_text(x, at, '<');
    }
    if (!x->wrong[0] && (x->depth || !x->elements)) xml_fail(x, "not closed", "(end)");
    return !x->wrong[0];
}

static inline size_t times(const char *text, const char *what) {
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}
#endif
