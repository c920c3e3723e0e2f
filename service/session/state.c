#include "session/state.h"

#include <assert.h>

#include "base/metrics.h"
#include "session/anonymous.h"

struct session_state *state_new(const struct plan_env *env)
{
	struct session_state *s = arena_alloc(env->arena, sizeof(*s));

	if (s != NULL)
		s->now_ms = env->now_ms;
	return s;
}

/* Leaves s decided, or with all of the token's. */
static enum status_code read_token(const struct plan_env *env, span text, struct session_state *s, struct status *st)
{
	enum session_reason reason;

	if (anonymous_is(text))
		return anonymous_refuse(env, text, &s->decided, st);
	reason = token_parse(env->keys, env->realm->name, text, env->now_ms, &s->token);
	if (reason != REASON_NONE) {
		s->decided = outcome_invalid(reason);
		return STATUS_OK;
	}
	if (!state_become(env, &s->token, s))
		return no_memory(st);
	(void)outcome_realm_revoked(env, s->token.created_s, &s->decided);
	return STATUS_OK;
}

enum status_code state_of_token(const struct plan_env *env, span text, struct session_state **ret, struct status *st)
{
	struct session_state *s = state_new(env);

	if (s == NULL)
		return no_memory(st);
	if (read_token(env, text, s, st) != STATUS_OK)
		return st->code;
	*ret = s;
	return STATUS_OK;
}

bool state_become(const struct plan_env *env, const struct token *t, struct session_state *s)
{
	s->token = *t;
	handle_of_token(env->keys, t, &s->handle);
	s->now_ms = env->now_ms;
	s->record_ms = token_record_ms(t, env->now_ms);
	return key_of_session(env->arena, &s->handle, &s->key);
}

struct record_place place_of(const struct plan_env *env, const struct session_state *s)
{
	return (struct record_place){
	    .keys = env->keys,
	    .compressor = env->compressor,
	    .key = s->key,
	    .id = span_of(s->token.id, sizeof(s->token.id)),
	    .created_s = s->token.created_s,
	    .now_ms = env->now_ms,
	};
}

struct session_outcome outcome_valid(void)
{
	return (struct session_outcome){.verdict = VERDICT_VALID};
}

struct session_outcome outcome_invalid(enum session_reason reason)
{
	return (struct session_outcome){.verdict = VERDICT_INVALID, .reason = reason};
}

/* What the old primary had acknowledged last may be as old as the outage was long, and then comes the window in which it
 * is brought back. No failover that is worth waiting for takes longer than a minute. */
#define OUTAGE_MS_MAX 60000

bool is_missing_unproven(const struct plan_env *env, const struct token *t)
{
	const uint64_t young_ms = env->young_ms > OUTAGE_MS_MAX ? env->young_ms : OUTAGE_MS_MAX;

	return env->is_unsettled && token_age_s(t, env->now_ms) * 1000 < young_ms + YOUNG_SLACK_MS;
}

struct session_outcome outcome_gone(const struct plan_env *env, const struct session_state *s)
{
	const uint64_t idle_from_ms = (s->token.created_s + s->token.idle_timeout_s) * 1000;

	/* Redis forgets a record at its absolute deadline too, possibly while the question is under way. */
	if (env->now_ms >= token_deadline_ms(&s->token))
		return outcome_invalid(REASON_ABSOLUTE_TIMEOUT);
	if (is_missing_unproven(env, &s->token)) {
		metric_add(METRIC_SESSIONS_UNSETTLED, 1);
		return (struct session_outcome){.verdict = VERDICT_UNKNOWN};
	}
	return outcome_invalid(env->now_ms >= idle_from_ms ? REASON_IDLE_TIMEOUT : REASON_NOT_FOUND_IN_STORE);
}

static bool find_recent(const struct plan_env *env, const struct handle *h, struct recent_end *ret)
{
	char handle[HANDLE_CHARS];

	if (env->recent == NULL || recent_count(env->recent) == 0)
		return false;
	handle_print(h, handle);
	return recent_find(env->recent, handle, env->mono_ms, ret);
}

bool is_rotated_lately(const struct plan_env *env, const struct handle *h)
{
	struct recent_end end;

	return find_recent(env, h, &end) && end.reason == REASON_ROTATED;
}

bool is_forward_missing(const struct plan_env *env, const struct handle *h)
{
	if (!env->is_unsettled || !is_rotated_lately(env, h))
		return false;
	metric_add(METRIC_SESSIONS_UNSETTLED, 1);
	return true;
}

bool outcome_recent(const struct plan_env *env, const struct handle *h, struct session_outcome *ret)
{
	struct recent_end end;

	if (!find_recent(env, h, &end) || end.reason == REASON_ROTATED)
		return false;
	*ret = outcome_invalid((enum session_reason)end.reason);
	ret->revoked_at_ms = end.at_ms;
	return true;
}

/* What is ahead by mistake stays so until somebody mends it. */
#define RETRY_AFTER_AHEAD_MS 1000

enum status_code check_realm_not_ahead(const struct plan_env *env, struct status *st)
{
	const uint64_t not_before_ms = not_before_of(env->not_before, env->realm);

	if (not_before_is_credible(not_before_ms, env->now_ms))
		return STATUS_OK;
	metric_add(METRIC_REALMS_AHEAD, 1);
	(void)status_set(st, STATUS_UNAVAILABLE,
			 "to this instance the realm is revoked up to %llu s ahead of now, over %d: no session begins "
			 "before. Its clock was wrong: set it, and the realm's key (lk1:n:), then start it anew",
			 (unsigned long long)((not_before_ms - env->now_ms) / 1000), NOT_BEFORE_AHEAD_MS_MAX / 1000);
	st->retry_after_ms = RETRY_AFTER_AHEAD_MS;
	return st->code;
}

uint64_t creation_ms(const struct plan_env *env)
{
	const uint64_t not_before_ms = not_before_of(env->not_before, env->realm);

	return env->now_ms < not_before_ms ? not_before_ms : env->now_ms;
}

bool outcome_realm_revoked(const struct plan_env *env, uint64_t created_s, struct session_outcome *ret)
{
	const uint64_t not_before_ms = not_before_of(env->not_before, env->realm);

	if (created_s * 1000 >= not_before_ms)
		return false;
	*ret = outcome_invalid(REASON_REALM_REVOKED);
	ret->revoked_at_ms = not_before_ms;
	return true;
}

bool outcome_ended(const struct plan_env *env, const struct session_state *s, struct session_outcome *ret)
{
	return outcome_realm_revoked(env, s->token.created_s, ret) || outcome_recent(env, &s->handle, ret);
}

/* As often as an instance asks that has not been told yet, and a round trip. */
#define RETRY_AFTER_UNKNOWN_MS 200

enum status_code check_realm_known(const struct plan_env *env, struct status *st)
{
	if (not_before_is_confirmed(env->not_before, env->realm, env->mono_ms))
		return STATUS_OK;
	metric_add(METRIC_REALMS_UNCONFIRMED, 1);
	(void)status_set(st, STATUS_UNAVAILABLE,
			 "whether the realm has been revoked could not be asked for %d s: the Redis server that holds "
			 "its key (lk1:n:) does not answer this instance; ask again",
			 NOT_BEFORE_TRUST_MS / 1000);
	st->retry_after_ms = RETRY_AFTER_UNKNOWN_MS;
	return st->code;
}

struct session_outcome outcome_closed(enum record_result result)
{
	assert(result == RECORD_UNREADABLE || result == RECORD_NEWER);
	return (struct session_outcome){
	    .verdict = VERDICT_UNKNOWN,
	    .reason = result == RECORD_NEWER ? REASON_NEWER_FORMAT : REASON_UNREADABLE,
	};
}

struct session_outcome outcome_of_value(span value, struct record *ret_record)
{
	struct session_outcome outcome = {.verdict = VERDICT_INVALID};
	enum record_result result;

	if (value.len > 0 && value.ptr[0] == TOMBSTONE_FORMAT) {
		result = tombstone_read(value, &outcome.reason, &outcome.revoked_at_ms);
		return result == RECORD_OK ? outcome : outcome_closed(result);
	}
	result = record_split(value, ret_record);
	return result == RECORD_OK ? outcome_valid() : outcome_closed(result);
}

enum status_code write_record(const struct plan_env *env, const struct record_place *place,
			      struct record_header *header, const struct record_content *content, span *ret,
			      struct status *st)
{
	const struct session_attribute *attributes = content->attributes;
	const size_t count = content->attribute_count;
	span metadata_text;
	span data_text;
	span record;

	header->attributes_bound = (uint16_t)count;
	header->text_bound = (uint16_t)attributes_text_bytes(attributes, count, NULL, 0);
	if (!metadata_print(env->arena, &content->metadata, &metadata_text) ||
	    !attributes_print(env->arena, attributes, count, NULL, 0, &data_text) ||
	    !record_write(env->arena, place, header, metadata_text, data_text, &record))
		return no_memory(st);
	if (record.len > RECORD_BYTES_MAX)
		return status_set(
		    st, STATUS_RESOURCE_EXHAUSTED,
		    "the session's sealed record would have %zu bytes; at most %d. Remove attributes first", record.len,
		    RECORD_BYTES_MAX);
	*ret = record;
	return STATUS_OK;
}

void info_fill(const struct plan_env *env, const struct handle *h, const struct record_header *header,
	       const struct metadata *metadata, const struct info_times *times, struct session_info *ret)
{
	const struct session_class *class = session_class_by_tag(env->realm, header->class_tag);

	*ret = (struct session_info){
	    .user = metadata->user,
	    .class_name = class == NULL ? SPAN_EMPTY : class->name,
	    .created_at_ms = header->created_ms,
	    .last_seen_at_ms = times->last_seen_ms,
	    .idle_expires_at_ms =
		times->idle_expires_ms < times->expires_ms ? times->idle_expires_ms : times->expires_ms,
	    .expires_at_ms = times->expires_ms,
	    .version = header->version,
	    .device = metadata->device,
	    .authentication = metadata->authentication,
	};
	if (ret->authentication.at_ms == 0)
		ret->authentication.at_ms = header->created_ms;
	if (class != NULL && class->policy.privileged_s > 0)
		ret->privileged_until_ms = ret->authentication.at_ms + class->policy.privileged_s * 1000ULL;
	handle_print(h, ret->handle);
}

uint64_t last_seen_ms(const struct record_header *header, uint64_t now_ms, uint64_t left_ms)
{
	const uint64_t idle_ms = (uint64_t)header->idle_timeout_s * 1000;
	const uint64_t idle_expires_ms = now_ms + left_ms;
	const uint64_t seen_ms = idle_expires_ms > idle_ms ? idle_expires_ms - idle_ms : 0;

	if (seen_ms < header->created_ms)
		return header->created_ms;
	return seen_ms < now_ms ? seen_ms : now_ms;
}
