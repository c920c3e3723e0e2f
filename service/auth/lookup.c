/* One script finds the answer, or gives the lease to load it; the epochs of its groups, which other nodes may have, are
 * read at the same time. So a Lookup takes one round trip, but for three that take more:
 *
 * - An answer that is dead because a group of it was forgotten: the script, which cannot know that, is told of it and
 *   gives the lease instead. Once for each answer of the group.
 * - One that does not open, in the same way.
 * - Somebody else loads and the caller wants to wait: asked again at the news that it was filled, and from time to time,
 *   for news may be lost, and the holder of a lease may be.
 *
 * An epoch is random and not counted: one that was lost, with Redis or by its expiry, never comes back. That what is
 * begun in an epoch ends with it makes forgetting one DEL, whatever there is. */

#include "auth/early.h"
#include "auth/news.h"
#include "auth/state.h"

#include "base/bytes.h"
#include "crypto/codec.h"

/* Between two questions of one who waits, doubled each time. The first as short as loading usually is; the last so that a
 * thousand who wait are 4,000 questions a second. */
#define POLL_MS_FIRST 25
#define POLL_MS_LAST  250

static enum status_code check_request(const struct auth_lookup_request *req, struct status *st)
{
	if (auth_check_place(&(struct lease_place){req->subject, req->key}, st) != STATUS_OK)
		return st->code;
	if (req->lease_ms != 0 && (req->lease_ms < AUTH_LEASE_MS_MIN || req->lease_ms > AUTH_LEASE_MS_MAX))
		return status_set(st, STATUS_INVALID_ARGUMENT, "lease_ms %u is not in %d..%d", req->lease_ms,
				  AUTH_LEASE_MS_MIN, AUTH_LEASE_MS_MAX);
	return STATUS_OK;
}

static enum status_code plan_peek(const struct plan_env *env, struct auth_state *s, struct plan *plan,
				  struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_AUTH_PEEK, false);

	*plan = (struct plan){.auth = s};
	command_key(&w, s->key);
	return command_end(&w, plan, st);
}

/* dead: the mark of an answer that is not to be found; may be empty. */
static enum status_code plan_find(const struct plan_env *env, struct auth_state *s, span dead, struct plan *plan,
				  struct status *st)
{
	/* Not a write, for the reason that GETEX is none: a lease that was given is given again to the same question. */
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_AUTH_LOOKUP, false);

	if (s->lookup.no_lease)
		return plan_peek(env, s, plan, st);
	*plan = (struct plan){.auth = s};
	command_key(&w, s->key);
	command_arg(&w, span_of(s->lookup.lease, LEASE_ID_BYTES));
	command_number(&w, s->lookup.lease_ms);
	command_arg(&w, span_of(s->lookup.begun, EPOCH_BYTES));
	command_number(&w, auth_epoch_ms(env->realm));
	command_number(&w, s->lookup.early);
	command_arg(&w, dead);
	command_arg(&w, s->lookup.wait_until_ms > 0 ? SPAN_LIT("1") : SPAN_EMPTY);
	plan->place = auth_news_place(s->key);
	plan->seen = auth_news_count(env->auth_news, plan->place);
	return command_end(&w, plan, st);
}

/* A group that has no epoch begins one: what is loaded from now on depends on it. */
static enum status_code plan_epoch(const struct plan_env *env, struct auth_state *s, struct group *group,
				   struct plan *plan, struct status *st)
{
	struct command_writer w;

	if (s->lookup.no_lease)
		return auth_plan_group(env, s, group, plan, st);
	w = command_start(env->arena, STORE_SCRIPT_AUTH_EPOCH, false);
	*plan = (struct plan){.auth = s};
	random_fill(group->epoch, EPOCH_BYTES);
	command_key(&w, group->key);
	command_arg(&w, span_of(group->epoch, EPOCH_BYTES));
	command_number(&w, auth_epoch_ms(env->realm));
	return command_end(&w, plan, st);
}

static void fill_state(const struct plan_env *env, const struct auth_lookup_request *req, struct auth_state *s)
{
	uint64_t random;

	random_fill(&random, sizeof(random));
	random_fill(s->lookup.lease, LEASE_ID_BYTES);
	random_fill(s->lookup.begun, EPOCH_BYTES);
	s->groups.realm_revoked_ms = req->realm_revoked_ms;
	s->lookup.no_lease = req->no_lease || req->is_realm_unknown;
	s->lookup.is_realm_unknown = req->is_realm_unknown;
	s->lookup.lease_ms = req->lease_ms == 0 ? env->realm->auth.lease_ms : req->lease_ms;
	s->lookup.wait_until_ms = req->wait_ms == 0 ? 0 : env->mono_ms + req->wait_ms;
	s->lookup.pause_ms = POLL_MS_FIRST;
	s->lookup.early = early_factor(env->realm->auth.early_percent, random);
}

enum status_code auth_lookup_plan(const struct plan_env *env, const struct auth_lookup_request *req,
				  struct plan ret_plans[static AUTH_PLANS_MAX], size_t *ret_count, struct status *st)
{
	struct auth_state *s;

	if (check_request(req, st) != STATUS_OK)
		return st->code;
	s = auth_state_new(env, &(struct lease_place){req->subject, req->key});
	if (s == NULL)
		return no_memory(st);
	if (groups_make(env, req->groups, req->group_count, &s->groups, st) != STATUS_OK)
		return st->code;
	fill_state(env, req, s);
	if (plan_find(env, s, SPAN_EMPTY, &ret_plans[0], st) != STATUS_OK)
		return st->code;
	for (size_t i = 0; i < s->groups.count; i++)
		if (plan_epoch(env, s, &s->groups.list[i], &ret_plans[1 + i], st) != STATUS_OK)
			return st->code;
	*ret_count = 1 + s->groups.count;
	return STATUS_OK;
}

void auth_lookup_hurry(struct plan *plan)
{
	plan->auth->lookup.wait_until_ms = 0;
}

bool auth_lookup_unleased(const struct plan_env *env, struct plan *plan)
{
	const bool is_epoch = plan->command.script == STORE_SCRIPT_AUTH_EPOCH;
	struct auth_state *s = plan->auth;
	struct group *group = groups_find(&s->groups, plan->command.key);
	struct status st;

	if (!is_epoch && plan->command.script != STORE_SCRIPT_AUTH_LOOKUP)
		return false;
	s->lookup.no_lease = true;
	return (is_epoch ? auth_plan_group(env, s, group, plan, &st) : plan_peek(env, s, plan, &st)) == STATUS_OK;
}

/* ---- Replies ---- */

static bool is_of_answer(const struct store_command *command)
{
	return command->script == STORE_SCRIPT_AUTH_LOOKUP || command->script == STORE_SCRIPT_AUTH_PEEK;
}

static bool has_answer(const struct found *f)
{
	return f->value.len > 0;
}

static bool read_found(const struct store_reply *reply, struct found *ret)
{
	const span word = reply_word(reply);
	const struct store_reply *epoch;
	const struct store_reply *value;
	const struct store_reply *number;
	bool is_whole = false;

	*ret = (struct found){.is_there = true, .word = word};
	if (span_eq(word, SPAN_LIT("wait"))) {
		number = reply_element(reply, 1, STORE_INTEGER);
		ret->left_ms = number == NULL || number->integer < 0 ? 0 : (uint64_t)number->integer;
		return number != NULL;
	}
	if (span_eq(word, SPAN_LIT("miss"))) {
		epoch = reply_element(reply, 1, STORE_STRING);
		is_whole = epoch != NULL;
	} else {
		value = reply_element(reply, 1, STORE_STRING);
		epoch = reply_element(reply, 2, STORE_STRING);
		number = reply_element(reply, 3, STORE_INTEGER);
		is_whole = value != NULL && epoch != NULL && number != NULL;
		ret->value = is_whole ? value->string : SPAN_EMPTY;
		ret->is_early = is_whole && number->integer == 1;
	}
	ret->epoch = is_whole ? epoch->string : SPAN_EMPTY;
	return is_whole && (ret->epoch.len == 0 || ret->epoch.len == EPOCH_BYTES);
}

/* A copy: the replies to other plans may come later. */
static enum status_code take_found(const struct plan_env *env, struct auth_state *s, const struct store_reply *reply,
				   struct status *st)
{
	struct found f;

	if (!read_found(reply, &f))
		return reply_odd(st, "auth_lookup");
	if (!arena_copy(env->arena, f.word, &f.word) || !arena_copy(env->arena, f.value, &f.value) ||
	    !arena_copy(env->arena, f.epoch, &f.epoch))
		return no_memory(st);
	s->lookup.found = f;
	return STATUS_OK;
}

static enum status_code take_epoch(struct auth_state *s, span key, const struct store_reply *reply, struct status *st)
{
	struct group *group = groups_find(&s->groups, key);

	if (group == NULL || reply == NULL ||
	    !(reply->type == STORE_NIL || (reply->type == STORE_STRING && reply->string.len == EPOCH_BYTES)))
		return reply_odd(st, "for the epoch of a group");
	memset(group->epoch, 0, EPOCH_BYTES);
	if (reply->type == STORE_STRING)
		memcpy(group->epoch, reply->string.ptr, EPOCH_BYTES);
	group->has_epoch = true;
	return STATUS_OK;
}

/* Whether the realm may have been revoked, for all that this instance knows; or the answer, or what it depends on, was
 * forgotten lately, and may only be there because a failover has undone that, for a moment. */
static bool is_doubtful(const struct plan_env *env, const struct auth_state *s)
{
	if (s->lookup.is_realm_unknown)
		return true;
	if (!s->is_unsettled)
		return false;
	for (size_t i = 0; i < s->groups.count; i++)
		if (auth_news_is_forgotten(env->auth_news, s->groups.list[i].key, env->mono_ms))
			return true;
	return auth_news_is_forgotten(env->auth_news, s->key, env->mono_ms) ||
	       auth_news_is_forgotten(env->auth_news, s->epoch, env->mono_ms);
}

/* Dead, with ret->state 0, if its groups are others, in other epochs, or if it does not open. */
static enum status_code open_answer(const struct plan_env *env, struct auth_state *s, struct auth_lookup_result *ret,
				    struct status *st)
{
	const struct found *f = &s->lookup.found;
	uint8_t groups[GROUPS_BYTES_MAX];
	struct value_place place = {.keys = env->keys, .compressor = env->compressor, .key = s->key};
	bool is_negative = false;
	enum value_result result;
	struct value v;

	if (value_parse(f->value, &v)) {
		if (!span_eq(v.groups, span_of(groups, groups_write(&s->groups, groups))))
			return STATUS_OK;
		place.epoch = v.epoch;
		result = value_open(env->arena, &place, &v, &is_negative, &ret->answer);
	} else {
		result = VALUE_UNREADABLE;
	}
	if (result == VALUE_NO_MEMORY)
		return no_memory(st);
	if (result != VALUE_OK) {
		s->lookup.is_unreadable = true;
		return STATUS_OK;
	}
	ret->expires_at_ms = v.fresh_until_ms;
	ret->is_early = f->is_early;
	ret->state = is_negative ? AUTH_NEGATIVE : span_eq(f->word, SPAN_LIT("hit")) ? AUTH_HIT : AUTH_STALE;
	return STATUS_OK;
}

/* With the lease, if one was given. */
static enum status_code hand_out(const struct plan_env *env, const struct auth_state *s, struct auth_lookup_result *ret,
				 struct status *st)
{
	struct lease lease = {.groups = s->groups};

	if (s->lookup.found.epoch.len == 0)
		return STATUS_OK;
	memcpy(lease.id, s->lookup.lease, LEASE_ID_BYTES);
	memcpy(lease.epoch, s->lookup.found.epoch.ptr, EPOCH_BYTES);
	ret->lease = lease_write(env, &s->place, &lease);
	return ret->lease.len > 0 ? STATUS_OK : no_memory(st);
}

static enum status_code wait(const struct plan_env *env, struct auth_state *s, struct plan *plan,
			     enum plan_next *ret_next, struct auth_lookup_result *ret, struct status *st)
{
	const uint64_t until_ms = s->lookup.wait_until_ms;
	/* One more: by then it has ended. */
	const uint64_t left_ms = s->lookup.found.left_ms + 1;
	uint64_t pause_ms = s->lookup.pause_ms < left_ms ? s->lookup.pause_ms : left_ms;

	s->lookup.has_waited = true;
	if (env->mono_ms >= until_ms) {
		ret->state = AUTH_WAIT;
		ret->has_waited = true;
		ret->retry_after_ms = (uint32_t)pause_ms;
		return STATUS_OK;
	}
	if (pause_ms > until_ms - env->mono_ms)
		pause_ms = until_ms - env->mono_ms;
	/* The epochs of the groups are those of the beginning: an answer of a later one is loaded once more. */
	if (plan->command.script != STORE_SCRIPT_AUTH_LOOKUP && plan_find(env, s, SPAN_EMPTY, plan, st) != STATUS_OK)
		return st->code;
	s->lookup.found.is_there = false;
	s->lookup.pause_ms = s->lookup.pause_ms >= POLL_MS_LAST / 2 ? POLL_MS_LAST : 2 * s->lookup.pause_ms;
	plan->pause_ms = (uint32_t)pause_ms;
	*ret_next = PLAN_LATER;
	return STATUS_OK;
}

/* All replies are there. */
static enum status_code judge(const struct plan_env *env, struct auth_state *s, struct plan *plan,
			      enum plan_next *ret_next, struct auth_lookup_result *ret, struct status *st)
{
	const struct found *f = &s->lookup.found;
	const bool is_doubted = has_answer(f) && is_doubtful(env, s);
	struct auth_lookup_result out = {0};

	if (span_eq(f->word, SPAN_LIT("wait")))
		return wait(env, s, plan, ret_next, ret, st);
	if (has_answer(f) && !is_doubted && open_answer(env, s, &out, st) != STATUS_OK)
		return st->code;
	if (out.state == 0 && has_answer(f) && !is_doubted && f->epoch.len == 0 && !s->lookup.no_lease) {
		s->lookup.found.is_there = false;
		*ret_next = PLAN_AGAIN;
		return plan_find(env, s, value_mark(f->value), plan, st);
	}
	if (out.state == 0)
		out = (struct auth_lookup_result){.state = AUTH_MISS};
	out.has_waited = s->lookup.has_waited;
	out.is_unreadable = s->lookup.is_unreadable;
	if (hand_out(env, s, &out, st) != STATUS_OK)
		return st->code;
	*ret = out;
	return STATUS_OK;
}

enum status_code auth_lookup_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    enum plan_next *ret_next, struct auth_lookup_result *ret, struct status *st)
{
	struct auth_state *s = plan->auth;
	enum status_code code;

	*ret_next = PLAN_DONE;
	plan->redos = NULL;
	s->is_unsettled |= env->is_unsettled;
	code =
	    is_of_answer(&plan->command) ? take_found(env, s, reply, st) : take_epoch(s, plan->command.key, reply, st);
	if (code != STATUS_OK)
		return code;
	*ret = (struct auth_lookup_result){0};
	if (!s->lookup.found.is_there || !groups_have_epochs(&s->groups))
		return STATUS_OK;
	return judge(env, s, plan, ret_next, ret, st);
}
