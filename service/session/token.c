#include "session/token.h"

#include "base/bytes.h"
#include "crypto/codec.h"
#include "crypto/tag.h"

#define TOKEN_VERSION	   1
#define TOKEN_TAGGED_BYTES (TOKEN_BYTES - TAG_BYTES)

static const span prefix = {(const uint8_t *)"lks1_", 5};

_Static_assert(TOKEN_CHARS == 5 + BASE64_CHARS(TOKEN_BYTES), "prefix and base64url");
_Static_assert(TOKEN_TAGGED_BYTES == 1 + 2 + 5 + 4 + 4 + 3 + USER_TAG_BYTES + TOKEN_ID_BYTES,
	       "the fields fill the token");

uint64_t token_deadline_s(const struct token *t)
{
	return t->created_s + t->lifetime_s;
}

uint64_t token_deadline_ms(const struct token *t)
{
	return token_deadline_s(t) * 1000;
}

uint64_t token_age_s(const struct token *t, uint64_t now_ms)
{
	const uint32_t age_s = ((uint32_t)(now_ms / 1000) - t->issued_s) & TOKEN_ISSUED_MASK;

	return age_s > TOKEN_ISSUED_MASK - TOKEN_CLOCKS_DIFFER_S ? 0 : age_s;
}

uint64_t token_record_ms(const struct token *t, uint64_t now_ms)
{
	const uint64_t left_ms = token_deadline_ms(t) - now_ms;
	const uint64_t idle_ms = (uint64_t)t->idle_timeout_s * 1000;

	assert(now_ms < token_deadline_ms(t));
	return idle_ms < left_ms ? idle_ms : left_ms;
}

void token_write(const keyring *kr, span realm, const struct token *t, uint8_t out[static TOKEN_BYTES])
{
	struct writer w = writer_over(out, TOKEN_TAGGED_BYTES);

	put_number(&w, TOKEN_VERSION, 1);
	put_number(&w, t->key_id, 2);
	put_number(&w, t->created_s, 5);
	put_number(&w, t->lifetime_s, 4);
	put_number(&w, t->idle_timeout_s, 4);
	put_number(&w, t->issued_s & TOKEN_ISSUED_MASK, 3);
	put_bytes(&w, span_of(t->user_tag, sizeof(t->user_tag)));
	put_bytes(&w, span_of(t->id, sizeof(t->id)));
	tag_make(kr, t->key_id, realm, span_of(out, TOKEN_TAGGED_BYTES), out + TOKEN_TAGGED_BYTES);
}

void token_print(const uint8_t bytes[static TOKEN_BYTES], char out[static TOKEN_CHARS])
{
	memcpy(out, prefix.ptr, prefix.len);
	base64_encode(span_of(bytes, TOKEN_BYTES), out + prefix.len);
}

/* The rest of the bytes, which have verified. */
static bool read_fields(struct reader *r, uint16_t key_id, struct token *ret)
{
	ret->key_id = key_id;
	ret->created_s = take_number(r, 5);
	ret->lifetime_s = (uint32_t)take_number(r, 4);
	ret->idle_timeout_s = (uint32_t)take_number(r, 4);
	ret->issued_s = (uint32_t)take_number(r, 3);
	take_array(r, ret->user_tag, sizeof(ret->user_tag));
	take_array(r, ret->id, sizeof(ret->id));
	return ret->idle_timeout_s > 0 && ret->lifetime_s >= ret->idle_timeout_s;
}

static enum session_reason parse_bytes(const keyring *kr, span realm, const uint8_t bytes[static TOKEN_BYTES],
				       uint64_t now_ms, struct token *ret)
{
	struct reader r = reader_over(span_of(bytes, TOKEN_TAGGED_BYTES));
	struct token t;
	uint16_t key_id;

	if (take_number(&r, 1) != TOKEN_VERSION)
		return REASON_MALFORMED;
	key_id = (uint16_t)take_number(&r, 2);
	if (!keyring_has(kr, key_id))
		return REASON_RETIRED_KEY;
	if (!tag_verify(kr, key_id, realm, span_of(bytes, TOKEN_TAGGED_BYTES), bytes + TOKEN_TAGGED_BYTES))
		return REASON_FORGED;
	if (!read_fields(&r, key_id, &t))
		return REASON_MALFORMED;
	keyring_note(kr, key_id, KEY_USE_TOKEN, now_ms);
	*ret = t;
	secret_wipe(&t, sizeof(t));
	return now_ms < token_deadline_ms(ret) ? REASON_NONE : REASON_ABSOLUTE_TIMEOUT;
}

enum session_reason token_parse(const keyring *kr, span realm, span text, uint64_t now_ms, struct token *ret)
{
	uint8_t bytes[TOKEN_BYTES];
	enum session_reason reason;

	if (text.len != TOKEN_CHARS || !span_starts_with(text, prefix))
		return REASON_MALFORMED;
	if (!base64_decode(span_of(text.ptr + prefix.len, text.len - prefix.len), bytes, sizeof(bytes)))
		return REASON_MALFORMED;
	reason = parse_bytes(kr, realm, bytes, now_ms, ret);
	secret_wipe(bytes, sizeof(bytes));
	return reason;
}
