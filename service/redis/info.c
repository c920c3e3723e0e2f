#include "redis/info.h"

#include <stdlib.h>

/* The longest number: 2^64, and a NUL. */
#define NUMBER_BYTES 24

void info_copy_printable(char *ret, size_t size, span s)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;

	for (size_t i = 0; i < n; i++)
		ret[i] = (char)(s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f ? s.ptr[i] : '?');
	ret[n] = '\0';
}

static bool is_at(span line, const char *field, span *ret_value)
{
	size_t len = strlen(field);

	if (!span_starts_with(line, span_of(field, len)) || line.len <= len || line.ptr[len] != ':')
		return false;
	*ret_value = span_of(line.ptr + len + 1, line.len - len - 1);
	return true;
}

static uint64_t number(span value)
{
	char text[NUMBER_BYTES];

	info_copy_printable(text, sizeof(text), value);
	return strtoull(text, NULL, 10);
}

static void read_offset(span value, struct info *info)
{
	info->has_offset = true;
	info->offset = number(value);
}

static enum redis_kind kind_of(span value)
{
	if (span_eq(value, SPAN_LIT("standalone")))
		return KIND_STANDALONE;
	if (span_eq(value, SPAN_LIT("cluster")))
		return KIND_CLUSTER;
	return span_eq(value, SPAN_LIT("sentinel")) ? KIND_SENTINEL : KIND_UNKNOWN;
}

static void read_line(span line, struct info *info)
{
	span value;

	if (is_at(line, "redis_version", &value))
		info_copy_printable(info->version, sizeof(info->version), value);
	else if (is_at(line, "run_id", &value))
		info_copy_printable(info->run_id, sizeof(info->run_id), value);
	else if (is_at(line, "redis_mode", &value))
		info->kind = kind_of(value);
	else if (is_at(line, "role", &value))
		info->role = span_eq(value, SPAN_LIT("master")) ? ROLE_PRIMARY : ROLE_REPLICA;
	else if (is_at(line, "master_replid", &value))
		info_copy_printable(info->replication, sizeof(info->replication), value);
	else if (is_at(line, "connected_slaves", &value))
		info->replicas = (uint32_t)number(value);
	else if (is_at(line, "slave_repl_offset", &value) ||
		 (is_at(line, "master_repl_offset", &value) && info->role == ROLE_PRIMARY))
		read_offset(value, info);
}

void info_read(span text, struct info *info)
{
	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);
		size_t taken = end == NULL ? len : len + 1;
		span line = span_of(text.ptr, len);

		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		read_line(line, info);
		text = span_of(text.ptr + taken, text.len - taken);
	}
}
