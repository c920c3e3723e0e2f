/* The calls of latchkey.v1.Limits: requests into messages, and answers into results. */

#include "latchkey/limit.h"

#include <assert.h>

#include "answers.h"
#include "latchkey/v1/limits.pb-c.h"
#include "request.h"

const char *lk_limit_algorithm_name(enum lk_limit_algorithm algorithm)
{
	static const char *const names[] = {"GCRA", "SLIDING_WINDOW", "FIXED_WINDOW", "TOKEN_BUCKET"};

	return (size_t)algorithm < sizeof(names) / sizeof(names[0]) ? names[algorithm] : "UNRECOGNIZED";
}

/* ---- Check ---- */

static enum lk_err start_check(lk_call *call, const void *request)
{
	const struct lk_limit_check_request *r = request;
	Latchkey__V1__CheckLimitRequest message = LATCHKEY__V1__CHECK_LIMIT_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, name, r->name);
	message.has_algorithm = r->algorithm != LK_LIMIT_GCRA;
	message.algorithm = (Latchkey__V1__LimitAlgorithm)r->algorithm;
	SET_NUMBER(message, limit, r->limit);
	SET_NUMBER(message, per_ms, r->per_ms);
	SET_NUMBER(message, burst, r->burst);
	message.has_cost = r->peek || r->cost > 0;
	message.cost = r->peek ? 0 : r->cost;
	return request_submit(call, METHOD_LIMIT_CHECK, &message.base, &(struct call_terms)KEYED_TERMS(*r));
}

static const struct request_form check_form = FORM(lk_limit_check_request, peek, start_check);

enum lk_err lk_limit_check_async(lk_call *call, const struct lk_limit_check_request *request)
{
	return request_start(call, &check_form, request);
}

enum lk_err lk_limit_check(lk_client *client, const struct lk_limit_check_request *request, struct lk_limit_state *ret,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret != NULL);
	err = request_run(client, &check_form, request, error, &call);
	if (err != LK_OK)
		return err;
	lk_call_limit(call, ret);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Reset ---- */

static enum lk_err start_reset(lk_call *call, const void *request)
{
	const struct lk_limit_reset_request *r = request;
	Latchkey__V1__ResetLimitRequest message = LATCHKEY__V1__RESET_LIMIT_REQUEST__INIT;

	SET(message, realm, request_realm(call, r->realm));
	SET(message, name, r->name);
	message.has_algorithm = r->algorithm != LK_LIMIT_GCRA;
	message.algorithm = (Latchkey__V1__LimitAlgorithm)r->algorithm;
	return request_submit(call, METHOD_LIMIT_RESET, &message.base, &(struct call_terms)KEYED_TERMS(*r));
}

static const struct request_form reset_form = FORM(lk_limit_reset_request, algorithm, start_reset);

enum lk_err lk_limit_reset_async(lk_call *call, const struct lk_limit_reset_request *request)
{
	return request_start(call, &reset_form, request);
}

enum lk_err lk_limit_reset(lk_client *client, const struct lk_limit_reset_request *request, bool *ret_existed,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &reset_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_existed != NULL)
		*ret_existed = lk_call_existed(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Answers ---- */

enum lk_err answer_limit_check(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__CheckLimitResponse *m = (const Latchkey__V1__CheckLimitResponse *)message;

	/* Silence is neither yes nor no. */
	if (!m->has_allowed)
		return not_understood(error, "a limit that neither allows nor refuses");
	results->limit = (struct lk_limit_state){
	    .struct_size = sizeof(results->limit),
	    .allowed = m->allowed,
	    .remaining = m->remaining,
	    .retry_after_ms = m->retry_after_ms,
	    .reset_ms = m->reset_ms,
	};
	return LK_OK;
}

enum lk_err answer_limit_reset(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	(void)error;
	results->had_effect = ((const Latchkey__V1__ResetLimitResponse *)message)->existed;
	return LK_OK;
}
