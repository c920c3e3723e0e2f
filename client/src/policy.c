/* What a server says of its policies and its keys, as results: one block each, as in result.c. Keys are numbers and
 * counters here: nothing in them is secret. */

#include "latchkey/admin.h"

#include <assert.h>
#include <stdlib.h>

#include "blob.h"
#include "result.h"

struct tier {
	const char *name;
	uint32_t ttl_s;
};

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
	struct lk_realm_policy realm_policy;
	size_t tier_count;
	struct tier *tiers;
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

static void fill_realm(const Latchkey__V1__ServerPolicyResponse *from, struct lk_realm_policy *to)
{
	*to = (struct lk_realm_policy){
	    .wait_replicas = from->wait_replicas,
	    .wait_ms = from->wait_ms,
	    .profile_jitter_percent = from->profile_jitter_percent,
	    .profile_changes = from->profile_changes,
	    .profile_changes_max = from->profile_changes_max,
	    .visitors_hour_retention_h = from->visitors_hour_retention_h,
	    .visitors_day_retention_d = from->visitors_day_retention_d,
	    .auth_ttl_s = from->auth_ttl_s,
	    .auth_negative_ttl_s = from->auth_negative_ttl_s,
	    .auth_stale_s = from->auth_stale_s,
	    .auth_jitter_percent = from->auth_jitter_percent,
	    .auth_lease_ms = from->auth_lease_ms,
	    .auth_early_percent = from->auth_early_percent,
	};
}

static void fill_tiers(struct blob *blob, const Latchkey__V1__ServerPolicyResponse *from, struct lk_policy *to)
{
	struct tier *tiers = blob_room(blob, from->n_profile_tiers * sizeof(*tiers));

	to->tier_count = from->n_profile_tiers;
	to->tiers = tiers;
	for (size_t i = 0; i < from->n_profile_tiers; i++) {
		const char *name = blob_text(blob, from->profile_tiers[i]->name);

		if (tiers != NULL)
			tiers[i] = (struct tier){name, from->profile_tiers[i]->ttl_s};
	}
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
	fill_realm(from, &to->realm_policy);
	fill_tiers(blob, from, to);
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

void lk_policy_of_realm(const lk_policy *policy, struct lk_realm_policy *ret)
{
	const size_t room = ret->struct_size;

	assert(room >= sizeof(*ret) && "start a struct lk_realm_policy with LK_REALM_POLICY_INIT");
	*ret = policy->realm_policy;
	ret->struct_size = room;
}

size_t lk_policy_tier_count(const lk_policy *policy)
{
	return policy->tier_count;
}

const char *lk_policy_tier_name(const lk_policy *policy, size_t index)
{
	return index < policy->tier_count ? policy->tiers[index].name : "";
}

uint32_t lk_policy_tier_ttl_s(const lk_policy *policy, size_t index)
{
	return index < policy->tier_count ? policy->tiers[index].ttl_s : 0;
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
