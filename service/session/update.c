/* Changing a session's attributes: one sealed delta is appended by a script that looks at format, version and room
 * only.
 *
 *   session_update --> ok, conflict, none, dead, replay: the answer
 *         ^      \--> full: the record comes back; it is opened, merged with the change and sealed anew
 *         |                  |
 *         |                  v
 *         +-- conflict -- session_replace --> ok, none, dead, replay: the answer
 *
 * Of a token that was rotated `dead` brings the forward: the change is sealed anew for the successor, or, when the grace is
 * over, the lineage ends.
 *
 * While a primary is not settled, `full` first makes the append try again with more room.
 *
 * A record under an earlier key than the keyring's first is `full` as well, so that it is sealed under the first when it
 * is next written: one further round trip for each session that is written to, once in a rotation. Earlier is what has
 * a lower number. An instance that has not been told yet that another key is the first meets records under a higher
 * number: it leaves them as they are, or two instances would seal them to and fro.
 *
 * A conflict at the replacement means that another update came in between: without an expected version this one
 * starts over, with one it is ABORTED. Somebody got ahead each time, so all together make progress. */

#include "base/bytes.h"
#include "base/metrics.h"
#include "crypto/codec.h"
#include "session/anonymous.h"
#include "session/fingerprint.h"
#include "session/lineage.h"
#include "session/redo.h"
#include "session/validate.h"

/* What is remembered of an update: fingerprint and the version that it made (u64), the latter added by the script. */
#define MEMORY_BYTES (FINGERPRINT_BYTES + 8)

static enum status_code check_overlap(const struct session_update_request *req, struct status *st)
{
	for (size_t i = 0; i < req->set_count; i++)
		for (size_t k = 0; k < req->remove_count; k++)
			if (span_eq(req->set[i].key, req->remove[k]))
				return status_set(st, STATUS_INVALID_ARGUMENT,
						  "an attribute key is both in set and in remove; name it in one");
	return STATUS_OK;
}

static enum status_code check_request(const struct plan_env *env, const struct session_update_request *req,
				      struct status *st)
{
	enum status_code code = check_idempotency_key(env, st);

	if (code == STATUS_OK)
		code = check_attributes(req->set, req->set_count, st);
	if (code == STATUS_OK)
		code = check_removals(req->remove, req->remove_count, st);
	if (code == STATUS_OK && req->set_count + req->remove_count == 0)
		code = status_set(st, STATUS_INVALID_ARGUMENT,
				  "neither set nor remove names an attribute; to slide the idle timeout only, use Get");
	if (code == STATUS_OK &&
	    attributes_text_bytes(req->set, req->set_count, req->remove, req->remove_count) > ATTRIBUTES_TEXT_BYTES_MAX)
		code = status_set(st, STATUS_INVALID_ARGUMENT,
				  "set and remove: over %d bytes in all; send less at once", ATTRIBUTES_TEXT_BYTES_MAX);
	return code == STATUS_OK ? check_overlap(req, st) : code;
}

static bool seal_change(const struct plan_env *env, struct session_state *s)
{
	const struct session_update_request *req = s->update.req;
	const struct record_place place = place_of(env, s);
	uint64_t bound_version = 0;

	/* A version that none can have is a conflict, which the script finds: what it is bound to does not matter. */
	if (req->has_expected_version)
		bound_version = req->expected_version < VERSION_MAX ? req->expected_version + 1 : VERSION_MAX;

	return delta_write(env->arena, &place, bound_version, s->update.change, &s->update.delta);
}

/* Change, delta and idempotency key, which stay the same over all steps; but for the delta when the token was rotated. */
static bool prepare(const struct plan_env *env, const struct session_update_request *req, struct session_state *s)
{
	struct update_state *u = &s->update;

	if (!attributes_print(env->arena, req->set, req->set_count, req->remove, req->remove_count, &u->change) ||
	    !seal_change(env, s))
		return false;
	if (env->idempotency_key.len == 0)
		return true;
	return key_of_idempotency(env, s->handle.tag, SPAN_LIT("Update"), &u->idempotency_key_name) &&
	       fingerprint_update(env, req, span_of(s->handle.name, NAME_CHARS), u->fingerprint);
}

static struct command_writer start(const struct plan_env *env, struct session_state *s, enum store_script script)
{
	struct command_writer w = command_start(env->arena, script, true);

	command_key(&w, s->key);
	if (s->update.idempotency_key_name.len > 0)
		command_key(&w, s->update.idempotency_key_name);
	s->now_ms = env->now_ms;
	s->record_ms = token_record_ms(&s->token, env->now_ms);
	command_number(&w, s->record_ms);
	return w;
}

static enum status_code finish(const struct plan_env *env, const struct session_state *s, struct command_writer *w,
			       struct plan *plan, struct status *st)
{
	span updated;

	if (!announcement_wanted(env, &s->handle, EVENT_UPDATED, &updated))
		return no_memory(st);
	command_arg(w, updated);
	if (s->update.idempotency_key_name.len > 0) {
		command_number(w, IDEMPOTENCY_S * 1000ULL);
		command_arg(w, span_of(s->update.fingerprint, FINGERPRINT_BYTES));
	}
	return command_end(w, plan, st);
}

static enum status_code plan_append(const struct plan_env *env, struct session_state *s, struct plan *plan,
				    struct status *st)
{
	const struct session_update_request *req = s->update.req;
	struct command_writer w = start(env, s, STORE_SCRIPT_SESSION_UPDATE);

	s->update.rewritten = SPAN_EMPTY;
	s->update.is_resealing = false;
	if (req->has_expected_version)
		command_number(&w, req->expected_version);
	else
		command_arg(&w, SPAN_EMPTY);
	command_arg(&w, s->update.delta);
	command_number(&w, s->update.is_wide ? DELTAS_READ_MAX : DELTAS_MAX);
	command_number(&w, s->update.is_wide ? RECORD_READ_BYTES_MAX : RECORD_BYTES_MAX);
	command_number(&w, req->set_count);
	command_number(&w, ATTRIBUTES_STORED_MAX);
	command_number(&w, s->update.change.len);
	command_number(&w, ATTRIBUTES_TEXT_BYTES_MAX);
	command_number(&w, s->update.is_wide ? 0 : keyring_first_id(env->keys));
	return finish(env, s, &w, plan, st);
}

static enum status_code plan_replace(const struct plan_env *env, struct session_state *s, uint64_t version, span record,
				     struct plan *plan, struct status *st)
{
	struct command_writer w = start(env, s, STORE_SCRIPT_SESSION_REPLACE);

	s->update.rewritten = record;
	command_number(&w, version);
	command_arg(&w, record);
	return finish(env, s, &w, plan, st);
}

enum status_code session_update_plan(const struct plan_env *env, const struct session_update_request *req,
				     struct plan *ret_plan, struct status *st)
{
	struct plan plan = {0};
	enum status_code code;

	code = check_request(env, req, st);
	if (code == STATUS_OK)
		code = anonymous_is(req->token) ? anonymous_plan(env, req->token, &plan, st)
						: state_of_token(env, req->token, &plan.session, st);
	if (code != STATUS_OK)
		return code;
	plan.session->update.req = req;
	if (plan.session->decided.verdict == 0 && !outcome_ended(env, plan.session, &plan.session->decided)) {
		if (!prepare(env, req, plan.session))
			return no_memory(st);
		code = plan_append(env, plan.session, &plan, st);
	}
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

static struct session_update_result applied(const struct session_state *s, uint64_t version)
{
	return (struct session_update_result){
	    .outcome = outcome_valid(),
	    .version = version,
	    .idle_expires_at_ms = s->now_ms + s->record_ms,
	};
}

static enum status_code answer_done(const struct plan_env *env, const struct session_state *s, uint64_t version,
				    struct plan *plan, struct session_update_result *ret, struct status *st)
{
	const struct update_state *u = &s->update;
	const struct redo_change change = {
	    .delta = u->delta,
	    .version = version,
	    .attributes_added = u->req->set_count,
	    .text_added = u->change.len,
	    .rewritten = u->rewritten,
	};

	/* The change is made, and perhaps to a session that has ended with its realm: the caller does not know, and a
	 * repetition with his idempotency key finds out. */
	if (check_realm_known(env, st) != STATUS_OK)
		return st->code;
	if (!redo_reapply(env, s, &change, plan))
		return no_memory(st);
	if (u->is_resealing)
		metric_add(METRIC_RECORDS_RESEALED, 1);
	*ret = applied(s, version);
	return STATUS_OK;
}

static enum status_code answer_conflict(const struct session_state *s, uint64_t version,
					struct session_update_result *ret, struct status *st)
{
	*ret = (struct session_update_result){.outcome = outcome_valid(), .version = version};
	return status_set(st, STATUS_ABORTED,
			  "expected_version is %llu, stored is %llu; read the session again and decide again",
			  (unsigned long long)s->update.req->expected_version, (unsigned long long)version);
}

static enum status_code read_memory(const struct session_state *s, span memory, struct session_update_result *ret,
				    struct status *st)
{
	struct reader r = reader_over(memory);
	const span fingerprint = take_bytes(&r, FINGERPRINT_BYTES);
	const uint64_t version = take_number(&r, 8);

	if (r.is_short || reader_left(&r) > 0)
		return reply_odd(st, "session_update");
	if (!secret_eq(fingerprint.ptr, s->update.fingerprint, FINGERPRINT_BYTES))
		return status_set(st, STATUS_ALREADY_EXISTS,
				  "the idempotency key was used for another request; use a new key for each request");
	*ret = applied(s, version);
	return STATUS_OK;
}

/* What brings a change back of which only the version is known that it made. As long as it has not been merged, no more
 * than its own delta: what else the record holds is for those to bring back who were told of it. */
static bool redo_replayed(const struct plan_env *env, const struct session_state *s, uint64_t version, span value,
			  struct plan *plan)
{
	struct redo_change change = {
	    .version = version,
	    .attributes_added = s->update.req->set_count,
	    .text_added = s->update.change.len,
	};
	struct record record;

	if (outcome_of_value(value, &record).verdict != VERDICT_VALID)
		return true;
	if (record_delta_of(&record, version, &change.delta))
		return redo_reapply(env, s, &change, plan);
	return redo_restore(env, s, value, REDO_RECORD, plan);
}

static enum status_code answer_replayed(const struct plan_env *env, const struct session_state *s,
					const struct store_reply *reply, struct plan *plan,
					struct session_update_result *ret, struct status *st)
{
	const struct store_reply *memory = reply_element(reply, 1, STORE_STRING);
	const struct store_reply *record = reply_element(reply, 2, STORE_STRING);
	enum status_code code;
	span value = SPAN_EMPTY;

	if (memory == NULL || record == NULL)
		return reply_odd(st, "session_update");
	code = read_memory(s, memory->string, ret, st);
	if (code == STATUS_OK)
		code = check_realm_known(env, st);
	if (code != STATUS_OK)
		return code;
	if (!arena_copy(env->arena, record->string, &value) || !redo_replayed(env, s, ret->version, value, plan))
		return no_memory(st);
	return STATUS_OK;
}

static enum status_code check_merged(const struct session_attribute *attributes, size_t count, struct status *st)
{
	const size_t bytes = attributes_text_bytes(attributes, count, NULL, 0);

	if (count > ATTRIBUTES_STORED_MAX)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED,
				  "the session would have %zu attributes; at most %d. Remove some first", count,
				  ATTRIBUTES_STORED_MAX);
	if (bytes > ATTRIBUTES_TEXT_BYTES_MAX)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED,
				  "the session's attributes would have %zu bytes; at most %d. Remove some first", bytes,
				  ATTRIBUTES_TEXT_BYTES_MAX);
	return STATUS_OK;
}

/* The record has no room for a delta: plans its replacement. An outcome instead, when it does not open. */
static enum status_code compact(const struct plan_env *env, struct session_state *s, span value, struct plan *plan,
				struct session_outcome *ret_outcome, struct status *st)
{
	const struct record_place place = place_of(env, s);
	struct record_header header;
	struct record_content content;
	struct record record;
	enum record_result result;
	enum status_code code;
	span next = SPAN_EMPTY;

	*ret_outcome = outcome_of_value(value, &record);
	if (ret_outcome->verdict != VERDICT_VALID)
		return STATUS_OK;
	result = record_open(env->arena, &place, &record, s->update.change, &content);
	if (result == RECORD_NO_MEMORY)
		return no_memory(st);
	if (result != RECORD_OK) {
		*ret_outcome = outcome_closed(result);
		return STATUS_OK;
	}
	s->update.is_resealing = record.header.key_id < keyring_first_id(env->keys);
	header = record.header;
	header.version++;
	code = check_merged(content.attributes, content.attribute_count, st);
	if (code == STATUS_OK)
		code = write_record(env, &place, &header, &content, &next, st);
	return code == STATUS_OK ? plan_replace(env, s, record.header.version, next, plan, st) : code;
}

/* The record is full. While acknowledged updates may still be brought back it is not written anew, if readers can take
 * one more: a new base says that all up to its version is merged, and what comes later would pass for that. */
static enum status_code plan_room(const struct plan_env *env, struct session_state *s, span value, struct plan *plan,
				  struct session_outcome *ret_outcome, struct status *st)
{
	if (!env->is_unsettled || s->update.is_wide)
		return compact(env, s, value, plan, ret_outcome, st);
	s->update.is_wide = true;
	return plan_append(env, s, plan, st);
}

/* A further command, unless time or steps are up. */
static enum status_code go_on(const struct plan_env *env, struct plan *plan, const struct store_reply *value,
			      enum plan_next *ret_next, struct session_update_result *ret, struct status *st)
{
	struct session_state *s = plan->session;
	struct session_outcome outcome = outcome_valid();
	enum status_code code;

	if (env->now_ms >= token_deadline_ms(&s->token)) {
		*ret = (struct session_update_result){.outcome = outcome_invalid(REASON_ABSOLUTE_TIMEOUT)};
		return STATUS_OK;
	}
	if (++s->update.steps >= PLAN_STEPS_MAX)
		return status_set(st, STATUS_ABORTED, "too many updates of this session at once; try again");
	code = value == NULL ? plan_append(env, s, plan, st) : plan_room(env, s, value->string, plan, &outcome, st);
	if (code != STATUS_OK)
		return code;
	if (outcome.verdict == VERDICT_VALID)
		*ret_next = PLAN_AGAIN;
	else
		*ret = (struct session_update_result){.outcome = outcome};
	return STATUS_OK;
}

static enum status_code follow(const struct plan_env *env, struct plan *plan, span forward, enum plan_next *ret_next,
			       struct session_update_result *ret, struct status *st)
{
	struct session_state *s = plan->session;
	enum status_code code;
	enum follow next;

	code = lineage_follow(env, forward, false, s, &next, st);
	if (code == STATUS_OK && s->decided.verdict != 0) {
		*ret = (struct session_update_result){.outcome = s->decided};
		return STATUS_OK;
	}
	if (code == STATUS_OK && next == FOLLOW_LATE)
		code = lineage_plan_end(env, s, SPAN_EMPTY, plan, st);
	else if (code == STATUS_OK)
		code = seal_change(env, s) ? plan_append(env, s, plan, st) : no_memory(st);
	if (code == STATUS_OK)
		*ret_next = PLAN_AGAIN;
	return code;
}

static enum status_code answer_end(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				   struct session_update_result *ret, struct status *st)
{
	struct session_outcome outcome;
	enum status_code code = lineage_answer_end(env, plan, reply, &outcome, st);

	if (code == STATUS_OK)
		*ret = (struct session_update_result){.outcome = outcome};
	return code;
}

static enum status_code answer_dead(span value, struct session_update_result *ret, struct status *st)
{
	struct session_update_result out = {0};
	struct record record;

	out.outcome = outcome_of_value(value, &record);
	if (out.outcome.verdict == VERDICT_VALID)
		return reply_odd(st, "session_update");
	*ret = out;
	return STATUS_OK;
}

enum status_code session_update_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       enum plan_next *ret_next, struct session_update_result *ret, struct status *st)
{
	struct session_state *s = plan->session;
	const bool was_append = plan->has_command && plan->command.script == STORE_SCRIPT_SESSION_UPDATE;
	const span word = reply_word(reply);
	const struct store_reply *version = reply_element(reply, 1, STORE_INTEGER);
	const struct store_reply *value = reply_element(reply, 1, STORE_STRING);

	*ret_next = PLAN_DONE;
	plan->redos = NULL;
	if (s->anonymous != NULL)
		return anonymous_update(env, s->update.req, s, ret, st);
	/* Asked again, as in Get. A change made meanwhile is to a record that will not stay. */
	if (s->decided.verdict != 0 || outcome_ended(env, s, &s->decided)) {
		*ret = (struct session_update_result){.outcome = s->decided};
		return STATUS_OK;
	}
	if (plan->command.script == STORE_SCRIPT_SESSION_REUSE)
		return answer_end(env, plan, reply, ret, st);
	/* Not acknowledged, so that it is asked again: where the forward will be, the change would be lost. */
	if ((span_eq(word, SPAN_LIT("ok")) || span_eq(word, SPAN_LIT("none"))) && is_forward_missing(env, &s->handle)) {
		*ret = (struct session_update_result){.outcome.verdict = VERDICT_UNKNOWN};
		return STATUS_OK;
	}
	if (span_eq(word, SPAN_LIT("ok")) && version != NULL)
		return answer_done(env, s, (uint64_t)version->integer, plan, ret, st);
	if (span_eq(word, SPAN_LIT("none"))) {
		*ret = (struct session_update_result){.outcome = outcome_gone(env, s)};
		return STATUS_OK;
	}
	if (span_eq(word, SPAN_LIT("dead")) && value != NULL && is_forward(value->string))
		return follow(env, plan, value->string, ret_next, ret, st);
	if (span_eq(word, SPAN_LIT("dead")) && value != NULL)
		return answer_dead(value->string, ret, st);
	if (span_eq(word, SPAN_LIT("replay")))
		return answer_replayed(env, s, reply, plan, ret, st);
	if (span_eq(word, SPAN_LIT("full")) && value != NULL && was_append)
		return go_on(env, plan, value, ret_next, ret, st);
	if (span_eq(word, SPAN_LIT("conflict")) && version != NULL) {
		if (s->update.req->has_expected_version)
			return answer_conflict(s, (uint64_t)version->integer, ret, st);
		if (!was_append)
			return go_on(env, plan, NULL, ret_next, ret, st);
	}
	return reply_odd(st, "session_update");
}
