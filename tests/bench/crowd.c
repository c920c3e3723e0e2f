#include "bench/crowd.h"

#include <stdlib.h>

#include "bench/stage.h"
#include "bench/sweep.h"

struct maker {
	struct crowd *crowd;
	struct lk_session_create_request request;
	struct lk_attribute attribute;
};

void crowd_user(const struct crowd *c, unsigned i, char out[static CROWD_USER_BYTES])
{
	(void)snprintf(out, CROWD_USER_BYTES, "%s-%u", c->name, i / c->per_user);
}

void crowd_key(const struct crowd *c, unsigned i, char out[static CROWD_KEY_BYTES])
{
	/* TAG:NAME, TAG in 16 hexadecimal digits. */
	(void)snprintf(out, CROWD_KEY_BYTES, "lk1:s:{%.16s}:%s", c->handles[i], c->handles[i] + 17);
}

static enum lk_err create(lk_call *call, unsigned at, void *arg)
{
	const struct maker *maker = arg;
	struct lk_session_create_request request = maker->request;
	char user[CROWD_USER_BYTES];

	crowd_user(maker->crowd, at, user);
	request.user = lk_text(user);
	return lk_session_create_async(call, &request);
}

static bool keep(lk_call *call, unsigned at, void *arg)
{
	struct crowd *crowd = ((struct maker *)arg)->crowd;
	lk_session *session = lk_call_take_session(call);

	(void)snprintf(crowd->tokens[at], CROWD_TOKEN_BYTES, "%s", lk_session_token(session));
	(void)snprintf(crowd->handles[at], CROWD_HANDLE_BYTES, "%s", lk_session_handle(session));
	lk_session_free(&session);
	return true;
}

double crowd_make(lk_client *client, const char *name, const struct crowd_policy *policy, unsigned count,
		  unsigned per_user, struct crowd *ret)
{
	struct maker maker = {.crowd = ret, .request = LK_SESSION_CREATE_REQUEST_INIT, .attribute = bench_attribute()};
	const struct sweep sweep = {.client = client,
				    .name = "create",
				    .count = count,
				    .in_flight = SWEEP_IN_FLIGHT_MAX,
				    .start = create,
				    .check = keep,
				    .arg = &maker};

	*ret = (struct crowd){.count = count, .per_user = per_user};
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->tokens = calloc(count, sizeof(*ret->tokens));
	ret->handles = calloc(count, sizeof(*ret->handles));
	if (ret->tokens == NULL || ret->handles == NULL)
		bench_die("out of memory", NULL);
	if (policy != NULL) {
		maker.request.realm = policy->realm;
		maker.request.session_class = policy->session_class;
	}
	maker.request.attributes = &maker.attribute;
	maker.request.attribute_count = 1;
	return sweep_run(&sweep);
}

size_t crowd_record_bytes(const struct crowd *c, const struct redis_server *redis)
{
	char key[CROWD_KEY_BYTES];
	redisReply *reply;
	size_t bytes;

	crowd_key(c, 0, key);
	reply = redis_server_command(redis, "STRLEN %s", key);
	bytes = (size_t)reply->integer;
	freeReplyObject(reply);
	if (bytes < ATTRIBUTE_BYTES)
		bench_die("a session's record is not where it should be", NULL);
	return bytes;
}

void crowd_free(struct crowd *c)
{
	free(c->tokens);
	free(c->handles);
	*c = (struct crowd){0};
}
