/* The verbs of rate limits. */

#include <inttypes.h>
#include <latchkey/limit.h>
#include <stdio.h>

#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

static int print_state(const struct line *line, const struct lk_limit_state *state)
{
	int status;

	if (line->json)
		status = say_done(json_print(json_pack(
		    "{s:b, s:I, s:I, s:I}", "allowed", state->allowed, "remaining", (json_int_t)state->remaining,
		    "retry_after_ms", (json_int_t)state->retry_after_ms, "reset_ms", (json_int_t)state->reset_ms)));
	else if (state->allowed)
		status = say_done(printf("allowed, %" PRIu32 " remaining\n", state->remaining) > 0);
	else
		status = say_done(printf("refused, %" PRIu32 " remaining, retry after %.3f s\n", state->remaining,
					 state->retry_after_ms / 1000.0) > 0);
	return status == EXIT_DONE && !state->allowed ? EXIT_NO : status;
}

int verb_limit_check(const struct line *line, lk_client *client)
{
	struct lk_limit_check_request request = LK_LIMIT_CHECK_REQUEST_INIT;
	struct lk_limit_state state = LK_LIMIT_STATE_INIT;
	struct lk_error error = LK_ERROR_INIT;

	if (line->limit == 0 || line->per_ms == 0)
		return usage_error("limit check needs --limit and --per: so many in each span of so many seconds");
	if (line->peek && line->cost > 0)
		return usage_error("--cost does not go with --peek, which takes nothing");
	if (line->burst > 0 && line->algorithm != LK_LIMIT_GCRA && line->algorithm != LK_LIMIT_TOKEN_BUCKET)
		return usage_error("--burst goes with gcra and token-bucket: a window has its limit at once");
	request.name = lk_text(line->args[0]);
	request.algorithm = line->algorithm;
	request.limit = line->limit;
	request.per_ms = line->per_ms;
	request.burst = line->burst;
	request.cost = line->cost;
	request.peek = line->peek;
	if (lk_limit_check(client, &request, &state, &error) != LK_OK)
		return report_failure(line, &error);
	return print_state(line, &state);
}

int verb_limit_reset(const struct line *line, lk_client *client)
{
	struct lk_limit_reset_request request = LK_LIMIT_RESET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	bool existed;

	request.name = lk_text(line->args[0]);
	request.algorithm = line->algorithm;
	if (lk_limit_reset(client, &request, &existed, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		return say_done(json_print(json_pack("{s:b}", "existed", existed)));
	return say_done(puts(existed ? "reset" : "nothing was taken") != EOF);
}
