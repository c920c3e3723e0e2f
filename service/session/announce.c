#include "session/announce.h"

#include "base/bytes.h"
#include "session/redo.h"

#define ANNOUNCED_FORMAT 1
#define PENDING_FORMAT	 2
#define ROTATED_FORMAT	 3

_Static_assert(ANNOUNCEMENT_HEAD_BYTES == 1 + 1 + REALM_TAG_BYTES + 1 + 8 + USER_TAG_CHARS, "the fields fill the head");
_Static_assert(REASON_ASSURANCE_TOO_LOW <= UINT8_MAX, "reasons have 8 bits");

static void put_head(struct writer *w, uint8_t format, const struct plan_env *env, const struct handle *h,
		     const struct announcement *n)
{
	put_number(w, format, 1);
	put_number(w, n->kind, 1);
	put_number(w, env->realm->tag, REALM_TAG_BYTES);
	put_number(w, n->reason, 1);
	put_number(w, n->at_ms, 8);
	put_bytes(w, span_of(h->tag, USER_TAG_CHARS));
}

span announcement_head(arena *a, const struct plan_env *env, const struct handle *h, enum session_event_kind kind,
		       enum session_reason reason, uint64_t at_ms)
{
	const struct announcement n = {.kind = kind, .reason = (uint8_t)reason, .at_ms = at_ms};

	return announcement_write(a, env, h, &n);
}

bool announcement_wanted(const struct plan_env *env, const struct handle *h, enum session_event_kind kind, span *ret)
{
	const struct announcement n = {.kind = kind, .at_ms = env->now_ms, .names = span_of(h->name, NAME_CHARS)};

	*ret = SPAN_EMPTY;
	if (!env->realm->has_events)
		return true;
	*ret = announcement_write(env->arena, env, h, &n);
	return ret->len > 0;
}

span announcement_write(arena *a, const struct plan_env *env, const struct handle *h, const struct announcement *n)
{
	const bool is_pending = n->lives_ms > 0;
	const size_t len = ANNOUNCEMENT_HEAD_BYTES + (is_pending ? 4 : 0) + n->names.len;
	uint8_t *out = arena_alloc(a, len);
	struct writer w;

	if (out == NULL)
		return SPAN_EMPTY;
	w = writer_over(out, len);
	put_head(&w, is_pending ? PENDING_FORMAT : ANNOUNCED_FORMAT, env, h, n);
	if (is_pending)
		put_number(&w, n->lives_ms / 1000, 4);
	put_bytes(&w, n->names);
	return span_of(out, len);
}

span announcement_rotated(arena *a, const struct plan_env *env, const struct handle *h)
{
	const struct announcement n = {.kind = EVENT_ROTATED, .reason = REASON_ROTATED, .at_ms = env->now_ms};
	const size_t len = ANNOUNCEMENT_HEAD_BYTES + NAME_CHARS;
	uint8_t *out = arena_alloc(a, len);
	struct writer w;

	if (out == NULL)
		return SPAN_EMPTY;
	w = writer_over(out, len);
	put_head(&w, ROTATED_FORMAT, env, h, &n);
	put_bytes(&w, span_of(h->name, NAME_CHARS));
	return span_of(out, len);
}

bool announcement_is_end(const struct announcement *n)
{
	return n->kind == EVENT_REVOKED || n->kind == EVENT_EVICTED || n->kind == EVENT_REUSE_DETECTED;
}

/* How many names each kind comes with. */
static bool has_its_names(const struct announcement *n)
{
	if (n->names.len % NAME_CHARS != 0)
		return false;
	switch (n->kind) {
	case EVENT_CREATED:
	case EVENT_UPDATED:
		return n->names.len == NAME_CHARS;
	case EVENT_ROTATED:
		return n->names.len == 2UL * NAME_CHARS;
	case EVENT_REVOKED:
	case EVENT_EVICTED:
	case EVENT_REUSE_DETECTED:
		return n->names.len > 0;
	case EVENT_REALM_REVOKED:
		return n->names.len == 0;
	}
	return false;
}

/* The format. */
static uint64_t take_head(struct reader *r, struct announcement *ret)
{
	const uint64_t format = take_number(r, 1);

	*ret = (struct announcement){.kind = (enum session_event_kind)take_number(r, 1)};
	ret->realm_tag = (uint32_t)take_number(r, REALM_TAG_BYTES);
	ret->reason = (uint8_t)take_number(r, 1);
	ret->at_ms = take_number(r, 8);
	ret->tag = take_bytes(r, USER_TAG_CHARS);
	return format;
}

bool announcement_read_rotated(span message, struct announcement *ret)
{
	struct reader r = reader_over(message);
	struct announcement n;
	const uint64_t format = take_head(&r, &n);

	n.names = take_bytes(&r, NAME_CHARS);
	if (r.is_short || reader_left(&r) > 0 || format != ROTATED_FORMAT || n.kind != EVENT_ROTATED ||
	    n.reason != REASON_ROTATED)
		return false;
	*ret = n;
	return true;
}

bool announcement_read(span message, struct announcement *ret)
{
	struct reader r = reader_over(message);
	struct announcement n;
	const uint64_t format = take_head(&r, &n);

	if (format == PENDING_FORMAT)
		n.lives_ms = take_number(&r, 4) * 1000;
	n.names = take_bytes(&r, reader_left(&r));
	if (r.is_short || (format != ANNOUNCED_FORMAT && format != PENDING_FORMAT) || !has_its_names(&n))
		return false;
	if (announcement_is_end(&n) && (n.reason == REASON_NONE || n.reason > REASON_ASSURANCE_TOO_LOW))
		return false;
	if (n.lives_ms > PENDING_S_MAX * 1000ULL || (format == PENDING_FORMAT && !announcement_is_end(&n)))
		return false;
	*ret = n;
	return true;
}
