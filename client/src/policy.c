/* What a server says of its policies and its keys, as results: one block each, as in result.c. Keys are numbers and
 * counters here: nothing in them is secret. */

#include "latchkey/admin.h"

#include <assert.h>
#include <stdlib.h>

#include "blob.h"
#include "result.h"

struct lk_policy {
	const char *realm;
	const char *class_name;
	uint32_t idle_timeout_s;
	uint32_t absolute_timeout_s;
	uint32_t sessions_max;
	enum lk_at_cap at_cap;
	uint32_t tombstone_s;
	uint32_t touch_interval_s;
	uint32_t grace_s;
	uint32_t privileged_s;
	bool events;
};

struct lk_key {
	uint32_t id;
	bool is_first;
	bool is_retired;
	uint64_t tokens;
	uint64_t records;
	uint64_t last_used_at_ms;
	uint64_t first_until_ms;
};

struct lk_keys {
	uint64_t loaded_at_ms;
	size_t count;
	struct lk_key *keys;
};

const char *lk_at_cap_name(enum lk_at_cap at_cap)
{
	static const char *const names[] = {"EVICT_OLDEST", "REFUSE", "EVICT_LEAST_RECENTLY_USED"};

	return (size_t)at_cap < sizeof(names) / sizeof(names[0]) ? names[at_cap] : "UNRECOGNIZED";
}

static void fill_policy(struct blob *blob, const Latchkey__V1__ServerPolicyResponse *from, struct lk_policy *to)
{
	to->realm = blob_text(blob, from->realm);
	to->class_name = blob_text(blob, from->session_class);
	to->idle_timeout_s = from->idle_timeout_s;
	to->absolute_timeout_s = from->absolute_timeout_s;
	to->sessions_max = from->sessions_max;
	to->at_cap = (enum lk_at_cap)from->at_cap;
	to->tombstone_s = from->tombstone_s;
	to->touch_interval_s = from->touch_interval_s;
	to->grace_s = from->grace_s;
	to->privileged_s = from->privileged_s;
	to->events = from->events;
}

lk_policy *policy_new(const Latchkey__V1__ServerPolicyResponse *response)
{
	struct lk_policy dummy = {0};
	struct blob blob = {0};
	struct lk_policy *policy;

	(void)blob_room(&blob, sizeof(*policy));
	fill_policy(&blob, response, &dummy);
	blob = (struct blob){.start = calloc(1, blob.used)};
	policy = blob_room(&blob, sizeof(*policy));
	if (policy != NULL)
		fill_policy(&blob, response, policy);
	return policy;
}

static void fill_keys(struct blob *blob, const Latchkey__V1__ServerKeysResponse *from, struct lk_keys *to)
{
	struct lk_key *keys = blob_room(blob, from->n_keys * sizeof(*keys));

	to->loaded_at_ms = from->loaded_at_ms;
	to->count = from->n_keys;
	to->keys = keys;
	for (size_t i = 0; i < from->n_keys && keys != NULL; i++) {
		const Latchkey__V1__KeyInfo *key = from->keys[i];

		keys[i] = (struct lk_key){
		    .id = key->id,
		    .is_first = key->first,
		    .is_retired = key->retired,
		    .tokens = key->tokens,
		    .records = key->records,
		    .last_used_at_ms = key->last_used_at_ms,
		    .first_until_ms = key->first_until_ms,
		};
	}
}

lk_keys *keys_new(const Latchkey__V1__ServerKeysResponse *response)
{
	struct lk_keys dummy = {0};
	struct blob blob = {0};
	struct lk_keys *keys;

	(void)blob_room(&blob, sizeof(*keys));
	fill_keys(&blob, response, &dummy);
	blob = (struct blob){.start = calloc(1, blob.used)};
	keys = blob_room(&blob, sizeof(*keys));
	if (keys != NULL)
		fill_keys(&blob, response, keys);
	return keys;
}

void lk_policy_free(lk_policy **policy)
{
	free(*policy);
	*policy = NULL;
}

void lk_keys_free(lk_keys **keys)
{
	free(*keys);
	*keys = NULL;
}

const char *lk_policy_realm(const lk_policy *policy)
{
	return policy->realm;
}

const char *lk_policy_class(const lk_policy *policy)
{
	return policy->class_name;
}

uint32_t lk_policy_idle_timeout_s(const lk_policy *policy)
{
	return policy->idle_timeout_s;
}

uint32_t lk_policy_absolute_timeout_s(const lk_policy *policy)
{
	return policy->absolute_timeout_s;
}

uint32_t lk_policy_sessions_max(const lk_policy *policy)
{
	return policy->sessions_max;
}

enum lk_at_cap lk_policy_at_cap(const lk_policy *policy)
{
	return policy->at_cap;
}

uint32_t lk_policy_tombstone_s(const lk_policy *policy)
{
	return policy->tombstone_s;
}

uint32_t lk_policy_touch_interval_s(const lk_policy *policy)
{
	return policy->touch_interval_s;
}

uint32_t lk_policy_grace_s(const lk_policy *policy)
{
	return policy->grace_s;
}

uint32_t lk_policy_privileged_s(const lk_policy *policy)
{
	return policy->privileged_s;
}

bool lk_policy_events(const lk_policy *policy)
{
	return policy->events;
}

uint64_t lk_keys_loaded_at_ms(const lk_keys *keys)
{
	return keys->loaded_at_ms;
}

size_t lk_keys_count(const lk_keys *keys)
{
	return keys->count;
}

const lk_key *lk_keys_at(const lk_keys *keys, size_t index)
{
	return index < keys->count ? &keys->keys[index] : NULL;
}

uint32_t lk_key_id(const lk_key *key)
{
	return key->id;
}

bool lk_key_is_first(const lk_key *key)
{
	return key->is_first;
}

bool lk_key_is_retired(const lk_key *key)
{
	return key->is_retired;
}

uint64_t lk_key_tokens(const lk_key *key)
{
	return key->tokens;
}

uint64_t lk_key_records(const lk_key *key)
{
	return key->records;
}

uint64_t lk_key_last_used_at_ms(const lk_key *key)
{
	return key->last_used_at_ms;
}

uint64_t lk_key_first_until_ms(const lk_key *key)
{
	return key->first_until_ms;
}
