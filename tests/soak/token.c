/* A token as somebody might present it: changes to good ones, in text or in bytes, or to another realm. */

#include "session/token.h"
#include "crypto/codec.h"
#include "subject.h"

#define TOKEN_MUTANT_CHARS_MAX (TOKEN_CHARS + 8)

struct token_mutant {
	const struct realm *realm; /* that it is presented to */
	size_t len;
	char text[TOKEN_MUTANT_CHARS_MAX];
};

static void change_text(struct token_mutant *m, struct random *r)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ .";

	for (size_t n = 1 + random_below(r, 3); n > 0; n--)
		m->text[random_below(r, m->len)] = alphabet[random_below(r, sizeof(alphabet) - 1)];
}

/* With the layout in mind: fields of one, the rest of another. */
static void change_bytes(struct token_mutant *m, span other, struct random *r)
{
	uint8_t one[TOKEN_BYTES];
	uint8_t two[TOKEN_BYTES];
	const size_t from = random_below(r, TOKEN_BYTES);
	const size_t len = 1 + random_below(r, TOKEN_BYTES - from);

	must(base64_decode(span_of(m->text + 5, TOKEN_CHARS - 5), one, sizeof(one)) &&
		 base64_decode(span_of(other.ptr + 5, TOKEN_CHARS - 5), two, sizeof(two)),
	     "base64");
	for (size_t i = from; i < from + len; i++)
		one[i] = random_below(r, 8) == 0 ? (uint8_t)random_next(r) : two[i];
	base64_encode(span_of(one, sizeof(one)), m->text + 5);
}

static void mutate(const struct shelf *s, struct random *r, struct token_mutant *ret)
{
	const struct good *g = &s->sessions[random_below(r, SHELF_SESSIONS)];
	const struct good *other = &s->sessions[random_below(r, SHELF_SESSIONS)];

	*ret = (struct token_mutant){.realm = g->realm, .len = TOKEN_CHARS};
	memcpy(ret->text, g->token.ptr, TOKEN_CHARS);
	switch (random_below(r, 5)) {
	case 0:
		change_text(ret, r);
		break;
	case 1:
		change_bytes(ret, other->token, r);
		break;
	case 2:
		memcpy(ret->text + random_below(r, TOKEN_CHARS), other->token.ptr, 1);
		break;
	case 3:
		ret->len = random_below(r, TOKEN_MUTANT_CHARS_MAX);
		break;
	default:
		ret->realm = other->realm;
	}
}

static bool is_good(const struct shelf *s, const struct token_mutant *m)
{
	for (size_t i = 0; i < SHELF_SESSIONS; i++)
		if (s->sessions[i].realm == m->realm && span_eq(s->sessions[i].token, span_of(m->text, m->len)))
			return true;
	return false;
}

enum attempt token_attempt(const struct shelf *s, struct random *r, arena *a, struct specimen *ret)
{
	struct token_mutant m;
	enum session_reason reason;
	struct token token;

	(void)a;
	mutate(s, r, &m);
	ret->len = m.len;
	memcpy(ret->bytes, m.text, m.len);
	reason = token_parse(s->keys, m.realm->name, span_of(m.text, m.len), SHELF_NOW_MS, &token);
	if (is_good(s, &m)) {
		must(reason == REASON_NONE, "a good token is refused");
		return ATTEMPT_UNCHANGED;
	}
	return reason == REASON_NONE || reason == REASON_ABSOLUTE_TIMEOUT ? ATTEMPT_WRONG : ATTEMPT_REFUSED;
}
