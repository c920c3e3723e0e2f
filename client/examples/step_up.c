/* From a visitor's cart to a payment: an anonymous session, promoted at login, and a stronger proof before money moves.
 *
 *	cc step_up.c $(pkg-config --cflags --libs latchkey) -o step_up && ./step_up tcp://127.0.0.1:7373
 *
 * Exits with 0 when every step did what it says. */

#include <latchkey/latchkey.h>
#include <stdio.h>
#include <stdlib.h>

/* An anonymous token carries its attributes: it has up to 3,072 bytes. */
#define TOKEN_ROOM 3073

static int failed(const char *step, const struct lk_error *error)
{
	fprintf(stderr, "%s: %s (%s)\n", step, error->message, lk_err_name(error->code));
	return EXIT_FAILURE;
}

/* In a web server this sets the cookie. */
static void keep(char cookie[static TOKEN_ROOM], lk_session **session)
{
	snprintf(cookie, TOKEN_ROOM, "%s", lk_session_token(*session));
	lk_session_free(session);
}

/* Somebody looks around, and puts something into a cart. Nothing is stored for it but the cookie. */
static int visit(lk_client *client, char cookie[static TOKEN_ROOM])
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_attribute cart = {lk_text("cart"), lk_text("book")};
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session;

	request.anonymous = true;
	request.attributes = &cart;
	request.attribute_count = 1;
	if (lk_session_create(client, &request, &session, &error) != LK_OK)
		return failed("visit", &error);
	keep(cookie, &session);
	printf("a visitor's cart is in the cookie\n");
	return EXIT_SUCCESS;
}

/* The visitor logs in with a password: a new session, under a new token, takes the cart over. */
static int log_in(lk_client *client, char cookie[static TOKEN_ROOM])
{
	static const char *const password[] = {"pwd"};
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session;

	request.user = lk_text("ann");
	request.promote = lk_text(cookie);
	request.aal = 1;
	request.amr = password;
	request.amr_count = 1;
	if (lk_session_create(client, &request, &session, &error) != LK_OK)
		return failed("log in", &error);
	keep(cookie, &session);
	printf("ann has logged in\n");
	return EXIT_SUCCESS;
}

/* The page that pays demands two factors, not long ago. *ret_asks: it asks for them, and the session is alive. */
static int pay(lk_client *client, const char *cookie, bool *ret_asks)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session = NULL;
	enum lk_verdict verdict;

	request.token = lk_text(cookie);
	request.minimum_aal = 2;
	request.authenticated_within_s = 300;
	if (lk_session_get(client, &request, &verdict, &session, &error) != LK_OK)
		return failed("pay", &error);
	*ret_asks = verdict == LK_INVALID && lk_session_reason(session) == LK_REASON_ASSURANCE_TOO_LOW;
	if (verdict == LK_VALID)
		printf("paid for the %s\n", lk_session_attribute(session, "cart").data);
	else
		printf("not paid: %s\n", lk_reason_message(lk_session_reason(session)));
	lk_session_free(&session);
	return verdict == LK_VALID || *ret_asks ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The security key was touched: what the session may do grows, so it gets a new token. Requests with the old one, which
 * are on their way, are served for a few seconds yet. */
static int step_up(lk_client *client, char cookie[static TOKEN_ROOM])
{
	static const char *const factors[] = {"pwd", "hwk"};
	struct lk_session_rotate_request request = LK_SESSION_ROTATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session;

	request.token = lk_text(cookie);
	request.authenticated = true;
	request.aal = 2;
	request.amr = factors;
	request.amr_count = 2;
	if (lk_session_rotate(client, &request, &session, &error) != LK_OK)
		return failed("step up", &error);
	keep(cookie, &session);
	printf("ann has touched the key\n");
	return EXIT_SUCCESS;
}

static int run(lk_client *client)
{
	char cookie[TOKEN_ROOM];
	bool asks;

	if (visit(client, cookie) != EXIT_SUCCESS || log_in(client, cookie) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (pay(client, cookie, &asks) != EXIT_SUCCESS || !asks)
		return EXIT_FAILURE;
	if (step_up(client, cookie) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (pay(client, cookie, &asks) != EXIT_SUCCESS || asks)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	const char *endpoints[1];
	lk_client *client;
	int status;

	if (argc > 2) {
		fprintf(stderr, "usage: %s [URL]\n", argv[0]);
		return EXIT_FAILURE;
	}
	if (argc == 2) {
		endpoints[0] = argv[1];
		options.endpoints = endpoints;
		options.endpoint_count = 1;
	}
	if (lk_client_open(&options, &client, &error) != LK_OK)
		return failed("open", &error);
	status = run(client);
	lk_client_close(&client);
	return status;
}
