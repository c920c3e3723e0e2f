#include "bench/script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pump.h"

#define TAG_CHARS  11
#define NAME_CHARS 16
/* Of a handle: TAG, a sign, NAME. */
#define NAME_AT 12

/* Of an idempotency key, its end; the beginning, which is random, tells one script's from another's. */
#define KEY_CHARS 12

static const char idempotency_prefix[] = "lk1:i:{";

/* A word under construction. MONITOR escapes what is not printable; monitor_parse's words end at the first NUL, and
 * records have many. */
struct word {
	uint8_t bytes[PUMP_REQUEST_BYTES_MAX];
	size_t len;
};

static unsigned hex_digit(char c)
{
	return (unsigned)(isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10);
}

/* What follows a backslash; returns how many characters that were. */
static size_t unescape(const char *at, uint8_t *out)
{
	static const char letters[] = "nrtab";
	static const char meanings[] = "\n\r\t\a\b";
	const char *letter = strchr(letters, at[0]);

	if (at[0] == 'x') {
		*out = (uint8_t)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
		return 3;
	}
	*out = (uint8_t)(letter != NULL ? meanings[letter - letters] : at[0]);
	return 1;
}

/* The word behind the opening quote; returns what follows the closing one, or NULL. */
static const char *take_word(const char *at, struct word *ret)
{
	ret->len = 0;
	while (*at != '"') {
		if (*at == '\0' || ret->len == sizeof(ret->bytes))
			return NULL;
		if (*at == '\\')
			at += 1 + unescape(at + 1, &ret->bytes[ret->len++]);
		else
			ret->bytes[ret->len++] = (uint8_t)*at++;
	}
	return at + 1;
}

static void mark(struct script *s, size_t at, size_t len, unsigned base)
{
	if (s->count == SCRIPT_PLACES_MAX)
		bench_die("a script's call has more places than SCRIPT_PLACES_MAX", NULL);
	s->places[s->count++] = (struct script_place){.at = at, .len = len, .base = base};
}

static void mark_all(struct script *s, size_t from, const char *text, size_t len, unsigned base)
{
	const uint8_t *at = s->bytes + from;
	const uint8_t *end = s->bytes + s->len;

	while ((at = memmem(at, (size_t)(end - at), text, len)) != NULL) {
		mark(s, (size_t)(at - s->bytes), len, base);
		at += len;
	}
}

static void add_word(struct script *s, const struct word *w, const char *handle)
{
	const size_t prefix = sizeof(idempotency_prefix) - 1 + TAG_CHARS + 2;
	size_t from;

	if (s->len + w->len + 32 > PUMP_REQUEST_BYTES_MAX)
		bench_die("a script's call is longer than PUMP_REQUEST_BYTES_MAX", NULL);
	s->len += (size_t)sprintf((char *)s->bytes + s->len, "$%zu\r\n", w->len);
	from = s->len;
	memcpy(s->bytes + from, w->bytes, w->len);
	s->len += w->len;
	mark_all(s, from, handle, TAG_CHARS, 16);
	mark_all(s, from, handle + NAME_AT, NAME_CHARS, 10);
	if (w->len > prefix + KEY_CHARS && memcmp(w->bytes, idempotency_prefix, sizeof(idempotency_prefix) - 1) == 0)
		mark(s, from + w->len - KEY_CHARS, KEY_CHARS, 10);
	memcpy(s->bytes + s->len, "\r\n", 2);
	s->len += 2;
}

static unsigned count_words(const char *line, struct word *w)
{
	const char *at = strchr(line, '"');
	unsigned words = 0;

	while (at != NULL && (at = take_word(at + 1, w)) != NULL) {
		words++;
		at = strchr(at, '"');
	}
	return words;
}

static void learn_line(struct script *s, const char *line, const char *handle)
{
	const char *at = strchr(line, '"');
	struct word *w = malloc(sizeof(*w));

	s->bytes = malloc(PUMP_REQUEST_BYTES_MAX);
	if (w == NULL || s->bytes == NULL)
		bench_die("out of memory", NULL);
	s->len = (size_t)sprintf((char *)s->bytes, "*%u\r\n", count_words(line, w));
	while (at != NULL && (at = take_word(at + 1, w)) != NULL) {
		add_word(s, w, handle);
		at = strchr(at, '"');
	}
	free(w);
}

void script_learn(struct script *s, const struct monitor *m, const char *handle)
{
	char tag[TAG_CHARS + 1];
	const char *found = NULL;

	*s = (struct script){0};
	(void)snprintf(tag, sizeof(tag), "%s", handle);
	for (size_t i = 0; i < m->count; i++) {
		if (strstr(m->lines[i], "] \"EVALSHA\"") == NULL || strstr(m->lines[i], tag) == NULL)
			continue;
		if (found != NULL)
			bench_die("a call has become two scripts", NULL);
		found = m->lines[i];
	}
	if (found == NULL)
		bench_die("a call has become no script", NULL);
	learn_line(s, found, handle);
}

static void put_number(uint8_t *out, size_t len, uint64_t number, unsigned base)
{
	static const char digits[] = "0123456789abcdef";

	while (len-- > 0) {
		out[len] = (uint8_t)digits[number % base];
		number /= base;
	}
}

size_t script_put(void *arg, uint64_t serial, uint8_t *out)
{
	const struct script *s = arg;

	memcpy(out, s->bytes, s->len);
	for (size_t i = 0; i < s->count; i++)
		put_number(out + s->places[i].at, s->places[i].len, s->first + serial, s->places[i].base);
	return s->len;
}

void script_drop(struct script *s)
{
	free(s->bytes);
	*s = (struct script){0};
}
