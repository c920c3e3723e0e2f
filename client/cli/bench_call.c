/* The kinds of calls: what each takes from the pool of sessions, how it starts, and what it gives back. */

#include "bench_call.h"

#include <stdio.h>

enum use { USE_NONE, USE_SHARED, USE_TAKEN };

struct kind {
	enum use use;
	bool is_about_user;
	enum lk_err (*start)(struct bench_lane *lane);
};

static enum lk_err start_get(struct bench_lane *lane)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;

	request.token = lk_text(lane->held.token);
	request.peek = lane->kind == BENCH_PEEK;
	return lk_session_get_async(lane->call, &request);
}

static enum lk_err start_update(struct bench_lane *lane)
{
	struct lk_session_update_request request = LK_SESSION_UPDATE_REQUEST_INIT;

	request.token = lk_text(lane->held.token);
	request.set = &lane->worker->load->attribute;
	request.set_count = 1;
	return lk_session_update_async(lane->call, &request);
}

static enum lk_err start_create(struct bench_lane *lane)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;

	request.user = lk_text(lane->user_name);
	request.session_class = lane->worker->load->line->session_class;
	request.attributes = &lane->worker->load->attribute;
	request.attribute_count = 1;
	return lk_session_create_async(lane->call, &request);
}

static enum lk_err start_rotate(struct bench_lane *lane)
{
	struct lk_session_rotate_request request = LK_SESSION_ROTATE_REQUEST_INIT;

	request.token = lk_text(lane->held.token);
	return lk_session_rotate_async(lane->call, &request);
}

static enum lk_err start_revoke(struct bench_lane *lane)
{
	struct lk_session_revoke_request request = LK_SESSION_REVOKE_REQUEST_INIT;

	request.token = lk_text(lane->held.token);
	return lk_session_revoke_async(lane->call, &request);
}

static enum lk_err start_list(struct bench_lane *lane)
{
	struct lk_session_list_request request = LK_SESSION_LIST_REQUEST_INIT;

	request.user = lk_text(lane->user_name);
	return lk_session_list_async(lane->call, &request);
}

static enum lk_err start_revoke_user(struct bench_lane *lane)
{
	struct lk_session_revoke_user_request request = LK_SESSION_REVOKE_USER_REQUEST_INIT;

	request.user = lk_text(lane->user_name);
	return lk_session_revoke_user_async(lane->call, &request);
}

static const struct kind kinds[BENCH_KINDS] = {
    [BENCH_GET] = {USE_SHARED, false, start_get},	[BENCH_PEEK] = {USE_SHARED, false, start_get},
    [BENCH_UPDATE] = {USE_SHARED, false, start_update}, [BENCH_CREATE] = {USE_NONE, true, start_create},
    [BENCH_ROTATE] = {USE_TAKEN, false, start_rotate},	[BENCH_REVOKE] = {USE_TAKEN, false, start_revoke},
    [BENCH_LIST] = {USE_SHARED, true, start_list},	[BENCH_REVOKE_USER] = {USE_NONE, true, start_revoke_user},
};

static uint32_t next_user(struct bench_load *load)
{
	const uint64_t number = atomic_fetch_add(&load->users, 1);

	return (uint32_t)(load->line->bench.user_count > 0 ? number % load->line->bench.user_count : number);
}

void bench_call_equip(struct bench_lane *lane)
{
	struct bench_pool *pool = lane->worker->pool;
	const enum use use = kinds[lane->kind].use;
	const uint64_t random = bench_random(&lane->random);

	if ((use == USE_SHARED && !bench_pool_share(pool, random, &lane->held)) ||
	    (use == USE_TAKEN && !bench_pool_take(pool, random, &lane->held)))
		lane->kind = BENCH_CREATE;
	else if (use != USE_NONE)
		lane->user = lane->held.user;
	if (lane->kind == BENCH_CREATE)
		lane->user = next_user(lane->worker->load);
	if (kinds[lane->kind].is_about_user)
		(void)snprintf(lane->user_name, sizeof(lane->user_name), "%s-%u", lane->worker->load->run, lane->user);
}

enum lk_err bench_call_start(struct bench_lane *lane)
{
	return kinds[lane->kind].start(lane);
}

static enum lk_err keep_created(struct bench_lane *lane, lk_session *session)
{
	return bench_pool_add(lane->worker->pool, lk_session_token(session), lane->user) ? LK_OK : LK_E_NO_MEMORY;
}

enum lk_err bench_call_finish(struct bench_lane *lane, enum lk_err err, bool *ret_ended)
{
	struct bench_pool *pool = lane->worker->pool;
	lk_session *session = lk_call_take_session(lane->call);
	lk_sessions *list = lk_call_take_sessions(lane->call);
	const bool is_judged = lane->kind == BENCH_GET || lane->kind == BENCH_PEEK;

	*ret_ended =
	    err == LK_E_SESSION_INVALID || (is_judged && err == LK_OK && lk_call_verdict(lane->call) == LK_INVALID);
	if (kinds[lane->kind].use == USE_SHARED)
		bench_pool_unshare(pool, lane->held.id, *ret_ended);
	else if (lane->kind == BENCH_ROTATE)
		bench_pool_put(pool, lane->held.id, err == LK_OK ? lk_session_token(session) : NULL);
	else if (lane->kind == BENCH_REVOKE)
		bench_pool_put(pool, lane->held.id, NULL);
	else if (lane->kind == BENCH_CREATE && err == LK_OK)
		err = keep_created(lane, session);
	lk_session_free(&session);
	lk_sessions_free(&list);
	return err;
}
