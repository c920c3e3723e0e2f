/* Counting visitors. Redis does it all: a HyperLogLog is 16,384 registers, and the union's are the greatest of each.
 *
 *   one counter, few buckets:  PFCOUNT
 *   one counter, more:         visitors_merge of some buckets and of what has been merged so far, step by step
 *   several counters:          for each of them the same; the last to be done brings the registers of all to one slot,
 *                              and visitors_merge counts those
 *
 * So several counters take a second round trip, for a command sees one slot only; and many buckets take one each
 * BUCKETS_A_STEP, for Redis answers nobody meanwhile. */

#include "plan/command.h"
#include "plan/reply.h"
#include "visitors/bucket.h"

/* Merging takes Redis 26 us a bucket and 0.2 ms besides (measured), so a step 0.65 ms. */
#define BUCKETS_A_STEP 16

_Static_assert(2 + BUCKETS_A_STEP + 2 <= STORE_ARGS_MAX,
	       "a step is a command: two keys, the word and what there is so far");
_Static_assert(2 + 1 + VISITORS_COUNTERS_MAX <= STORE_ARGS_MAX, "and so is the union of all counters");
_Static_assert(VISITORS_BUCKETS_MAX / BUCKETS_A_STEP + 1 < PLAN_STEPS_MAX, "a counter's steps and the union");

struct visitors_state {
	size_t counter;
	char tag[USER_TAG_CHARS];
	uint32_t merged; /* buckets so far */
	bool is_union;
};

static enum status_code check_range(const struct plan_env *env, const struct visitor_count_request *req,
				    struct visitor_count *whole, struct status *st)
{
	const uint64_t to_ms = req->to_ms == 0 ? env->now_ms : req->to_ms;
	const uint64_t from_ms = req->from_ms == 0 ? env->now_ms : req->from_ms;
	const uint64_t last = bucket_at(req->bucket, to_ms);
	uint64_t buckets;

	/* The last year whose buckets have the names that people expect. */
	if (to_ms >= 253402300800000 || from_ms >= 253402300800000)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "from_ms, to_ms: beyond the year 9999; they are milliseconds since 1970");
	whole->first = bucket_at(req->bucket, from_ms);
	if (whole->first > last)
		return status_set(st, STATUS_INVALID_ARGUMENT, "from_ms is after to_ms%s",
				  req->from_ms == 0 ? ": absent, it is now; name it" : "");
	buckets = last - whole->first + 1;
	if (buckets > VISITORS_BUCKETS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "from_ms to to_ms: %llu buckets; at most %d can be counted at once%s",
				  (unsigned long long)buckets, VISITORS_BUCKETS_MAX,
				  req->bucket == VISITORS_HOUR ? ": count days" : "");
	whole->buckets = (uint32_t)buckets;
	return STATUS_OK;
}

enum status_code visitor_count_start(const struct plan_env *env, const struct visitor_count_request *req,
				     struct visitor_count *ret, struct status *st)
{
	struct visitor_count whole = {.req = req, .left = req->counter_count};

	if (req->counter_count < 1 || req->counter_count > VISITORS_COUNTERS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "counters has %zu entries: send 1 to %d",
				  req->counter_count, VISITORS_COUNTERS_MAX);
	if (req->bucket >= VISITORS_BUCKETS)
		return status_set(st, STATUS_INVALID_ARGUMENT, "bucket %u: DAY (0) or HOUR (1)", (unsigned)req->bucket);
	for (size_t i = 0; i < req->counter_count; i++)
		if (counter_check(req->counters[i], st) != STATUS_OK)
			return st->code;
	if (check_range(env, req, &whole, st) != STATUS_OK)
		return st->code;
	*ret = whole;
	return STATUS_OK;
}

static void add_key(const struct plan_env *env, const struct visitor_count *whole, const struct visitors_state *s,
		    uint32_t bucket, struct command_writer *w)
{
	span key;

	if (bucket_key(env->arena, s->tag, whole->req->bucket, whole->first + bucket, &key))
		command_key(w, key);
	else
		w->failed = true;
}

/* A read: it is asked again when it comes late, and counts what is there. */
static enum status_code plan_pfcount(const struct plan_env *env, const struct visitor_count *whole, struct plan *plan,
				     struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_NO_SCRIPT, false);
	span key;

	command_arg(&w, SPAN_LIT("PFCOUNT"));
	for (uint32_t i = 0; i < whole->buckets; i++) {
		if (!bucket_key(env->arena, plan->visitors->tag, whole->req->bucket, whole->first + i, &key))
			return no_memory(st);
		if (i == 0)
			w.command.key = key;
		command_arg(&w, key);
	}
	return command_end(&w, plan, st);
}

/* The two keys that a merge has for a moment; nothing sees them in between. */
static struct command_writer start_merge(const struct plan_env *env, const struct visitors_state *s)
{
	/* A read as well, though no replica could carry it out. */
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_VISITORS_MERGE, false);
	span key;

	for (const char *name = "mn"; *name != 0; name++) {
		if (key_under_subject(env->arena, 'v', s->tag, span_of(name, 1), &key))
			command_key(&w, key);
		else
			w.failed = true;
	}
	return w;
}

static enum status_code plan_step(const struct plan_env *env, const struct visitor_count *whole, struct plan *plan,
				  struct status *st)
{
	struct visitors_state *s = plan->visitors;
	struct command_writer w = start_merge(env, s);
	const struct visitor_registers *so_far = &whole->registers[s->counter];
	bool is_count;

	for (size_t i = 0; i < BUCKETS_A_STEP && s->merged < whole->buckets && !w.failed; i++)
		add_key(env, whole, s, s->merged++, &w);
	is_count = s->merged == whole->buckets && whole->req->counter_count == 1;
	command_arg(&w, is_count ? SPAN_LIT("count") : SPAN_LIT("registers"));
	if (so_far->len > 0)
		command_arg(&w, span_of(so_far->bytes, so_far->len));
	return command_end(&w, plan, st);
}

static enum status_code plan_union(const struct plan_env *env, const struct visitor_count *whole, struct plan *plan,
				   struct status *st)
{
	struct command_writer w = start_merge(env, plan->visitors);

	plan->visitors->is_union = true;
	command_arg(&w, SPAN_LIT("count"));
	for (size_t i = 0; i < whole->req->counter_count; i++)
		command_arg(&w, span_of(whole->registers[i].bytes, whole->registers[i].len));
	return command_end(&w, plan, st);
}

enum status_code visitor_count_plan(const struct plan_env *env, struct visitor_count *whole, size_t counter,
				    struct plan *ret_plan, struct status *st)
{
	struct plan plan = {.visitors = arena_alloc(env->arena, sizeof(*plan.visitors))};
	const bool is_one = whole->req->counter_count == 1 && whole->buckets <= BUCKETS_A_STEP;
	enum status_code code;

	if (plan.visitors == NULL)
		return no_memory(st);
	plan.visitors->counter = counter;
	counter_tag(env, whole->req->counters[counter], plan.visitors->tag);
	code = is_one ? plan_pfcount(env, whole, &plan, st) : plan_step(env, whole, &plan, st);
	if (code == STATUS_OK)
		*ret_plan = plan;
	return code;
}

/* In the place of what the counter had before: that command is done. */
static bool keep_registers(arena *a, span from, struct visitor_registers *to)
{
	if (to->bytes == NULL)
		to->bytes = arena_alloc(a, VISITORS_REGISTERS_BYTES_MAX);
	if (to->bytes == NULL)
		return false;
	memcpy(to->bytes, from.ptr, from.len);
	to->len = from.len;
	return true;
}

static bool take_count(const struct store_reply *number, struct visitor_count *whole)
{
	if (number == NULL || number->type != STORE_INTEGER || number->integer < 0)
		return false;
	whole->count = (uint64_t)number->integer;
	whole->is_done = true;
	return true;
}

enum status_code visitor_count_answer(const struct plan_env *env, struct visitor_count *whole, struct plan *plan,
				      const struct store_reply *reply, enum plan_next *ret_next, struct status *st)
{
	struct visitors_state *s = plan->visitors;
	const struct store_reply *registers = reply_element(reply, 1, STORE_STRING);

	plan->redos = NULL;
	*ret_next = PLAN_DONE;
	if (take_count(reply, whole) || take_count(reply_element(reply, 1, STORE_INTEGER), whole))
		return STATUS_OK;
	if (registers == NULL || s->is_union || registers->string.len == 0 ||
	    registers->string.len > VISITORS_REGISTERS_BYTES_MAX)
		return reply_odd(st, "visitors_merge");
	if (!keep_registers(env->arena, registers->string, &whole->registers[s->counter]))
		return no_memory(st);
	if (s->merged < whole->buckets) {
		*ret_next = PLAN_AGAIN;
		return plan_step(env, whole, plan, st);
	}
	if (--whole->left > 0)
		return STATUS_OK;
	*ret_next = PLAN_AGAIN;
	return plan_union(env, whole, plan, st);
}
