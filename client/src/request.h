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
/* Of a change for which replicas are not waited. */
#define KEYED_TERMS(request)                                                                                           \
	{                                                                                                              \
		.timeout_ms = (request).timeout_ms, .traceparent = (request).traceparent,                              \
		.idempotency_key = (request).idempotency_key                                                           \
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

/* What a server is given to answer late on purpose, on top of what any answer may take. */
static inline uint32_t request_timeout(const lk_call *call, uint32_t given_ms, uint32_t wait_ms)
{
	uint64_t sum_ms = (uint64_t)call->client->options.call_timeout_ms + wait_ms;

	if (given_ms > 0 || wait_ms == 0)
		return given_ms;
	return sum_ms < LK_TIMEOUT_MS_MAX ? (uint32_t)sum_ms : LK_TIMEOUT_MS_MAX;
}

/* ---- The way of every request, for those that have a form ---- */

/* As much as any request struct has. */
#define REQUEST_BYTES_MAX 512

/* A request struct, and what turns it into a message. */
struct request_form {
	const char *name;
	size_t bytes;	    /* as this library knows it */
	size_t bytes_first; /* of its first version, which any program's has */
	/* The request is whole. Ends with request_submit or call_abandon. */
	enum lk_err (*start)(lk_call *call, const void *request);
};
/* `last`: as for TAKE. */
#define FORM(type, last, start)                                                                                        \
	{                                                                                                              \
#type, sizeof(struct type), offsetof(struct type, last) + sizeof(((struct type *)NULL)->last), start   \
	}

/* An `_async` function. */
enum lk_err request_start(lk_call *call, const struct request_form *form, const void *request)
    __attribute__((warn_unused_result));

/* A synchronous function, up to its results. LK_OK: the call has them, and the caller frees it. */
enum lk_err request_run(lk_client *client, const struct request_form *form, const void *request, struct lk_error *error,
			lk_call **ret_call) __attribute__((warn_unused_result));

#endif
