/* Visitors seen: their ids, hashed, go into the hour's and the day's bucket, both in the counter's slot. An id is hashed
 * without the counter, so that the union of counters knows it again; eight bytes of hash are enough, for a billion ids
 * meet in less than one pair, where the estimate is off by millions. */

#include "crypto/names.h"
#include "plan/command.h"
#include "plan/reply.h"
#include "visitors/bucket.h"

#define ID_HASH_BYTES 8

static enum status_code check_request(const struct plan_env *env, const struct visitor_record_request *req,
				      struct status *st)
{
	if (counter_check(req->counter, st) != STATUS_OK)
		return st->code;
	if (req->id_count < 1 || req->id_count > VISITORS_RECORD_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "ids has %zu entries: send 1 to %d", req->id_count,
				  VISITORS_RECORD_MAX);
	for (size_t i = 0; i < req->id_count; i++)
		if (req->ids[i].len < 1 || req->ids[i].len > VISITOR_BYTES_MAX)
			return status_set(st, STATUS_INVALID_ARGUMENT, "an id has %zu bytes: 1 to %d are allowed",
					  req->ids[i].len, VISITOR_BYTES_MAX);
	if (req->at_ms > env->now_ms + VISITORS_AHEAD_MS)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "at_ms: more than %d s ahead; leave it out for visitors of now",
				  VISITORS_AHEAD_MS / 1000);
	return STATUS_OK;
}

static bool hash_ids(const struct plan_env *env, const struct visitor_record_request *req, span *ret)
{
	uint8_t *hashes = arena_array(env->arena, req->id_count, ID_HASH_BYTES);

	if (hashes == NULL)
		return false;
	for (size_t i = 0; i < req->id_count; i++)
		name_hash(env->keys, NAME_VISITOR, (const span[]){env->realm->name, req->ids[i]}, 2,
			  hashes + i * ID_HASH_BYTES, ID_HASH_BYTES);
	*ret = span_of(hashes, req->id_count * ID_HASH_BYTES);
	return true;
}

struct visitors_state {
	uint64_t expires_ms; /* the last of the buckets */
};

/* The keys of the buckets that are kept still; 0: none is. */
static size_t add_buckets(const struct plan_env *env, const struct visitor_record_request *req,
			  struct command_writer *w, uint64_t expires_ms[static VISITORS_BUCKETS])
{
	const uint64_t at_ms = req->at_ms == 0 ? env->now_ms : req->at_ms;
	char tag[USER_TAG_CHARS];
	size_t count = 0;

	counter_tag(env, req->counter, tag);
	for (enum visitors_bucket b = VISITORS_DAY; b < VISITORS_BUCKETS; b++) {
		const uint64_t number = bucket_at(b, at_ms);
		const uint64_t end_ms = bucket_expires_ms(env->realm, b, number);
		span key;

		if (end_ms <= env->now_ms || (b == VISITORS_HOUR && env->realm->visitors.hour_retention_h == 0))
			continue;
		if (!bucket_key(env->arena, tag, b, number, &key)) {
			w->failed = true;
			break;
		}
		command_key(w, key);
		expires_ms[count++] = end_ms;
	}
	return count;
}

enum status_code visitor_record_plan(const struct plan_env *env, const struct visitor_record_request *req,
				     struct plan *ret_plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_VISITORS_RECORD, true);
	uint64_t expires_ms[VISITORS_BUCKETS] = {0};
	struct plan plan = {0};
	size_t buckets;
	span hashes;

	if (check_request(env, req, st) != STATUS_OK)
		return st->code;
	plan.visitors = arena_alloc(env->arena, sizeof(*plan.visitors));
	if (plan.visitors == NULL || !hash_ids(env, req, &hashes))
		return no_memory(st);
	buckets = add_buckets(env, req, &w, expires_ms);
	if (buckets == 0 && !w.failed)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "at_ms: longer ago than the realm keeps visitors (day_retention_d %u)",
				  env->realm->visitors.day_retention_d);
	command_arg(&w, hashes);
	for (size_t i = 0; i < buckets; i++) {
		command_number(&w, expires_ms[i]);
		if (expires_ms[i] > plan.visitors->expires_ms)
			plan.visitors->expires_ms = expires_ms[i];
	}
	if (command_end(&w, &plan, st) == STATUS_OK)
		*ret_plan = plan;
	return w.failed ? st->code : STATUS_OK;
}

enum status_code visitor_record_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       struct visitor_record_result *ret, struct status *st)
{
	struct command_writer again = {.arena = env->arena, .command = plan->command};

	plan->redos = NULL;
	if (!plan_redo_is_done(reply))
		return reply_odd(st, "visitors_record");
	/* Also when nothing changed: it may have been an earlier run of this command that changed it. */
	if (plan->visitors->expires_ms > env->now_ms &&
	    !command_end_redo(&again, plan->visitors->expires_ms - env->now_ms, plan))
		return no_memory(st);
	*ret = (struct visitor_record_result){.changed = span_eq(reply->string, SPAN_LIT("done"))};
	return STATUS_OK;
}
