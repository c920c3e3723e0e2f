/* Server/Keys: the keyring of this instance, and what it meets under each key. Numbers of keys only; a key is in no
 * message. */

#include "latchkey/v1/server.pb-c.h"

#include "rpc/messages.h"
#include "rpc/methods.h"

/* Those in the keyring, and those that were. */
#define KEYS_SHOWN_MAX (2 * (size_t)KEYRING_KEYS_MAX)

static void fill_key(const struct keyring_key *from, Latchkey__V1__KeyInfo *to)
{
	latchkey__v1__key_info__init(to);
	MESSAGE_SET(to, id, from->id);
	MESSAGE_SET(to, first, from->is_first);
	MESSAGE_SET(to, retired, from->is_retired);
	MESSAGE_SET(to, tokens, from->tokens);
	MESSAGE_SET(to, records, from->records);
	MESSAGE_SET(to, last_used_at_ms, from->last_used_ms);
	MESSAGE_SET(to, first_until_ms, from->first_until_ms);
}

enum status_code server_keys_plan(struct call *call, struct status *st)
{
	arena *a = call->env.arena;
	Latchkey__V1__ServerKeysResponse *m = arena_alloc(a, sizeof(*m));
	Latchkey__V1__KeyInfo *keys = arena_array(a, KEYS_SHOWN_MAX, sizeof(*keys));
	Latchkey__V1__KeyInfo **all = arena_array(a, KEYS_SHOWN_MAX, sizeof(Latchkey__V1__KeyInfo *));
	struct keyring_key key;

	if (m == NULL || keys == NULL || all == NULL)
		return call_no_memory(st);
	latchkey__v1__server_keys_response__init(m);
	MESSAGE_SET(m, loaded_at_ms, core_keys_loaded_at_ms(call->group->core));
	for (size_t i = 0; i < KEYS_SHOWN_MAX && keyring_key_at(call->env.keys, i, &key); i++) {
		fill_key(&key, &keys[i]);
		all[i] = &keys[i];
		m->n_keys++;
	}
	m->keys = all;
	call->response = &m->base;
	return STATUS_OK;
}
