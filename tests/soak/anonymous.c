/* Anonymous tokens hold all of a session, so that a changed one that opened would be the session that its maker wants. */

#include <string.h>

#include "crypto/codec.h"
#include "session/anonymous.h"
#include "subject.h"

/* The bytes of the longest on the shelf, and what is added. */
#define BYTES_MAX (ANONYMOUS_TOKEN_CHARS_MAX * 3 / 4)
#define PREFIX	  5

struct anonymous_mutant {
	const struct realm *realm; /* that it is presented to */
	size_t len;
	char text[ANONYMOUS_TOKEN_CHARS_MAX + 8];
};

static const struct good_anonymous *pick(const struct shelf *s, struct random *r)
{
	return &s->anonymous[random_below(r, SHELF_ANONYMOUS)];
}

static size_t decode(span token, uint8_t out[static BYTES_MAX])
{
	const size_t len = (token.len - PREFIX) * 3 / 4;

	must(base64_decode(span_of(token.ptr + PREFIX, token.len - PREFIX), out, len), "base64");
	return len;
}

static void encode(struct anonymous_mutant *m, const uint8_t *bytes, size_t len)
{
	base64_encode(span_of(bytes, len), m->text + PREFIX);
	m->len = PREFIX + BASE64_CHARS(len);
}

/* Header of one, the sealed part of another; or a piece of another anywhere. */
static void splice(struct anonymous_mutant *m, span other, struct random *r)
{
	uint8_t one[BYTES_MAX];
	uint8_t two[BYTES_MAX];
	size_t len = decode(span_of(m->text, m->len), one);
	const size_t two_len = decode(other, two);
	const size_t at = random_below(r, two_len < len ? two_len : len);

	if (random_below(r, 2) == 0) {
		memcpy(one + at, two + at, two_len - at);
		len = two_len;
	} else {
		memcpy(one, two, at);
	}
	encode(m, one, len);
}

static void change_bytes(struct anonymous_mutant *m, struct random *r)
{
	uint8_t bytes[BYTES_MAX];
	const size_t len = decode(span_of(m->text, m->len), bytes);

	/* Half of them in the header: times, key, class. */
	for (size_t n = 1 + random_below(r, 3); n > 0; n--)
		bytes[random_below(r, random_below(r, 2) == 0 ? 14 : len)] = (uint8_t)random_next(r);
	encode(m, bytes, len);
}

static void cut(struct anonymous_mutant *m, struct random *r)
{
	uint8_t bytes[BYTES_MAX];
	const size_t len = decode(span_of(m->text, m->len), bytes);

	encode(m, bytes, 1 + random_below(r, len - 1));
}

static void change(const struct shelf *s, struct random *r, struct anonymous_mutant *ret)
{
	const struct good_anonymous *g = pick(s, r);
	const struct good_anonymous *other = pick(s, r);

	ret->realm = g->realm;
	ret->len = g->token.len;
	memcpy(ret->text, g->token.ptr, g->token.len);
	switch (random_below(r, 5)) {
	case 0:
		ret->text[random_below(r, ret->len)] = "AZaz09-_=."[random_below(r, 10)];
		break;
	case 1:
		change_bytes(ret, r);
		break;
	case 2:
		splice(ret, other->token, r);
		break;
	case 3:
		cut(ret, r);
		break;
	default:
		ret->realm = other->realm;
	}
}

static const struct good_anonymous *find(const struct shelf *s, const struct anonymous_mutant *m)
{
	for (size_t i = 0; i < SHELF_ANONYMOUS; i++)
		if (s->anonymous[i].realm == m->realm && span_eq(s->anonymous[i].token, span_of(m->text, m->len)))
			return &s->anonymous[i];
	return NULL;
}

enum attempt anonymous_attempt(const struct shelf *s, struct random *r, arena *a, struct specimen *ret)
{
	static struct anonymous_mutant m;
	const struct good_anonymous *good;
	struct session_outcome outcome = {0};
	struct anonymous anonymous = {0};
	struct plan_env env;
	struct status st;

	change(s, r, &m);
	env = shelf_env(s, m.realm, a);
	ret->len = m.len;
	memcpy(ret->bytes, m.text, m.len);
	good = find(s, &m);
	if (anonymous_is(span_of(m.text, m.len)))
		must(anonymous_read(&env, span_of(m.text, m.len), &anonymous, &outcome, &st) == STATUS_OK, "read");
	if (good == NULL)
		return outcome.verdict == VERDICT_VALID ? ATTEMPT_WRONG : ATTEMPT_REFUSED;
	must(outcome.verdict == VERDICT_VALID && anonymous.attribute_count == 1 &&
		 span_eq(anonymous.attributes[0].value, good->value),
	     "a good anonymous token is refused");
	return ATTEMPT_UNCHANGED;
}
