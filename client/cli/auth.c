/* The verbs of the auth cache. */

#include <latchkey/auth.h>
#include <stdio.h>

#include "input.h"
#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

static int print_answer(const lk_auth_answer *answer)
{
	const enum lk_auth_state state = lk_auth_state_of(answer);
	const bool is_there = state == LK_AUTH_HIT || state == LK_AUTH_STALE;
	const struct lk_bytes lease = lk_auth_answer_lease(answer);
	char text[SECRET_TEXT_BYTES];
	json_t *json = json_pack("{s:s}", "state", lk_auth_state_name(state));
	int status;

	if (is_there)
		(void)json_object_set_new(json, "answer", json_of_bytes(lk_auth_answer_bytes(answer)));
	if (lease.len > 0)
		(void)json_object_set_new(json, "lease", json_string(secret_text(lease, text)));
	if (lk_auth_answer_expires_at_ms(answer) > 0)
		(void)json_object_set_new(json, "expires_at", json_of_time(lk_auth_answer_expires_at_ms(answer)));
	if (state == LK_AUTH_WAIT)
		(void)json_object_set_new(json, "retry_after_ms", json_integer(lk_auth_answer_retry_after_ms(answer)));
	if (lk_auth_answer_is_early(answer))
		(void)json_object_set_new(json, "early", json_true());
	status = say_done(json_print(json));
	return status == EXIT_DONE && !is_there ? EXIT_NO : status;
}

int verb_auth_lookup(const struct line *line, lk_client *client)
{
	struct lk_auth_lookup_request request = LK_AUTH_LOOKUP_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct lk_bytes groups[GROUPS_MAX];
	lk_auth_answer *answer;
	int status;

	if (line->no_lease && line->lease_ms > 0)
		return usage_error("--lease does not go with --no-lease");
	for (unsigned i = 0; i < line->group_count; i++)
		groups[i] = lk_text(line->groups[i]);
	request.subject = lk_text(line->args[0]);
	request.key = lk_text(line->args[1]);
	request.groups = groups;
	request.group_count = line->group_count;
	request.load_wait_ms = line->wait_ms;
	request.lease_ms = line->lease_ms;
	request.no_lease = line->no_lease;
	if (lk_auth_lookup(client, &request, &answer, &error) != LK_OK)
		return report_failure(line, &error);
	status = print_answer(answer);
	lk_auth_answer_free(&answer);
	return status;
}

static int print_filled(const struct line *line, bool stored, uint64_t expires_at_ms)
{
	int status;

	if (line->json)
		status = say_done(
		    json_print(json_pack("{s:b, s:o}", "stored", stored, "expires_at", json_of_time(expires_at_ms))));
	else
		status = say_done(
		    puts(stored ? "stored" : "not stored: it was forgotten, or the lease ended, since loading began") !=
		    EOF);
	return status == EXIT_DONE && !stored ? EXIT_NO : status;
}

int verb_auth_fill(const struct line *line, lk_client *client)
{
	struct lk_auth_fill_request request = LK_AUTH_FILL_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	uint64_t expires_at_ms = 0;
	struct secret lease;
	bool stored;
	int status;

	/* Neither is said by leaving it out: an unset variable must not become an answer. */
	if (line->negative == (line->arg_count == 4))
		return usage_error("give either an ANSWER or --negative");
	if (!take_secret(line->args[2], "lease", &lease))
		return EXIT_USAGE;
	request.subject = lk_text(line->args[0]);
	request.key = lk_text(line->args[1]);
	request.lease = secret_bytes(&lease);
	request.answer = lk_text(line->args[3]);
	request.negative = line->negative;
	request.ttl_ms = line->ttl_ms;
	if (lk_auth_fill(client, &request, &stored, &expires_at_ms, &error) == LK_OK)
		status = print_filled(line, stored, expires_at_ms);
	else
		status = report_failure(line, &error);
	secret_forget(&lease);
	return status;
}

int verb_auth_forget(const struct line *line, lk_client *client)
{
	struct lk_auth_forget_request request = LK_AUTH_FORGET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	bool forgotten;

	if (line->group_count > 1 || (line->group_count == 1) == (line->arg_count > 0))
		return usage_error("give either a SUBJECT, with a KEY or without, or one --group");
	request.subject = lk_text(line->args[0]);
	request.key = lk_text(line->args[1]);
	request.group = lk_text(line->groups[0]);
	/* An empty key would mean all of the subject. */
	if (line->arg_count == 2 && request.key.len == 0)
		return usage_error("the KEY must not be empty");
	if (lk_auth_forget(client, &request, &forgotten, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		return say_done(json_print(json_pack("{s:b}", "forgotten", forgotten)));
	return say_done(puts(forgotten ? "forgotten" : "there was no answer") != EOF);
}
