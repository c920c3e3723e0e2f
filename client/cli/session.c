/* The verbs of one session, and revoke-user. */

#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "text.h"
#include "verbs.h"

/* A handle: 16 hex digits, a dot, 22 more characters. No token has a dot. */
#define HANDLE_CHARS  39
#define HANDLE_DOT_AT 16
#define HEX	      "0123456789abcdefABCDEF"
#define BASE64URL     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static bool is_handle(const char *word)
{
	return strlen(word) == HANDLE_CHARS && strspn(word, HEX) == HANDLE_DOT_AT && word[HANDLE_DOT_AT] == '.' &&
	       word[HANDLE_DOT_AT + 1 + strspn(word + HANDLE_DOT_AT + 1, BASE64URL)] == '\0';
}

/* A token from the line, or, for "-", from the standard input. Freed by the caller. NULL, and a sentence said: none. */
static char *take_token(const char *word)
{
	size_t room = 0;
	char *token = NULL;
	ssize_t len;

	if (strcmp(word, "-") != 0)
		return strdup(word);
	len = getline(&token, &room, stdin);
	if (len <= 0) {
		free(token);
		(void)usage_error("no token on the standard input");
		return NULL;
	}
	token[strcspn(token, "\r\n")] = '\0';
	return token;
}

static void free_token(char **token)
{
	if (*token != NULL)
		explicit_bzero(*token, strlen(*token));
	free(*token);
	*token = NULL;
}

/* As take_token, where a handle, which is in sight in every list, will not do. `who` needs the token. */
static char *take_token_only(const char *word, const char *who)
{
	char *token = take_token(word);

	if (token != NULL && is_handle(token)) {
		(void)usage_error("%s: this is a handle; revoke takes it, %s needs the token", token, who);
		free_token(&token);
	}
	return token;
}

/* "K=V" as an attribute that borrows from it. */
static bool take_attribute(const char *text, struct lk_attribute *ret)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || equals == text)
		return false;
	ret->key = lk_bytes_of(text, (size_t)(equals - text));
	ret->value = lk_text(equals + 1);
	return true;
}

static bool is_same(struct lk_bytes a, struct lk_bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* False, and a sentence said: one of them is none, or two have the same key. */
static bool take_attributes(const char *const *texts, unsigned count, struct lk_attribute *ret)
{
	for (unsigned i = 0; i < count; i++) {
		if (!take_attribute(texts[i], &ret[i])) {
			(void)usage_error("\"%s\" is not an attribute of the form K=V", texts[i]);
			return false;
		}
		for (unsigned j = 0; j < i; j++) {
			if (!is_same(ret[i].key, ret[j].key))
				continue;
			(void)usage_error("the attribute \"%.*s\" is given twice", (int)ret[i].key.len,
					  ret[i].key.data);
			return false;
		}
	}
	return true;
}

/* ---- create ---- */

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

int verb_session_create(const struct line *line, lk_client *client)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_attribute attributes[ATTRIBUTES_MAX];
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session;
	int status;

	if (!take_attributes(line->attributes, line->attribute_count, attributes))
		return EXIT_USAGE;
	request.user = lk_text(line->args[0]);
	request.session_class = line->session_class;
	request.attributes = attributes;
	request.attribute_count = line->attribute_count;
	request.idle_timeout_s = line->idle_s;
	request.absolute_timeout_s = line->max_s;
	request.user_agent = lk_text(line->user_agent);
	request.ip = lk_text(line->ip);
	request.label = lk_text(line->label);
	if (lk_session_create(client, &request, &session, &error) != LK_OK)
		return report(line, &error);
	status = say_done(print_created(session, line->json));
	lk_session_free(&session);
	return status;
}

/* ---- get ---- */

/* No verdict but UNKNOWN comes of a failure, whatever it is: exit status 3. What can never succeed is another matter: a
 * mistake of whoever asks, and no word on the session. */
static int report_unknown(const struct line *line, const struct lk_error *error)
{
	json_t *json;

	if (error->code == LK_E_INVALID_ARGUMENT || error->code == LK_E_NOT_FOUND)
		return report(line, error);
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
	if (lk_session_get(client, &request, &verdict, &session, &error) == LK_OK)
		status = print_judged(session, verdict);
	else
		status = report_unknown(line, &error);
	lk_session_free(&session);
	free_token(&token);
	return status;
}

/* ---- update ---- */

static int print_updated(uint64_t version, uint64_t idle_expires_at_ms, bool json)
{
	if (!json)
		return say_done(printf("version %llu\n", (unsigned long long)version) > 0);
	return say_done(json_print(json_pack("{s:I, s:o}", "version", (json_int_t)version, "idle_expires_at",
					     json_of_time(idle_expires_at_ms))));
}

int verb_session_update(const struct line *line, lk_client *client)
{
	struct lk_session_update_request request = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct lk_bytes remove[ATTRIBUTES_MAX];
	struct lk_attribute set[ATTRIBUTES_MAX];
	uint64_t version, idle_expires_at_ms;
	unsigned count = line->arg_count - 1;
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
	if (lk_session_update(client, &request, &version, &idle_expires_at_ms, &error) == LK_OK)
		status = print_updated(version, idle_expires_at_ms, line->json);
	else
		status = report(line, &error);
	free_token(&token);
	return status;
}

/* ---- revoke ---- */

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
	if (is_handle(word))
		request.handle = lk_text(word);
	else
		request.token = lk_text(word);
	request.reason = line->reason;
	if (lk_session_revoke(client, &request, &was_alive, &error) != LK_OK)
		status = report(line, &error);
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
		status = report(line, &error);
	else if (line->json)
		status = say_done(json_print(json_pack("{s:I}", "revoked", (json_int_t)revoked)));
	else
		status = say_done(printf("revoked %u session%s\n", revoked, revoked == 1 ? "" : "s") > 0);
	free_token(&except);
	return status;
}
