#include "bench/crowd.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "support/wait.h"

/* Enough to keep the service busy; few enough that its limits are far. */
#define IN_FLIGHT 64
/* For 100,000 sessions: a hundred times what an idle machine takes. */
#define CROWD_MS 300000

struct maker {
	struct crowd *crowd;
	struct lk_session_create_request request;
	struct lk_attribute attribute;
	_Atomic unsigned next;
	_Atomic unsigned made;
	_Atomic bool has_failed;
};

struct seat {
	struct maker *maker;
	unsigned at;
};

void crowd_user(const struct crowd *c, unsigned i, char out[static CROWD_USER_BYTES])
{
	(void)snprintf(out, CROWD_USER_BYTES, "%s-%u", c->name, i / c->per_user);
}

static void make_next(struct seat *seat, lk_call *call)
{
	struct lk_session_create_request request = seat->maker->request;
	char user[CROWD_USER_BYTES];

	seat->at = atomic_fetch_add(&seat->maker->next, 1);
	if (seat->at >= seat->maker->crowd->count)
		return;
	crowd_user(seat->maker->crowd, seat->at, user);
	request.user = lk_text(user);
	if (lk_session_create_async(call, &request) != LK_OK)
		atomic_store(&seat->maker->has_failed, true);
}

static void on_created(lk_call *call, enum lk_err err, void *arg)
{
	struct seat *seat = arg;
	struct crowd *crowd = seat->maker->crowd;
	lk_session *session = lk_call_take_session(call);

	if (err != LK_OK) {
		atomic_store(&seat->maker->has_failed, true);
		return;
	}
	(void)snprintf(crowd->tokens[seat->at], CROWD_TOKEN_BYTES, "%s", lk_session_token(session));
	(void)snprintf(crowd->handles[seat->at], CROWD_HANDLE_BYTES, "%s", lk_session_handle(session));
	lk_session_free(&session);
	atomic_fetch_add(&seat->maker->made, 1);
	make_next(seat, call);
}

static void await_all(struct maker *maker, lk_call **calls)
{
	const bool are_made =
	    WAIT_FOR(atomic_load(&maker->made) == maker->crowd->count || atomic_load(&maker->has_failed), CROWD_MS);

	if (!are_made || atomic_load(&maker->has_failed))
		bench_die("the sessions could not be created", NULL);
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		lk_call_free(&calls[i]);
}

void crowd_make(struct bench *b, const char *name, const struct crowd_policy *policy, unsigned count, unsigned per_user,
		struct crowd *ret)
{
	struct maker maker = {.crowd = ret, .request = LK_SESSION_CREATE_REQUEST_INIT, .attribute = bench_attribute()};
	struct seat seats[IN_FLIGHT];
	lk_call *calls[IN_FLIGHT];

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
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		seats[i] = (struct seat){.maker = &maker};
		if (lk_call_new(b->client, on_created, &seats[i], &calls[i]) != LK_OK)
			bench_die("out of memory", NULL);
		make_next(&seats[i], calls[i]);
	}
	await_all(&maker, calls);
}

void crowd_free(struct crowd *c)
{
	free(c->tokens);
	free(c->handles);
	*c = (struct crowd){0};
}
