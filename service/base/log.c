#include "base/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Enough for the longest event that the program logs; a longer line is cut, and still ends in a newline. */
#define LOG_LINE_BYTES 1024

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static _Atomic int level_min = LOG_INFO;

struct line {
	char text[LOG_LINE_BYTES];
	size_t len;
};

static void put(struct line *l, char c)
{
	if (l->len < sizeof(l->text) - 1)
		l->text[l->len++] = c;
}

static void __attribute__((format(printf, 2, 3))) putf(struct line *l, const char *format, ...)
{
	const size_t room = sizeof(l->text) - l->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->len, room, format, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static bool is_plain(span s)
{
	static const char signs[] = "_.:/@+-";

	for (size_t i = 0; i < s.len; i++)
		if (!isalnum(s.ptr[i]) && memchr(signs, s.ptr[i], sizeof(signs) - 1) == NULL)
			return false;
	return s.len > 0;
}

static void put_span(struct line *l, span s)
{
	if (is_plain(s)) {
		for (size_t i = 0; i < s.len; i++)
			put(l, (char)s.ptr[i]);
		return;
	}
	put(l, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"' || s.ptr[i] == '\\')
			putf(l, "\\%c", s.ptr[i]);
		else if (s.ptr[i] < 0x20 || s.ptr[i] >= 0x7f)
			putf(l, "\\x%02x", s.ptr[i]);
		else
			put(l, (char)s.ptr[i]);
	}
	put(l, '"');
}

static void put_field(struct line *l, const struct log_field *f)
{
	putf(l, " %s=", f->name);
	switch (f->type) {
	case LOG_FIELD_TEXT:
		put_span(l, span_str(f->text));
		break;
	case LOG_FIELD_SPAN:
		put_span(l, f->bytes);
		break;
	case LOG_FIELD_UINT:
		putf(l, "%llu", (unsigned long long)f->number_u);
		break;
	case LOG_FIELD_INT:
		putf(l, "%lld", (long long)f->number_i);
		break;
	}
}

static void put_time(struct line *l)
{
	struct timespec now;
	struct tm utc;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	l->len += strftime(l->text, sizeof(l->text), "%Y-%m-%dT%H:%M:%S", &utc);
	putf(l, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	struct line l = {.len = 0};

	if ((int)level < atomic_load_explicit(&level_min, memory_order_relaxed))
		return;
	put_time(&l);
	putf(&l, " %s %s", level_names[level], event);
	for (size_t i = 0; i < count; i++)
		put_field(&l, &fields[i]);
	l.text[l.len++] = '\n';
	/* A log that cannot be written has nowhere to complain to. */
	if (write(STDERR_FILENO, l.text, l.len) < 0)
		return;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&level_min, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(name, level_names[i]) != 0)
			continue;
		*ret_level = (enum log_level)i;
		return true;
	}
	return false;
}
