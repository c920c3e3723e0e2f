#include "session/redo.h"

#include "session/bytes.h"

#define PENDING_HEAD_BYTES (1 + TOMBSTONE_BYTES + USER_TAG_CHARS + 4)

_Static_assert(RECENT_HANDLE_BYTES == HANDLE_CHARS, "what is remembered is a handle");
_Static_assert(REASON_ASSURANCE_TOO_LOW <= UINT8_MAX, "reasons have 8 bits");

bool redo_restore(const struct session_env *env, const struct session_state *s, span record, enum redo_scope scope,
		  struct session_plan *plan)
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
	lifetime_ms = session_realm_tombstone_s(env->realm) * 1000ULL;
	if (record_ms < lifetime_ms)
		lifetime_ms = record_ms;
	if (!key_of_index(env->arena, &s->handle, &index) || !key_of_logouts(env->arena, &s->handle, &logouts))
		return false;
	command_key(&w, s->key);
	command_key(&w, index);
	command_key(&w, logouts);
	command_arg(&w, record);
	command_number(&w, record_ms);
	command_number(&w, token_deadline_ms(&s->token));
	command_number(&w, env->now_ms);
	command_arg(&w, span_of(s->handle.name, NAME_CHARS));
	command_arg(&w, scope == REDO_SESSION ? SPAN_LIT("session") : SPAN_LIT("record"));
	return command_end_redo(&w, lifetime_ms, plan);
}

bool redo_reapply(const struct session_env *env, const struct session_state *s, const struct redo_change *change,
		  struct session_plan *plan)
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

bool redo_bury(const struct session_env *env, const struct session_state *s, const struct redo_end *end,
	       struct session_plan *plan)
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
	if (end->is_scoped)
		command_arg(&w, end->scope);
	return command_end_redo(&w, end->tombstone_ms, plan);
}

bool session_redo_is_done(const struct store_reply *reply)
{
	if (reply == NULL || (reply->type != STORE_STRING && reply->type != STORE_STATUS))
		return false;
	return span_eq(reply->string, SPAN_LIT("done")) || span_eq(reply->string, SPAN_LIT("there"));
}

/* ---- What every instance should know ---- */

span pending_write(arena *a, const struct session_state *s, const struct redo_end *end)
{
	const size_t len = PENDING_HEAD_BYTES + end->names.len;
	uint8_t *out = arena_alloc(a, len);
	struct writer w;

	if (out == NULL)
		return SPAN_EMPTY;
	w = writer_over(out, len);
	put_number(&w, PENDING_FORMAT, 1);
	put_bytes(&w, end->tombstone);
	put_bytes(&w, span_of(s->handle.tag, USER_TAG_CHARS));
	put_number(&w, end->tombstone_ms / 1000, 4);
	put_bytes(&w, end->names);
	return span_of(out, len);
}

/* Names that are whole, and a tombstone that is one: the caller has seen to it. */
static void remember(recent *r, span tag, span names, span tombstone, uint64_t lives_ms, uint64_t mono_ms)
{
	enum session_reason reason;
	char text[HANDLE_CHARS];
	struct handle h;
	uint64_t at_ms;

	if (tombstone_read(tombstone, &reason, &at_ms) != RECORD_OK)
		return;
	memcpy(h.tag, tag.ptr, USER_TAG_CHARS);
	for (size_t at = 0; at < names.len; at += NAME_CHARS) {
		memcpy(h.name, names.ptr + at, NAME_CHARS);
		handle_print(&h, text);
		(void)recent_put(r, text, &(struct recent_end){(uint8_t)reason, at_ms}, lives_ms, mono_ms);
	}
}

void remember_end(const struct session_env *env, const struct session_state *s, const struct redo_end *end,
		  uint64_t lives_ms)
{
	assert(end->names.len % NAME_CHARS == 0);
	remember(env->recent, span_of(s->handle.tag, USER_TAG_CHARS), end->names, end->tombstone, lives_ms,
		 env->mono_ms);
}

void session_hear(recent *heard, span message, uint64_t mono_ms)
{
	struct reader r = reader_over(message);
	const uint64_t format = take_number(&r, 1);
	const span tombstone = take_bytes(&r, TOMBSTONE_BYTES);
	const span tag = take_bytes(&r, USER_TAG_CHARS);
	const uint64_t lives_s = format == PENDING_FORMAT ? take_number(&r, 4) : 0;
	const size_t names_len = reader_left(&r);

	if (r.is_short || (format != ENDED_FORMAT && format != PENDING_FORMAT) || lives_s > PENDING_S_MAX)
		return;
	if (names_len == 0 || names_len % NAME_CHARS != 0)
		return;
	remember(heard, tag, take_bytes(&r, names_len), tombstone, lives_s * 1000, mono_ms);
}
