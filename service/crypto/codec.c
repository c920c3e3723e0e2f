#include "crypto/codec.h"

#include <assert.h>
#include <endian.h>
#include <sodium.h>

/* libsodium's encoders end their output in a NUL, for which callers' buffers have no room: longer inputs go through in
 * slices of this many bytes, a multiple of 3, so that no slice but the last has a partial group. */
#define SLICE_BYTES 48

void random_fill(void *out, size_t len)
{
	randombytes_buf(out, len);
}

/* Base64 is made and read here, for every call with a token pays both, and the library takes some fifty instructions for
 * a character to make one, and seventy-seven to read one. Comparing sixteen characters at once takes a seventh of that,
 * and no more depends on what they are: there is no branch and no table. */
#define LANES 16

typedef uint8_t lanes __attribute__((vector_size(LANES)));

#define EACH(n) ((lanes){(n), (n), (n), (n), (n), (n), (n), (n), (n), (n), (n), (n), (n), (n), (n), (n)})

/* Of sextets to characters: each range lies that much further up, or down, than where the one before it would go on. */
static inline lanes print_sextets(lanes v)
{
	lanes c = v + EACH('A');

	c += (lanes)(v > EACH(25)) & EACH('a' - 'Z' - 1);
	c -= (lanes)(v > EACH(51)) & EACH('z' + 1 - '0');
	c -= (lanes)(v > EACH(61)) & EACH('9' + 1 - '-');
	c += (lanes)(v > EACH(62)) & EACH('_' - '-' - 1);
	return c;
}

/* Eight sextets, a byte each, and the six bytes that they are: pairs, fours and all of them are moved at once. */
static inline uint64_t join_eight(uint64_t v)
{
	v = (v & 0x3f003f003f003f00) >> 2 | (v & 0x003f003f003f003f);
	v = (v & 0x0fff00000fff0000) >> 4 | (v & 0x00000fff00000fff);
	return (v & 0x00ffffff00000000) >> 8 | (v & 0x0000000000ffffff);
}

static inline uint64_t part_eight(uint64_t v)
{
	v = (v << 8 & 0x00ffffff00000000) | (v & 0x0000000000ffffff);
	v = (v << 4 & 0x0fff00000fff0000) | (v & 0x00000fff00000fff);
	return (v << 2 & 0x3f003f003f003f00) | (v & 0x003f003f003f003f);
}

/* As they stand in memory. */
typedef uint64_t halves __attribute__((vector_size(LANES)));

static inline uint64_t get_sextets(const uint8_t bytes[static 6])
{
	uint64_t v = 0;

	memcpy(&v, bytes, 6);
	return htobe64(part_eight(be64toh(v) >> 16));
}

static inline void put_sextets(uint64_t sextets, uint8_t out[static 6])
{
	const uint64_t v = htobe64(join_eight(be64toh(sextets)) << 16);

	memcpy(out, &v, 6);
}

#define LANES_BYTES ((size_t)LANES / 4 * 3)

static inline lanes encode_lanes(const uint8_t bytes[static LANES_BYTES])
{
	const halves sextets = {get_sextets(bytes), get_sextets(bytes + 6)};

	return print_sextets((lanes)sextets);
}

void base64_encode(span in, char *out)
{
	uint8_t rest[LANES_BYTES] = {0};
	size_t at = 0;
	lanes chars;

	for (; at + LANES_BYTES <= in.len; at += LANES_BYTES, out += LANES) {
		chars = encode_lanes(in.ptr + at);
		memcpy(out, &chars, LANES);
	}
	if (at < in.len) {
		memcpy(rest, in.ptr + at, in.len - at);
		chars = encode_lanes(rest);
		memcpy(out, &chars, BASE64_CHARS(in.len - at));
		sodium_memzero(rest, sizeof(rest));
	}
	sodium_memzero(&chars, sizeof(chars));
}

struct sextets {
	lanes values;
	lanes bad; /* not 0: that character is none of the alphabet */
};

/* Whether a character is one of so many, by how far it is from the first of them. */
static inline lanes is_within(lanes distance, uint8_t count)
{
	return (lanes)(distance < EACH(count));
}

static inline struct sextets read_sextets(lanes c)
{
	const lanes upper = c - EACH('A');
	const lanes lower = c - EACH('a');
	const lanes digit = c - EACH('0');
	const lanes is_upper = is_within(upper, 26);
	const lanes is_lower = is_within(lower, 26);
	const lanes is_digit = is_within(digit, 10);
	const lanes is_dash = (lanes)(c == EACH('-'));
	const lanes is_line = (lanes)(c == EACH('_'));

	return (struct sextets){
	    .values = (is_upper & upper) | (is_lower & (lower + EACH(26))) | (is_digit & (digit + EACH(52))) |
		      (is_dash & EACH(62)) | (is_line & EACH(63)),
	    .bad = ~(is_upper | is_lower | is_digit | is_dash | is_line),
	};
}

static uint32_t join(const uint8_t sextets[static 4])
{
	return (uint32_t)sextets[0] << 18 | (uint32_t)sextets[1] << 12 | (uint32_t)sextets[2] << 6 | sextets[3];
}

/* Whole groups of four sextets, three bytes each; returns behind the last byte. */
static uint8_t *put_groups(const uint8_t *sextets, size_t groups, uint8_t *out)
{
	for (; groups > 0; groups--, sextets += 4, out += 3) {
		const uint32_t bits = join(sextets);

		out[0] = (uint8_t)(bits >> 16);
		out[1] = (uint8_t)(bits >> 8);
		out[2] = (uint8_t)bits;
	}
	return out;
}

/* The last group, of one byte or two; returns the bits that are spare. */
static uint32_t put_rest(const uint8_t *sextets, uint8_t *out, size_t len)
{
	const uint32_t bits = join(sextets);

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(bits >> (16 - 8 * i));
	return bits & ((1U << (24 - 8 * len)) - 1);
}

/* Fewer than LANES characters; returns the bits that are spare. */
static uint32_t decode_rest(const uint8_t *chars, size_t count, uint8_t *out, size_t bytes, lanes *bad)
{
	uint8_t values[LANES];
	struct sextets s;
	lanes c = EACH('A');
	uint32_t spare;

	memcpy(&c, chars, count);
	s = read_sextets(c);
	*bad |= s.bad;
	memcpy(values, &s.values, sizeof(values));
	out = put_groups(values, count / 4, out);
	spare = bytes % 3 == 0 ? 0 : put_rest(values + count / 4 * 4, out, bytes % 3);
	sodium_memzero(values, sizeof(values));
	return spare;
}

bool base64_decode(span in, uint8_t *out, size_t out_len)
{
	lanes bad = {0};
	uint32_t spare = 0;
	size_t at = 0;
	lanes c;

	if (in.len != BASE64_CHARS(out_len))
		return false;
	for (; at + LANES <= in.len; at += LANES, out += LANES_BYTES) {
		struct sextets s;

		memcpy(&c, in.ptr + at, LANES);
		s = read_sextets(c);
		bad |= s.bad;
		put_sextets(((halves)s.values)[0], out);
		put_sextets(((halves)s.values)[1], out + 6);
	}
	if (at < in.len)
		spare = decode_rest(in.ptr + at, in.len - at, out, out_len % LANES_BYTES, &bad);
	return (((halves)bad)[0] | ((halves)bad)[1] | spare) == 0;
}

void hex_encode(span in, char *out)
{
	char text[2 * SLICE_BYTES + 1];

	for (size_t at = 0; at < in.len; at += SLICE_BYTES) {
		const size_t n = in.len - at < SLICE_BYTES ? in.len - at : SLICE_BYTES;

		(void)sodium_bin2hex(text, sizeof(text), in.ptr + at, n);
		memcpy(out, text, 2 * n);
		out += 2 * n;
	}
	sodium_memzero(text, sizeof(text));
}

/* The library reads some bytes from 0x80 up as digits: it never gets to see one. */
static bool is_ascii(span in)
{
	uint8_t all = 0;

	for (size_t i = 0; i < in.len; i++)
		all |= in.ptr[i];
	return all < 0x80;
}

bool hex_decode(span in, uint8_t *out, size_t out_len)
{
	size_t len = 0;

	if (in.len != 2 * out_len || !is_ascii(in))
		return false;
	/* One spelling only: a name that can be written in two ways is two names to whoever compares text. */
	for (size_t i = 0; i < in.len; i++)
		if (in.ptr[i] >= 'A' && in.ptr[i] <= 'F')
			return false;
	if (sodium_hex2bin(out, out_len, (const char *)in.ptr, in.len, NULL, &len, NULL) != 0)
		return false;
	return len == out_len;
}

bool secret_eq(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void secret_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}
