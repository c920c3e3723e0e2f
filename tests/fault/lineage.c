#include "fault/lineage.h"

/* The service tells the end of a grace by the wall clock, in milliseconds; histories have the monotonic one. */
#define CLOCKS_US 50000

void lineage_ask(struct lineage *l, const struct history_entry *e)
{
	struct lineage_token *t = &l->tokens[e->token];

	if (t->asked_us == 0)
		t->asked_us = e->start_us;
}

/* The last of those that are known to follow the token, itself perhaps. */
static uint16_t head_of(const struct lineage *l, uint16_t token)
{
	while (l->tokens[token].rotated_us != 0)
		token = l->tokens[token].successor;
	return token;
}

bool lineage_learn(struct lineage *l, const struct history_entry *e)
{
	const uint16_t head = head_of(l, e->token);
	struct lineage_token *t = &l->tokens[head];

	if (e->successor == HISTORY_NO_TOKEN)
		return head == e->token;
	if (e->successor == head && head != e->token)
		return true;
	/* One that is new to everybody, made by a rotation of which nothing was known. */
	if (t->asked_us == 0 || e->successor == head || l->tokens[e->successor].is_known)
		return false;
	t->rotated_us = e->end_us;
	t->successor = e->successor;
	l->tokens[e->successor].is_known = true;
	return true;
}

bool lineage_may_end(const struct lineage *l, const struct history_entry *e, uint64_t grace_us)
{
	const struct lineage_token *t = &l->tokens[e->token];

	return t->asked_us != 0 && e->end_us + CLOCKS_US > t->asked_us + grace_us;
}

bool lineage_must_end(const struct lineage *l, const struct history_entry *e, uint64_t grace_us)
{
	const struct lineage_token *t = &l->tokens[e->token];

	return t->rotated_us != 0 && e->start_us > t->rotated_us + grace_us + CLOCKS_US;
}
