#ifndef LK_BASE_SPAN_H
#define LK_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes. Never owns; may hold any octet; not terminated. {NULL, 0} is the empty span. */
typedef struct span {
	const uint8_t *ptr;
	size_t len;
} span;

#define SPAN_EMPTY ((span){0})
/* A span over a string literal or a character array that is one. */
#define SPAN_LIT(s) ((span){(const uint8_t *)(s), sizeof(s) - 1})
/* printf("%.*s", SPAN_FMT(s)): only for bytes known to be text. */
#define SPAN_FMT(s) (int)(s).len, (const char *)(s).ptr

static inline span span_of(const void *ptr, size_t len)
{
	return (span){(const uint8_t *)ptr, len};
}

static inline span span_str(const char *s)
{
	return (span){(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
}

/* Not constant-time: never for secrets. */
static inline bool span_eq(span a, span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_starts_with(span s, span prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

#endif
