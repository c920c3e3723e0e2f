/* Forwards: what somebody who can write to Redis makes of the pointer from a rotated session to its successor. One that
 * opened to another successor would hand a stranger's session out. */

#include <string.h>

#include "session/forward.h"
#include "subject.h"

static const struct good_forward *pick(const struct shelf *s, struct random *r)
{
	return &s->forwards[random_below(r, SHELF_FORWARDS)];
}

static void change(const struct shelf *s, const struct good_forward *g, struct random *r, struct specimen *m)
{
	const span other = pick(s, r)->bytes;
	size_t at;

	m->len = g->bytes.len;
	memcpy(m->bytes, g->bytes.ptr, g->bytes.len);
	at = random_below(r, m->len < other.len ? m->len : other.len);
	switch (random_below(r, 6)) {
	case 0:
		m->bytes[random_below(r, m->len)] ^= (uint8_t)(1U << random_below(r, 8));
		break;
	case 1:
		m->bytes[random_below(r, FORWARD_HEADER_BYTES)] = (uint8_t)random_next(r);
		break;
	case 2:
		m->len = random_below(r, m->len + 1);
		break;
	case 3:
		memcpy(m->bytes, other.ptr, at);
		break;
	case 4:
		memcpy(m->bytes + at, other.ptr + at, other.len - at);
		m->len = other.len;
		break;
	default:
		/* Another's, whole, under this key. */
		memcpy(m->bytes, other.ptr, other.len);
		m->len = other.len;
	}
}

/* One of a session's own: it may have been rotated more than once, by racers of whom one won. */
static const struct good_forward *find(const struct shelf *s, const struct good *from, const struct specimen *m)
{
	for (size_t i = 0; i < SHELF_FORWARDS; i++)
		if (s->forwards[i].from == from && span_eq(s->forwards[i].bytes, span_of(m->bytes, m->len)))
			return &s->forwards[i];
	return NULL;
}

enum attempt forward_attempt(const struct shelf *s, struct random *r, arena *a, struct specimen *ret)
{
	const struct good_forward *g = pick(s, r);
	const struct record_place place = shelf_place(s, g->from);
	const struct good_forward *good;
	struct forward_inside inside;
	bool is_open;

	change(s, g, r, ret);
	is_open = is_forward(span_of(ret->bytes, ret->len)) &&
		  forward_open(a, &place, span_of(ret->bytes, ret->len), &inside) == RECORD_OK;
	good = find(s, g->from, ret);
	if (good == NULL)
		return is_open ? ATTEMPT_WRONG : ATTEMPT_REFUSED;
	must(is_open && memcmp(inside.token, good->successor, TOKEN_BYTES) == 0, "a good forward does not open");
	return ATTEMPT_UNCHANGED;
}
