/* Giving a session another id.
 *
 *   READ --> a record --> STORE --> ok: the answer
 *    ^ \                    \--> something else is there by now: as if READ had found it
 *    |  \--> a forward, in its grace: others were first --> [REMEMBER] --> READ of the successor: the answer
 *    |   \-> a forward, after it --> END --> the lineage has ended: the answer
 *    |                                 \--> this very rotation is asked for again
 *    +---------------------------------------- READ of the successor: the answer
 *
 * REMEMBER, with an idempotency key only: a repetition after the grace must not pass for a theft, so also those who were
 * not first are remembered. A third round trip, for racers that may repeat themselves. */

#include <assert.h>

#include "base/metrics.h"
#include "crypto/codec.h"
#include "crypto/part.h"
#include "session/fingerprint.h"
#include "session/lineage.h"
#include "session/redo.h"
#include "session/validate.h"

/* A rotation seals anew all that the session holds. On a primary that has just taken over, updates that other instances
 * acknowledged may be missing, and brought back too late they would find a forward. All instances learn of a new primary
 * and bring back what they have within 1.2 s (Sentinels are asked every 1 s); twice that, for busy ones. */
#define SETTLING_MS 2500U

static enum status_code plan_read(const struct plan_env *env, struct session_state *s, struct plan *plan,
				  struct status *st)
{
	/* Not a write, as in Get. */
	struct command_writer w = command_start(env->arena, STORE_NO_SCRIPT, false);

	s->rotate.step = ROTATE_READ;
	/* A successor is only told. */
	if (s->lineage.hops == 0)
		w.command.settling_ms = SETTLING_MS;
	w.command.key = s->key;
	command_arg(&w, SPAN_LIT("GETEX"));
	command_arg(&w, s->key);
	command_arg(&w, SPAN_LIT("PX"));
	command_number(&w, token_record_ms(&s->token, env->now_ms));
	return command_end(&w, plan, st);
}

static enum status_code plan_remember(const struct plan_env *env, struct session_state *s, struct plan *plan,
				      struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_NO_SCRIPT, true);

	s->rotate.step = ROTATE_REMEMBER;
	w.command.key = s->rotate.idempotency_key_name;
	command_arg(&w, SPAN_LIT("SET"));
	command_arg(&w, s->rotate.idempotency_key_name);
	command_arg(&w, span_of(s->rotate.fingerprint, FINGERPRINT_BYTES));
	command_arg(&w, SPAN_LIT("NX"));
	command_arg(&w, SPAN_LIT("GET"));
	command_arg(&w, SPAN_LIT("PX"));
	command_number(&w, IDEMPOTENCY_S * 1000ULL);
	return command_end(&w, plan, st);
}

static bool prepare(const struct plan_env *env, const struct session_rotate_request *req, struct session_state *s)
{
	s->rotate.req = req;
	s->rotate.bytes_before = arena_used(env->arena);
	if (env->idempotency_key.len == 0)
		return true;
	return key_of_idempotency(env, s->handle.tag, SPAN_LIT("Rotate"), &s->rotate.idempotency_key_name) &&
	       fingerprint_rotate(env, req, span_of(s->handle.name, NAME_CHARS), s->rotate.fingerprint);
}

enum status_code session_rotate_plan(const struct plan_env *env, const struct session_rotate_request *req,
				     struct plan *ret_plan, struct status *st)
{
	struct plan plan = {0};
	enum status_code code = check_idempotency_key(env, st);

	if (code == STATUS_OK)
		code = check_authentication(&req->authentication, env->now_ms, st);
	if (code == STATUS_OK)
		code = state_of_token(env, req->token, &plan.session, st);
	if (code != STATUS_OK)
		return code;
	assert(plan.session != NULL);
	if (plan.session->decided.verdict == 0 && !outcome_ended(env, plan.session, &plan.session->decided)) {
		if (!prepare(env, req, plan.session))
			return no_memory(st);
		code = plan_read(env, plan.session, &plan, st);
	}
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

/* ---- The successor ---- */

static uint64_t grace_ms(const struct plan_env *env, const struct session_rotate_request *req, uint16_t class_tag)
{
	const struct session_class *class = session_class_by_tag(env->realm, class_tag);
	const uint32_t policy_s = (class == NULL ? &env->realm->classes[0] : class)->policy.grace_s;

	return 1000ULL * (req->has_grace && req->grace_s < policy_s ? req->grace_s : policy_s);
}

static struct token mint(const struct plan_env *env, const struct token *old)
{
	struct token t = *old;

	t.key_id = keyring_first_id(env->keys);
	t.issued_s = (uint32_t)(env->now_ms / 1000) & TOKEN_ISSUED_MASK;
	random_fill(t.id, sizeof(t.id));
	return t;
}

static struct session_authentication dated(const struct session_authentication *a, uint64_t at_ms)
{
	struct session_authentication out = *a;

	if (out.at_ms == 0)
		out.at_ms = at_ms;
	return out;
}

static enum status_code make_forward(const struct plan_env *env, struct session_state *s,
				     const struct record_header *old, const struct session_authentication *before,
				     const struct handle *successor, struct status *st)
{
	const struct record_place place = place_of(env, s);
	struct forward_header header = {
	    .rotated_at_ms = env->now_ms,
	    .grace_until_ms = env->now_ms + grace_ms(env, s->rotate.req, old->class_tag),
	    .realm_tag = env->realm->tag,
	};
	struct forward_inside inside = {.authentication = dated(before, old->created_ms)};
	bool is_made;

	memcpy(header.name, successor->name, NAME_CHARS);
	token_write(env->keys, env->realm->name, &s->rotate.successor, inside.token);
	is_made = forward_write(env->arena, &place, &header, &inside, &s->rotate.forward);
	secret_wipe(&inside, sizeof(inside));
	return is_made ? STATUS_OK : no_memory(st);
}

/* Record, forward and info, of the old record. */
static enum status_code make_successor(const struct plan_env *env, const struct record *r,
				       const struct record_content *old, struct session_state *s,
				       const struct session_state *successor, struct status *st)
{
	const struct record_place place = place_of(env, successor);
	const struct info_times times = {
	    .last_seen_ms = env->now_ms,
	    .idle_expires_ms = env->now_ms + successor->record_ms,
	    .expires_ms = token_deadline_ms(&successor->token),
	};
	struct session_info *info = arena_alloc(env->arena, sizeof(*info));
	struct record_header header = r->header;
	struct record_content content = *old;
	enum status_code code;

	if (info == NULL)
		return no_memory(st);
	header.issued_ms = env->now_ms;
	if (s->rotate.req->has_authentication)
		content.metadata.authentication = dated(&s->rotate.req->authentication, env->now_ms);
	code = write_record(env, &place, &header, &content, &s->rotate.record, st);
	if (code == STATUS_OK)
		code = make_forward(env, s, &r->header, &old->metadata.authentication, &successor->handle, st);
	if (code == STATUS_OK)
		info_fill(env, &successor->handle, &header, &content.metadata, &times, info);
	s->rotate.info = info;
	return code;
}

static enum status_code plan_store(const struct plan_env *env, struct session_state *s,
				   const struct session_state *successor, uint64_t version, span seal_end,
				   struct plan *plan, struct status *st)
{
	const bool is_remembered = s->rotate.idempotency_key_name.len > 0;
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_ROTATE, true);
	const span announced = announcement_rotated(env->arena, env, &s->handle);
	span rotated = SPAN_EMPTY;
	span index;

	if (env->realm->has_events)
		rotated = announcement_head(env->arena, env, &s->handle, EVENT_ROTATED, REASON_NONE, env->now_ms);
	if (announced.len == 0 || (env->realm->has_events && rotated.len == 0) ||
	    !key_of_index(env->arena, &s->handle, &index))
		return no_memory(st);
	s->rotate.step = ROTATE_STORE;
	w.command.settling_ms = SETTLING_MS;
	command_key(&w, s->key);
	command_key(&w, successor->key);
	command_key(&w, index);
	if (is_remembered)
		command_key(&w, s->rotate.idempotency_key_name);
	command_number(&w, version);
	command_arg(&w, seal_end);
	command_arg(&w, s->rotate.record);
	command_number(&w, successor->record_ms);
	command_number(&w, token_deadline_s(&successor->token));
	command_number(&w, env->now_ms);
	command_arg(&w, span_of(s->handle.name, NAME_CHARS));
	command_arg(&w, span_of(successor->handle.name, NAME_CHARS));
	command_arg(&w, s->rotate.forward);
	command_number(&w, token_record_ms(&s->token, env->now_ms));
	command_arg(&w, announced);
	command_arg(&w, rotated);
	if (is_remembered) {
		command_number(&w, IDEMPOTENCY_S * 1000ULL);
		command_arg(&w, span_of(s->rotate.fingerprint, FINGERPRINT_BYTES));
	}
	return command_end(&w, plan, st);
}

/* Every sealed part ends with its tag, and a record with a sealed part. */
#define SEAL_END_BYTES PART_TAG_BYTES

static enum status_code rotate(const struct plan_env *env, span value, const struct record *r, struct plan *plan,
			       struct session_outcome *ret, struct status *st)
{
	struct session_state *s = plan->session;
	const struct record_place place = place_of(env, s);
	struct session_state *successor = state_new(env);
	struct record_content content;
	enum record_result result;
	enum status_code code;
	span seal_end;

	result = record_open(env->arena, &place, r, SPAN_EMPTY, &content);
	if (result != RECORD_OK && result != RECORD_NO_MEMORY) {
		*ret = outcome_closed(result);
		return STATUS_OK;
	}
	s->rotate.successor = mint(env, &s->token);
	if (result == RECORD_NO_MEMORY || successor == NULL || !state_become(env, &s->rotate.successor, successor) ||
	    !arena_copy(env->arena, span_of(value.ptr + value.len - SEAL_END_BYTES, SEAL_END_BYTES), &seal_end))
		return no_memory(st);
	code = make_successor(env, r, &content, s, successor, st);
	if (code != STATUS_OK)
		return code;
	*ret = outcome_valid();
	return plan_store(env, s, successor, r->header.version, seal_end, plan, st);
}

/* ---- Answers ---- */

static void fill_token(const struct plan_env *env, const struct token *t, struct session_rotate_result *ret)
{
	uint8_t bytes[TOKEN_BYTES];

	token_write(env->keys, env->realm->name, t, bytes);
	token_print(bytes, ret->token);
	secret_wipe(bytes, sizeof(bytes));
}

static enum status_code answer_stored(const struct plan_env *env, struct plan *plan, struct session_rotate_result *ret,
				      struct status *st)
{
	struct session_state *s = plan->session;

	remember_rotated(env, s);
	/* The successor comes back first: a forward to nothing is of no use. */
	if (!redo_forward(env, s, s->rotate.forward, plan) || !state_become(env, &s->rotate.successor, s) ||
	    !redo_restore(env, s, s->rotate.record, REDO_RECORD, plan))
		return no_memory(st);
	metric_add(METRIC_SESSIONS_ROTATED, 1);
	*ret = (struct session_rotate_result){.outcome = outcome_valid(), .info = *s->rotate.info};
	fill_token(env, &s->token, ret);
	return STATUS_OK;
}

static bool has_every_method(const struct session_authentication *a, const struct session_authentication *of)
{
	for (size_t i = 0; i < of->amr_count; i++) {
		size_t k = 0;

		while (k < a->amr_count && !span_eq(a->amr[k], of->amr[i]))
			k++;
		if (k == a->amr_count)
			return false;
	}
	return true;
}

/* Who rotates without having authenticated, or less strongly, is no racer of a step-up. */
static bool is_outdone(const struct session_state *s, const struct session_authentication *a)
{
	const struct session_rotate_request *req = s->rotate.req;

	if (!lineage_is_stepped_up(s, a))
		return false;
	return !req->has_authentication || req->authentication.aal < a->aal ||
	       !has_every_method(&req->authentication, a);
}

/* Others have rotated it: their successor, as it is now. It may not have been acknowledged to them yet, so it is kept from
 * here as well, as the forward was. */
static enum status_code answer_followed(const struct plan_env *env, struct plan *plan, span value,
					const struct record *r, struct session_rotate_result *ret, struct status *st)
{
	struct session_state *s = plan->session;
	const struct record_place place = place_of(env, s);
	const struct info_times times = {
	    .last_seen_ms = env->now_ms,
	    .idle_expires_ms = env->now_ms + token_record_ms(&s->token, env->now_ms),
	    .expires_ms = token_deadline_ms(&s->token),
	};
	struct session_rotate_result out = {.outcome = outcome_valid()};
	struct metadata metadata;
	enum record_result result;
	span copy = SPAN_EMPTY;

	result = record_open_metadata(env->arena, &place, r, &metadata);
	if (result != RECORD_OK && result != RECORD_NO_MEMORY) {
		*ret = (struct session_rotate_result){.outcome = outcome_closed(result)};
		return STATUS_OK;
	}
	if (result == RECORD_OK && is_outdone(s, &metadata.authentication)) {
		*ret = (struct session_rotate_result){.outcome = outcome_invalid(REASON_ASSURANCE_TOO_LOW)};
		return STATUS_OK;
	}
	if (result == RECORD_NO_MEMORY || !arena_copy(env->arena, value, &copy) ||
	    !redo_restore(env, s, copy, REDO_SESSION, plan))
		return no_memory(st);
	info_fill(env, &s->handle, &r->header, &metadata, &times, &out.info);
	fill_token(env, &s->token, &out);
	*ret = out;
	return STATUS_OK;
}

static enum status_code follow(const struct plan_env *env, struct plan *plan, span value, bool is_granted,
			       enum plan_next *ret_next, struct session_rotate_result *ret, struct status *st)
{
	struct session_state *s = plan->session;
	const struct session_state rotated = *s;
	enum status_code code;
	enum follow next;
	span copy;

	code = lineage_follow(env, value, is_granted, s, &next, st);
	if (code == STATUS_OK && s->decided.verdict != 0) {
		*ret = (struct session_rotate_result){.outcome = s->decided};
		return STATUS_OK;
	}
	if (code != STATUS_OK)
		return code;
	if (next == FOLLOW_LATE) {
		s->rotate.step = ROTATE_END;
		code = lineage_plan_end(env, s, s->rotate.idempotency_key_name, plan, st);
	} else if (!arena_copy(env->arena, value, &copy) || !redo_forward(env, &rotated, copy, plan)) {
		code = no_memory(st);
	} else if (s->rotate.idempotency_key_name.len > 0 && !s->rotate.is_remembered && !is_granted) {
		code = plan_remember(env, s, plan, st);
	} else {
		code = plan_read(env, s, plan, st);
	}
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}

/* A try opens all of the session and seals it anew: attributes as stored, compressed and plain, entry by entry, printed,
 * compressed and sealed again, each not over a record's bytes; where updates were brought back, twice of the first three. */
#define TRY_BYTES_MAX	    (10UL * RECORD_BYTES_MAX)
#define RETRY_AFTER_RACE_MS 10

/* Each try takes memory of its own, and others may update the session in each of them. */
static enum status_code check_try(const struct plan_env *env, const struct session_state *s, struct status *st)
{
	if (s->rotate.tries == 0 || arena_used(env->arena) - s->rotate.bytes_before + TRY_BYTES_MAX <= PLAN_BYTES_MAX)
		return STATUS_OK;
	(void)status_set(
	    st, STATUS_UNAVAILABLE,
	    "not rotated in %u tries: others update the session, which is large, at the same time; call again",
	    s->rotate.tries);
	st->retry_after_ms = RETRY_AFTER_RACE_MS;
	return st->code;
}

/* What is in the place of the session that the state is about. */
static enum status_code take_value(const struct plan_env *env, struct plan *plan, const struct store_reply *value,
				   enum plan_next *ret_next, struct session_rotate_result *ret, struct status *st)
{
	struct session_state *s = plan->session;
	const bool is_nothing = value->type == STORE_NIL;
	struct session_outcome outcome;
	struct record record;
	enum status_code code;

	if (!is_nothing && is_forward(value->string))
		return follow(env, plan, value->string, false, ret_next, ret, st);
	if ((is_nothing || is_record(value->string)) && is_forward_missing(env, &s->handle))
		outcome = (struct session_outcome){.verdict = VERDICT_UNKNOWN};
	else
		outcome = is_nothing ? outcome_gone(env, s) : outcome_of_value(value->string, &record);
	if (is_nothing || outcome.verdict != VERDICT_VALID) {
		*ret = (struct session_rotate_result){.outcome = outcome};
		return STATUS_OK;
	}
	if (s->lineage.hops > 0)
		return answer_followed(env, plan, value->string, &record, ret, st);
	code = check_try(env, s, st);
	s->rotate.tries++;
	if (code == STATUS_OK)
		code = rotate(env, value->string, &record, plan, &outcome, st);
	if (code != STATUS_OK)
		return code;
	if (outcome.verdict == VERDICT_VALID)
		*ret_next = PLAN_AGAIN;
	else
		*ret = (struct session_rotate_result){.outcome = outcome};
	return STATUS_OK;
}

static bool is_value(const struct store_reply *reply)
{
	return reply != NULL && (reply->type == STORE_STRING || reply->type == STORE_NIL);
}

static enum status_code key_is_used(struct status *st)
{
	return status_set(st, STATUS_ALREADY_EXISTS,
			  "the idempotency key was used for another request; use a new key for each request");
}

static bool is_our_request(const struct session_state *s, span fingerprint)
{
	return fingerprint.len == FINGERPRINT_BYTES &&
	       secret_eq(fingerprint.ptr, s->rotate.fingerprint, FINGERPRINT_BYTES);
}

static enum status_code take_stored(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    enum plan_next *ret_next, struct session_rotate_result *ret, struct status *st)
{
	const span word = reply_word(reply);
	const struct store_reply *nothing = reply_element(reply, 1, STORE_NIL);
	const struct store_reply *value = reply_element(reply, 1, STORE_STRING);

	if (span_eq(word, SPAN_LIT("ok")))
		return answer_stored(env, plan, ret, st);
	if (span_eq(word, SPAN_LIT("used")))
		return key_is_used(st);
	if (span_eq(word, SPAN_LIT("other")) && (value != NULL || nothing != NULL))
		return take_value(env, plan, value != NULL ? value : nothing, ret_next, ret, st);
	return reply_odd(st, "session_rotate");
}

static enum status_code take_remembered(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
					enum plan_next *ret_next, struct status *st)
{
	struct session_state *s = plan->session;
	enum status_code code;

	if (!is_value(reply))
		return reply_odd(st, "SET");
	if (reply->type == STORE_STRING && !is_our_request(s, reply->string))
		return key_is_used(st);
	s->rotate.is_remembered = true;
	code = plan_read(env, s, plan, st);
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}

static enum status_code take_end(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				 enum plan_next *ret_next, struct session_rotate_result *ret, struct status *st)
{
	const struct store_reply *fingerprint = reply_element(reply, 1, STORE_STRING);
	const struct store_reply *forward = reply_element(reply, 2, STORE_STRING);
	struct session_outcome outcome;
	enum status_code code;

	if (span_eq(reply_word(reply), SPAN_LIT("replay")) && fingerprint != NULL && forward != NULL) {
		if (!is_our_request(plan->session, fingerprint->string))
			return key_is_used(st);
		if (!is_forward(forward->string))
			return reply_odd(st, "session_reuse");
		return follow(env, plan, forward->string, true, ret_next, ret, st);
	}
	code = lineage_answer_end(env, plan, reply, &outcome, st);
	if (code == STATUS_OK)
		*ret = (struct session_rotate_result){.outcome = outcome};
	return code;
}

enum status_code session_rotate_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct session_rotate_result *ret, struct status *st)
{
	struct session_state *s = plan->session;

	*ret_next = PLAN_DONE;
	plan->redos = NULL;
	/* Asked again, as in Get. */
	if (s->decided.verdict == 0 && !outcome_ended(env, s, &s->decided) &&
	    env->now_ms >= token_deadline_ms(&s->token))
		s->decided = outcome_invalid(REASON_ABSOLUTE_TIMEOUT);
	if (s->decided.verdict != 0) {
		*ret = (struct session_rotate_result){.outcome = s->decided};
		return STATUS_OK;
	}
	switch (s->rotate.step) {
	case ROTATE_READ:
		if (!is_value(reply))
			return reply_odd(st, "GETEX");
		/* Before anything is stored: the dead are told all the same. */
		if (reply->type == STORE_STRING && (is_record(reply->string) || is_forward(reply->string)) &&
		    check_realm_known(env, st) != STATUS_OK)
			return st->code;
		return take_value(env, plan, reply, ret_next, ret, st);
	case ROTATE_STORE:
		return take_stored(env, plan, reply, ret_next, ret, st);
	case ROTATE_REMEMBER:
		return take_remembered(env, plan, reply, ret_next, st);
	case ROTATE_END:
		return take_end(env, plan, reply, ret_next, ret, st);
	}
	return reply_odd(st, "session_rotate");
}
