#include "parsed.h"

#include "redis/resp.h"
#include "support/wait.h"

struct looking {
	void (*look)(void *owner, const struct store_reply *reply);
	void *owner;
	unsigned count;
};

static bool on_reply(void *owner, const struct store_reply *reply)
{
	struct looking *l = owner;

	l->count++;
	l->look(l->owner, reply);
	return true;
}

void parsed(const char *resp, void (*look)(void *owner, const struct store_reply *reply), void *owner)
{
	struct looking l = {.look = look, .owner = owner};
	resp_reader *reader = resp_reader_new();

	assert_non_null(reader);
	assert_true(resp_reader_input(reader, span_str(resp), on_reply, &l));
	assert_int_equal(l.count, 1);
	resp_reader_free(&reader);
}
