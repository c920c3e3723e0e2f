#include "redis/packed.h"

#include <assert.h>

static uint8_t find_key(const struct store_command *command)
{
	uint8_t at = 0;

	while (at < command->argc && !span_eq(command->argv[at], command->key))
		at++;
	return at;
}

/* argc arguments, and the key when it is none of them. */
static uint8_t span_count(uint8_t argc, uint8_t key_at)
{
	return key_at == argc ? argc + 1 : argc;
}

static span span_at(const struct store_command *command, size_t i)
{
	return i < command->argc ? command->argv[i] : command->key;
}

size_t packed_bytes(const struct store_command *command)
{
	size_t count = span_count(command->argc, find_key(command));
	size_t bytes = sizeof(struct packed) + count * sizeof(uint32_t);

	for (size_t i = 0; i < count; i++)
		bytes += span_at(command, i).len;
	return bytes;
}

void packed_write(const struct store_command *command, struct packed *ret)
{
	uint8_t key_at = find_key(command);
	size_t count = span_count(command->argc, key_at);
	uint8_t *at = (uint8_t *)&ret->lens[count];

	assert(command->argc <= STORE_ARGS_MAX && command->script < STORE_SCRIPTS);
	ret->script = (uint8_t)command->script;
	ret->key_count = command->key_count;
	ret->argc = command->argc;
	ret->key_at = key_at;
	for (size_t i = 0; i < count; i++) {
		span s = span_at(command, i);

		assert(s.len <= UINT32_MAX);
		ret->lens[i] = (uint32_t)s.len;
		if (s.len > 0)
			memcpy(at, s.ptr, s.len);
		at += s.len;
	}
}

void packed_read(const struct packed *p, struct store_command *ret)
{
	size_t count = span_count(p->argc, p->key_at);
	const uint8_t *at = (const uint8_t *)&p->lens[count];

	*ret = (struct store_command){
	    .script = p->script,
	    .is_write = true,
	    .is_repeatable = true,
	    .key_count = p->key_count,
	    .argc = p->argc,
	};
	for (size_t i = 0; i < count; i++) {
		span s = span_of(at, p->lens[i]);

		if (i < p->argc)
			ret->argv[i] = s;
		if (i == p->key_at)
			ret->key = s;
		at += s.len;
	}
}
