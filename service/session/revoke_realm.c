/* Ending all of a realm's sessions that were created before a moment, by one small key. Nothing is said of the sessions
 * themselves: their tokens tell when they were created, and every instance holds that against what it knows of the realm
 * (session/not_before.h). Moments are whole seconds, for that is what tokens count in. */

#include "crypto/codec.h"
#include "session/announce.h"
#include "session/state.h"
#include "session/validate.h"

/* Who logs in behind a revocation is created at its moment, so another one in the same second takes the next. So far
 * they may run ahead: the minute that may be asked for, and one revocation a second for another. */
#define AHEAD_MS_MAX (2ULL * CLOCK_SKEW_MS)
#define NAME_RANDOM  8

_Static_assert(NOT_BEFORE_AHEAD_MS_MAX >= AHEAD_MS_MAX + CLOCK_SKEW_MS, "what one instance sets others believe");

static enum status_code check_moment(const struct plan_env *env, uint64_t asked_ms, struct status *st)
{
	if (asked_ms <= env->now_ms + CLOCK_SKEW_MS)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT,
			  "not_before_ms: more than %d s ahead; leave it out to end all that there is now",
			  CLOCK_SKEW_MS / 1000);
}

/* The clocks of two instances may differ by so much, and a login by one that is ahead is to end too. */
#define CLOCKS_DIFFER_MS 500

/* Of now: the next second, for what was created in this millisecond is to end as well. */
static uint64_t moment_of(const struct plan_env *env, uint64_t asked_ms)
{
	return asked_ms == 0 ? ((env->now_ms + CLOCKS_DIFFER_MS) / 1000 + 1) * 1000 : (asked_ms + 999) / 1000 * 1000;
}

/* After the longest absolute timeout all that the revocation ended has ended by itself. */
static uint64_t effect_ms(const struct realm *realm)
{
	uint64_t longest_s = 0;

	for (size_t i = 0; i < realm->class_count; i++)
		if (realm->classes[i].policy.absolute_timeout_s > longest_s)
			longest_s = realm->classes[i].policy.absolute_timeout_s;
	return longest_s * 1000;
}

static struct session_state *begin(const struct plan_env *env)
{
	struct session_state *s = state_new(env);
	uint8_t random[NAME_RANDOM];
	char name[2 * NAME_RANDOM];
	char key[NOT_BEFORE_KEY_CHARS];

	if (s == NULL)
		return NULL;
	random_fill(random, sizeof(random));
	hex_encode(span_of(random, sizeof(random)), name);
	not_before_key(env->realm, key);
	handle_of_realm(env->realm, &s->handle);
	if (!arena_copy(env->arena, span_of(key, sizeof(key)), &s->key) ||
	    !arena_copy(env->arena, span_of(name, sizeof(name)), &s->revoke_realm.name))
		return NULL;
	return s;
}

enum status_code session_revoke_realm_plan(const struct plan_env *env, const struct session_revoke_realm_request *req,
					   struct plan *ret_plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_REVOKE_REALM, true);
	const bool is_remembered = env->idempotency_key.len > 0;
	struct plan plan = {.session = begin(env)};
	const uint64_t moment_ms = moment_of(env, req->not_before_ms);
	enum status_code code;
	span memory = SPAN_EMPTY;
	span told;

	code = check_idempotency_key(env, st);
	if (code == STATUS_OK)
		code = check_moment(env, req->not_before_ms, st);
	if (code != STATUS_OK)
		return code;
	if (plan.session == NULL)
		return no_memory(st);
	told = announcement_head(env->arena, env, &plan.session->handle, EVENT_REALM_REVOKED, REASON_REALM_REVOKED,
				 moment_ms);
	if (told.len == 0 ||
	    (is_remembered && !key_of_idempotency(env, plan.session->handle.tag, SPAN_LIT("RevokeRealm"), &memory)))
		return no_memory(st);
	command_key(&w, plan.session->key);
	if (is_remembered)
		command_key(&w, memory);
	command_number(&w, moment_ms);
	command_arg(&w, told);
	command_arg(&w, plan.session->revoke_realm.name);
	if (req->not_before_ms == 0)
		command_number(&w, env->now_ms + AHEAD_MS_MAX);
	else
		command_arg(&w, SPAN_EMPTY);
	if (is_remembered) {
		command_number(&w, IDEMPOTENCY_S * 1000ULL);
		command_number(&w, req->not_before_ms);
	}
	code = command_end(&w, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

static bool redo_revocation(const struct plan_env *env, const struct session_state *s, uint64_t moment_ms,
			    struct plan *plan)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_REVOKE_REALM, true);

	command_key(&w, s->key);
	command_number(&w, moment_ms);
	command_arg(&w, SPAN_EMPTY);
	command_arg(&w, s->revoke_realm.name);
	command_arg(&w, SPAN_EMPTY);
	return command_end_redo(&w, effect_ms(env->realm), plan);
}

enum status_code session_revoke_realm_answer(const struct plan_env *env, struct plan *plan,
					     const struct store_reply *reply, struct session_revoke_realm_result *ret,
					     struct status *st)
{
	const struct store_reply *in_force = reply_element(reply, 1, STORE_STRING);
	const span word = reply_word(reply);
	uint64_t moment_ms;

	plan->redos = NULL;
	if (span_eq(word, SPAN_LIT("other")))
		return status_set(st, STATUS_ALREADY_EXISTS,
				  "the idempotency key was used for another request; use a new key for each request");
	if (span_eq(word, SPAN_LIT("early"))) {
		(void)status_set(st, STATUS_RESOURCE_EXHAUSTED,
				 "the realm was revoked %d times in the last minutes: no more than once a second; call "
				 "again",
				 CLOCK_SKEW_MS / 1000);
		st->retry_after_ms = 1000;
		return st->code;
	}
	if (!span_eq(word, SPAN_LIT("ok")) || in_force == NULL || !number_parse(in_force->string, &moment_ms) ||
	    !not_before_is_credible(moment_ms, env->now_ms))
		return reply_odd(st, "session_revoke_realm");
	if (!redo_revocation(env, plan->session, moment_ms, plan))
		return no_memory(st);
	not_before_raise(env->not_before, env->realm, moment_ms);
	*ret = (struct session_revoke_realm_result){.not_before_ms = moment_ms};
	return STATUS_OK;
}
