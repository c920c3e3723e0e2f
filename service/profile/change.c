/* Put, update and delete: one script, which checks all and then writes.
 *
 *   CHANGE ──> ok ───────────────────────────────> the answer
 *                └ the realm keeps changes ──> PUBLISH ──> SENT ──> the answer
 *   CHANGE ──> backlog ──> PUBLISH ──> SENT ──> CHANGE
 *
 * A realm's stream of changes is in another slot than a profile, so no script can write both. The change is left in an
 * outbox in the profile's own slot, by the same script; then it is entered in the stream (a second round trip), and taken
 * out of the outbox (a third). Only realms that keep changes pay for it. An instance that dies in between has
 * acknowledged nothing: its caller repeats, with the idempotency key, and that, as any other change of the profile, brings
 * the outbox's contents along. Entering one twice is recognised by its stamp.
 *
 * What a failover loses is brought back by profile_redo, which knows its own earlier runs, and the script's, by the memory
 * of the call. That is why this memory is brought back too: whoever repeats a call that was never answered must find it,
 * or an increment is made twice. */

#include <stdio.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "profile/entry.h"
#include "profile/field.h"

/* As long as a realm's stream remembers which changes it has. Longer than redos and repetitions come. */
#define PUBLISHED_MS TOMBSTONE_MS
/* "CHANGE" that finds a backlog again and again: others fill the outbox as fast as it is emptied. */
#define ROUNDS_MAX 8
/* ";NAME=MILLISECONDS": names of 32 bytes, ten years in ms. */
#define TIER_CHARS_MAX (1 + PROFILE_TIER_BYTES_MAX + 1 + 20)
/* Fingerprint, whether there was one, five numbers, the tier's length: what stands in front of the tier. */
#define MEMORY_HEAD_BYTES (FINGERPRINT_BYTES + 1 + 5 * 8 + 1)

static span kind_word(enum profile_kind kind)
{
	switch (kind) {
	case PROFILE_PUT:
		return SPAN_LIT("put");
	case PROFILE_UPDATE:
		return SPAN_LIT("update");
	case PROFILE_DELETE:
		break;
	}
	return SPAN_LIT("delete");
}

/* ---- The plan ---- */

static const struct profile_tier *find_tier(const struct plan_env *env, span name)
{
	for (size_t i = 0; i < env->realm->profiles.tier_count; i++)
		if (span_eq(env->realm->profiles.tiers[i].name, name))
			return &env->realm->profiles.tiers[i];
	return NULL;
}

static enum status_code check_request(const struct plan_env *env, const struct profile_change_request *req,
				      struct status *st)
{
	if (check_bytes("user", req->user.len, 1, USER_BYTES_MAX, st) != STATUS_OK)
		return st->code;
	if (env->realm->profiles.tier_count == 0)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "the realm keeps no profiles: give it a tier (realms.profiles.tiers)");
	if (req->tier.len > 0 && find_tier(env, req->tier) == NULL)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "tier: the realm has none of this name; realms.profiles.tiers lists those there are");
	if (req->has_expected_version && req->expected_version > 1ULL << 53)
		return status_set(st, STATUS_INVALID_ARGUMENT, "expected_version: over 2^53, as no version is");
	if (req->kind == PROFILE_UPDATE && req->set_count + req->remove_count + req->increment_count == 0 &&
	    req->tier.len == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "nothing to change: name a field to set, remove or increment, or a tier");
	return field_check(req, st);
}

/* All of the realm's, for which one counts the script knows; longer or shorter by the same chance, so that what was
 * written at once does not end at once. */
static bool print_tiers(const struct plan_env *env, span *ret)
{
	const struct profile_policy *p = &env->realm->profiles;
	const size_t room = p->tier_count * TIER_CHARS_MAX + 2;
	char *out = arena_alloc(env->arena, room);
	uint32_t chance;
	double factor;
	size_t n = 0;

	if (out == NULL)
		return false;
	random_fill(&chance, sizeof(chance));
	factor = 1.0 + p->jitter_percent / 100.0 * (2.0 * chance / UINT32_MAX - 1.0);
	for (size_t i = 0; i < p->tier_count; i++)
		n += (size_t)snprintf(out + n, room - n, ";%.*s=%.0f", SPAN_FMT(p->tiers[i].name),
				      p->tiers[i].ttl_s * 1000.0 * factor);
	out[n++] = ';';
	*ret = span_of(out, n);
	return true;
}

static bool make_fingerprint(const struct plan_env *env, const struct profile_change_request *req, span text,
			     struct change_state *c)
{
	struct fingerprint f;

	if (!fingerprint_start(env->arena, 5, &f))
		return false;
	fingerprint_add(&f, SPAN_LIT("Profiles"));
	fingerprint_add(&f, text);
	fingerprint_add(&f, req->tier);
	fingerprint_number(&f, req->has_expected_version);
	fingerprint_number(&f, req->expected_version);
	fingerprint_end(env->keys, &f, c->fingerprint);
	return true;
}

static struct profile_state *begin(const struct plan_env *env, const struct profile_change_request *req)
{
	struct profile_state *s = profile_state_of(env, req->user);
	struct change_state *c = &s->change;
	struct field_place place;
	span text;

	if (s == NULL)
		return NULL;
	c->req = req;
	place = (struct field_place){.env = env, .tag = s->tag, .key = s->key};
	if (!field_items(&place, req, &c->items) || !print_tiers(env, &c->tiers) || !entry_print(env, req, &text) ||
	    !make_fingerprint(env, req, text, c))
		return NULL;
	if (env->idempotency_key.len > 0 ? !key_of_idempotency(env, s->tag, SPAN_LIT("Profiles"), &c->memory)
					 : !key_of_run(env, s->tag, &c->memory))
		return NULL;
	if (env->realm->profiles.has_changes &&
	    (!entry_seal(env, text, &c->change) || !key_of_subject(env->arena, 'o', s->tag, &c->outbox)))
		return NULL;
	return s;
}

static uint64_t memory_ms(const struct plan_env *env)
{
	return env->idempotency_key.len > 0 ? IDEMPOTENCY_S * 1000ULL : RUN_MS;
}

static enum status_code plan_change(const struct plan_env *env, struct profile_state *s, struct plan *plan,
				    struct status *st)
{
	const struct profile_change_request *req = s->change.req;
	const bool is_delete = req->kind == PROFILE_DELETE;
	struct command_writer w =
	    command_start(env->arena, is_delete ? STORE_SCRIPT_PROFILE_DELETE : STORE_SCRIPT_PROFILE_CHANGE, true);
	span tier = req->tier;

	s->change.step = STEP_CHANGE;
	if (req->has_expected_version)
		w.command.settling_ms = SETTLING_MS;
	if (req->kind == PROFILE_PUT && tier.len == 0)
		tier = env->realm->profiles.tiers[0].name;
	command_key(&w, s->key);
	command_key(&w, s->change.memory);
	if (s->change.outbox.len > 0)
		command_key(&w, s->change.outbox);
	command_arg(&w, kind_word(req->kind));
	if (req->has_expected_version)
		command_number(&w, req->expected_version);
	else
		command_arg(&w, SPAN_EMPTY);
	command_arg(&w, s->change.tiers);
	command_arg(&w, tier);
	command_arg(&w, s->change.items);
	command_number(&w, memory_ms(env));
	command_arg(&w, span_of(s->change.fingerprint, FINGERPRINT_BYTES));
	command_number(&w, TOMBSTONE_MS);
	command_number(&w, PROFILE_FIELDS_MAX);
	command_number(&w, PROFILE_BYTES_MAX);
	if (s->change.outbox.len > 0) {
		command_arg(&w, s->change.change);
		command_number(&w, OUTBOX_MAX);
		command_number(&w, OUTBOX_MS);
	}
	return command_end(&w, plan, st);
}

enum status_code profile_change_plan(const struct plan_env *env, const struct profile_change_request *req,
				     struct plan *ret_plan, struct status *st)
{
	struct plan plan = {0};
	enum status_code code = check_request(env, req, st);

	if (code != STATUS_OK)
		return code;
	plan.profile = begin(env, req);
	if (plan.profile == NULL)
		return no_memory(st);
	code = plan_change(env, plan.profile, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

/* ---- The stream ---- */

static enum status_code plan_publish(const struct plan_env *env, struct profile_state *s, struct plan *plan,
				     struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_PROFILE_PUBLISH, true);
	span stream;
	span marks;

	if (!key_of_stream(env, &stream) ||
	    !key_under_subject(env->arena, 'c', env->realm->rtag, span_of(s->tag, USER_TAG_CHARS), &marks))
		return no_memory(st);
	s->change.step = STEP_PUBLISH;
	command_key(&w, stream);
	command_key(&w, marks);
	command_number(&w, env->realm->profiles.changes_max);
	command_number(&w, PUBLISHED_MS);
	for (size_t i = 0; i < s->change.entry_count; i++)
		command_arg(&w, s->change.entries[i]);
	return command_end(&w, plan, st);
}

/* They are the stream's now, also after a failover. */
static enum status_code answer_published(const struct plan_env *env, struct profile_state *s, struct plan *plan,
					 struct status *st)
{
	struct command_writer redo = {.arena = env->arena, .command = plan->command};
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_PROFILE_SENT, true);

	metric_add(METRIC_PROFILE_CHANGES_PUBLISHED, s->change.entry_count);
	if (!command_end_redo(&redo, REDO_MS, plan))
		return no_memory(st);
	s->change.step = STEP_SENT;
	command_key(&w, s->change.outbox);
	command_number(&w, s->change.last_stamp);
	return command_end(&w, plan, st);
}

/* The reply's elements from this one on, copied. */
static enum status_code take_entries(const struct plan_env *env, struct change_state *c,
				     const struct store_reply *reply, size_t from, struct status *st)
{
	c->entry_count = 0;
	for (size_t i = from; i < reply->count; i++) {
		const struct store_reply *entry = reply_element(reply, i, STORE_STRING);

		/* One more than those that were there: the call's own. */
		if (entry == NULL || c->entry_count == OUTBOX_MAX || !entry_stamp(entry->string, &c->last_stamp))
			return reply_odd(st, "profile_change");
		if (!arena_copy(env->arena, entry->string, &c->entries[c->entry_count++]))
			return no_memory(st);
	}
	return STATUS_OK;
}

static enum status_code answer_backlog(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct status *st)
{
	struct profile_state *s = plan->profile;
	enum status_code code;

	if (++s->change.rounds > ROUNDS_MAX)
		return status_set(st, STATUS_UNAVAILABLE,
				  "%d changes of this profile wait for the realm's stream, and it does not get fewer; "
				  "call again later",
				  OUTBOX_MAX);
	code = take_entries(env, &s->change, reply, 1, st);
	if (code == STATUS_OK)
		code = plan_publish(env, s, plan, st);
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}

/* ---- The answer ---- */

static bool redo_change(const struct plan_env *env, const struct profile_state *s, span memory, struct plan *plan)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_PROFILE_REDO, true);
	span mark;

	if (!key_under_subject(env->arena, 'w', s->tag, SPAN_LIT("p"), &mark))
		return false;
	command_key(&w, s->key);
	command_key(&w, s->change.memory);
	command_key(&w, mark);
	if (s->change.outbox.len > 0)
		command_key(&w, s->change.outbox);
	command_arg(&w, kind_word(s->change.req->kind));
	command_arg(&w, s->change.items);
	command_arg(&w, memory);
	command_number(&w, memory_ms(env));
	command_number(&w, TOMBSTONE_MS);
	if (s->change.outbox.len > 0) {
		command_arg(&w, s->change.change);
		command_number(&w, OUTBOX_MS);
	}
	/* What has expired is not to come back. */
	return command_end_redo(&w, s->change.lives_ms < REDO_MS ? s->change.lives_ms : REDO_MS, plan);
}

/* What profile_change remembers of a call: its answer, the first time as later. */
static enum status_code read_memory(const struct plan_env *env, struct change_state *c, span memory, struct status *st)
{
	struct profile_field *counters = arena_array(env->arena, c->req->increment_count, sizeof(*counters));
	struct reader r = reader_over(memory);
	const span fingerprint = take_bytes(&r, FINGERPRINT_BYTES);
	const uint64_t existed = take_number(&r, 1);
	const uint64_t version = take_number(&r, 8);

	(void)take_bytes(&r, 3 * sizeof(uint64_t)); /* stamp, the one before, created: the redo's */
	c->lives_ms = take_number(&r, 8);
	if (counters == NULL)
		return no_memory(st);
	if (memory.len < MEMORY_HEAD_BYTES)
		return reply_odd(st, "profile_change");
	if (!secret_eq(fingerprint.ptr, c->fingerprint, FINGERPRINT_BYTES))
		return status_set(st, STATUS_ALREADY_EXISTS,
				  "the idempotency key was used for another request; use a new key for each request");
	(void)take_bytes(&r, take_number(&r, 1));
	if (r.is_short ||
	    !entry_counters(take_bytes(&r, reader_left(&r)), c->req->increment_count, c->req->increments, counters))
		return reply_odd(st, "profile_change");
	c->result = (struct profile_change_result){.existed = existed != 0, .version = version, .counters = counters};
	return STATUS_OK;
}

static enum status_code answer_stored(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				      enum plan_next *ret_next, struct profile_change_result *ret, struct status *st)
{
	const struct store_reply *memory = reply_element(reply, 1, STORE_STRING);
	struct profile_state *s = plan->profile;
	enum status_code code;
	span kept;

	if (memory == NULL)
		return reply_odd(st, "profile_change");
	if (!arena_copy(env->arena, memory->string, &kept))
		return no_memory(st);
	code = read_memory(env, &s->change, kept, st);
	if (code == STATUS_OK)
		code = take_entries(env, &s->change, reply, 2, st);
	if (code != STATUS_OK)
		return code;
	if (!redo_change(env, s, kept, plan))
		return no_memory(st);
	s->change.is_stored = true;
	if (s->change.entry_count == 0) {
		*ret = s->change.result;
		return STATUS_OK;
	}
	code = plan_publish(env, s, plan, st);
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}

static enum status_code answer_sent(const struct plan_env *env, struct plan *plan, enum plan_next *ret_next,
				    struct profile_change_result *ret, struct status *st)
{
	enum status_code code = STATUS_OK;

	if (plan->profile->change.is_stored) {
		*ret = plan->profile->change.result;
		return STATUS_OK;
	}
	code = plan_change(env, plan->profile, plan, st);
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}

static enum status_code answer_refused(const struct profile_change_request *req, span word, uint64_t n,
				       struct profile_change_result *ret, struct status *st)
{
	if (span_eq(word, SPAN_LIT("conflict"))) {
		*ret = (struct profile_change_result){.version = n};
		return status_set(st, STATUS_ABORTED,
				  "expected_version is %llu, stored is %llu; read the profile again and decide again",
				  (unsigned long long)req->expected_version, (unsigned long long)n);
	}
	if (span_eq(word, SPAN_LIT("value")))
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "increment[%llu]: the field is no counter; set a number first",
				  (unsigned long long)n - 1);
	if (span_eq(word, SPAN_LIT("overflow")))
		return status_set(st, STATUS_OUT_OF_RANGE,
				  "increment[%llu]: the counter would leave 64 bits; set it anew, or add less",
				  (unsigned long long)n - 1);
	if (span_eq(word, SPAN_LIT("fields")))
		return status_set(st, STATUS_RESOURCE_EXHAUSTED,
				  "the profile would have %llu fields; at most %d. Remove some first",
				  (unsigned long long)n, PROFILE_FIELDS_MAX);
	if (span_eq(word, SPAN_LIT("bytes")))
		return status_set(st, STATUS_RESOURCE_EXHAUSTED,
				  "the profile's names and values would have %llu bytes; at most %d. Remove some first",
				  (unsigned long long)n, PROFILE_BYTES_MAX);
	return reply_odd(st, "profile_change");
}

static bool is_done(const struct store_reply *reply)
{
	return reply != NULL && reply->type == STORE_STRING && span_eq(reply->string, SPAN_LIT("done"));
}

enum status_code profile_change_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct profile_change_result *ret, struct status *st)
{
	struct profile_state *s = plan->profile;
	const struct store_reply *number = reply_element(reply, 1, STORE_INTEGER);
	const span word = reply_word(reply);

	*ret_next = PLAN_DONE;
	plan->redos = NULL;
	if (s->change.step != STEP_CHANGE && !is_done(reply))
		return reply_odd(st, "profile_publish");
	if (s->change.step == STEP_PUBLISH) {
		const enum status_code code = answer_published(env, s, plan, st);

		*ret_next = code == STATUS_OK ? PLAN_AGAIN : PLAN_DONE;
		return code;
	}
	if (s->change.step == STEP_SENT)
		return answer_sent(env, plan, ret_next, ret, st);
	if (span_eq(word, SPAN_LIT("ok")))
		return answer_stored(env, plan, reply, ret_next, ret, st);
	if (span_eq(word, SPAN_LIT("backlog")))
		return answer_backlog(env, plan, reply, ret_next, st);
	if (number == NULL || number->integer < 0)
		return reply_odd(st, "profile_change");
	return answer_refused(s->change.req, word, (uint64_t)number->integer, ret, st);
}
