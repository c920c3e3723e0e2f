#include "profiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct profile_tier tiers[2];

int profiles_reset(void **state)
{
	struct stage *s = *state;

	(void)stage_reset(state);
	tiers[0] = (struct profile_tier){SPAN_LIT("default"), TTL_S};
	tiers[1] = (struct profile_tier){SPAN_LIT("long"), 100 * TTL_S};
	s->world.realm_list[0].profiles =
	    (struct profile_policy){.tier_count = 2, .tiers = tiers, .jitter_percent = 10, .changes_max = 1000};
	return 0;
}

void keep_changes(struct stage *s)
{
	s->world.realm_list[0].profiles.has_changes = true;
}

/* What the store would keep, in that order. */
static void keep(struct stage *s, const struct plan *plan, enum status_code code)
{
	s->last = plan->command;
	for (const struct plan_redo *r = code == STATUS_OK ? plan->redos : NULL; r != NULL; r = r->next) {
		assert_true(s->kept_count < STAGE_KEPT_MAX);
		assert_true(r->command.is_write && r->command.is_repeatable && r->lifetime_ms > 0);
		s->kept[s->kept_count++] = *r;
	}
}

enum status_code do_change(struct stage *s, const struct profile_change_request *req, struct profile_change_result *ret)
{
	struct plan plan = {0};
	enum plan_next next = PLAN_AGAIN;
	enum status_code code = profile_change_plan(&s->world.env, req, &plan, &s->st);

	for (int i = 0; code == STATUS_OK && next == PLAN_AGAIN; i++) {
		const struct store_reply *reply = carry_out(s, &plan);

		assert_true(i < PLAN_STEPS_MAX);
		code = profile_change_answer(&s->world.env, &plan, reply, &next, ret, &s->st);
		if (next == PLAN_DONE || plan.redos != NULL)
			keep(s, &plan, code);
		arena_free(&s->replies);
	}
	return code;
}

enum status_code do_get_profile(struct stage *s, const char *user, const struct profile_get_request *req,
				struct profile_get_result *ret)
{
	struct profile_get_request whole = *req;
	enum plan_next next = PLAN_AGAIN;
	struct plan plan = {0};
	enum status_code code;

	whole.user = span_str(user);
	code = profile_get_plan(&s->world.env, &whole, &plan, &s->st);
	while (code == STATUS_OK && next == PLAN_AGAIN)
		code = profile_get_answer(&s->world.env, &plan, carry_out(s, &plan), &next, ret, &s->st);
	s->last = plan.command;
	arena_free(&s->replies);
	return code;
}

enum status_code do_changes(struct stage *s, const struct profile_changes_request *req,
			    struct profile_changes_result *ret)
{
	struct plan plan = {0};
	enum status_code code = profile_changes_plan(&s->world.env, req, &plan, &s->st);

	if (code == STATUS_OK)
		code = profile_changes_answer(&s->world.env, &plan, carry_out(s, &plan), ret, &s->st);
	s->last = plan.command;
	arena_free(&s->replies);
	return code;
}

enum status_code do_ack(struct stage *s, const struct profile_ack_request *req, uint32_t *ret)
{
	struct plan plan = {0};
	enum status_code code = profile_ack_plan(&s->world.env, req, &plan, &s->st);

	if (code == STATUS_OK)
		code = profile_ack_answer(&s->world.env, &plan, carry_out(s, &plan), ret, &s->st);
	if (code == STATUS_OK)
		keep(s, &plan, code);
	arena_free(&s->replies);
	return code;
}

enum status_code do_dead(struct stage *s, const struct profile_dead_request *req, struct profile_changes_result *ret)
{
	struct plan plan = {0};
	enum status_code code = profile_dead_plan(&s->world.env, req, &plan, &s->st);

	if (code == STATUS_OK)
		code = profile_dead_answer(&s->world.env, &plan, carry_out(s, &plan), ret, &s->st);
	arena_free(&s->replies);
	return code;
}

/* ---- Of ann ---- */

static struct profile_change_result must_change(struct stage *s, struct profile_change_request req)
{
	/* The redos that are kept point to the fields. */
	struct profile_change_request *lasting = arena_alloc(s->world.env.arena, sizeof(*lasting));
	struct profile_change_result result = {0};

	assert_non_null(lasting);
	req.user = SPAN_LIT("ann");
	*lasting = req;
	if (do_change(s, lasting, &result) != STATUS_OK)
		fail_msg("change: %s", s->st.text);
	return result;
}

static uint64_t change_field(struct stage *s, enum profile_kind kind, struct profile_field f)
{
	return must_change(s, (struct profile_change_request){.kind = kind, .set_count = 1, .set = &f}).version;
}

uint64_t put_profile(struct stage *s, const char *name, const char *value)
{
	return change_field(s, PROFILE_PUT, (struct profile_field){.name = span_str(name), .value = span_str(value)});
}

uint64_t set_field(struct stage *s, const char *name, const char *value)
{
	return change_field(s, PROFILE_UPDATE,
			    (struct profile_field){.name = span_str(name), .value = span_str(value)});
}

uint64_t set_counter(struct stage *s, const char *name, int64_t n)
{
	return change_field(s, PROFILE_UPDATE,
			    (struct profile_field){.name = span_str(name), .is_counter = true, .number = n});
}

uint64_t remove_field(struct stage *s, const char *name)
{
	const span names[] = {span_str(name)};

	return must_change(s,
			   (struct profile_change_request){.kind = PROFILE_UPDATE, .remove_count = 1, .remove = names})
	    .version;
}

int64_t increment(struct stage *s, const char *name, int64_t by)
{
	const struct profile_increment one = {span_str(name), by};

	return must_change(
		   s, (struct profile_change_request){.kind = PROFILE_UPDATE, .increment_count = 1, .increments = &one})
	    .counters[0]
	    .number;
}

bool delete_profile(struct stage *s)
{
	return must_change(s, (struct profile_change_request){.kind = PROFILE_DELETE}).existed;
}

static const struct profile_field *find(struct stage *s, const char *name)
{
	const span names[] = {span_str(name)};
	const struct profile_get_request masked = {.field_count = 1, .fields = names};
	const struct profile_get_request whole = {0};
	struct profile_get_result one = {0};
	struct profile_get_result all = {0};
	const struct profile_field *found = NULL;

	if (do_get_profile(s, "ann", &masked, &one) != STATUS_OK || do_get_profile(s, "ann", &whole, &all) != STATUS_OK)
		fail_msg("get: %s", s->st.text);
	for (size_t i = 0; i < all.field_count; i++)
		if (span_eq(all.fields[i].name, names[0]))
			found = &all.fields[i];
	/* Both ways to ask agree. */
	assert_int_equal(one.field_count, found == NULL ? 0 : 1);
	if (found != NULL) {
		assert_true(span_eq(one.fields[0].name, names[0]));
		assert_true(span_eq(one.fields[0].value, found->value));
		assert_true(one.fields[0].number == found->number && one.fields[0].is_counter == found->is_counter);
	}
	return found;
}

void expect_field(struct stage *s, const char *name, const char *value)
{
	const struct profile_field *f = find(s, name);

	if (strcmp(value, "-") == 0) {
		assert_null(f);
		return;
	}
	assert_non_null(f);
	assert_false(f->is_counter);
	if (!span_eq(f->value, span_str(value)))
		fail_msg("%s is %.*s, not %s", name, SPAN_FMT(f->value), value);
}

void expect_counter(struct stage *s, const char *name, int64_t n)
{
	const struct profile_field *f = find(s, name);

	assert_non_null(f);
	assert_true(f->is_counter);
	if (f->number != n)
		fail_msg("%s is %lld, not %lld", name, (long long)f->number, (long long)n);
}

uint64_t version_now(struct stage *s)
{
	const struct profile_get_request whole = {0};
	struct profile_get_result result = {0};

	if (do_get_profile(s, "ann", &whole, &result) != STATUS_OK)
		fail_msg("get: %s", s->st.text);
	return result.is_found ? result.version : 0;
}

/* ---- What a primary had ---- */

#define SNAPSHOT_KEYS_MAX 64

struct snapshot_all {
	size_t count;
	redisReply *names;
	redisReply *dumps[SNAPSHOT_KEYS_MAX];
	long long left_ms[SNAPSHOT_KEYS_MAX];
};

struct snapshot_all *snapshot_all(struct stage *s)
{
	struct snapshot_all *shot = calloc(1, sizeof(*shot));

	assert_non_null(shot);
	shot->names = real_redis_ask(&s->redis, "KEYS *");
	shot->count = shot->names->elements;
	assert_true(shot->count <= SNAPSHOT_KEYS_MAX);
	for (size_t i = 0; i < shot->count; i++) {
		const redisReply *name = shot->names->element[i];

		shot->dumps[i] = real_redis_ask(&s->redis, "DUMP %b", name->str, (size_t)name->len);
		shot->left_ms[i] = real_redis_number(&s->redis, "PTTL %b", name->str, (size_t)name->len);
	}
	return shot;
}

void flush_all(struct stage *s)
{
	freeReplyObject(real_redis_ask(&s->redis, "FLUSHALL"));
}

void restore_all(struct stage *s, struct snapshot_all **shot)
{
	struct snapshot_all *all = *shot;

	flush_all(s);
	for (size_t i = 0; i < all->count; i++) {
		const redisReply *name = all->names->element[i];
		const long long left = all->left_ms[i] > 0 ? all->left_ms[i] : 0;

		freeReplyObject(real_redis_ask(&s->redis, "RESTORE %b %lld %b", name->str, (size_t)name->len, left,
					       all->dumps[i]->str, (size_t)all->dumps[i]->len));
		freeReplyObject(all->dumps[i]);
	}
	freeReplyObject(all->names);
	free(all);
	*shot = NULL;
}
