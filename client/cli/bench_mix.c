#include "bench_mix.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "usage.h"

static const char *const names[BENCH_KINDS] = {
    [BENCH_GET] = "get",       [BENCH_PEEK] = "peek",
    [BENCH_UPDATE] = "update", [BENCH_CREATE] = "create",
    [BENCH_ROTATE] = "rotate", [BENCH_REVOKE] = "revoke",
    [BENCH_LIST] = "list",     [BENCH_REVOKE_USER] = "revoke-user",
};

const char *bench_kind_name(enum bench_kind kind)
{
	return names[kind];
}

static bool find_kind(const char *name, size_t len, enum bench_kind *ret)
{
	for (unsigned i = 0; i < BENCH_MIXED; i++) {
		if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0) {
			*ret = (enum bench_kind)i;
			return true;
		}
	}
	return false;
}

/* "get=90" of `len` bytes. */
static bool take_part(const char *part, size_t len, struct bench_mix *mix)
{
	const size_t name_len = strcspn(part, "=,");
	enum bench_kind kind;
	unsigned long weight = 1;
	char *end = NULL;

	if (!find_kind(part, name_len, &kind)) {
		(void)usage_error("--mix \"%.*s\": not get, peek, update, create, rotate, revoke or list",
				  (int)name_len, part);
		return false;
	}
	if (name_len < len)
		weight = strtoul(part + name_len + 1, &end, 10);
	if (name_len < len && (!isdigit((unsigned char)part[name_len + 1]) || end != part + len || weight < 1 ||
			       weight > BENCH_WEIGHT_MAX)) {
		(void)usage_error("--mix \"%.*s\": not a number from 1 to %d behind the \"=\"", (int)len, part,
				  BENCH_WEIGHT_MAX);
		return false;
	}
	if (mix->weights[kind] > 0) {
		(void)usage_error("--mix: %s is given twice", names[kind]);
		return false;
	}
	mix->weights[kind] = (uint32_t)weight;
	mix->total += weight;
	return true;
}

bool bench_mix_parse(const char *text, struct bench_mix *ret)
{
	struct bench_mix mix = {0};

	for (const char *at = text;; at++) {
		const size_t len = strcspn(at, ",");

		if (!take_part(at, len, &mix))
			return false;
		at += len;
		if (*at == '\0')
			break;
	}
	*ret = mix;
	return true;
}

enum bench_kind bench_mix_draw(const struct bench_mix *mix, uint64_t random)
{
	uint64_t left = random % mix->total;
	unsigned kind = 0;

	while (left >= mix->weights[kind])
		left -= mix->weights[kind++];
	assert(kind < BENCH_MIXED);
	return (enum bench_kind)kind;
}
