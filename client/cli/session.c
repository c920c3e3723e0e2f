/* The verbs that make a session, and that ask about or change one. */

#include <stdio.h>
#include <stdlib.h>

#include "input.h"
#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

/* ---- create, promote and rotate ---- */

static bool print_created(const lk_session *session, bool json)
{
	json_t *object;
	json_t *evicted;

	if (!json)
		return puts(lk_session_token(session)) != EOF;
	object = json_of_session(session);
	evicted = json_array();
	for (size_t i = 0; i < lk_session_evicted_count(session); i++)
		(void)json_array_append_new(evicted, json_string(lk_session_evicted(session, i)));
	(void)json_object_set_new(object, "token", json_string(lk_session_token(session)));
	(void)json_object_set_new(object, "evicted", evicted);
	/* A session just made is only known as it was made: its attributes are those of the line. */
	(void)json_object_del(object, "attributes");
	return json_print(object);
}

/* A session for `user`, or for nobody, as the line describes it. */
static int create(const struct line *line, lk_client *client, const char *user, const char *promote)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_attribute attributes[ATTRIBUTES_MAX];
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session;
	int status;

	if (!take_attributes(line->attributes, line->attribute_count, attributes))
		return EXIT_USAGE;
	request.user = lk_text(user);
	request.anonymous = line->anonymous;
	request.promote = lk_text(promote);
	request.session_class = line->session_class;
	request.attributes = attributes;
	request.attribute_count = line->attribute_count;
	request.idle_timeout_s = line->idle_s;
	request.absolute_timeout_s = line->max_s;
	request.user_agent = lk_text(line->user_agent);
	request.ip = lk_text(line->ip);
	request.label = lk_text(line->label);
	request.aal = line->aal;
	request.amr = line->amr;
	request.amr_count = line->amr_count;
	if (lk_session_create(client, &request, &session, &error) != LK_OK)
		return report_failure(line, &error);
	status = say_done(print_created(session, line->json));
	lk_session_free(&session);
	return status;
}

static int promote(const struct line *line, lk_client *client, const char *user, const char *word, const char *who)
{
	char *token = take_token_only(word, who);
	int status;

	if (token == NULL)
		return EXIT_USAGE;
	/* Nothing read would mean nothing taken over. */
	if (token[0] == '\0')
		status = usage_error("no token to promote");
	else
		status = create(line, client, user, token);
	free_token(&token);
	return status;
}

int verb_session_create(const struct line *line, lk_client *client)
{
	const char *user = line->args[0];

	if (line->anonymous && user != NULL)
		return usage_error("\"%s\": with --anonymous there is no user", user);
	if (!line->anonymous && user == NULL)
		return usage_error("usage: latchkey session create USER, or --anonymous");
	if (line->promote != NULL)
		return promote(line, client, user, line->promote, "--promote");
	return create(line, client, user, NULL);
}

int verb_session_promote(const struct line *line, lk_client *client)
{
	return promote(line, client, line->args[1], line->args[0], "promote");
}

int verb_session_rotate(const struct line *line, lk_client *client)
{
	struct lk_session_rotate_request request = LK_SESSION_ROTATE_REQUEST_INIT;
	char *token = take_token_only(line->args[0], "rotate");
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session;
	int status;

	if (token == NULL)
		return EXIT_USAGE;
	request.token = lk_text(token);
	request.has_grace = line->has_grace;
	request.grace_s = line->grace_s;
	request.aal = line->aal;
	request.amr = line->amr;
	request.amr_count = line->amr_count;
	if (lk_session_rotate(client, &request, &session, &error) == LK_OK) {
		status = say_done(print_created(session, line->json));
		lk_session_free(&session);
	} else {
		status = report_failure(line, &error);
	}
	free_token(&token);
	return status;
}

/* ---- get ---- */

/* No verdict but UNKNOWN comes of a failure, whatever it is: exit status 3. What can never succeed is another matter: a
 * mistake of whoever asks, and no word on the session. */
static int report_unknown(const struct line *line, const struct lk_error *error)
{
	json_t *json;

	if (error->code == LK_E_INVALID_ARGUMENT || error->code == LK_E_NOT_FOUND)
		return report_failure(line, error);
	json = json_pack("{s:s}", "verdict", lk_verdict_name(LK_UNKNOWN));
	report_fields(error, json);
	(void)say_done(json_print(json));
	report_sentence(error);
	return EXIT_UNKNOWN;
}

static int print_judged(const lk_session *session, enum lk_verdict verdict)
{
	int status = say_done(json_print(json_of_session(session)));

	if (verdict == LK_VALID)
		return status;
	(void)fprintf(stderr, "latchkey: the session is invalid: %s (%s)\n",
		      lk_reason_message(lk_session_reason(session)), lk_reason_name(lk_session_reason(session)));
	return EXIT_INVALID;
}

int verb_session_get(const struct line *line, lk_client *client)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	char *token = take_token_only(line->args[0], "get");
	lk_session *session = NULL;
	enum lk_verdict verdict;
	int status;

	if (token == NULL)
		return EXIT_USAGE;
	request.token = lk_text(token);
	request.peek = line->peek;
	request.minimum_aal = line->aal;
	request.authenticated_within_s = line->within_s;
	request.amr = line->amr;
	request.amr_count = line->amr_count;
	request.privileged = line->privileged;
	if (lk_session_get(client, &request, &verdict, &session, &error) == LK_OK)
		status = print_judged(session, verdict);
	else
		status = report_unknown(line, &error);
	lk_session_free(&session);
	free_token(&token);
	return status;
}

/* The worst of them: one that nobody can tell of, then one that is dead. */
static int status_of_all(const lk_sessions *sessions)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < lk_sessions_count(sessions); i++) {
		enum lk_verdict verdict = lk_session_verdict(lk_sessions_at(sessions, i));

		if (verdict == LK_UNKNOWN)
			return EXIT_UNKNOWN;
		if (verdict == LK_INVALID)
			status = EXIT_INVALID;
	}
	return status;
}

static int print_many(const lk_sessions *sessions)
{
	json_t *array = json_array();
	int status;

	for (size_t i = 0; i < lk_sessions_count(sessions); i++)
		(void)json_array_append_new(array, json_of_session(lk_sessions_at(sessions, i)));
	status = say_done(json_print(array));
	return status_of_all(sessions) != EXIT_DONE ? status_of_all(sessions) : status;
}

int verb_session_get_many(const struct line *line, lk_client *client)
{
	struct lk_session_get_many_request request = LK_SESSION_GET_MANY_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_sessions *sessions = NULL;
	struct tokens tokens;
	int status;

	if (!take_tokens((const char *const *)line->args, line->arg_count, "get-many", &tokens))
		return EXIT_USAGE;
	request.tokens = tokens.bytes;
	request.token_count = tokens.count;
	request.peek = line->peek;
	if (lk_session_get_many(client, &request, &sessions, &error) == LK_OK)
		status = print_many(sessions);
	else
		status = report_unknown(line, &error);
	lk_sessions_free(&sessions);
	free_tokens(&tokens);
	return status;
}

/* ---- update ---- */

/* An anonymous session has no version, but a new token, which is the result. */
static int print_updated(uint64_t version, uint64_t idle_expires_at_ms, const lk_session *renewed, bool json)
{
	json_t *object;

	if (!json && renewed != NULL)
		return say_done(puts(lk_session_token(renewed)) != EOF);
	if (!json)
		return say_done(printf("version %llu\n", (unsigned long long)version) > 0);
	object = renewed != NULL ? json_pack("{s:s}", "token", lk_session_token(renewed))
				 : json_pack("{s:I}", "version", (json_int_t)version);
	(void)json_object_set_new(object, "idle_expires_at", json_of_time(idle_expires_at_ms));
	return say_done(json_print(object));
}

int verb_session_update(const struct line *line, lk_client *client)
{
	struct lk_session_update_request request = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct lk_bytes remove[ATTRIBUTES_MAX];
	struct lk_attribute set[ATTRIBUTES_MAX];
	uint64_t version, idle_expires_at_ms;
	unsigned count = line->arg_count - 1;
	lk_session *renewed = NULL;
	char *token;
	int status;

	if (!take_attributes((const char *const *)&line->args[1], count, set))
		return EXIT_USAGE;
	if (count + line->remove_count == 0)
		return usage_error("nothing to update: give K=V or --remove K");
	for (unsigned i = 0; i < line->remove_count; i++)
		remove[i] = lk_text(line->remove[i]);
	token = take_token_only(line->args[0], "update");
	if (token == NULL)
		return EXIT_USAGE;
	request.token = lk_text(token);
	request.set = set;
	request.set_count = count;
	request.remove = remove;
	request.remove_count = line->remove_count;
	request.expected_version = line->expected_version;
	request.ret_session = &renewed;
	if (lk_session_update(client, &request, &version, &idle_expires_at_ms, &error) == LK_OK)
		status = print_updated(version, idle_expires_at_ms, renewed, line->json);
	else
		status = report_failure(line, &error);
	lk_session_free(&renewed);
	free_token(&token);
	return status;
}
