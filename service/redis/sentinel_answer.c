#include "redis/sentinel_answer.h"

/* A port has at most five digits. False: no number. */
static bool read_port(span text, int64_t *ret)
{
	int64_t port = 0;

	if (text.len == 0 || text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		port = port * 10 + (text.ptr[i] - '0');
	}
	*ret = port;
	return true;
}

static bool read_address(span host, span port, struct address *ret)
{
	int64_t number;

	return read_port(port, &number) && address_make(host, number, ret);
}

bool sentinel_read_primary(const struct store_reply *reply, enum sentinel_opinion *ret_opinion, struct address *ret)
{
	if (reply->type == STORE_NIL) {
		*ret_opinion = SENTINEL_UNKNOWN_NAME;
		return true;
	}
	if (reply->type != STORE_ARRAY || reply->count != 2 || reply->elements[0]->type != STORE_STRING ||
	    reply->elements[1]->type != STORE_STRING ||
	    !read_address(reply->elements[0]->string, reply->elements[1]->string, ret))
		return false;
	*ret_opinion = SENTINEL_PRIMARY_IS;
	return true;
}

/* Cuts the first word off *s, and the one space behind it. */
static span next_word(span *s)
{
	const uint8_t *at = s->len == 0 ? NULL : memchr(s->ptr, ' ', s->len);
	span word = at == NULL ? *s : span_of(s->ptr, (size_t)(at - s->ptr));

	*s = at == NULL ? SPAN_EMPTY : span_of(at + 1, s->len - word.len - 1);
	return word;
}

bool sentinel_read_switch(span payload, span name, struct address *ret)
{
	span word = next_word(&payload);
	span host;
	span port;

	if (!span_eq(word, name))
		return false;
	(void)next_word(&payload);
	(void)next_word(&payload);
	host = next_word(&payload);
	port = next_word(&payload);
	return payload.len == 0 && read_address(host, port, ret);
}

static bool read_id(span text, char ret[static SENTINEL_ID_BYTES])
{
	if (text.len != SENTINEL_ID_BYTES - 1 || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(ret, text.ptr, text.len);
	ret[text.len] = '\0';
	return true;
}

bool sentinel_read_id(const struct store_reply *reply, char ret[static SENTINEL_ID_BYTES])
{
	return reply->type == STORE_STRING && read_id(reply->string, ret);
}

/* Of an instance: name, value, name, value... Empty when it is not there. */
static span field(const struct store_reply *instance, span name)
{
	for (size_t i = 0; instance->type == STORE_ARRAY && i + 1 < instance->count; i += 2) {
		const struct store_reply *key = instance->elements[i];
		const struct store_reply *value = instance->elements[i + 1];

		if (key->type == STORE_STRING && span_eq(key->string, name) && value->type == STORE_STRING)
			return value->string;
	}
	return SPAN_EMPTY;
}

/* flags: words with commas between them. */
static bool is_up(span flags)
{
	static const char *const down[] = {"s_down", "o_down", "disconnected"};

	for (size_t i = 0; i < sizeof(down) / sizeof(down[0]); i++)
		if (flags.len > 0 && memmem(flags.ptr, flags.len, down[i], strlen(down[i])) != NULL)
			return false;
	return true;
}

static bool read_instance(const struct store_reply *instance, struct address *ret)
{
	return is_up(field(instance, SPAN_LIT("flags"))) &&
	       read_address(field(instance, SPAN_LIT("ip")), field(instance, SPAN_LIT("port")), ret);
}

size_t sentinel_read_peers(const struct store_reply *reply, struct sentinel_peer ret[static SENTINEL_MEMBERS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; reply->type == STORE_ARRAY && i < reply->count && count < SENTINEL_MEMBERS_MAX; i++) {
		if (!read_instance(reply->elements[i], &ret[count].address))
			continue;
		if (!read_id(field(reply->elements[i], SPAN_LIT("runid")), ret[count].id))
			ret[count].id[0] = '\0';
		count++;
	}
	return count;
}

size_t sentinel_read_replicas(const struct store_reply *reply, struct address ret[static SENTINEL_REPLICAS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; reply->type == STORE_ARRAY && i < reply->count && count < SENTINEL_REPLICAS_MAX; i++)
		if (read_instance(reply->elements[i], &ret[count]))
			count++;
	return count;
}
