/* The script that stores the answer refuses it if the answer, or its subject, was forgotten since the lease was given, or
 * another has begun to load. The epochs of its groups, which other nodes may have, are read at the same time: if one has
 * changed the caller is told that nothing was kept. What is stored names the epochs in which loading began, and not those
 * of now, so it is not served in any case.
 *
 * Nothing is brought back after a failover: what a cache has lost is loaded once more. */

#include "auth/state.h"

#include "base/bytes.h"
#include "crypto/codec.h"

struct lifetimes {
	uint64_t fresh_ms;
	uint64_t stale_ms;
};

static enum status_code check_request(const struct auth_fill_request *req, struct status *st)
{
	if (auth_check_place(&(struct lease_place){req->subject, req->key}, st) != STATUS_OK)
		return st->code;
	if (req->answer.len > AUTH_ANSWER_BYTES_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "answer: %zu bytes; at most %d are kept",
				  req->answer.len, AUTH_ANSWER_BYTES_MAX);
	if (req->has_ttl && req->ttl_ms == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "ttl_ms is 0: leave it out for the realm's");
	return STATUS_OK;
}

/* Answers that were loaded together do not end together. */
static uint64_t with_jitter(uint64_t ms, uint32_t percent)
{
	uint32_t random;

	random_fill(&random, sizeof(random));
	return ms - ms * percent / 100 * random / UINT32_MAX;
}

/* What is not there is not served when it is stale either. */
static struct lifetimes lifetimes_of(const struct auth_policy *p, const struct auth_fill_request *req)
{
	const uint64_t max_ms = (req->is_negative ? p->negative_ttl_s : p->ttl_s) * 1000ULL;
	const uint64_t ms = req->has_ttl && req->ttl_ms < max_ms ? req->ttl_ms : max_ms;
	const uint64_t fresh_ms = with_jitter(ms, p->jitter_percent);

	return (struct lifetimes){.fresh_ms = fresh_ms == 0 ? 1 : fresh_ms,
				  .stale_ms = req->is_negative ? 0 : p->stale_s * 1000ULL};
}

static enum status_code plan_store(const struct plan_env *env, const struct auth_fill_request *req,
				   struct auth_state *s, struct plan *plan, struct status *st)
{
	const struct value_place place = {.keys = env->keys,
					  .compressor = env->compressor,
					  .key = s->key,
					  .epoch = span_of(s->fill.lease.epoch, EPOCH_BYTES)};
	const struct lifetimes t = lifetimes_of(&env->realm->auth, req);
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_AUTH_FILL, true);
	uint8_t groups[GROUPS_BYTES_MAX];
	span body;

	*plan = (struct plan){.auth = s};
	if (!value_seal(env->arena, &place, span_of(groups, groups_write(&s->groups, groups)),
			req->is_negative ? NULL : &req->answer, &body))
		return no_memory(st);
	command_key(&w, s->key);
	command_arg(&w, span_of(s->fill.lease.id, LEASE_ID_BYTES));
	command_arg(&w, place.epoch);
	command_number(&w, t.fresh_ms);
	command_number(&w, t.stale_ms);
	/* A negative answer is not refreshed early: there is none to serve meanwhile. */
	if (req->is_negative)
		command_number(&w, 0);
	else if (req->has_load)
		command_number(&w, req->load_ms);
	else
		command_arg(&w, SPAN_EMPTY);
	command_arg(&w, body);
	return command_end(&w, plan, st);
}

enum status_code auth_fill_plan(const struct plan_env *env, const struct auth_fill_request *req,
				struct plan ret_plans[static AUTH_PLANS_MAX], size_t *ret_count, struct status *st)
{
	const struct lease_place place = {req->subject, req->key};
	struct auth_state *s;

	if (check_request(req, st) != STATUS_OK)
		return st->code;
	s = auth_state_new(env, &place);
	if (s == NULL)
		return no_memory(st);
	if (lease_read(env, &place, req->lease, &s->fill.lease, st) != STATUS_OK)
		return st->code;
	s->groups = s->fill.lease.groups;
	if (plan_store(env, req, s, &ret_plans[0], st) != STATUS_OK)
		return st->code;
	for (size_t i = 0; i < s->groups.count; i++) {
		s->groups.list[i].has_epoch = false;
		if (auth_plan_group(env, s, &s->groups.list[i], &ret_plans[1 + i], st) != STATUS_OK)
			return st->code;
	}
	s->fill.is_stored = s->groups.realm_revoked_ms >= req->realm_revoked_ms;
	*ret_count = 1 + s->groups.count;
	return STATUS_OK;
}

static enum status_code take_stored(struct auth_state *s, const struct store_reply *reply, bool *ret_has_changed,
				    struct status *st)
{
	const struct store_reply *until = reply_element(reply, 1, STORE_INTEGER);
	const bool is_stored = span_eq(reply_word(reply), SPAN_LIT("stored"));

	if (is_stored ? until == NULL || until->integer < 0 : !span_eq(reply_word(reply), SPAN_LIT("refused")))
		return reply_odd(st, "auth_fill");
	*ret_has_changed = is_stored;
	s->fill.is_done = true;
	s->fill.is_stored &= is_stored;
	s->fill.expires_at_ms = is_stored ? (uint64_t)until->integer : 0;
	return STATUS_OK;
}

static enum status_code take_epoch(struct auth_state *s, span key, const struct store_reply *reply, struct status *st)
{
	struct group *group = groups_find(&s->groups, key);

	if (group == NULL || reply == NULL || (reply->type != STORE_NIL && reply->type != STORE_STRING))
		return reply_odd(st, "for the epoch of a group");
	group->has_epoch = true;
	s->fill.is_stored &= reply->type == STORE_STRING && span_eq(reply->string, span_of(group->epoch, EPOCH_BYTES));
	return STATUS_OK;
}

enum status_code auth_fill_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				  struct auth_fill_result *ret, struct status *st)
{
	struct auth_state *s = plan->auth;
	enum status_code code;

	(void)env;
	plan->redos = NULL;
	code = plan->command.script == STORE_SCRIPT_AUTH_FILL ? take_stored(s, reply, &plan->has_changed, st)
							      : take_epoch(s, plan->command.key, reply, st);
	if (code != STATUS_OK)
		return code;
	*ret = (struct auth_fill_result){
	    .is_whole = s->fill.is_done && groups_have_epochs(&s->groups),
	    .is_stored = s->fill.is_stored,
	    .expires_at_ms = s->fill.is_stored ? s->fill.expires_at_ms : 0,
	};
	return STATUS_OK;
}
