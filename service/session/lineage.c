#include "session/lineage.h"

#include "base/metrics.h"
#include "session/redo.h"

/* Of several forwards the weakest counts. */
static bool narrow(arena *where, const struct session_authentication *a, struct lineage_state *l)
{
	struct session_authentication *limit = l->authentication;

	if (limit == NULL) {
		limit = arena_alloc(where, sizeof(*limit));
		if (limit == NULL)
			return false;
		*limit = *a;
		l->authentication = limit;
	}
	if (a->aal < limit->aal)
		limit->aal = a->aal;
	if (a->at_ms < limit->at_ms)
		limit->at_ms = a->at_ms;
	return true;
}

bool lineage_is_stepped_up(const struct session_state *s, const struct session_authentication *a)
{
	const struct session_authentication *limit = s->lineage.authentication;

	/* at_ms 0: at creation, which no rotation moves. */
	return limit != NULL && (a->at_ms > limit->at_ms || a->aal > limit->aal);
}

void lineage_limit(const struct session_state *s, uint64_t created_ms, struct session_authentication *a)
{
	const struct session_authentication *limit = s->lineage.authentication;

	if (limit == NULL)
		return;
	if (a->at_ms == 0)
		a->at_ms = created_ms;
	if (a->at_ms > limit->at_ms)
		a->at_ms = limit->at_ms;
	if (a->aal > limit->aal)
		a->aal = limit->aal;
	a->amr_count = limit->amr_count;
	memcpy(a->amr, limit->amr, sizeof(a->amr));
}

/* Makes the state that of the successor, or decides it. */
static enum status_code go_to(const struct plan_env *env, const struct forward_header *header,
			      const struct forward_inside *inside, struct session_state *s, struct status *st)
{
	char *text = arena_alloc(env->arena, TOKEN_CHARS);
	enum session_reason reason;
	struct token next;

	if (text == NULL)
		return no_memory(st);
	token_print(inside->token, text);
	reason = token_parse(env->keys, env->realm->name, span_of(text, TOKEN_CHARS), env->now_ms, &next);
	if (reason == REASON_RETIRED_KEY || reason == REASON_ABSOLUTE_TIMEOUT) {
		s->decided = outcome_invalid(reason);
		return STATUS_OK;
	}
	if (reason != REASON_NONE) {
		s->decided = outcome_closed(RECORD_UNREADABLE);
		return STATUS_OK;
	}
	if (!state_become(env, &next, s) || !narrow(env->arena, &inside->authentication, &s->lineage))
		return no_memory(st);
	s->lineage.successor = span_of(text, TOKEN_CHARS);
	if (s->lineage.hops++ == 0)
		metric_add(METRIC_FORWARDS_FOLLOWED, 1);
	if (memcmp(s->handle.name, header->name, NAME_CHARS) != 0)
		s->decided = outcome_closed(RECORD_UNREADABLE);
	else
		(void)outcome_ended(env, s, &s->decided);
	return STATUS_OK;
}

enum status_code lineage_follow(const struct plan_env *env, span value, bool is_granted, struct session_state *s,
				enum follow *ret, struct status *st)
{
	const struct record_place place = place_of(env, s);
	struct forward_header header;
	struct forward_inside inside;
	enum record_result result;

	*ret = FOLLOW_ON;
	if (env->now_ms >= token_deadline_ms(&s->token)) {
		s->decided = outcome_invalid(REASON_ABSOLUTE_TIMEOUT);
		return STATUS_OK;
	}
	result = forward_read(value, &header);
	if (result == RECORD_OK)
		result = forward_open(env->arena, &place, value, &inside);
	if (result == RECORD_NO_MEMORY)
		return no_memory(st);
	if (result != RECORD_OK) {
		s->decided = outcome_closed(result);
		return STATUS_OK;
	}
	if (s->lineage.hops == 0 && !is_granted && env->now_ms >= header.grace_until_ms) {
		*ret = FOLLOW_LATE;
		return STATUS_OK;
	}
	if (s->lineage.hops == FORWARD_HOPS_MAX)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "token: its session was rotated more than %d times since, within its grace; use a "
				  "successor that Rotate gave",
				  FORWARD_HOPS_MAX);
	return go_to(env, &header, &inside, s, st);
}

enum status_code lineage_plan_end(const struct plan_env *env, struct session_state *s, span memory, struct plan *plan,
				  struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_REUSE, true);
	const uint64_t standard_ms = realm_tombstone_s(env->realm) * 1000ULL;
	const uint64_t left_ms = token_deadline_ms(&s->token) - env->now_ms;
	struct lineage_state *l = &s->lineage;
	span prefix;
	span index;
	span head;

	l->tombstone_ms = standard_ms < left_ms ? standard_ms : left_ms;
	tombstone_write(REASON_REUSE_DETECTED, env->now_ms, l->tombstone);
	head = announcement_head(env->arena, env, &s->handle, EVENT_REUSE_DETECTED, REASON_REUSE_DETECTED, env->now_ms);
	if (head.len == 0 || !key_of_index(env->arena, &s->handle, &index) ||
	    !key_prefix(env->arena, &s->handle, &prefix))
		return no_memory(st);
	command_key(&w, s->key);
	command_key(&w, index);
	if (memory.len > 0)
		command_key(&w, memory);
	command_arg(&w, span_of(s->handle.name, NAME_CHARS));
	command_arg(&w, span_of(l->tombstone, TOMBSTONE_BYTES));
	command_number(&w, l->tombstone_ms);
	command_arg(&w, prefix);
	command_number(&w, env->now_ms);
	command_arg(&w, head);
	command_number(&w, LINEAGE_HOPS_MAX);
	return command_end(&w, plan, st);
}

/* It was alive at its end until now. */
static enum status_code answer_reuse(const struct plan_env *env, struct plan *plan, span names,
				     struct session_outcome *ret, struct status *st)
{
	const struct lineage_state *l = &plan->session->lineage;
	const struct redo_end end = {
	    .names = names,
	    .tombstone = span_of(l->tombstone, TOMBSTONE_BYTES),
	    .tombstone_ms = l->tombstone_ms,
	};
	struct record none;

	if (names.len == 0 || names.len % NAME_CHARS != 0)
		return reply_odd(st, "session_reuse");
	if (!redo_bury(env, plan->session, &end, plan))
		return no_memory(st);
	remember_end(env, plan->session, &end, 0);
	metric_add(METRIC_SESSIONS_REUSE_DETECTED, 1);
	*ret = outcome_of_value(end.tombstone, &none);
	return STATUS_OK;
}

enum status_code lineage_answer_end(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct session_outcome *ret, struct status *st)
{
	const struct store_reply *value = reply_element(reply, 1, STORE_STRING);
	const span word = reply_word(reply);
	struct record none;

	if (span_eq(word, SPAN_LIT("reuse")) && value != NULL)
		return answer_reuse(env, plan, value->string, ret, st);
	if (span_eq(word, SPAN_LIT("dead")) && value != NULL) {
		*ret = outcome_of_value(value->string, &none);
		return STATUS_OK;
	}
	if (span_eq(word, SPAN_LIT("gone"))) {
		*ret = outcome_invalid(REASON_ROTATED);
		return STATUS_OK;
	}
	/* Redis has changed its primary since the forward was read: to be asked again. */
	if (span_eq(word, SPAN_LIT("changed"))) {
		*ret = (struct session_outcome){.verdict = VERDICT_UNKNOWN};
		return STATUS_OK;
	}
	return reply_odd(st, "session_reuse");
}
