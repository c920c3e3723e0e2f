/* The calls of latchkey.v1.Visitors: requests into messages, and answers into results. */

#include "latchkey/visitors.h"

#include "answers.h"
#include "latchkey/v1/visitors.pb-c.h"
#include "request.h"

#define IDS_MAX	     1024
#define COUNTERS_MAX 16

/* ---- Record ---- */

static enum lk_err start_record(lk_call *call, const void *request)
{
	const struct lk_visitors_record_request *r = request;
	Latchkey__V1__RecordVisitorsRequest message = LATCHKEY__V1__RECORD_VISITORS_REQUEST__INIT;
	ProtobufCBinaryData ids[IDS_MAX];

	if (r->id_count > IDS_MAX)
		return call_abandon(call, request_too_many(call, "ids", r->id_count, IDS_MAX));
	for (size_t i = 0; i < r->id_count; i++)
		ids[i] = binary_of(r->ids[i]);
	SET(message, realm, request_realm(call, r->realm));
	SET(message, counter, lk_text(r->counter));
	message.n_ids = r->id_count;
	message.ids = ids;
	SET_NUMBER(message, at_ms, r->at_ms);
	return request_submit(call, METHOD_VISITORS_RECORD, &message.base, &(struct call_terms)TERMS(*r));
}

static const struct request_form record_form = FORM(lk_visitors_record_request, at_ms, start_record);

enum lk_err lk_visitors_record_async(lk_call *call, const struct lk_visitors_record_request *request)
{
	return request_start(call, &record_form, request);
}

enum lk_err lk_visitors_record(lk_client *client, const struct lk_visitors_record_request *request, bool *ret_changed,
			       struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &record_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_changed != NULL)
		*ret_changed = lk_call_changed(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Count ---- */

static enum lk_err start_count(lk_call *call, const void *request)
{
	const struct lk_visitors_count_request *r = request;
	Latchkey__V1__CountVisitorsRequest message = LATCHKEY__V1__COUNT_VISITORS_REQUEST__INIT;
	ProtobufCBinaryData counters[COUNTERS_MAX];

	if (r->counter_count > COUNTERS_MAX)
		return call_abandon(call, request_too_many(call, "counters", r->counter_count, COUNTERS_MAX));
	for (size_t i = 0; i < r->counter_count; i++)
		counters[i] = binary_of(lk_text(r->counters[i]));
	SET(message, realm, request_realm(call, r->realm));
	message.n_counters = r->counter_count;
	message.counters = counters;
	message.has_bucket = r->by_hour;
	message.bucket = LATCHKEY__V1__VISITOR_BUCKET__HOUR;
	SET_NUMBER(message, from_ms, r->from_ms);
	SET_NUMBER(message, to_ms, r->to_ms);
	return request_submit(call, METHOD_VISITORS_COUNT, &message.base, &(struct call_terms)TERMS(*r));
}

static const struct request_form count_form = FORM(lk_visitors_count_request, to_ms, start_count);

enum lk_err lk_visitors_count_async(lk_call *call, const struct lk_visitors_count_request *request)
{
	return request_start(call, &count_form, request);
}

enum lk_err lk_visitors_count(lk_client *client, const struct lk_visitors_count_request *request, uint64_t *ret_count,
			      uint32_t *ret_buckets, struct lk_error *error)
{
	lk_call *call;
	enum lk_err err = request_run(client, &count_form, request, error, &call);

	if (err != LK_OK)
		return err;
	if (ret_count != NULL)
		*ret_count = lk_call_visitors(call);
	if (ret_buckets != NULL)
		*ret_buckets = lk_call_buckets(call);
	lk_call_free(&call);
	return LK_OK;
}

/* ---- Answers ---- */

enum lk_err answer_visitors_record(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	(void)error;
	results->had_effect = ((const Latchkey__V1__RecordVisitorsResponse *)message)->changed;
	return LK_OK;
}

enum lk_err answer_visitors_count(const ProtobufCMessage *message, struct results *results, struct lk_error *error)
{
	const Latchkey__V1__CountVisitorsResponse *m = (const Latchkey__V1__CountVisitorsResponse *)message;

	/* Silence is no zero. */
	if (!m->has_count)
		return not_understood(error, "a count without a number");
	results->visitors = m->count;
	results->buckets = m->buckets;
	return LK_OK;
}
