/* Answers of the auth cache: one block each, as in result.c, wiped when freed: they are about people, and a lease is a
 * right to write. */

#include "auth_result.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "answers.h"
#include "blob.h"
#include "codec.h"
#include "latchkey/v1/auth_cache.pb-c.h"

struct lk_auth_answer {
	atomic_uint refs;
	size_t block_bytes;
	enum lk_auth_state state;
	struct lk_bytes bytes;
	struct lk_bytes lease;
	uint64_t expires_at_ms;
	uint32_t retry_after_ms;
	bool is_early;
	bool is_loaded;
};

static const char *const states[] = {
#define X(name, number) [number] = &#name[sizeof("LK_AUTH_") - 1],
    LK_AUTH_STATE_MAP(X)
#undef X
};

#define STATES (sizeof(states) / sizeof(states[0]))

const char *lk_auth_state_name(enum lk_auth_state state)
{
	return (size_t)state < STATES ? states[state] : states[LK_AUTH_UNKNOWN];
}

static bool has_answer(enum lk_auth_state state)
{
	return state == LK_AUTH_HIT || state == LK_AUTH_STALE;
}

static void fill(struct blob *blob, const void *from, void *answer)
{
	const struct auth_parts *parts = from;
	struct lk_auth_answer *to = answer;
	const ProtobufCBinaryData bytes = binary_of(parts->bytes.data != NULL ? parts->bytes : lk_text(""));

	to->state = parts->state;
	if (has_answer(parts->state))
		to->bytes = blob_copy(blob, bytes);
	if (parts->lease.len > 0)
		to->lease = blob_copy(blob, binary_of(parts->lease));
	to->expires_at_ms = parts->expires_at_ms;
	to->retry_after_ms = parts->retry_after_ms;
	to->is_early = parts->is_early;
	to->is_loaded = parts->is_loaded;
}

lk_auth_answer *auth_answer_new(const struct auth_parts *parts)
{
	size_t bytes;
	struct lk_auth_answer *answer = blob_build(sizeof(*answer), fill, parts, &bytes);

	if (answer == NULL)
		return NULL;
	answer->block_bytes = bytes;
	atomic_init(&answer->refs, 1);
	return answer;
}

lk_auth_answer *auth_answer_retain(lk_auth_answer *answer)
{
	(void)atomic_fetch_add_explicit(&answer->refs, 1, memory_order_relaxed);
	return answer;
}

void lk_auth_answer_free(lk_auth_answer **answer)
{
	lk_auth_answer *own = *answer;

	*answer = NULL;
	if (own == NULL || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) > 1)
		return;
	explicit_bzero(own, own->block_bytes);
	free(own);
}

enum lk_auth_state lk_auth_state_of(const lk_auth_answer *answer)
{
	return answer->state;
}

struct lk_bytes lk_auth_answer_bytes(const lk_auth_answer *answer)
{
	return answer->bytes;
}

uint64_t lk_auth_answer_expires_at_ms(const lk_auth_answer *answer)
{
	return answer->expires_at_ms;
}

struct lk_bytes lk_auth_answer_lease(const lk_auth_answer *answer)
{
	return answer->lease;
}

uint32_t lk_auth_answer_retry_after_ms(const lk_auth_answer *answer)
{
	return answer->retry_after_ms;
}

bool lk_auth_answer_is_early(const lk_auth_answer *answer)
{
	return answer->is_early;
}

bool lk_auth_answer_is_loaded(const lk_auth_answer *answer)
{
	return answer->is_loaded;
}

/* ---- Answers of servers ---- */

enum lk_err answer_auth_lookup(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__LookupAuthResponse *m = (const Latchkey__V1__LookupAuthResponse *)message;
	const struct auth_parts parts = {
	    .state = (enum lk_auth_state)m->state,
	    .bytes = lk_bytes_of(m->answer.data, m->answer.len),
	    .lease = lk_bytes_of(m->lease.data, m->lease.len),
	    .expires_at_ms = m->expires_at_ms,
	    .retry_after_ms = m->retry_after_ms,
	    .is_early = m->early,
	};

	/* What a later version may say besides is no answer that this one could act on. */
	if (!m->has_state || parts.state == LK_AUTH_UNKNOWN || (size_t)parts.state >= STATES)
		return not_understood(error, "a state of an answer that this version does not know");
	/* Taken for an empty answer, its absence might allow what was never answered. */
	if (has_answer(parts.state) && !m->has_answer)
		return not_understood(error, "an answer that is there and is not sent");
	results->auth = auth_answer_new(&parts);
	return results->auth != NULL ? LK_OK : out_of_memory(error);
}

enum lk_err answer_auth_fill(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__FillAuthResponse *m = (const Latchkey__V1__FillAuthResponse *)message;

	(void)error;
	results->had_effect = m->stored;
	results->expires_at_ms = m->expires_at_ms;
	return LK_OK;
}

enum lk_err answer_auth_forget(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	(void)error;
	results->had_effect = ((const Latchkey__V1__ForgetAuthResponse *)message)->forgotten;
	return LK_OK;
}
