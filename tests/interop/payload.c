#include "interop/payload.h"

#include <stdlib.h>
#include <string.h>

/* Longer answers were not asked for by any test. */
#define ANSWER_BYTES_MAX (16U << 20)

static uint8_t byte_at(uint32_t serial, size_t place)
{
	return (uint8_t)((serial * 2654435761U + (uint32_t)place * 40503U) >> 13);
}

static void fill(uint8_t *out, size_t from, size_t len, uint32_t serial)
{
	for (size_t i = from; i < len; i++)
		out[i] = byte_at(serial, i);
}

static bool is_filled(const uint8_t *data, size_t from, size_t len, uint32_t serial)
{
	for (size_t i = from; i < len; i++) {
		if (data[i] != byte_at(serial, i))
			return false;
	}
	return true;
}

void payload_fill_request(uint8_t *out, size_t len, uint32_t serial, uint32_t answer_bytes)
{
	memcpy(out, &serial, sizeof(serial));
	memcpy(out + sizeof(serial), &answer_bytes, sizeof(answer_bytes));
	fill(out, PAYLOAD_HEAD, len, serial);
}

uint8_t *payload_answer(const uint8_t *request, size_t len, size_t *ret_len)
{
	uint32_t answer_bytes = 0;
	uint32_t serial = 0;
	bool is_sound = len == 0;
	uint8_t *answer;

	if (len >= PAYLOAD_HEAD) {
		memcpy(&serial, request, sizeof(serial));
		memcpy(&answer_bytes, request + sizeof(serial), sizeof(answer_bytes));
		is_sound = answer_bytes <= ANSWER_BYTES_MAX && is_filled(request, PAYLOAD_HEAD, len, serial);
	}
	if (!is_sound)
		answer_bytes = 1;
	answer = calloc(1, (size_t)answer_bytes + 1);
	if (answer == NULL)
		abort();
	if (is_sound)
		fill(answer, 0, answer_bytes, serial);
	*ret_len = answer_bytes;
	return answer;
}

bool payload_is_answer(const uint8_t *answer, size_t len, uint32_t serial, uint32_t answer_bytes)
{
	return len == answer_bytes && is_filled(answer, 0, len, serial);
}
