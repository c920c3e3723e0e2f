#ifndef LK_VISITORS_VISITORS_H
#define LK_VISITORS_VISITORS_H

/* Distinct visitors of a counter: what its calls ask Redis, and what they make of the answer. See plan/plan.h. */

#include "plan/plan.h"

#define COUNTER_BYTES_MAX 64
#define VISITOR_BYTES_MAX 256
/* One script adds them to two buckets in 0.5 ms (measured). */
#define VISITORS_RECORD_MAX 1024
/* Their registers are in the caller's arena all at once. */
#define VISITORS_COUNTERS_MAX 16
/* What a HyperLogLog's string takes at most: a header of 16 bytes, 6 bits a register, a byte. */
#define VISITORS_REGISTERS_BYTES_MAX (16 + 16384 * 6 / 8 + 1)
/* A year of days, and a month more to compare with. */
#define VISITORS_BUCKETS_MAX 400
/* How far ahead of ours the clock of whoever saw the visitors may be. */
#define VISITORS_AHEAD_MS 60000

enum visitors_bucket { VISITORS_DAY, VISITORS_HOUR, VISITORS_BUCKETS };

struct visitor_record_request {
	span counter;
	size_t id_count;
	const span *ids;
	uint64_t at_ms; /* 0: now */
};

struct visitor_record_result {
	bool changed;
};

enum status_code visitor_record_plan(const struct plan_env *env, const struct visitor_record_request *req,
				     struct plan *ret_plan, struct status *st) MUST_CHECK;
enum status_code visitor_record_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				       struct visitor_record_result *ret, struct status *st) MUST_CHECK;

struct visitor_count_request {
	size_t counter_count;
	const span *counters;
	enum visitors_bucket bucket;
	uint64_t from_ms; /* 0: the bucket that is now */
	uint64_t to_ms;	  /* 0: now */
};

/* One count over several counters, each a plan of its own, since their keys are in different slots. */
struct visitor_count {
	const struct visitor_count_request *req;
	uint64_t first; /* bucket, counted from 1970 */
	uint32_t buckets;
	size_t left; /* counters whose registers are not here yet */
	struct visitor_registers {
		uint8_t *bytes; /* NULL: none so far; else room for VISITORS_REGISTERS_BYTES_MAX */
		size_t len;
	} registers[VISITORS_COUNTERS_MAX];
	bool is_done; /* and this is the number: */
	uint64_t count;
};

/* Checks the request, which lives as long. */
enum status_code visitor_count_start(const struct plan_env *env, const struct visitor_count_request *req,
				     struct visitor_count *ret, struct status *st) MUST_CHECK;
/* For the counter of this number. */
enum status_code visitor_count_plan(const struct plan_env *env, struct visitor_count *whole, size_t counter,
				    struct plan *ret_plan, struct status *st) MUST_CHECK;
/* PLAN_AGAIN: there are more buckets of the counter, or, for the last counter, its registers and the others' are united.
 * The answers of one count are not made at the same time. */
enum status_code visitor_count_answer(const struct plan_env *env, struct visitor_count *whole, struct plan *plan,
				      const struct store_reply *reply, enum plan_next *ret_next,
				      struct status *st) MUST_CHECK;

#endif
