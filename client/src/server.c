/* The calls of latchkey.v1.Health and latchkey.v1.Server, as in session.c. */

#include <assert.h>

#include "latchkey/admin.h"
#include "latchkey/v1/health.pb-c.h"
#include "latchkey/v1/server.pb-c.h"
#include "request.h"

/* Ready to be packed, or an error and the call is idle again. */
static enum lk_err begin(lk_call *call, const struct lk_server_request *request, struct lk_server_request *ret)
{
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, ret, lk_server_request, service);
	return err == LK_OK ? LK_OK : call_abandon(call, err);
}

static enum lk_err submit(lk_call *call, enum method method, const ProtobufCMessage *message,
			  const struct lk_server_request *r)
{
	return request_submit(call, method, message, &(struct call_terms)TERMS(*r));
}

enum lk_err lk_health_async(lk_call *call, const struct lk_server_request *request)
{
	Latchkey__V1__HealthCheckRequest message = LATCHKEY__V1__HEALTH_CHECK_REQUEST__INIT;
	struct lk_server_request r;
	enum lk_err err = begin(call, request, &r);

	if (err != LK_OK)
		return err;
	message.has_service = r.service != NULL;
	message.service = binary_of(lk_text(r.service));
	return submit(call, METHOD_HEALTH, &message.base, &r);
}

enum lk_err lk_server_info_async(lk_call *call, const struct lk_server_request *request)
{
	const Latchkey__V1__ServerInfoRequest message = LATCHKEY__V1__SERVER_INFO_REQUEST__INIT;
	struct lk_server_request r;
	enum lk_err err = begin(call, request, &r);

	return err == LK_OK ? submit(call, METHOD_INFO, &message.base, &r) : err;
}

enum lk_err lk_server_stats_async(lk_call *call, const struct lk_server_request *request)
{
	const Latchkey__V1__ServerStatsRequest message = LATCHKEY__V1__SERVER_STATS_REQUEST__INIT;
	struct lk_server_request r;
	enum lk_err err = begin(call, request, &r);

	return err == LK_OK ? submit(call, METHOD_STATS, &message.base, &r) : err;
}

enum lk_err lk_server_redis_async(lk_call *call, const struct lk_server_request *request)
{
	const Latchkey__V1__ServerRedisRequest message = LATCHKEY__V1__SERVER_REDIS_REQUEST__INIT;
	struct lk_server_request r;
	enum lk_err err = begin(call, request, &r);

	return err == LK_OK ? submit(call, METHOD_REDIS, &message.base, &r) : err;
}

enum lk_err lk_server_keys_async(lk_call *call, const struct lk_server_request *request)
{
	const Latchkey__V1__ServerKeysRequest message = LATCHKEY__V1__SERVER_KEYS_REQUEST__INIT;
	struct lk_server_request r;
	enum lk_err err = begin(call, request, &r);

	return err == LK_OK ? submit(call, METHOD_KEYS, &message.base, &r) : err;
}

enum lk_err lk_server_policy_async(lk_call *call, const struct lk_server_policy_request *request)
{
	Latchkey__V1__ServerPolicyRequest message = LATCHKEY__V1__SERVER_POLICY_REQUEST__INIT;
	struct lk_server_policy_request r;
	enum lk_err err = call_begin(call);

	if (err != LK_OK)
		return err;
	err = TAKE(call, request, &r, lk_server_policy_request, session_class);
	if (err != LK_OK)
		return call_abandon(call, err);
	SET(message, realm, request_realm(call, r.realm));
	SET(message, session_class, lk_text(r.session_class));
	return request_submit(call, METHOD_POLICY, &message.base, &(struct call_terms)TERMS(r));
}

enum lk_err lk_health(lk_client *client, const struct lk_server_request *request, enum lk_serving *ret_serving,
		      struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_serving != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_health_async(call, request));
	if (err == LK_OK)
		*ret_serving = lk_call_serving(call);
	call_sync_end(&call, error);
	return err;
}

enum lk_err lk_server_info(lk_client *client, const struct lk_server_request *request, lk_info **ret_info,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_info != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_server_info_async(call, request));
	if (err == LK_OK)
		*ret_info = lk_call_take_info(call);
	call_sync_end(&call, error);
	return err;
}

enum lk_err lk_server_stats(lk_client *client, const struct lk_server_request *request, lk_stats **ret_stats,
			    struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_stats != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_server_stats_async(call, request));
	if (err == LK_OK)
		*ret_stats = lk_call_take_stats(call);
	call_sync_end(&call, error);
	return err;
}

enum lk_err lk_server_redis(lk_client *client, const struct lk_server_request *request, lk_redis_status **ret_status,
			    struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_status != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_server_redis_async(call, request));
	if (err == LK_OK)
		*ret_status = lk_call_take_redis_status(call);
	call_sync_end(&call, error);
	return err;
}

enum lk_err lk_server_keys(lk_client *client, const struct lk_server_request *request, lk_keys **ret_keys,
			   struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_keys != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_server_keys_async(call, request));
	if (err == LK_OK)
		*ret_keys = lk_call_take_keys(call);
	call_sync_end(&call, error);
	return err;
}

enum lk_err lk_server_policy(lk_client *client, const struct lk_server_policy_request *request, lk_policy **ret_policy,
			     struct lk_error *error)
{
	lk_call *call;
	enum lk_err err;

	assert(ret_policy != NULL);
	err = call_sync_begin(client, error, &call);
	if (err != LK_OK)
		return err;
	err = call_sync_wait(call, lk_server_policy_async(call, request));
	if (err == LK_OK)
		*ret_policy = lk_call_take_policy(call);
	call_sync_end(&call, error);
	return err;
}
