/* The verbs of locks. */

#include <inttypes.h>
#include <latchkey/lock.h>
#include <stdio.h>

#include "input.h"
#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

static int not_held(const struct line *line, const struct lk_lock_state *state, const char *sentence)
{
	int status = EXIT_DONE;
	char at[TIME_TEXT_BYTES];

	if (line->json)
		status = say_done(json_print(json_pack("{s:b, s:o, s:I}", "held", false, "expires_at",
						       json_of_time(state->expires_at_ms), "retry_after_ms",
						       (json_int_t)state->retry_after_ms)));
	if (state->expires_at_ms > 0)
		(void)fprintf(stderr, "latchkey: %s, until %s at least\n", sentence,
			      text_of_time(state->expires_at_ms, at));
	else
		(void)fprintf(stderr, "latchkey: %s\n", sentence);
	return status == EXIT_DONE ? EXIT_NO : status;
}

static int need_ttl(const struct line *line)
{
	return line->ttl_ms > 0 ? EXIT_DONE : usage_error("%s needs --ttl, in seconds", line->verb->words);
}

int verb_lock_acquire(const struct line *line, lk_client *client)
{
	struct lk_lock_acquire_request request = LK_LOCK_ACQUIRE_REQUEST_INIT;
	struct lk_lock_state state = LK_LOCK_STATE_INIT;
	struct lk_error error = LK_ERROR_INIT;
	char owner[SECRET_TEXT_BYTES];

	if (need_ttl(line) != EXIT_DONE)
		return EXIT_USAGE;
	request.name = lk_text(line->args[0]);
	request.ttl_ms = line->ttl_ms;
	request.lock_wait_ms = line->wait_ms;
	if (lk_lock_acquire(client, &request, &state, &error) != LK_OK)
		return report_failure(line, &error);
	if (!state.held)
		return not_held(line, &state, "another has the lock");
	(void)secret_text(lk_lock_owner(&state), owner);
	if (!line->json)
		return say_done(printf("%s %" PRIu64 "\n", owner, state.fencing_token) > 0);
	return say_done(
	    json_print(json_pack("{s:b, s:s, s:I, s:o}", "held", true, "owner", owner, "fencing_token",
				 (json_int_t)state.fencing_token, "expires_at", json_of_time(state.expires_at_ms))));
}

static int print_extended(const struct line *line, const struct lk_lock_state *state)
{
	char at[TIME_TEXT_BYTES];

	if (!state->held)
		return not_held(line, state, "the lock has ended, or another has it");
	if (line->json)
		return say_done(json_print(json_pack("{s:b, s:I, s:o}", "held", true, "fencing_token",
						     (json_int_t)state->fencing_token, "expires_at",
						     json_of_time(state->expires_at_ms))));
	return say_done(printf("held until %s\n", text_of_time(state->expires_at_ms, at)) > 0);
}

int verb_lock_extend(const struct line *line, lk_client *client)
{
	struct lk_lock_extend_request request = LK_LOCK_EXTEND_REQUEST_INIT;
	struct lk_lock_state state = LK_LOCK_STATE_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct secret owner;
	int status;

	if (need_ttl(line) != EXIT_DONE || !take_secret(line->args[1], "owner", &owner))
		return EXIT_USAGE;
	request.name = lk_text(line->args[0]);
	request.owner = secret_bytes(&owner);
	request.ttl_ms = line->ttl_ms;
	if (lk_lock_extend(client, &request, &state, &error) == LK_OK)
		status = print_extended(line, &state);
	else
		status = report_failure(line, &error);
	secret_forget(&owner);
	return status;
}

int verb_lock_release(const struct line *line, lk_client *client)
{
	struct lk_lock_release_request request = LK_LOCK_RELEASE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct secret owner;
	bool released = false;
	int status;

	if (!take_secret(line->args[1], "owner", &owner))
		return EXIT_USAGE;
	request.name = lk_text(line->args[0]);
	request.owner = secret_bytes(&owner);
	if (lk_lock_release(client, &request, &released, &error) != LK_OK)
		status = report_failure(line, &error);
	else if (line->json)
		status = say_done(json_print(json_pack("{s:b}", "released", released)));
	else
		status = say_done(puts(released ? "released" : "it had ended, or another has it") != EOF);
	secret_forget(&owner);
	return status == EXIT_DONE && error.code == LK_OK && !released ? EXIT_NO : status;
}
