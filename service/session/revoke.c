/* Ending one session. A token proves its session, so a tombstone is left even where no record is: an earlier write
 * of the record may yet arrive, and finds it. A handle proves nothing, so the script looks whether it names a living
 * session of the caller's realm. */

#include <assert.h>

#include "base/bytes.h"
#include "session/lineage.h"
#include "session/redo.h"

static enum status_code check_reason(enum session_reason *reason, struct status *st)
{
	switch (*reason) {
	case REASON_NONE:
		*reason = REASON_LOGOUT;
		return STATUS_OK;
	case REASON_LOGOUT:
	case REASON_ADMIN:
	case REASON_CREDENTIAL_CHANGE:
		return STATUS_OK;
	default:
		return status_set(st, STATUS_INVALID_ARGUMENT, "reason: must be LOGOUT, ADMIN or CREDENTIAL_CHANGE");
	}
}

static enum status_code state_of_handle(const struct plan_env *env, span text, struct session_state **ret,
					struct status *st)
{
	struct session_state *s = state_new(env);

	if (s == NULL)
		return no_memory(st);
	if (!handle_parse(text, &s->handle))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "handle: not a handle; it has %d characters, such as List shows", HANDLE_CHARS);
	if (!key_of_session(env->arena, &s->handle, &s->key))
		return no_memory(st);
	*ret = s;
	return STATUS_OK;
}

static uint64_t tombstone_ms_of(const struct plan_env *env, const struct session_state *s, bool by_token)
{
	const uint64_t standard_ms = realm_tombstone_s(env->realm) * 1000ULL;
	uint64_t left_ms;

	if (!by_token)
		return standard_ms;
	left_ms = token_deadline_ms(&s->token) - env->now_ms;
	return standard_ms < left_ms ? standard_ms : left_ms;
}

static enum status_code plan_command(const struct plan_env *env, const struct session_state *s, struct plan *plan,
				     struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_REVOKE, true);
	const struct revoke_state *v = &s->revoke;
	uint8_t *realm_tag = arena_alloc(env->arena, REALM_TAG_BYTES);
	struct writer tag;
	span prefix;
	span index;
	span head;

	head = announcement_head(env->arena, env, &s->handle, EVENT_REVOKED, v->reason, env->now_ms);
	if (realm_tag == NULL || head.len == 0 || !key_of_index(env->arena, &s->handle, &index) ||
	    !key_prefix(env->arena, &s->handle, &prefix))
		return no_memory(st);
	tag = writer_over(realm_tag, REALM_TAG_BYTES);
	put_number(&tag, env->realm->tag, REALM_TAG_BYTES);
	command_key(&w, s->key);
	command_key(&w, index);
	command_arg(&w, span_of(s->handle.name, NAME_CHARS));
	command_arg(&w, span_of(v->tombstone, TOMBSTONE_BYTES));
	command_number(&w, v->tombstone_ms);
	command_arg(&w, v->by_token ? SPAN_LIT("token") : SPAN_LIT("handle"));
	command_arg(&w, span_of(realm_tag, REALM_TAG_BYTES));
	command_number(&w, env->now_ms);
	command_arg(&w, head);
	command_arg(&w, prefix);
	command_number(&w, LINEAGE_HOPS_MAX);
	return command_end(&w, plan, st);
}

enum status_code session_revoke_plan(const struct plan_env *env, const struct session_revoke_request *req,
				     struct plan *ret_plan, struct status *st)
{
	const bool by_token = req->token.len > 0;
	enum session_reason reason = req->reason;
	struct plan plan = {0};
	enum status_code code;

	if (by_token == (req->handle.len > 0))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "name the session by token or by handle: one of the two");
	code = check_reason(&reason, st);
	if (code != STATUS_OK)
		return code;
	code = by_token ? state_of_token(env, req->token, &plan.session, st)
			: state_of_handle(env, req->handle, &plan.session, st);
	if (code != STATUS_OK)
		return code;
	assert(plan.session != NULL);
	if (plan.session->decided.verdict == 0) {
		plan.session->revoke.by_token = by_token;
		plan.session->revoke.tombstone_ms = tombstone_ms_of(env, plan.session, by_token);
		plan.session->revoke.reason = reason;
		tombstone_write(reason, env->now_ms, plan.session->revoke.tombstone);
		code = plan_command(env, plan.session, &plan, st);
	}
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

static struct redo_end end_of(const struct session_state *s, span names)
{
	return (struct redo_end){
	    .names = names,
	    .tombstone = span_of(s->revoke.tombstone, TOMBSTONE_BYTES),
	    .tombstone_ms = s->revoke.tombstone_ms,
	};
}

static enum status_code answer_no_such(const struct plan_env *env, struct status *st)
{
	if (env->is_unsettled)
		return status_set(st, STATUS_UNAVAILABLE,
				  "handle: the session may be missing only because Redis has another primary since a "
				  "moment; nothing was revoked, call again in %llu s",
				  (unsigned long long)(env->young_ms / 1000));
	return status_set(st, STATUS_NOT_FOUND, "handle: the realm has no such session; nothing was revoked");
}

/* By its deadline, or with its realm. */
static bool has_ended(const struct session_outcome *o)
{
	return o->reason == REASON_ABSOLUTE_TIMEOUT || o->reason == REASON_REALM_REVOKED;
}

enum status_code session_revoke_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       struct session_revoke_result *ret, struct status *st)
{
	const struct session_outcome *decided = &plan->session->decided;
	const struct store_reply *alive = reply_element(reply, 0, STORE_INTEGER);
	const struct store_reply *names = reply_element(reply, 1, STORE_STRING);
	struct redo_end end;

	plan->redos = NULL;
	if (decided->verdict != 0) {
		/* A token that is none cannot be told from one of another realm or of a key not known here, whose
		 * session lives on: saying no more than that it is dead would be a lie. */
		*ret = (struct session_revoke_result){.reason = has_ended(decided) ? REASON_NONE : decided->reason};
		return STATUS_OK;
	}
	if (alive != NULL && alive->integer == -1)
		return answer_no_such(env, st);
	if (alive != NULL && alive->integer == -2)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "the session was rotated more than %d times since it had this id; revoke it by its "
				  "handle, which List shows",
				  LINEAGE_HOPS_MAX);
	if (alive == NULL || names == NULL || names->string.len == 0 || names->string.len % NAME_CHARS != 0)
		return reply_odd(st, "session_revoke");
	end = end_of(plan->session, names->string);
	if (!redo_bury(env, plan->session, &end, plan))
		return no_memory(st);
	remember_end(env, plan->session, &end, 0);
	*ret = (struct session_revoke_result){.was_alive = alive->integer == 1};
	return STATUS_OK;
}

bool session_revoke_pend(const struct plan_env *env, struct plan *plan, struct session_revoke_result *ret)
{
	const struct session_state *s = plan->session;
	struct session_outcome ended;
	struct redo_end end;

	plan->redos = NULL;
	if (s->decided.verdict != 0 || !s->revoke.by_token || env->recent == NULL ||
	    env->now_ms >= token_deadline_ms(&s->token))
		return false;
	/* Whether the session was rotated is not known: if so, what it leads to ends when this is written. */
	end = end_of(s, span_of(s->handle.name, NAME_CHARS));
	/* A tombstone's time is measured for a record that it has replaced. This one is there still. */
	end.tombstone_ms = token_deadline_ms(&s->token) - env->now_ms;
	if (end.tombstone_ms > PENDING_S_MAX * 1000ULL)
		end.tombstone_ms = PENDING_S_MAX * 1000ULL;
	plan->announcement = pending_write(env, s, &end);
	if (plan->announcement.len == 0 || !redo_bury(env, s, &end, plan))
		return false;
	remember_end(env, s, &end, end.tombstone_ms);
	if (!outcome_recent(env, &s->handle, &ended))
		return false;
	*ret = (struct session_revoke_result){.was_alive = true, .is_pending = true};
	return true;
}
