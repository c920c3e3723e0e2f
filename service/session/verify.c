/* Holding a user's index against the sessions, a chunk in each script so that none holds Redis up for long. The script
 * looks at the records' headers only: an entry without a session goes, a wrong deadline is set right. A session whose
 * entry is gone is found by its token only, for nobody may search all keys.
 *
 * Right after a failover a session may be missing that is yet to be brought back. Its entry goes then, and comes again
 * with it (session_restore). So nothing here depends on whether the primary is settled. */

#include "base/metrics.h"
#include "session/state.h"
#include "session/validate.h"

/* Measured: 1.4 us for each, 2.3 us where it is wrong; at most 1 ms in all. */
#define VERIFY_CHUNK 400

/* An entry whose deadline is moved ahead is met twice. */
_Static_assert((PLAN_STEPS_MAX - 1) * VERIFY_CHUNK > 2 * REALM_SESSIONS_MAX_MAX,
	       "the steps reach over the largest index");

/* The NAME behind `at`, unless the session is past its deadline: then there is nothing to enter. */
static enum status_code add_name(const struct plan_env *env, const struct session_state *s, size_t i, span text,
				 uint8_t **at, struct status *st)
{
	struct token token;
	struct handle handle;
	const enum session_reason reason = token_parse(env->keys, env->realm->name, text, env->now_ms, &token);

	if (reason == REASON_ABSOLUTE_TIMEOUT)
		return STATUS_OK;
	if (reason != REASON_NONE)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "tokens[%zu]: not a token of this realm; nothing was done", i);
	if (memcmp(token.user_tag, s->token.user_tag, sizeof(token.user_tag)) != 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "tokens[%zu]: a token of another user; nothing was done",
				  i);
	handle_of_token(env->keys, &token, &handle);
	memcpy(*at, handle.name, NAME_CHARS);
	*at += NAME_CHARS;
	return STATUS_OK;
}

static enum status_code read_tokens(const struct plan_env *env, const struct session_verify_request *req,
				    struct session_state *s, struct status *st)
{
	uint8_t *names = arena_array(env->arena, req->token_count, NAME_CHARS);
	uint8_t *at = names;

	if (names == NULL)
		return no_memory(st);
	for (size_t i = 0; i < req->token_count; i++) {
		const enum status_code code = add_name(env, s, i, req->tokens[i], &at, st);

		if (code != STATUS_OK)
			return code;
	}
	s->verify.names = span_of(names, (size_t)(at - names));
	return STATUS_OK;
}

static enum status_code plan_chunk(const struct plan_env *env, const struct session_state *s, struct plan *plan,
				   struct status *st)
{
	/* Not a write, as List is none: what it changes is in nobody's way when it is done again, or not at all. */
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_VERIFY, false);
	span prefix;
	span index;

	if (!key_of_index(env->arena, &s->handle, &index) || !key_prefix(env->arena, &s->handle, &prefix))
		return no_memory(st);
	command_key(&w, index);
	command_arg(&w, prefix);
	command_number(&w, env->now_ms);
	command_number(&w, VERIFY_CHUNK);
	command_arg(&w, s->verify.cursor_score);
	command_arg(&w, s->verify.cursor_name);
	command_arg(&w, s->verify.cursor_name.len == 0 ? s->verify.names : SPAN_EMPTY);
	command_number(&w, not_before_of(env->not_before, env->realm));
	return command_end(&w, plan, st);
}

enum status_code session_verify_plan(const struct plan_env *env, const struct session_verify_request *req,
				     struct plan *ret_plan, struct status *st)
{
	struct plan plan = {0};
	enum status_code code = check_user(req->user, st);

	if (code == STATUS_OK && req->token_count > VERIFY_TOKENS_MAX)
		code = status_set(st, STATUS_INVALID_ARGUMENT, "tokens: %zu of them; at most %d", req->token_count,
				  VERIFY_TOKENS_MAX);
	if (code != STATUS_OK)
		return code;
	plan.session = state_new(env);
	if (plan.session == NULL)
		return no_memory(st);
	user_tag_make(env->keys, env->realm->name, req->user, plan.session->token.user_tag);
	handle_of_token(env->keys, &plan.session->token, &plan.session->handle);
	code = read_tokens(env, req, plan.session, st);
	if (code == STATUS_OK)
		code = plan_chunk(env, plan.session, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

/* False: odd. */
static bool add_count(const struct store_reply *reply, size_t i, uint32_t *count)
{
	const struct store_reply *n = reply_element(reply, i, STORE_INTEGER);

	if (n == NULL || n->integer < 0 || n->integer > VERIFY_CHUNK)
		return false;
	*count += (uint32_t)n->integer;
	return true;
}

static void count_repairs(const struct session_verify_result *now, const struct session_verify_result *before)
{
	metric_add(METRIC_INDEX_DANGLING, now->dangling - before->dangling);
	metric_add(METRIC_INDEX_WRONG_SCORE, now->wrong_score - before->wrong_score);
	metric_add(METRIC_INDEX_MISSING, now->missing - before->missing);
}

enum status_code session_verify_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct session_verify_result *ret, struct status *st)
{
	struct verify_state *v = &plan->session->verify;
	const struct store_reply *score = reply_element(reply, 0, STORE_STRING);
	const struct store_reply *name = reply_element(reply, 1, STORE_STRING);
	struct session_verify_result sum = v->sum;
	enum status_code code;

	*ret_next = PLAN_DONE;
	plan->redos = NULL;
	if (score == NULL || name == NULL || !add_count(reply, 2, &sum.sessions) ||
	    !add_count(reply, 3, &sum.dangling) || !add_count(reply, 4, &sum.wrong_score) ||
	    !add_count(reply, 5, &sum.missing))
		return reply_odd(st, "session_verify");
	count_repairs(&sum, &v->sum);
	v->sum = sum;
	if (name->string.len == 0) {
		*ret = sum;
		return STATUS_OK;
	}
	if (!arena_copy(env->arena, score->string, &v->cursor_score) ||
	    !arena_copy(env->arena, name->string, &v->cursor_name))
		return no_memory(st);
	code = plan_chunk(env, plan->session, plan, st);
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}
