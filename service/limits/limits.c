/* Limits. Each is one key, whose name is a hash of realm, algorithm and name: so the algorithms never meet what another
 * has stored, and a caller who asks with another limit or period goes on with what was taken so far.
 *
 * What a failover forgets is not brought back: a journal of checks would cost more than the checks, and a limit that
 * forgets some of the last second's admits a little more, which is the error to make. What was admitted and is still
 * there after it never refuses for longer than the limit itself would: scripts bound what they read by the clock of the
 * server that they run on. A reset is brought back: it lets somebody in who was told so. */

#include "limits/limits.h"

#include "crypto/names.h"
#include "plan/command.h"
#include "plan/reply.h"
#include "plan/subject.h"

static const enum store_script scripts[LIMIT_ALGORITHMS] = {
    [LIMIT_GCRA] = STORE_SCRIPT_LIMIT_GCRA,
    [LIMIT_SLIDING_WINDOW] = STORE_SCRIPT_LIMIT_SLIDING,
    [LIMIT_FIXED_WINDOW] = STORE_SCRIPT_LIMIT_FIXED,
    [LIMIT_TOKEN_BUCKET] = STORE_SCRIPT_LIMIT_GCRA,
};

static bool has_burst(enum limit_algorithm a)
{
	return a == LIMIT_GCRA || a == LIMIT_TOKEN_BUCKET;
}

static enum status_code check_name(span name, enum limit_algorithm algorithm, struct status *st)
{
	if (name.len < 1 || name.len > LIMIT_NAME_BYTES_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "name has %zu bytes: 1 to %d are allowed", name.len,
				  LIMIT_NAME_BYTES_MAX);
	if (algorithm >= LIMIT_ALGORITHMS)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "algorithm %u: GCRA (0), SLIDING_WINDOW (1), FIXED_WINDOW (2) or TOKEN_BUCKET (3)",
				  (unsigned)algorithm);
	return STATUS_OK;
}

static uint32_t burst_of(const struct limit_check_request *req)
{
	return has_burst(req->algorithm) && req->burst > 0 ? req->burst : req->limit;
}

static enum status_code check_rate(const struct limit_check_request *req, struct status *st)
{
	const uint32_t limit_max = req->algorithm == LIMIT_SLIDING_WINDOW ? LIMIT_SLIDING_MAX : LIMIT_MAX;

	if (req->limit < 1 || req->limit > limit_max)
		return status_set(st, STATUS_INVALID_ARGUMENT, "limit %u: 1 to %u are allowed%s", req->limit, limit_max,
				  req->algorithm == LIMIT_SLIDING_WINDOW ? " with SLIDING_WINDOW; GCRA takes more"
									 : "");
	if (req->per_ms < 1 || req->per_ms > LIMIT_PER_MS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "per_ms %u: 1 to %u (30 days) are allowed", req->per_ms,
				  LIMIT_PER_MS_MAX);
	if (burst_of(req) > LIMIT_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "burst %u: 1 to %d are allowed", req->burst, LIMIT_MAX);
	/* Times are told in 32 bits of milliseconds, and counted in 53 of microseconds. */
	if ((uint64_t)burst_of(req) * req->per_ms / req->limit > LIMIT_PER_MS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "burst %u at %u each %u ms would take more than 30 days to come back; lower it",
				  req->burst, req->limit, req->per_ms);
	if (req->cost > burst_of(req))
		return status_set(st, STATUS_INVALID_ARGUMENT, "cost %u: no more than %u could ever be granted",
				  req->cost, burst_of(req));
	return STATUS_OK;
}

static void limit_tag(const struct plan_env *env, span name, enum limit_algorithm algorithm,
		      char out[static USER_TAG_CHARS])
{
	const uint8_t kind = (uint8_t)algorithm;

	tag_of_inputs(env, NAME_LIMIT, (const span[]){env->realm->name, span_of(&kind, 1), name}, 3, out);
}

enum status_code limit_check_plan(const struct plan_env *env, const struct limit_check_request *req,
				  struct plan *ret_plan, struct status *st)
{
	const bool is_remembered = env->idempotency_key.len > 0 && req->cost > 0;
	struct plan plan = {0};
	struct command_writer w;
	char tag[USER_TAG_CHARS];
	span memory = SPAN_EMPTY;
	span key;

	if (check_name(req->name, req->algorithm, st) != STATUS_OK || check_rate(req, st) != STATUS_OK)
		return st->code;
	limit_tag(env, req->name, req->algorithm, tag);
	if (!key_of_subject(env->arena, 'l', tag, &key) ||
	    (is_remembered && !key_of_idempotency(env, tag, SPAN_LIT("Check"), &memory)))
		return no_memory(st);
	w = command_start(env->arena, scripts[req->algorithm], req->cost > 0);
	w.command.is_repeatable = is_remembered || req->cost == 0;
	command_key(&w, key);
	if (is_remembered)
		command_key(&w, memory);
	command_number(&w, req->limit);
	command_number(&w, req->per_ms * 1000ULL);
	command_number(&w, burst_of(req));
	command_number(&w, req->cost);
	if (is_remembered)
		command_number(&w, IDEMPOTENCY_S * 1000ULL);
	if (command_end(&w, &plan, st) != STATUS_OK)
		return st->code;
	*ret_plan = plan;
	return STATUS_OK;
}

/* A number of the answer. */
static bool take(const struct store_reply *reply, size_t i, uint32_t *ret)
{
	const struct store_reply *e = reply_element(reply, i, STORE_INTEGER);

	if (e == NULL || e->integer < 0 || e->integer > UINT32_MAX)
		return false;
	*ret = (uint32_t)e->integer;
	return true;
}

enum status_code limit_check_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct limit_check_result *ret, struct status *st)
{
	struct limit_check_result result = {0};
	uint32_t allowed = 0;

	(void)env;
	plan->redos = NULL;
	if (span_eq(reply_word(reply), SPAN_LIT("other")))
		return status_set(st, STATUS_ALREADY_EXISTS,
				  "the idempotency key was used for another request; use a new key for each request");
	if (!span_eq(reply_word(reply), SPAN_LIT("ok")) || !take(reply, 1, &allowed) ||
	    !take(reply, 2, &result.remaining) || !take(reply, 3, &result.retry_after_ms) ||
	    !take(reply, 4, &result.reset_ms))
		return reply_odd(st, "a limit");
	result.allowed = allowed != 0;
	plan->has_changed = result.allowed && plan->command.is_write;
	*ret = result;
	return STATUS_OK;
}

enum status_code limit_reset_plan(const struct plan_env *env, const struct limit_reset_request *req,
				  struct plan *ret_plan, struct status *st)
{
	struct command_writer w = command_start(env->arena, STORE_SCRIPT_LIMIT_RESET, true);
	struct plan plan = {0};
	char tag[USER_TAG_CHARS];
	span key;

	if (check_name(req->name, req->algorithm, st) != STATUS_OK)
		return st->code;
	limit_tag(env, req->name, req->algorithm, tag);
	if (!key_of_subject(env->arena, 'l', tag, &key))
		return no_memory(st);
	command_key(&w, key);
	if (command_end(&w, &plan, st) != STATUS_OK)
		return st->code;
	*ret_plan = plan;
	return STATUS_OK;
}

enum status_code limit_reset_answer(const struct plan_env *env, struct plan *plan, const struct store_reply *reply,
				    struct limit_reset_result *ret, struct status *st)
{
	struct command_writer again = {.arena = env->arena, .command = plan->command};

	plan->redos = NULL;
	if (!plan_redo_is_done(reply))
		return reply_odd(st, "limit_reset");
	/* No limit refuses for longer than its period. */
	if (!command_end_redo(&again, LIMIT_PER_MS_MAX, plan))
		return no_memory(st);
	*ret = (struct limit_reset_result){.existed = span_eq(reply->string, SPAN_LIT("done"))};
	return STATUS_OK;
}
