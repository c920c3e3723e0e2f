#include "plan/reply.h"

/* Lua's numbers, in which the scripts count, are exact to here. */
#define NUMBER_MAX (1ULL << 53)

const struct store_reply *reply_element(const struct store_reply *reply, size_t i, enum store_reply_type type)
{
	if (reply == NULL || reply->type != STORE_ARRAY || i >= reply->count)
		return NULL;
	return reply->elements[i]->type == type ? reply->elements[i] : NULL;
}

span reply_word(const struct store_reply *reply)
{
	const struct store_reply *first = reply_element(reply, 0, STORE_STRING);

	return first == NULL ? SPAN_EMPTY : first->string;
}

enum status_code reply_odd(struct status *st, const char *asked)
{
	return status_set(
	    st, STATUS_INTERNAL,
	    "the store answered %s in an unknown way; does another version or program use the same Redis?", asked);
}

bool number_parse(span text, uint64_t *ret)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > 16)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	if (n > NUMBER_MAX)
		return false;
	*ret = n;
	return true;
}

bool plan_redo_is_done(const struct store_reply *reply)
{
	if (reply == NULL || (reply->type != STORE_STRING && reply->type != STORE_STATUS))
		return false;
	return span_eq(reply->string, SPAN_LIT("done")) || span_eq(reply->string, SPAN_LIT("there"));
}
