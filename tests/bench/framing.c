#include "bench/framing.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define SP_LENGTH_BYTES 8
#define SP_ID_BIT	0x80000000U
/* Longer answers than any that is asked for: a length beyond it is none. */
#define ANSWER_BYTES_MAX (1 << 20)

size_t framing_put_sp(uint8_t *out, uint32_t id, const uint8_t *body, size_t body_len)
{
	const uint64_t length = htobe64(sizeof(id) + body_len);

	id = htobe32(id | SP_ID_BIT);
	memcpy(out, &length, SP_LENGTH_BYTES);
	memcpy(out + SP_LENGTH_BYTES, &id, sizeof(id));
	memcpy(out + SP_LENGTH_BYTES + sizeof(id), body, body_len);
	return SP_LENGTH_BYTES + sizeof(id) + body_len;
}

static ssize_t measure_sp(const uint8_t *data, size_t len)
{
	uint64_t length;

	if (len < SP_LENGTH_BYTES)
		return 0;
	memcpy(&length, data, SP_LENGTH_BYTES);
	length = be64toh(length);
	if (length > ANSWER_BYTES_MAX)
		return -1;
	return len >= SP_LENGTH_BYTES + length ? (ssize_t)(SP_LENGTH_BYTES + length) : 0;
}

static ssize_t measure_http(const uint8_t *data, size_t len)
{
	static const char field[] = "content-length:";
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	const char *at = (const char *)data;
	size_t total;

	if (end == NULL)
		return 0;
	while (at < end && strncasecmp(at, field, sizeof(field) - 1) != 0) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at != NULL ? at + 1 : end;
	}
	if (at >= end)
		return -1;
	total = (size_t)(end + 4 - (const char *)data) + strtoul(at + sizeof(field) - 1, NULL, 10);
	if (total > ANSWER_BYTES_MAX)
		return -1;
	return len >= total ? (ssize_t)total : 0;
}

/* The number behind a type character; *ret_bytes is its line's length. */
static long number_line(const uint8_t *data, size_t len, size_t *ret_bytes)
{
	const uint8_t *end = memmem(data, len, "\r\n", 2);

	*ret_bytes = end != NULL ? (size_t)(end + 2 - data) : 0;
	return end != NULL ? strtol((const char *)data + 1, NULL, 10) : 0;
}

static ssize_t measure_resp(const uint8_t *data, size_t len);

static ssize_t measure_array(const uint8_t *data, size_t len, size_t at, long count)
{
	while (count-- > 0) {
		const ssize_t one = measure_resp(data + at, len - at);

		if (one <= 0)
			return one;
		at += (size_t)one;
	}
	return (ssize_t)at;
}

/* As deep as scripts answer: an array of texts and numbers. */
static ssize_t measure_resp(const uint8_t *data, size_t len)
{
	size_t line;
	long number;

	if (len == 0)
		return 0;
	number = number_line(data, len, &line);
	if (line == 0)
		return 0;
	switch (data[0]) {
	case '+':
	case ':':
		return (ssize_t)line;
	case '$':
		if (number < 0)
			return (ssize_t)line;
		return len >= line + (size_t)number + 2 ? (ssize_t)(line + (size_t)number + 2) : 0;
	case '*':
		return measure_array(data, len, line, number);
	default:
		return -1;
	}
}

const struct framing framing_sp = {
    .greeting = {0, 'S', 'P', 0, 0, 0x30, 0, 0}, .greeting_bytes = 8, .measure = measure_sp};
const struct framing framing_http = {.measure = measure_http};
const struct framing framing_resp = {.measure = measure_resp};
