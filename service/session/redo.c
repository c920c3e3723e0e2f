#include "session/redo.h"

#include "base/bytes.h"
#include "session/event_log.h"
#include "session/lineage.h"

_Static_assert(RECENT_HANDLE_BYTES == HANDLE_CHARS, "what is remembered is a handle");

bool redo_restore(const struct plan_env *env, const struct session_state *s, span record, enum redo_scope scope,
		  struct plan *plan)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_RESTORE, true);
	uint64_t record_ms;
	uint64_t lifetime_ms;
	span logouts;
	span index;

	if (env->now_ms >= token_deadline_ms(&s->token))
		return true;
	record_ms = token_record_ms(&s->token, env->now_ms);
	/* A tombstone that came since is there for as long as this may be carried out: it was written later, and lives
	 * for the realm's time or to the session's deadline. Brought back after it, the session would rise again. */
	lifetime_ms = realm_tombstone_s(env->realm) * 1000ULL;
	if (record_ms < lifetime_ms)
		lifetime_ms = record_ms;
	if (!key_of_index(env->arena, &s->handle, &index) || !key_of_logouts(env->arena, &s->handle, &logouts))
		return false;
	command_key(&w, s->key);
	command_key(&w, index);
	command_key(&w, logouts);
	command_arg(&w, record);
	command_number(&w, record_ms);
	command_number(&w, token_deadline_s(&s->token));
	command_number(&w, env->now_ms);
	command_arg(&w, span_of(s->handle.name, NAME_CHARS));
	command_arg(&w, scope == REDO_SESSION ? SPAN_LIT("session") : SPAN_LIT("record"));
	command_number(&w, LINEAGE_HOPS_MAX);
	return command_end_redo(&w, lifetime_ms, plan);
}

bool redo_forward(const struct plan_env *env, const struct session_state *s, span forward, struct plan *plan)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_FORWARD, true);
	uint64_t lives_ms;
	span index;
	span name;

	if (env->now_ms >= token_deadline_ms(&s->token))
		return true;
	lives_ms = token_record_ms(&s->token, env->now_ms);
	/* The state goes on to be that of the successor. */
	if (!key_of_index(env->arena, &s->handle, &index) ||
	    !arena_copy(env->arena, span_of(s->handle.name, NAME_CHARS), &name))
		return false;
	command_key(&w, s->key);
	command_key(&w, index);
	command_arg(&w, forward);
	command_number(&w, lives_ms);
	command_arg(&w, name);
	command_number(&w, LINEAGE_HOPS_MAX);
	/* Longer than any redo of the old record may be carried out: where a tombstone was meanwhile, and is no more, a
	 * forward does no harm, for it leads to what is dead. */
	return command_end_redo(&w, lives_ms, plan);
}

bool redo_reapply(const struct plan_env *env, const struct session_state *s, const struct redo_change *change,
		  struct plan *plan)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_REAPPLY, true);
	span mark;

	if (!key_of_mark(env->arena, &s->handle, &mark))
		return false;
	command_key(&w, s->key);
	command_key(&w, mark);
	command_arg(&w, change->delta);
	command_number(&w, change->version);
	command_number(&w, s->record_ms);
	command_number(&w, DELTAS_READ_MAX);
	command_number(&w, RECORD_READ_BYTES_MAX);
	command_number(&w, change->attributes_added);
	command_number(&w, ATTRIBUTES_STORED_MAX);
	command_number(&w, change->text_added);
	command_number(&w, ATTRIBUTES_TEXT_BYTES_MAX);
	if (change->rewritten.len > 0)
		command_arg(&w, change->rewritten);
	return command_end_redo(&w, s->record_ms, plan);
}

bool redo_bury(const struct plan_env *env, const struct session_state *s, const struct redo_end *end, struct plan *plan)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_SESSION_BURY, true);
	span logouts;
	span prefix;
	span index;
	span names = SPAN_EMPTY;

	if (!key_of_index(env->arena, &s->handle, &index) || !key_prefix(env->arena, &s->handle, &prefix) ||
	    !key_of_logouts(env->arena, &s->handle, &logouts) || !arena_copy(env->arena, end->names, &names))
		return false;
	command_key(&w, index);
	if (end->is_scoped)
		command_key(&w, logouts);
	command_arg(&w, prefix);
	command_arg(&w, end->tombstone);
	command_number(&w, end->tombstone_ms);
	command_number(&w, env->now_ms);
	command_arg(&w, names);
	command_number(&w, LINEAGE_HOPS_MAX);
	if (end->is_scoped)
		command_arg(&w, end->scope);
	return command_end_redo(&w, end->tombstone_ms, plan);
}

/* ---- What every instance should know ---- */

span pending_write(const struct plan_env *env, const struct session_state *s, const struct redo_end *end)
{
	struct announcement n = {.kind = EVENT_REVOKED, .lives_ms = end->tombstone_ms, .names = end->names};
	enum session_reason reason;

	if (tombstone_read(end->tombstone, &reason, &n.at_ms) != RECORD_OK)
		return SPAN_EMPTY;
	n.reason = (uint8_t)reason;
	return announcement_write(env->arena, env, &s->handle, &n);
}

/* Names that are whole: the caller has seen to it. */
static void remember(recent *r, const struct announcement *n, uint64_t mono_ms)
{
	char text[HANDLE_CHARS];
	struct handle h;

	memcpy(h.tag, n->tag.ptr, USER_TAG_CHARS);
	for (size_t at = 0; at < n->names.len; at += NAME_CHARS) {
		memcpy(h.name, n->names.ptr + at, NAME_CHARS);
		handle_print(&h, text);
		(void)recent_put(r, text, &(struct recent_end){n->reason, n->at_ms}, n->lives_ms, mono_ms);
	}
}

void remember_end(const struct plan_env *env, const struct session_state *s, const struct redo_end *end,
		  uint64_t lives_ms)
{
	struct announcement n = {
	    .lives_ms = lives_ms, .tag = span_of(s->handle.tag, USER_TAG_CHARS), .names = end->names};
	enum session_reason reason;

	assert(end->names.len % NAME_CHARS == 0);
	if (tombstone_read(end->tombstone, &reason, &n.at_ms) != RECORD_OK)
		return;
	n.reason = (uint8_t)reason;
	remember(env->recent, &n, env->mono_ms);
}

void remember_rotated(const struct plan_env *env, const struct session_state *s)
{
	const struct announcement n = {
	    .reason = REASON_ROTATED,
	    .at_ms = env->now_ms,
	    .tag = span_of(s->handle.tag, USER_TAG_CHARS),
	    .names = span_of(s->handle.name, NAME_CHARS),
	};

	remember(env->recent, &n, env->mono_ms);
}

/* One of another configuration concerns nobody here. */
static void hear_realm(const struct session_ears *ears, const struct announcement *n)
{
	const struct realm *realm = ears->realms == NULL ? NULL : realm_by_text(ears->realms, n->tag);

	if (realm != NULL)
		not_before_raise(ears->not_before, realm, n->at_ms);
}

void session_hear(const struct session_ears *ears, span message, uint64_t mono_ms)
{
	struct announcement n;

	if (announcement_read_rotated(message, &n)) {
		remember(ears->recent, &n, mono_ms);
		return;
	}
	if (!announcement_read(message, &n) ||
	    (n.kind == EVENT_REALM_REVOKED && !not_before_is_credible(n.at_ms, ears->now_ms)))
		return;
	if (announcement_is_end(&n))
		remember(ears->recent, &n, mono_ms);
	if (n.kind == EVENT_REALM_REVOKED)
		hear_realm(ears, &n);
	if (ears->events != NULL)
		event_log_hear(ears->events, &n, ears->source);
}
