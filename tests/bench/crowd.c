#include "bench/crowd.h"

#include <stdlib.h>
#include <string.h>

#include "bench/stage.h"
#include "bench/sweep.h"

#define TEXTS 7

/* What a shop keeps of somebody who is logged in: keys and values are ATTRIBUTE_BYTES together, of which the tenant, the
 * token against request forgery and the figures, a third, are nobody's but his. */
static const char *const texts[TEXTS][2] = {
    {"email", "tobias.lindqvist@nordvik.se"},
    {"name", "Tobias Lindqvist"},
    {"roles", "customer,reviewer,wholesale"},
    {"locale", "sv-SE"},
    {"tenant_id", "6f1c2b7e-93d4-4a5b-8e0f-c7215d94ab36"},
    {"csrf_token", "pB3xk0Vq9ZtYc1LrJ8mWsA"},
    {"cart", "{\"items\":[{\"sku\":\"K-48213\",\"qty\":2},{\"sku\":\"M-10447\",\"qty\":1}],\"total\":\"184.90\"}"},
};

struct maker {
	struct crowd *crowd;
	struct lk_session_create_request request;
	struct lk_attribute attributes[TEXTS];
};

void crowd_user(const struct crowd *c, unsigned i, char out[static CROWD_USER_BYTES])
{
	(void)snprintf(out, CROWD_USER_BYTES, "%s-%u", c->name, i / c->per_user);
}

void crowd_key(const struct crowd *c, unsigned i, char out[static CROWD_KEY_BYTES])
{
	/* Of TAG.NAME, TAG has 11 characters. */
	(void)snprintf(out, CROWD_KEY_BYTES, "lk1:s:{%.11s}:%s", c->handles[i], c->handles[i] + 12);
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

static size_t fill(struct lk_attribute attributes[static TEXTS], bool has_texts)
{
	size_t bytes = 0;

	if (!has_texts) {
		attributes[0] = bench_attribute();
		return 1;
	}
	for (size_t i = 0; i < TEXTS; i++) {
		attributes[i] = (struct lk_attribute){lk_text(texts[i][0]), lk_text(texts[i][1])};
		bytes += strlen(texts[i][0]) + strlen(texts[i][1]);
	}
	if (bytes != ATTRIBUTE_BYTES)
		bench_die("the texts are of another length", NULL);
	return TEXTS;
}

double crowd_make(lk_client *client, const char *name, const struct crowd_policy *policy, unsigned count,
		  unsigned per_user, struct crowd *ret)
{
	struct maker maker = {.crowd = ret, .request = LK_SESSION_CREATE_REQUEST_INIT};
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
	maker.request.attributes = maker.attributes;
	maker.request.attribute_count = fill(maker.attributes, policy != NULL && policy->has_texts);
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
