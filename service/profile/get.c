/* One command, as a rule. A profile that is missing on a primary that has just taken over may be one that others are
 * still bringing back: it is looked for once more when that is over, which is the one second round trip. */

#include <stdlib.h>

#include "base/metrics.h"
#include "profile/field.h"

static enum status_code plan_read(const struct plan_env *env, const struct profile_state *s, bool is_last,
				  struct plan *plan, struct status *st)
{
	const struct get_state *g = &s->get;
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_PROFILE_GET, false);

	if (is_last)
		w.command.settling_ms = SETTLING_MS;
	else
		w.command.staleness_ms = g->req->staleness_ms;
	command_key(&w, s->key);
	command_arg(&w, span_of(g->ids, g->req->field_count * FIELD_ID_BYTES));
	return command_end(&w, plan, st);
}

enum status_code profile_get_plan(const struct plan_env *env, const struct profile_get_request *req,
				  struct plan *ret_plan, struct status *st)
{
	struct plan plan = {0};
	struct field_place place;
	enum status_code code = check_bytes("user", req->user.len, 1, USER_BYTES_MAX, st);
	uint8_t *ids;

	if (code == STATUS_OK && req->field_count > PROFILE_AT_ONCE_MAX)
		code = status_set(st, STATUS_INVALID_ARGUMENT, "fields: %zu of them; at most %d. None: all",
				  req->field_count, PROFILE_AT_ONCE_MAX);
	for (size_t i = 0; i < req->field_count && code == STATUS_OK; i++)
		code = check_bytes("field name", req->fields[i].len, 1, FIELD_NAME_BYTES_MAX, st);
	if (code != STATUS_OK)
		return code;
	plan.profile = profile_state_of(env, req->user);
	ids = arena_array(env->arena, req->field_count, FIELD_ID_BYTES);
	if (plan.profile == NULL || ids == NULL)
		return no_memory(st);
	plan.profile->get = (struct get_state){.req = req, .ids = ids};
	place = (struct field_place){.env = env, .tag = plan.profile->tag, .key = plan.profile->key};
	for (size_t i = 0; i < req->field_count; i++)
		field_id(&place, req->fields[i], ids + i * FIELD_ID_BYTES);
	code = plan_read(env, plan.profile, false, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

static enum status_code refuse(enum field_result result, struct status *st)
{
	switch (result) {
	case FIELD_OK:
		return STATUS_OK;
	case FIELD_NO_MEMORY:
		return no_memory(st);
	case FIELD_KEY_MISSING:
		metric_add(METRIC_RECORDS_KEY_MISSING, 1);
		return status_set(st, STATUS_UNAVAILABLE,
				  "a field is sealed under a key that is not in this instance's keyring: it was taken "
				  "out too early, or has not been given to this instance yet");
	case FIELD_UNREADABLE:
		break;
	}
	metric_add(METRIC_RECORDS_UNREADABLE, 1);
	return status_set(st, STATUS_DATA_LOSS,
			  "a field of the profile does not open: it was damaged or tampered with, or a newer version "
			  "wrote it; put the profile anew");
}

/* The reply's pairs of name in the hash and value, sorted: a counter's name behind the counter. */
struct pair {
	span id; /* without the 'n' in front */
	bool is_name;
	span value;
};

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a;
	const struct pair *y = b;
	const int order = memcmp(x->id.ptr, y->id.ptr, FIELD_ID_BYTES);

	return order != 0 ? order : (int)x->is_name - (int)y->is_name;
}

static int compare_fields(const void *a, const void *b)
{
	const span x = ((const struct profile_field *)a)->name;
	const span y = ((const struct profile_field *)b)->name;
	const int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);

	return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

/* False: the reply is no list of pairs. */
static bool take_pairs(const struct store_reply *reply, struct pair *out, size_t *ret_count)
{
	size_t count = 0;

	for (size_t i = 2; i < reply->count; i += 2) {
		const struct store_reply *name = reply_element(reply, i, STORE_STRING);
		const struct store_reply *value = reply_element(reply, i + 1, STORE_STRING);

		if (name == NULL || value == NULL)
			return false;
		if (name->string.len == FIELD_ID_BYTES)
			out[count++] = (struct pair){.id = name->string, .value = value->string};
		else if (name->string.len == 1 + FIELD_ID_BYTES)
			out[count++] = (struct pair){.id = span_of(name->string.ptr + 1, FIELD_ID_BYTES),
						     .is_name = true,
						     .value = value->string};
	}
	qsort(out, count, sizeof(*out), compare_pairs);
	*ret_count = count;
	return true;
}

/* Which of those asked for it is; empty when all were. */
static span name_asked(const struct get_state *g, span id)
{
	for (size_t i = 0; i < g->req->field_count; i++)
		if (memcmp(g->ids + i * FIELD_ID_BYTES, id.ptr, FIELD_ID_BYTES) == 0)
			return g->req->fields[i];
	return SPAN_EMPTY;
}

/* Asked for twice. */
static bool is_repeated(const struct pair *pairs, size_t i)
{
	return i > 0 && compare_pairs(&pairs[i - 1], &pairs[i]) == 0;
}

static enum status_code open_pairs(const struct field_place *place, const struct get_state *g, const struct pair *pairs,
				   size_t count, struct profile_field *out, size_t *ret_count, struct status *st)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct field_stored stored = {.id = pairs[i].id, .text = pairs[i].value};
		enum field_result result;

		if (pairs[i].is_name || is_repeated(pairs, i))
			continue;
		if (i + 1 < count && pairs[i + 1].is_name)
			stored.name_seal = pairs[i + 1].value;
		else if (stored.text.len > 0 && stored.text.ptr[0] != 0)
			stored.name = name_asked(g, stored.id);
		result = field_open(place, &stored, &out[n]);
		if (result != FIELD_OK)
			return refuse(result, st);
		n++;
	}
	qsort(out, n, sizeof(*out), compare_fields);
	*ret_count = n;
	return STATUS_OK;
}

static enum status_code read_profile(const struct plan_env *env, const struct profile_state *s,
				     const struct store_reply *reply, struct profile_get_result *ret, struct status *st)
{
	const struct field_place place = {.env = env, .tag = s->tag, .key = s->key};
	const struct store_reply *version = reply_element(reply, 0, STORE_STRING);
	const struct store_reply *left = reply_element(reply, 1, STORE_INTEGER);
	struct pair *pairs = arena_array(env->arena, reply->count / 2, sizeof(*pairs));
	struct profile_field *fields = arena_array(env->arena, reply->count / 2, sizeof(*fields));
	struct profile_get_result out = {.is_found = true, .fields = fields};
	size_t count;

	if (pairs == NULL || fields == NULL)
		return no_memory(st);
	if (version == NULL || left == NULL || !number_parse(version->string, &out.version) ||
	    !take_pairs(reply, pairs, &count))
		return reply_odd(st, "profile_get");
	if (left->integer >= 0)
		out.expires_at_ms = env->now_ms + (uint64_t)left->integer;
	if (open_pairs(&place, &s->get, pairs, count, fields, &out.field_count, st) != STATUS_OK)
		return st->code;
	*ret = out;
	return STATUS_OK;
}

enum status_code profile_get_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    enum plan_next *ret_next, struct profile_get_result *ret, struct status *st)
{
	struct profile_state *s = plan->profile;

	*ret_next = PLAN_DONE;
	plan->redos = NULL;
	if (reply == NULL || reply->type != STORE_ARRAY)
		return reply_odd(st, "profile_get");
	if (reply->count > 1)
		return read_profile(env, s, reply, ret, st);
	/* A tombstone is proof. */
	if (reply->count == 0 && env->is_unsettled && !s->get.is_last) {
		s->get.is_last = true;
		if (plan_read(env, s, true, plan, st) != STATUS_OK)
			return st->code;
		*ret_next = PLAN_AGAIN;
		return STATUS_OK;
	}
	*ret = (struct profile_get_result){0};
	return STATUS_OK;
}
