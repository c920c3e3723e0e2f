#include "redis/slot.h"

/* CRC16 of the four high bits, polynomial 0x1021: two steps a byte, and a table that one can check by eye. */
static uint16_t crc16(span s)
{
	static const uint16_t table[16] = {
	    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
	    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
	};
	uint16_t crc = 0;

	for (size_t i = 0; i < s.len; i++) {
		crc = (uint16_t)(crc << 4 ^ table[(crc >> 12 ^ s.ptr[i] >> 4) & 0xf]);
		crc = (uint16_t)(crc << 4 ^ table[(crc >> 12 ^ s.ptr[i]) & 0xf]);
	}
	return crc;
}

/* What is between the first { and the first } behind it; the whole key when there is no such pair, or nothing in it. */
static span hash_tag(span key)
{
	const uint8_t *open = key.len == 0 ? NULL : memchr(key.ptr, '{', key.len);
	const uint8_t *end;
	const uint8_t *close;

	if (open == NULL)
		return key;
	end = key.ptr + key.len;
	open++;
	close = memchr(open, '}', (size_t)(end - open));
	return close == NULL || close == open ? key : span_of(open, (size_t)(close - open));
}

uint16_t slot_of_key(span key)
{
	_Static_assert((SLOTS & (SLOTS - 1)) == 0, "modulo is a mask");
	return crc16(hash_tag(key)) & (SLOTS - 1);
}
