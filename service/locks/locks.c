/* Locks. One key holds the fencing number, the end and the hash of the owner's secret; it stays for a day after the end,
 * so that the next number is greater (scripts/include/lock_state.lua).
 *
 * Waiting is asking again: after a quarter of the time waited so far, so that a lock which is free is found with little
 * delay by those that wait briefly, and asked for rarely by those that wait long; never after its holder's end. Nobody
 * queues: of those that ask, whoever asks first after the release gets it. A queue in Redis would have to outlive its
 * members, and one that died would hold up the others; a wake-up for each release would be paid for by the releases that
 * nobody waits for.
 *
 * After a failover: what was acknowledged is brought back by number, so that an earlier holder never takes the place of
 * a later one. A lock is not given before all instances have had time to bring back theirs, and that one is not held is
 * not believed before. */

#include "locks/locks.h"

#include "crypto/codec.h"
#include "crypto/names.h"
#include "plan/command.h"
#include "plan/reply.h"
#include "plan/subject.h"

#define OWNER_RANDOM_BYTES 16
#define OWNER_CHARS	   BASE64_CHARS(OWNER_RANDOM_BYTES)
#define OWNER_HASH_BYTES   16
/* So long a lock's key is kept after its end, as scripts have it. */
#define MEMORY_MS 86400000ULL
/* Instances bring back what they had acknowledged as soon as they have seen that another primary took over: within 1.2 s by
 * Sentinel, and twice that is waited for. */
#define SETTLING_MS 2500
/* See pause_ms: the first pauses, and the longest. */
#define PAUSE_MS_MIN 10
#define PAUSE_MS_MAX 1250
/* Another instance brings back what it acknowledged in that time. */
#define RETRY_AFTER_UNSETTLED_MS 500

_Static_assert(OWNER_CHARS >= LOCK_OWNER_BYTES_MIN && OWNER_CHARS <= LOCK_OWNER_BYTES_MAX,
	       "owners as callers send them");

struct lock_state {
	span key;
	span owner;
	span owner_hash;
	uint32_t wait_ms;
	uint64_t began_ms; /* monotonic */
};

static enum status_code check_name(span name, struct status *st)
{
	if (name.len >= 1 && name.len <= LOCK_NAME_BYTES_MAX)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "name has %zu bytes: 1 to %d are allowed", name.len,
			  LOCK_NAME_BYTES_MAX);
}

static enum status_code check_ttl(uint32_t ttl_ms, struct status *st)
{
	if (ttl_ms >= LOCK_TTL_MS_MIN && ttl_ms <= LOCK_TTL_MS_MAX)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT,
			  "ttl_ms %u: %d to %d are allowed; to hold a lock for longer, extend it", ttl_ms,
			  LOCK_TTL_MS_MIN, LOCK_TTL_MS_MAX);
}

static enum status_code check_owner(span owner, struct status *st)
{
	if (owner.len >= LOCK_OWNER_BYTES_MIN && owner.len <= LOCK_OWNER_BYTES_MAX)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "owner has %zu bytes: send the %d to %d that Acquire answered",
			  owner.len, LOCK_OWNER_BYTES_MIN, LOCK_OWNER_BYTES_MAX);
}

static void lock_tag(const struct plan_env *env, span name, char out[static USER_TAG_CHARS])
{
	tag_of_inputs(env, NAME_LOCK, (const span[]){env->realm->name, name}, 2, out);
}

/* NULL: the arena is full. */
static struct lock_state *begin(const struct plan_env *env, span name, span owner)
{
	struct lock_state *s = arena_alloc(env->arena, sizeof(*s));
	uint8_t *hash = arena_alloc(env->arena, OWNER_HASH_BYTES);
	char tag[USER_TAG_CHARS];

	if (s == NULL || hash == NULL)
		return NULL;
	lock_tag(env, name, tag);
	name_hash(env->keys, NAME_LOCK_OWNER, &owner, 1, hash, OWNER_HASH_BYTES);
	s->owner = owner;
	s->owner_hash = span_of(hash, OWNER_HASH_BYTES);
	s->began_ms = env->mono_ms;
	return key_of_subject(env->arena, 'k', tag, &s->key) ? s : NULL;
}

static bool redo_lock(const struct plan_env *env, uint64_t number, uint64_t ends_ms, struct plan *plan)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_LOCK_RESTORE, true);

	command_key(&w, plan->lock->key);
	command_arg(&w, plan->lock->owner_hash);
	command_number(&w, number);
	command_number(&w, ends_ms);
	return command_end_redo(&w, MEMORY_MS, plan);
}

static bool take(const struct store_reply *reply, size_t i, uint64_t *ret)
{
	const struct store_reply *e = reply_element(reply, i, STORE_INTEGER);

	if (e == NULL || e->integer < 0)
		return false;
	*ret = (uint64_t)e->integer;
	return true;
}

/* ---- Acquire ---- */

/* The same for each repetition under one idempotency key, so that they all tell the same owner; else random. */
static bool make_owner(const struct plan_env *env, span name, span *ret)
{
	const span inputs[] = {env->realm->name, env->caller, name, env->idempotency_key};
	char *text = arena_alloc(env->arena, OWNER_CHARS);
	uint8_t secret[OWNER_RANDOM_BYTES];

	if (text == NULL)
		return false;
	if (env->idempotency_key.len > 0)
		name_hash(env->keys, NAME_LOCK_OWNER, inputs, sizeof(inputs) / sizeof(inputs[0]), secret,
			  sizeof(secret));
	else
		random_fill(secret, sizeof(secret));
	base64_encode(span_of(secret, sizeof(secret)), text);
	secret_wipe(secret, sizeof(secret));
	*ret = span_of(text, OWNER_CHARS);
	return true;
}

enum status_code lock_acquire_plan(const struct plan_env *env, const struct lock_acquire_request *req,
				   struct plan *ret_plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_LOCK_ACQUIRE, true);
	const bool is_remembered = env->idempotency_key.len > 0;
	struct plan plan = {0};
	char tag[USER_TAG_CHARS];
	span memory = SPAN_EMPTY;
	span owner;

	if (check_name(req->name, st) != STATUS_OK || check_ttl(req->ttl_ms, st) != STATUS_OK)
		return st->code;
	lock_tag(env, req->name, tag);
	if (!make_owner(env, req->name, &owner) ||
	    (is_remembered && !key_of_idempotency(env, tag, SPAN_LIT("Acquire"), &memory)))
		return no_memory(st);
	plan.lock = begin(env, req->name, owner);
	if (plan.lock == NULL)
		return no_memory(st);
	plan.lock->wait_ms = req->wait_ms;
	w.command.settling_ms = SETTLING_MS;
	command_key(&w, plan.lock->key);
	if (is_remembered)
		command_key(&w, memory);
	command_arg(&w, plan.lock->owner_hash);
	command_number(&w, req->ttl_ms);
	if (is_remembered)
		command_number(&w, IDEMPOTENCY_S * 1000ULL);
	if (command_end(&w, &plan, st) != STATUS_OK)
		return st->code;
	*ret_plan = plan;
	return STATUS_OK;
}

/* To the next try; 0: there is none. */
static uint32_t pause_ms(const struct plan_env *env, const struct lock_state *s, uint64_t held_ms)
{
	const uint64_t waited_ms = env->mono_ms - s->began_ms;
	uint64_t pause = waited_ms / 4;
	uint16_t random;

	if (waited_ms >= s->wait_ms)
		return 0;
	random_fill(&random, sizeof(random));
	pause = pause < PAUSE_MS_MIN ? PAUSE_MS_MIN : pause;
	pause = pause > PAUSE_MS_MAX ? PAUSE_MS_MAX : pause;
	/* Those that began together do not go on together. */
	pause -= pause / 4 * random / UINT16_MAX;
	pause = pause > held_ms ? held_ms : pause;
	pause = pause > s->wait_ms - waited_ms ? s->wait_ms - waited_ms : pause;
	return pause == 0 ? 1 : (uint32_t)pause;
}

static enum status_code answer_held(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    enum plan_next *ret_next, struct lock_acquire_result *ret, struct status *st)
{
	struct lock_state *s = plan->lock;
	uint64_t ends_ms;
	uint64_t held_ms;

	if (!take(reply, 1, &ends_ms) || !take(reply, 2, &held_ms))
		return reply_odd(st, "lock_acquire");
	plan->pause_ms = pause_ms(env, s, held_ms);
	if (plan->pause_ms > 0) {
		*ret_next = PLAN_LATER;
		return STATUS_OK;
	}
	*ret = (struct lock_acquire_result){.expires_at_ms = ends_ms,
					    .retry_after_ms = held_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)held_ms};
	return STATUS_OK;
}

void lock_acquire_wait_no_longer(struct plan *plan)
{
	plan->lock->wait_ms = 0;
}

enum status_code lock_acquire_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				     enum plan_next *ret_next, struct lock_acquire_result *ret, struct status *st)
{
	const span word = reply_word(reply);
	struct lock_acquire_result result = {.acquired = true, .owner = plan->lock->owner};

	plan->redos = NULL;
	*ret_next = PLAN_DONE;
	if (span_eq(word, SPAN_LIT("held")))
		return answer_held(env, plan, reply, ret_next, ret, st);
	if (span_eq(word, SPAN_LIT("other")))
		return status_set(st, STATUS_ALREADY_EXISTS,
				  "the idempotency key was used for another request; use a new key for each request");
	if (!span_eq(word, SPAN_LIT("ok")) || !take(reply, 1, &result.fencing_token) ||
	    !take(reply, 2, &result.expires_at_ms))
		return reply_odd(st, "lock_acquire");
	if (!redo_lock(env, result.fencing_token, result.expires_at_ms, plan))
		return no_memory(st);
	*ret = result;
	return STATUS_OK;
}

/* ---- Extend and Release ---- */

/* Just after a failover that a lock is not there proves nothing: who had it may have to bring it back yet. */
static enum status_code check_settled(const struct plan_env *env, struct status *st)
{
	if (!env->is_unsettled)
		return STATUS_OK;
	(void)status_set(st, STATUS_UNAVAILABLE,
			 "Redis has just changed its primary, and the lock may not have been brought back yet: call "
			 "again");
	st->retry_after_ms = RETRY_AFTER_UNSETTLED_MS;
	return st->code;
}

static enum status_code plan_owned(const struct plan_env *env, enum store_script script, struct lock_state *s,
				   uint32_t ttl_ms, struct plan *ret_plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, script, true);
	struct plan plan = {.lock = s};

	if (s == NULL)
		return no_memory(st);
	command_key(&w, s->key);
	command_arg(&w, s->owner_hash);
	if (ttl_ms > 0)
		command_number(&w, ttl_ms);
	if (command_end(&w, &plan, st) != STATUS_OK)
		return st->code;
	*ret_plan = plan;
	return STATUS_OK;
}

enum status_code lock_extend_plan(const struct plan_env *env, const struct lock_extend_request *req,
				  struct plan *ret_plan, struct status *st)
{
	if (check_name(req->name, st) != STATUS_OK || check_owner(req->owner, st) != STATUS_OK ||
	    check_ttl(req->ttl_ms, st) != STATUS_OK)
		return st->code;
	return plan_owned(env, STORE_SCRIPT_LOCK_EXTEND, begin(env, req->name, req->owner), req->ttl_ms, ret_plan, st);
}

enum status_code lock_extend_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct lock_extend_result *ret, struct status *st)
{
	struct lock_extend_result result = {.held = true};

	plan->redos = NULL;
	if (span_eq(reply_word(reply), SPAN_LIT("not"))) {
		if (check_settled(env, st) != STATUS_OK)
			return st->code;
		*ret = (struct lock_extend_result){0};
		return STATUS_OK;
	}
	if (!span_eq(reply_word(reply), SPAN_LIT("ok")) || !take(reply, 1, &result.fencing_token) ||
	    !take(reply, 2, &result.expires_at_ms))
		return reply_odd(st, "lock_extend");
	if (!redo_lock(env, result.fencing_token, result.expires_at_ms, plan))
		return no_memory(st);
	*ret = result;
	return STATUS_OK;
}

enum status_code lock_release_plan(const struct plan_env *env, const struct lock_release_request *req,
				   struct plan *ret_plan, struct status *st)
{
	if (check_name(req->name, st) != STATUS_OK || check_owner(req->owner, st) != STATUS_OK)
		return st->code;
	return plan_owned(env, STORE_SCRIPT_LOCK_RELEASE, begin(env, req->name, req->owner), 0, ret_plan, st);
}

enum status_code lock_release_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				     struct lock_release_result *ret, struct status *st)
{
	uint64_t number;

	plan->redos = NULL;
	if (span_eq(reply_word(reply), SPAN_LIT("not"))) {
		if (check_settled(env, st) != STATUS_OK)
			return st->code;
		*ret = (struct lock_release_result){.released = false};
		return STATUS_OK;
	}
	if (!span_eq(reply_word(reply), SPAN_LIT("ok")) || !take(reply, 1, &number))
		return reply_odd(st, "lock_release");
	if (!redo_lock(env, number, 0, plan))
		return no_memory(st);
	*ret = (struct lock_release_result){.released = true};
	return STATUS_OK;
}
