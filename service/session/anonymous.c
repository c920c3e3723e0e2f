#include "session/anonymous.h"

#include "base/bytes.h"
#include "crypto/codec.h"
#include "crypto/seal.h"
#include "session/packing.h"

#define ANONYMOUS_VERSION      1
#define ANONYMOUS_HEADER_BYTES 14
/* The header, the realm's name behind it. */
#define BINDING_BYTES_MAX (ANONYMOUS_HEADER_BYTES + REALM_NAME_BYTES_MAX)
/* Header, nonce and tag, packing byte. */
#define ANONYMOUS_BYTES_MIN (ANONYMOUS_HEADER_BYTES + SEAL_OVERHEAD_BYTES + 1)
#define ANONYMOUS_BYTES_MAX (ANONYMOUS_BYTES_MIN + ANONYMOUS_ATTRIBUTES_BYTES_MAX)

static const span prefix = {(const uint8_t *)"lka1_", 5};

_Static_assert(5 + BASE64_CHARS(ANONYMOUS_BYTES_MAX) <= ANONYMOUS_TOKEN_CHARS_MAX, "the largest fits");
_Static_assert(ANONYMOUS_HEADER_BYTES == 1 + 2 + 5 + 4 + 2, "the fields fill the header");

bool anonymous_is(span token)
{
	return span_starts_with(token, prefix);
}

/* ---- Reading and writing ---- */

struct binding {
	uint8_t bytes[BINDING_BYTES_MAX];
	size_t len;
};

static struct binding bind(const uint8_t header[static ANONYMOUS_HEADER_BYTES], span realm)
{
	struct binding b;
	struct writer w = writer_over(b.bytes, sizeof(b.bytes));

	put_bytes(&w, span_of(header, ANONYMOUS_HEADER_BYTES));
	put_bytes(&w, realm);
	b.len = (size_t)(w.at - b.bytes);
	return b;
}

static enum status_code check_size(const struct anonymous *a, enum status_code code, struct status *st)
{
	const size_t bytes = attributes_text_bytes(a->attributes, a->attribute_count, NULL, 0);

	if (bytes <= ANONYMOUS_ATTRIBUTES_BYTES_MAX)
		return STATUS_OK;
	return status_set(
	    st, code,
	    "attributes: %zu bytes in all; at most %d in an anonymous session, whose token holds them. Keep "
	    "large values elsewhere",
	    bytes, ANONYMOUS_ATTRIBUTES_BYTES_MAX);
}

/* Sealed, as bytes. SPAN_EMPTY: the arena is full. */
static span seal_bytes(const struct plan_env *env, const struct anonymous *a)
{
	const uint16_t key_id = keyring_first_id(env->keys);
	struct binding binding;
	struct writer w;
	uint8_t *out;
	size_t len;
	span text;
	span packed;

	if (!attributes_print(env->arena, a->attributes, a->attribute_count, NULL, 0, &text) ||
	    !pack_text(env->compressor, env->arena, text, &packed))
		return SPAN_EMPTY;
	len = ANONYMOUS_HEADER_BYTES + packed.len + SEAL_OVERHEAD_BYTES;
	out = arena_alloc(env->arena, len);
	if (out == NULL)
		return SPAN_EMPTY;
	w = writer_over(out, len);
	put_number(&w, ANONYMOUS_VERSION, 1);
	put_number(&w, key_id, 2);
	put_number(&w, a->created_s, 5);
	put_number(&w, a->lifetime_s, 4);
	put_number(&w, a->class_tag, 2);
	binding = bind(out, env->realm->name);
	seal(env->keys, key_id, SEAL_ANONYMOUS, SPAN_EMPTY, span_of(binding.bytes, binding.len), packed, w.at);
	return span_of(out, len);
}

enum status_code anonymous_write(const struct plan_env *env, struct anonymous *a, struct status *st)
{
	enum status_code code = check_size(a, STATUS_RESOURCE_EXHAUSTED, st);
	char *text;
	span bytes;

	if (code != STATUS_OK)
		return code;
	bytes = seal_bytes(env, a);
	text = arena_alloc(env->arena, prefix.len + BASE64_CHARS(bytes.len));
	if (bytes.len == 0 || text == NULL)
		return no_memory(st);
	memcpy(text, prefix.ptr, prefix.len);
	base64_encode(bytes, text + prefix.len);
	a->token = span_of(text, prefix.len + BASE64_CHARS(bytes.len));
	return STATUS_OK;
}

/* The token's bytes; SPAN_EMPTY: it has none. */
static enum status_code decode(const struct plan_env *env, span token, span *ret, struct status *st)
{
	const size_t chars = token.len - prefix.len;
	const size_t len = chars * 3 / 4;
	uint8_t *bytes;

	*ret = SPAN_EMPTY;
	if (len < ANONYMOUS_BYTES_MIN || len > ANONYMOUS_BYTES_MAX)
		return STATUS_OK;
	bytes = arena_alloc(env->arena, len);
	if (bytes == NULL)
		return no_memory(st);
	if (base64_decode(span_of(token.ptr + prefix.len, chars), bytes, len))
		*ret = span_of(bytes, len);
	return STATUS_OK;
}

/* NONE: what is sealed is in *ret_packed, in `room`, and what is in the header in *ret. */
static enum session_reason open_bytes(const struct plan_env *env, span bytes, uint8_t *room, struct anonymous *ret,
				      span *ret_packed)
{
	struct reader r = reader_over(bytes);
	struct binding binding;
	uint16_t key_id;
	span sealed;

	if (take_number(&r, 1) != ANONYMOUS_VERSION)
		return REASON_MALFORMED;
	key_id = (uint16_t)take_number(&r, 2);
	ret->created_s = take_number(&r, 5);
	ret->lifetime_s = (uint32_t)take_number(&r, 4);
	ret->class_tag = (uint16_t)take_number(&r, 2);
	if (!keyring_has(env->keys, key_id))
		return REASON_RETIRED_KEY;
	sealed = take_bytes(&r, reader_left(&r));
	binding = bind(bytes.ptr, env->realm->name);
	if (!seal_open(env->keys, key_id, SEAL_ANONYMOUS, SPAN_EMPTY, span_of(binding.bytes, binding.len), sealed,
		       room))
		return REASON_FORGED;
	keyring_note(env->keys, key_id, KEY_USE_TOKEN, env->now_ms);
	*ret_packed = span_of(room, sealed.len - SEAL_OVERHEAD_BYTES);
	return REASON_NONE;
}

static uint64_t deadline_ms(const struct anonymous *a)
{
	return (a->created_s + a->lifetime_s) * 1000;
}

static struct session_outcome judge(const struct plan_env *env, const struct anonymous *a)
{
	struct session_outcome revoked;

	if (env->now_ms >= deadline_ms(a))
		return outcome_invalid(REASON_ABSOLUTE_TIMEOUT);
	return outcome_realm_revoked(env, a->created_s, &revoked) ? revoked : outcome_valid();
}

static enum record_result read_attributes(const struct plan_env *env, span packed, struct anonymous *ret)
{
	span text;
	enum record_result result =
	    unpack_text(env->compressor, env->arena, packed, ANONYMOUS_ATTRIBUTES_BYTES_MAX, &text);

	if (result != RECORD_OK)
		return result;
	switch (attributes_merge(env->arena, &text, 1, &ret->attributes, &ret->attribute_count)) {
	case ATTRIBUTES_OK:
		return RECORD_OK;
	case ATTRIBUTES_NO_MEMORY:
		return RECORD_NO_MEMORY;
	case ATTRIBUTES_DAMAGED:
		break;
	}
	return RECORD_UNREADABLE;
}

enum status_code anonymous_read(const struct plan_env *env, span token, struct anonymous *ret,
				struct session_outcome *ret_outcome, struct status *st)
{
	struct anonymous out = {.token = token};
	enum session_reason reason;
	enum record_result result;
	uint8_t *room;
	span packed;
	span bytes;

	*ret_outcome = outcome_invalid(REASON_MALFORMED);
	if (!anonymous_is(token))
		return STATUS_OK;
	if (decode(env, token, &bytes, st) != STATUS_OK)
		return st->code;
	if (bytes.len == 0)
		return STATUS_OK;
	room = arena_alloc(env->arena, bytes.len);
	if (room == NULL)
		return no_memory(st);
	reason = open_bytes(env, bytes, room, &out, &packed);
	*ret_outcome = reason == REASON_NONE ? judge(env, &out) : outcome_invalid(reason);
	if (ret_outcome->verdict != VERDICT_VALID)
		return STATUS_OK;
	result = read_attributes(env, packed, &out);
	if (result == RECORD_NO_MEMORY)
		return no_memory(st);
	if (result == RECORD_OK)
		*ret = out;
	else
		*ret_outcome = outcome_closed(result);
	return STATUS_OK;
}

enum status_code anonymous_refuse(const struct plan_env *env, span token, struct session_outcome *ret_outcome,
				  struct status *st)
{
	struct anonymous a = {0};

	if (anonymous_read(env, token, &a, ret_outcome, st) != STATUS_OK)
		return st->code;
	if (ret_outcome->verdict == VERDICT_INVALID)
		return STATUS_OK;
	return status_set(st, STATUS_FAILED_PRECONDITION,
			  "token: an anonymous session is not stored anywhere: to end it let go of the token; to make "
			  "it a user's, create with promote");
}

/* `over` on top of `under`. */
static enum status_code merge(const struct plan_env *env, const struct anonymous *under, span over,
			      const struct session_attribute **ret, size_t *ret_count, struct status *st)
{
	span texts[2] = {SPAN_EMPTY, over};

	if (!attributes_print(env->arena, under->attributes, under->attribute_count, NULL, 0, &texts[0]) ||
	    attributes_merge(env->arena, texts, 2, ret, ret_count) != ATTRIBUTES_OK)
		return no_memory(st);
	return STATUS_OK;
}

/* ---- The calls ---- */

static void fill_info(const struct plan_env *env, const struct anonymous *a, struct session_info *ret)
{
	const struct session_class *class = session_class_by_tag(env->realm, a->class_tag);

	*ret = (struct session_info){
	    .is_anonymous = true,
	    .class_name = class == NULL ? SPAN_EMPTY : class->name,
	    .created_at_ms = a->created_s * 1000,
	    .idle_expires_at_ms = deadline_ms(a),
	    .expires_at_ms = deadline_ms(a),
	};
}

static enum status_code check_create(const struct session_create_request *req, struct status *st)
{
	const struct session_device *d = &req->device;
	const struct session_authentication *a = &req->authentication;

	if (req->promoted.len > 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "promote: makes a stored session of an anonymous one; leave out anonymous");
	if (req->user.len > 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "user: an anonymous session has none; leave out user or anonymous");
	if (d->user_agent.len + d->ip.len + d->label.len > 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "device: an anonymous session has none; leave out device or anonymous");
	if (a->at_ms > 0 || a->aal > 0 || a->amr_count > 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "authentication: nobody has authenticated in an anonymous session; leave it out");
	return STATUS_OK;
}

enum status_code anonymous_create_plan(const struct plan_env *env, const struct session_create_request *req,
				       const struct session_class *class, struct plan *ret_plan, struct status *st)
{
	struct session_state *s = state_new(env);
	struct anonymous *a = arena_alloc(env->arena, sizeof(*a));
	enum status_code code = check_create(req, st);

	if (code != STATUS_OK)
		return code;
	if (s == NULL || a == NULL)
		return no_memory(st);
	*a = (struct anonymous){
	    .created_s = creation_ms(env) / 1000,
	    .lifetime_s = req->absolute_timeout_s > 0 ? req->absolute_timeout_s : class->policy.absolute_timeout_s,
	    .class_tag = class->tag,
	    .attribute_count = req->attribute_count,
	    .attributes = req->attributes,
	};
	code = check_size(a, STATUS_INVALID_ARGUMENT, st);
	if (code == STATUS_OK)
		code = anonymous_write(env, a, st);
	if (code != STATUS_OK)
		return code;
	s->anonymous = a;
	s->decided = outcome_valid();
	*ret_plan = (struct plan){.session = s};
	return STATUS_OK;
}

void anonymous_create_answer(const struct plan_env *env, const struct session_state *s,
			     struct session_create_result *ret)
{
	*ret = (struct session_create_result){.token = s->anonymous->token};
	fill_info(env, s->anonymous, &ret->info);
}

enum status_code anonymous_plan(const struct plan_env *env, span token, struct plan *ret_plan, struct status *st)
{
	struct session_state *s = state_new(env);
	struct anonymous *a = arena_alloc(env->arena, sizeof(*a));

	if (s == NULL || a == NULL)
		return no_memory(st);
	if (anonymous_read(env, token, a, &s->decided, st) != STATUS_OK)
		return st->code;
	s->anonymous = a;
	*ret_plan = (struct plan){.session = s};
	return STATUS_OK;
}

/* Nobody has authenticated: whatever is demanded is not met. */
static bool is_demanding(const struct session_get_request *req)
{
	return req->minimum_aal > 0 || req->authenticated_within_s > 0 || req->amr_count > 0 || req->is_privileged;
}

enum status_code anonymous_get(const struct plan_env *env, const struct session_get_request *req,
			       const struct session_state *s, struct session_get_result *ret, struct status *st)
{
	*ret = (struct session_get_result){.outcome = s->decided};
	if (s->decided.verdict != VERDICT_VALID)
		return STATUS_OK;
	if (check_realm_known(env, st) != STATUS_OK)
		return st->code;
	if (is_demanding(req)) {
		ret->outcome = outcome_invalid(REASON_ASSURANCE_TOO_LOW);
		return STATUS_OK;
	}
	fill_info(env, s->anonymous, &ret->info);
	ret->attribute_count = s->anonymous->attribute_count;
	ret->attributes = s->anonymous->attributes;
	return STATUS_OK;
}

static enum status_code check_count(size_t count, enum status_code code, struct status *st)
{
	if (count <= ATTRIBUTES_STORED_MAX)
		return STATUS_OK;
	return status_set(st, code, "the session would have %zu attributes; at most %d. Remove some first", count,
			  ATTRIBUTES_STORED_MAX);
}

enum status_code anonymous_update(const struct plan_env *env, const struct session_update_request *req,
				  const struct session_state *s, struct session_update_result *ret, struct status *st)
{
	struct anonymous next = *s->anonymous;
	enum status_code code;
	span change;

	if (s->decided.verdict != VERDICT_VALID) {
		*ret = (struct session_update_result){.outcome = s->decided};
		return STATUS_OK;
	}
	if (req->has_expected_version)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "expected_version: an anonymous session has no version; leave it out");
	code = check_realm_known(env, st);
	if (code != STATUS_OK)
		return code;
	if (!attributes_print(env->arena, req->set, req->set_count, req->remove, req->remove_count, &change))
		return no_memory(st);
	code = merge(env, s->anonymous, change, &next.attributes, &next.attribute_count, st);
	if (code == STATUS_OK)
		code = check_count(next.attribute_count, STATUS_RESOURCE_EXHAUSTED, st);
	if (code == STATUS_OK)
		code = anonymous_write(env, &next, st);
	if (code == STATUS_OK)
		*ret = (struct session_update_result){
		    .outcome = outcome_valid(), .idle_expires_at_ms = deadline_ms(&next), .token = next.token};
	return code;
}

static const char *reason_name(enum session_reason reason)
{
	static const char *const names[] = {
#define X(name, number) [number] = #name,
	    SESSION_REASON_MAP(X)
#undef X
	};

	return names[reason];
}

/* The limits of a stored session hold for both together. */
static enum status_code check_union(const struct session_create_request *req, struct status *st)
{
	const size_t bytes = attributes_text_bytes(req->attributes, req->attribute_count, NULL, 0);

	if (bytes > ATTRIBUTES_TEXT_BYTES_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "attributes: with those of promote %zu bytes in all; at most %d. Send less", bytes,
				  ATTRIBUTES_TEXT_BYTES_MAX);
	return check_count(req->attribute_count, STATUS_INVALID_ARGUMENT, st);
}

enum status_code anonymous_promote(const struct plan_env *env, const struct session_create_request *req,
				   const struct session_create_request **ret, struct status *st)
{
	struct session_create_request *out = arena_alloc(env->arena, sizeof(*out));
	struct session_outcome outcome;
	struct anonymous from = {0};
	enum status_code code;
	span given;

	code = anonymous_read(env, req->promoted, &from, &outcome, st);
	if (code != STATUS_OK)
		return code;
	if (outcome.verdict != VERDICT_VALID)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "promote: no living anonymous session of this realm (%s); create without it",
				  reason_name(outcome.reason));
	if (check_realm_known(env, st) != STATUS_OK)
		return st->code;
	if (out == NULL || !attributes_print(env->arena, req->attributes, req->attribute_count, NULL, 0, &given))
		return no_memory(st);
	*out = *req;
	code = merge(env, &from, given, &out->attributes, &out->attribute_count, st);
	if (code == STATUS_OK)
		code = check_union(out, st);
	if (code == STATUS_OK)
		*ret = out;
	return code;
}
