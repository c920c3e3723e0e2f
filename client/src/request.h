#ifndef LK_CLIENT_REQUEST_H
#define LK_CLIENT_REQUEST_H

/* What the functions that turn requests into messages share. */

#include "call.h"
#include "client.h"
#include "error.h"
#include "latchkey/v1/sessions.pb-c.h"
#include "options.h"

/* The wire's own limits: what goes beyond never gets that far. */
#define ATTRIBUTES_MAX 64
#define AMR_MAX	       8
#define TOKENS_MAX     64

/* `last`: the last field that the struct had in its first version, which any program's has. */
#define TAKE(call, given, to, name, last)                                                                              \
	struct_take((given), (to), sizeof(*(to)), offsetof(struct name, last) + sizeof((to)->last), #name,             \
		    &(call)->error)
#define TERMS(request)                                                                                                 \
	{                                                                                                              \
		.timeout_ms = (request).timeout_ms, .traceparent = (request).traceparent                               \
	}
#define MUTATING_TERMS(request)                                                                                        \
	{                                                                                                              \
		.timeout_ms = (request).timeout_ms, .traceparent = (request).traceparent,                              \
		.idempotency_key = (request).idempotency_key, .wait_replicas = (request).wait_replicas,                \
		.wait_ms = (request).wait_ms                                                                           \
	}
#define SET(message, field, bytes)	   ((message).has_##field = ((message).field = binary_of(bytes)).len > 0)
#define SET_NUMBER(message, field, number) ((message).has_##field = ((message).field = (number)) != 0)

/* The realm of a request, else of the client, else none. */
static inline struct lk_bytes request_realm(const lk_call *call, const char *given)
{
	return lk_text(given != NULL ? given : call->client->options.realm);
}

/* Whatever a browser sends is for the server to judge, but no more of it than any token has. */
static inline struct lk_bytes request_token(struct lk_bytes given)
{
	return given.len <= LK_TOKEN_BYTES_MAX ? given : lk_bytes_of(given.data, LK_TOKEN_BYTES_MAX);
}

/* What tokens have at most. Beyond it nothing is one, and one byte more is enough to tell. */
#define STORED_TOKEN_BYTES_MAX 105
#define TOKEN_BYTES_MAX	       3072

/* Of many, so that those made too long by strangers do not make the request too large: cut to what the server finds
 * malformed as well. What begins with "lk" is a token, perhaps one of a server that is newer than this library. */
static inline struct lk_bytes request_token_of_many(struct lk_bytes given)
{
	const bool may_be_long = given.len >= 2 && memcmp(given.data, "lk", 2) == 0 &&
				 (given.len < 5 || memcmp(given.data, "lks1_", 5) != 0);
	const size_t enough = (may_be_long ? TOKEN_BYTES_MAX : STORED_TOKEN_BYTES_MAX) + 1;

	return given.len <= enough ? given : lk_bytes_of(given.data, enough);
}

static inline enum lk_err request_too_many(lk_call *call, const char *what, size_t count, size_t max)
{
	return error_set(&call->error, LK_E_INVALID_ARGUMENT, "%zu %s in one request, at most %zu", count, what, max);
}

static inline enum lk_err request_tokens(lk_call *call, const struct lk_bytes *given, size_t count,
					 ProtobufCBinaryData to[static TOKENS_MAX])
{
	if (count > TOKENS_MAX)
		return request_too_many(call, "tokens", count, TOKENS_MAX);
	for (size_t i = 0; i < count; i++)
		to[i] = binary_of(request_token_of_many(given[i]));
	return LK_OK;
}

static inline enum lk_err request_submit(lk_call *call, enum method method, const ProtobufCMessage *message,
					 const struct call_terms *terms)
{
	enum lk_err err = call_pack(call, message);

	return err == LK_OK ? call_submit(call, method, terms) : call_abandon(call, err);
}

#endif
