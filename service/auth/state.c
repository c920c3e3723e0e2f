#include "auth/state.h"

#include "crypto/names.h"

/* An epoch is read by all answers that were begun in it: half of its life is left when one is given. */
#define EPOCH_LIVES 2

static enum status_code check_length(const char *what, span text, size_t max, struct status *st)
{
	if (text.len >= 1 && text.len <= max)
		return STATUS_OK;
	return status_set(st, STATUS_INVALID_ARGUMENT, "%s: %zu bytes; 1 to %zu are allowed", what, text.len, max);
}

enum status_code auth_check_subject(span subject, struct status *st)
{
	return check_length("subject", subject, USER_BYTES_MAX, st);
}

enum status_code auth_check_place(const struct lease_place *place, struct status *st)
{
	if (auth_check_subject(place->subject, st) != STATUS_OK)
		return st->code;
	return check_length("key", place->key, AUTH_KEY_BYTES_MAX, st);
}

bool auth_epoch_key(const struct plan_env *env, span subject, span *ret)
{
	char tag[USER_TAG_CHARS];

	tag_of_user(env, subject, tag);
	return key_of_subject(env->arena, 'f', tag, ret);
}

struct auth_state *auth_state_new(const struct plan_env *env, const struct lease_place *place)
{
	const span inputs[] = {env->realm->name, place->subject, place->key};
	struct auth_state *s = arena_alloc(env->arena, sizeof(*s));
	char name[NAME_CHARS];
	char tag[USER_TAG_CHARS];

	if (s == NULL)
		return NULL;
	s->place = *place;
	tag_of_user(env, place->subject, tag);
	name_of_inputs(env, NAME_AUTH_ANSWER, inputs, sizeof(inputs) / sizeof(inputs[0]), name);
	if (!key_under_subject(env->arena, 'a', tag, span_of(name, sizeof(name)), &s->key) ||
	    !key_of_subject(env->arena, 'f', tag, &s->epoch))
		return NULL;
	return s;
}

uint64_t auth_epoch_ms(const struct realm *realm)
{
	const struct auth_policy *p = &realm->auth;
	const uint64_t fresh_s = p->ttl_s > p->negative_ttl_s ? p->ttl_s : p->negative_ttl_s;

	return EPOCH_LIVES * ((fresh_s + p->stale_s) * 1000 + AUTH_LEASE_MS_MAX);
}

enum status_code auth_plan_group(const struct plan_env *env, struct auth_state *s, const struct group *group,
				 struct plan *plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_NO_SCRIPT, false);

	*plan = (struct plan){.auth = s};
	w.command.key = group->key;
	command_arg(&w, SPAN_LIT("GET"));
	command_arg(&w, group->key);
	return command_end(&w, plan, st);
}
