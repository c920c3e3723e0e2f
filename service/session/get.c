/* Reading a session is one command: GETEX also slides the idle timeout, and never beyond the absolute deadline, which
 * the token tells. Where a class of the realm has a touch interval a script does both, for the token does not tell the
 * class: it costs Redis more than GETEX, and spares it, its replicas and its append-only file most of the writes.
 *
 * Of a token that was rotated comes the forward: what that leads to takes a second round trip, or one more for each
 * rotation since, which only those pay who still show an old token. */

#include "base/bytes.h"
#include "base/metrics.h"
#include "session/anonymous.h"
#include "session/lineage.h"
#include "session/validate.h"

/* A replica that is behind must not say of a session younger than that, that there is none. */
static uint32_t staleness_allowed_ms(const struct plan_env *env, const struct session_get_request *req,
				     const struct session_state *s)
{
	const uint64_t age_ms = token_age_s(&s->token, env->now_ms) * 1000;

	return age_ms < (uint64_t)req->staleness_ms + YOUNG_SLACK_MS ? 0 : req->staleness_ms;
}

#define TOUCH_RULE_BYTES 6

static bool has_touch_interval(const struct realm *realm)
{
	for (size_t i = 0; i < realm->class_count; i++)
		if (realm->classes[i].policy.touch_interval_s > 0)
			return true;
	return false;
}

static enum status_code plan_touch(const struct plan_env *env, const struct session_state *s, struct plan *plan,
				   struct status *st)
{
	/* Not a write, for the reason that GETEX is none. */
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_TOUCH, false);
	const struct realm *realm = env->realm;
	const size_t bytes_max = realm->class_count * TOUCH_RULE_BYTES;
	uint8_t *rules = arena_alloc(env->arena, bytes_max);
	struct writer out = writer_over(rules, bytes_max);

	if (rules == NULL)
		return no_memory(st);
	for (size_t i = 0; i < realm->class_count; i++) {
		if (realm->classes[i].policy.touch_interval_s == 0)
			continue;
		put_number(&out, realm->classes[i].tag, 2);
		put_number(&out, realm->classes[i].policy.touch_interval_s, 4);
	}
	command_key(&w, s->key);
	command_number(&w, s->record_ms);
	command_arg(&w, span_of(rules, (size_t)(out.at - rules)));
	return command_end(&w, plan, st);
}

static enum status_code plan_command(const struct plan_env *env, const struct session_get_request *req,
				     struct session_state *s, struct plan *plan, struct status *st)
{
	struct command_writer w;

	if (s->get.is_peek) {
		w = command_start(env->arena, STORE_SCRIPT_SESSION_PEEK, false);
		command_key(&w, s->key);
		w.command.staleness_ms = staleness_allowed_ms(env, req, s);
		return command_end(&w, plan, st);
	}
	s->get.is_touch = has_touch_interval(env->realm);
	if (s->get.is_touch)
		return plan_touch(env, s, plan, st);
	/* Not a write: a lost GETEX may have slid the timeout, which is all that its repetition does too. */
	w = command_start(env->arena, STORE_NO_SCRIPT, false);
	w.command.key = s->key;
	command_arg(&w, SPAN_LIT("GETEX"));
	command_arg(&w, s->key);
	command_arg(&w, SPAN_LIT("PX"));
	command_number(&w, s->record_ms);
	return command_end(&w, plan, st);
}

static enum status_code check_demands(const struct session_get_request *req, struct status *st)
{
	if (req->minimum_aal > AAL_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "minimum_aal %u is not in 0..%d", req->minimum_aal,
				  AAL_MAX);
	return check_amr("amr", req->amr, req->amr_count, st);
}

enum status_code session_get_plan(const struct plan_env *env, const struct session_get_request *req,
				  struct plan *ret_plan, struct status *st)
{
	struct plan plan = {0};
	enum status_code code;

	code = check_demands(req, st);
	if (code != STATUS_OK)
		return code;
	code = anonymous_is(req->token) ? anonymous_plan(env, req->token, &plan, st)
					: state_of_token(env, req->token, &plan.session, st);
	if (code != STATUS_OK)
		return code;
	plan.session->get.req = req;
	plan.session->get.is_peek = req->peek;
	if (plan.session->decided.verdict == 0 && !outcome_ended(env, plan.session, &plan.session->decided))
		code = plan_command(env, req, plan.session, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

bool session_get_unslid(const struct plan_env *env, struct plan *plan)
{
	struct session_state *s = plan->session;
	struct status st;

	/* That the token is reused can be told only by who ends the session. */
	if (s->get.is_peek || plan->command.script == STORE_SCRIPT_SESSION_REUSE)
		return false;
	s->get.is_peek = true;
	return plan_command(env, s->get.req, s, plan, &st) == STATUS_OK;
}

/* The value, or NIL; and what is left of its time to live. */
static bool read_reply(struct session_state *s, const struct store_reply *reply, const struct store_reply **ret_value,
		       uint64_t *ret_left_ms)
{
	const struct store_reply *slid = reply_element(reply, 2, STORE_INTEGER);
	const struct store_reply *left;

	s->get.has_slid = !s->get.is_peek && (!s->get.is_touch || (slid != NULL && slid->integer == 1));
	if (!s->get.is_peek && !s->get.is_touch) {
		if (reply == NULL || (reply->type != STORE_STRING && reply->type != STORE_NIL))
			return false;
		*ret_value = reply;
		*ret_left_ms = s->record_ms;
		return true;
	}
	left = reply_element(reply, 1, STORE_INTEGER);
	if (left == NULL || (s->get.is_touch && !s->get.is_peek && slid == NULL) ||
	    (reply->elements[0]->type != STORE_STRING && reply->elements[0]->type != STORE_NIL))
		return false;
	*ret_value = reply->elements[0];
	/* No time to live at all is not ours, and no promise for longer than the token's own. */
	*ret_left_ms = left->integer < 0 ? s->record_ms : (uint64_t)left->integer;
	return true;
}

static bool has_any_amr(const struct session_get_request *req, const struct session_authentication *a)
{
	for (size_t i = 0; i < req->amr_count; i++)
		for (size_t k = 0; k < a->amr_count; k++)
			if (span_eq(req->amr[i], a->amr[k]))
				return true;
	return false;
}

static bool is_assured(const struct session_get_request *req, const struct session_info *info, uint64_t now_ms)
{
	const uint64_t within_ms = (uint64_t)req->authenticated_within_s * 1000;

	if (info->authentication.aal < req->minimum_aal)
		return false;
	if (req->amr_count > 0 && !has_any_amr(req, &info->authentication))
		return false;
	if (req->is_privileged && now_ms >= info->privileged_until_ms)
		return false;
	return within_ms == 0 || now_ms <= info->authentication.at_ms + within_ms;
}

/* Fills ret->info and the attributes. */
static enum record_result open_record(const struct plan_env *env, const struct session_state *s, const struct record *r,
				      uint64_t left_ms, struct session_get_result *ret)
{
	const struct record_place place = place_of(env, s);
	const struct info_times times = {
	    .last_seen_ms = s->get.has_slid ? env->now_ms : last_seen_ms(&r->header, env->now_ms, left_ms),
	    .idle_expires_ms = env->now_ms + left_ms,
	    .expires_ms = token_deadline_ms(&s->token),
	};
	struct record_content content;
	struct session_authentication *authentication = &content.metadata.authentication;
	enum record_result result;

	result = record_open(env->arena, &place, r, SPAN_EMPTY, &content);
	if (result != RECORD_OK)
		return result;
	ret->successor = lineage_is_stepped_up(s, authentication) ? SPAN_EMPTY : s->lineage.successor;
	lineage_limit(s, r->header.created_ms, authentication);
	info_fill(env, &s->handle, &r->header, &content.metadata, &times, &ret->info);
	ret->attributes = content.attributes;
	ret->attribute_count = content.attribute_count;
	return RECORD_OK;
}

static enum status_code judge(const struct plan_env *env, const struct session_state *s, span value, uint64_t left_ms,
			      struct session_get_result *ret, struct status *st)
{
	struct session_get_result out = {0};
	struct record record;
	enum record_result result;

	out.outcome = outcome_of_value(value, &record);
	if (out.outcome.verdict == VERDICT_VALID && check_realm_known(env, st) != STATUS_OK)
		return st->code;
	if (out.outcome.verdict == VERDICT_VALID) {
		result = open_record(env, s, &record, left_ms, &out);
		if (result == RECORD_NO_MEMORY)
			return no_memory(st);
		if (result != RECORD_OK)
			out = (struct session_get_result){.outcome = outcome_closed(result)};
		else if (!is_assured(s->get.req, &out.info, env->now_ms))
			out = (struct session_get_result){.outcome = outcome_invalid(REASON_ASSURANCE_TOO_LOW)};
	}
	handle_print(&s->handle, out.info.handle);
	*ret = out;
	return STATUS_OK;
}

/* The handle is told of a session whose token is good. */
static struct session_get_result decided(const struct session_state *s, struct session_outcome outcome)
{
	struct session_get_result out = {.outcome = outcome};

	if (s->key.len > 0)
		handle_print(&s->handle, out.info.handle);
	return out;
}

static enum status_code follow(const struct plan_env *env, struct plan *plan, span forward, enum plan_next *ret_next,
			       struct session_get_result *ret, struct status *st)
{
	struct session_state *s = plan->session;
	enum status_code code;
	enum follow next;

	code = lineage_follow(env, forward, false, s, &next, st);
	if (code == STATUS_OK && s->decided.verdict != 0) {
		*ret = decided(s, s->decided);
		return STATUS_OK;
	}
	if (code == STATUS_OK)
		code = next == FOLLOW_LATE ? lineage_plan_end(env, s, SPAN_EMPTY, plan, st)
					   : plan_command(env, s->get.req, s, plan, st);
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}

static enum status_code answer_end(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				   struct session_get_result *ret, struct status *st)
{
	struct session_outcome outcome;
	enum status_code code = lineage_answer_end(env, plan, reply, &outcome, st);

	if (code == STATUS_OK)
		*ret = decided(plan->session, outcome);
	return code;
}

static void count_touch(const struct session_state *s, const struct store_reply *value)
{
	if (s->get.is_touch && !s->get.is_peek && value->type == STORE_STRING)
		metric_add(s->get.has_slid ? METRIC_TOUCHES : METRIC_TOUCHES_SPARED, 1);
}

enum status_code session_get_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    enum plan_next *ret_next, struct session_get_result *ret, struct status *st)
{
	struct session_state *s = plan->session;
	const struct store_reply *value;
	struct session_outcome outcome;
	uint64_t left_ms;

	*ret_next = PLAN_DONE;
	plan->redos = NULL;
	if (s->anonymous != NULL)
		return anonymous_get(env, s->get.req, s, ret, st);
	if (s->decided.verdict != 0) {
		*ret = decided(s, s->decided);
		return STATUS_OK;
	}
	if (plan->command.script == STORE_SCRIPT_SESSION_REUSE)
		return answer_end(env, plan, reply, ret, st);
	if (!read_reply(s, reply, &value, &left_ms))
		return reply_odd(st,
				 plan->command.script == STORE_NO_SCRIPT ? "GETEX" : "session_peek or session_touch");
	count_touch(s, value);
	/* Asked again: another instance may have revoked it while the question was under way, on another primary. */
	if (outcome_ended(env, s, &outcome)) {
		*ret = decided(s, outcome);
		return STATUS_OK;
	}
	if (value->type == STORE_STRING && is_forward(value->string))
		return follow(env, plan, value->string, ret_next, ret, st);
	if ((value->type == STORE_NIL || is_record(value->string)) && is_forward_missing(env, &s->handle)) {
		*ret = decided(s, (struct session_outcome){.verdict = VERDICT_UNKNOWN});
		return STATUS_OK;
	}
	if (value->type == STORE_NIL) {
		*ret = (struct session_get_result){.outcome = outcome_gone(env, s)};
		return STATUS_OK;
	}
	return judge(env, s, value->string, left_ms, ret, st);
}
