/* An answer is forgotten with its lease, so that a fill under way is refused; a subject or a group by its epoch, whatever
 * there is of it. After a failover the same is done once more: what was forgotten twice is loaded once more at worst. */

#include "auth/news.h"
#include "auth/state.h"

#include "crypto/codec.h"

#define MARK_BYTES 8
/* Longer than a command may be sent again: no call takes longer than calls.timeout_max_ms, 30 s by default. */
#define TOMBSTONE_MS 60000

static enum status_code check_request(const struct auth_forget_request *req, struct status *st)
{
	if ((req->group.len > 0) == (req->subject.len > 0))
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "name a subject, with or without a key, or a group: one of the two");
	if (req->group.len > 0 && req->key.len > 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "key: of a subject only; a group is forgotten whole");
	if (req->group.len > 0)
		return groups_check_name(req->group, st);
	if (req->key.len > 0)
		return auth_check_place(&(struct lease_place){req->subject, req->key}, st);
	return auth_check_subject(req->subject, st);
}

/* Of a subject or a group. */
static bool make_epoch_key(const struct plan_env *env, const struct auth_forget_request *req, span *ret)
{
	uint8_t tag[GROUP_TAG_BYTES];

	if (req->subject.len > 0)
		return auth_epoch_key(env, req->subject, ret);
	group_tag(env, req->group, tag);
	return group_key(env->arena, tag, ret);
}

static struct auth_state *make_state(const struct plan_env *env, const struct auth_forget_request *req)
{
	struct auth_state *s;

	if (req->key.len > 0)
		return auth_state_new(env, &(struct lease_place){req->subject, req->key});
	s = arena_alloc(env->arena, sizeof(*s));
	return s != NULL && make_epoch_key(env, req, &s->key) ? s : NULL;
}

static struct command_writer start(const struct plan_env *env, const struct auth_state *s, span mark)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_AUTH_FORGET, true);

	command_key(&w, s->key);
	command_arg(&w, mark);
	command_number(&w, TOMBSTONE_MS);
	return w;
}

enum status_code auth_forget_plan(const struct plan_env *env, const struct auth_forget_request *req,
				  struct plan *ret_plan, struct status *st)
{
	uint8_t random[MARK_BYTES];
	struct plan plan = {0};
	struct command_writer w;
	span mark = SPAN_EMPTY;

	if (check_request(req, st) != STATUS_OK)
		return st->code;
	plan.auth = make_state(env, req);
	random_fill(random, sizeof(random));
	if (plan.auth == NULL || (req->key.len > 0 && !arena_copy(env->arena, span_of(random, sizeof(random)), &mark)))
		return no_memory(st);
	w = start(env, plan.auth, mark);
	if (command_end(&w, &plan, st) != STATUS_OK)
		return st->code;
	*ret_plan = plan;
	return STATUS_OK;
}

/* True: the reply is of the shape that was asked for. */
static bool read_reply(const struct auth_state *s, const struct store_reply *reply, bool *ret_was_there)
{
	const struct store_reply *number = reply_element(reply, 0, STORE_INTEGER);

	*ret_was_there = s->epoch.len == 0 || (number != NULL && number->integer == 1);
	return s->epoch.len == 0 ? plan_redo_is_done(reply) : number != NULL;
}

enum status_code auth_forget_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct auth_forget_result *ret, struct status *st)
{
	const struct auth_state *s = plan->auth;
	struct command_writer w;
	bool was_there;

	plan->redos = NULL;
	if (!read_reply(s, reply, &was_there))
		return reply_odd(st, "auth_forget");
	auth_news_forget(env->auth_news, s->key, env->mono_ms);
	w = start(env, s, SPAN_EMPTY);
	if (!command_end_redo(&w, auth_epoch_ms(env->realm), plan))
		return no_memory(st);
	ret->is_forgotten = was_there;
	return STATUS_OK;
}
