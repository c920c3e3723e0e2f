/* The verbs that end sessions, and verify, which tells whether a user's list has them all. */

#include <latchkey/admin.h>
#include <stdio.h>

#include "input.h"
#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

int verb_session_revoke(const struct line *line, lk_client *client)
{
	struct lk_session_revoke_request request = LK_SESSION_REVOKE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	char *word = take_token(line->args[0]);
	bool pending = false;
	bool was_alive;
	int status;

	if (word == NULL)
		return EXIT_USAGE;
	request.ret_pending = &pending;
	if (looks_like_handle(word))
		request.handle = lk_text(word);
	else
		request.token = lk_text(word);
	request.reason = line->reason;
	if (lk_session_revoke(client, &request, &was_alive, &error) != LK_OK)
		status = report_failure(line, &error);
	else if (line->json)
		status = say_done(json_print(json_pack("{s:b, s:b}", "was_alive", was_alive, "pending", pending)));
	else if (pending)
		status = say_done(puts("revoked; Redis cannot write it now, and will as soon as it can") != EOF);
	else
		status = say_done(puts(was_alive ? "revoked" : "it had ended before") != EOF);
	free_token(&word);
	return status;
}

int verb_session_revoke_user(const struct line *line, lk_client *client)
{
	struct lk_session_revoke_user_request request = LK_SESSION_REVOKE_USER_REQUEST_INIT;
	char *except = line->except != NULL ? take_token_only(line->except, "--except") : NULL;
	struct lk_error error = LK_ERROR_INIT;
	uint32_t revoked;
	int status;

	if (line->except != NULL && except == NULL)
		return EXIT_USAGE;
	/* Nothing read would mean nothing spared. */
	if (except != NULL && except[0] == '\0') {
		free_token(&except);
		return usage_error("no token on the standard input for --except");
	}
	request.user = lk_text(line->args[0]);
	request.except = lk_text(except);
	request.session_class = line->session_class;
	request.reason = line->reason;
	if (lk_session_revoke_user(client, &request, &revoked, &error) != LK_OK)
		status = report_failure(line, &error);
	else if (line->json)
		status = say_done(json_print(json_pack("{s:I}", "revoked", (json_int_t)revoked)));
	else
		status = say_done(printf("revoked %u session%s\n", revoked, revoked == 1 ? "" : "s") > 0);
	free_token(&except);
	return status;
}

int verb_session_revoke_realm(const struct line *line, lk_client *client)
{
	struct lk_session_revoke_realm_request request = LK_SESSION_REVOKE_REALM_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	uint64_t not_before_ms;
	char text[TIME_TEXT_BYTES];

	/* The server takes no default here. The answer names the realm, so that nobody takes it for another. */
	request.realm = line->realm != NULL ? line->realm : "default";
	request.not_before_ms = line->before_ms;
	if (lk_session_revoke_realm(client, &request, &not_before_ms, &error) != LK_OK)
		return report_failure(line, &error);
	if (line->json)
		return say_done(json_print(
		    json_pack("{s:s, s:o}", "realm", request.realm, "not_before", json_of_time(not_before_ms))));
	return say_done(printf("revoked all sessions of the realm %s created before %s\n", request.realm,
			       text_of_time(not_before_ms, text)) > 0);
}

static int print_verified(const struct lk_verification *found, bool json)
{
	if (json)
		return say_done(
		    json_print(json_pack("{s:I, s:I, s:I, s:I}", "sessions", (json_int_t)found->sessions, "dangling",
					 (json_int_t)found->dangling, "wrong_score", (json_int_t)found->wrong_score,
					 "missing", (json_int_t)found->missing)));
	return say_done(printf("sessions     %u\ndangling     %u\nwrong score  %u\nmissing      %u\n", found->sessions,
			       found->dangling, found->wrong_score, found->missing) > 0);
}

int verb_session_verify(const struct line *line, lk_client *client)
{
	struct lk_session_verify_request request = LK_SESSION_VERIFY_REQUEST_INIT;
	struct lk_verification found = LK_VERIFICATION_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct tokens tokens;
	int status;

	if (!take_tokens(line->tokens, line->token_count, "--token", &tokens))
		return EXIT_USAGE;
	request.user = lk_text(line->args[0]);
	request.tokens = tokens.bytes;
	request.token_count = tokens.count;
	if (lk_session_verify(client, &request, &found, &error) == LK_OK)
		status = print_verified(&found, line->json);
	else
		status = report_failure(line, &error);
	free_tokens(&tokens);
	return status;
}
