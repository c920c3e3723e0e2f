/* The life of a login, step by step:
 *
 *	cc login.c $(pkg-config --cflags --libs latchkey) -o login && ./login tcp://127.0.0.1:7373
 *
 * Exits with 0 when every step did what it says. */

#include <latchkey/latchkey.h>
#include <stdio.h>
#include <stdlib.h>

#define TOKEN_CHARS_MAX 256

/* What every failure ends in here. A real program would answer its caller instead. */
static int failed(const char *step, const struct lk_error *error)
{
	fprintf(stderr, "%s: %s (%s)\n", step, error->message, lk_err_name(error->code));
	return EXIT_FAILURE;
}

/* The user has proved who it is: start a session, and hand its token to the browser as a cookie. */
static int log_in(lk_client *client, const char *user, const char *device, char token[static TOKEN_CHARS_MAX])
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_attribute cart = {lk_text("cart"), lk_text("empty")};
	struct lk_error error = LK_ERROR_INIT;
	lk_session *session;

	request.user = lk_text(user);
	request.label = lk_text(device);
	request.attributes = &cart;
	request.attribute_count = 1;
	if (lk_session_create(client, &request, &session, &error) != LK_OK)
		return failed("log in", &error);
	snprintf(token, TOKEN_CHARS_MAX, "%s", lk_session_token(session));
	printf("%s logged in on %s: session %s\n", user, device, lk_session_handle(session));
	lk_session_free(&session);
	return EXIT_SUCCESS;
}

/* A request has come with a cookie. Returns the status to answer it with. */
static int serve(lk_client *client, const char *cookie)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	enum lk_verdict verdict;
	lk_session *session = NULL;
	int status = 503;

	request.token = lk_text(cookie);
	(void)lk_session_get(client, &request, &verdict, &session, &error);
	switch (verdict) {
	case LK_VALID:
		printf("serving %s, cart: %s\n", lk_session_user(session).data,
		       lk_session_attribute(session, "cart").data);
		status = 200;
		break;
	case LK_INVALID:
		printf("please log in: %s\n", lk_reason_message(lk_session_reason(session)));
		status = 401;
		break;
	case LK_UNKNOWN:
		/* The store cannot tell now. The user stays logged in: ask to try again. */
		printf("please try again: %s\n", error.message);
		break;
	}
	lk_session_free(&session);
	return status;
}

/* Adds to the cart. Another request may do so at the same moment: whoever is second reads again and decides again. */
static int add_to_cart(lk_client *client, const char *token, const char *item)
{
	struct lk_session_update_request update = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_session_get_request get = LK_SESSION_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;

	for (int attempt = 0; attempt < 10; attempt++) {
		lk_session *session = NULL;
		struct lk_attribute cart;
		enum lk_verdict verdict;
		char content[1024];

		get.token = lk_text(token);
		if (lk_session_get(client, &get, &verdict, &session, &error) != LK_OK || verdict != LK_VALID) {
			lk_session_free(&session);
			break;
		}
		snprintf(content, sizeof(content), "%s + %s", lk_session_attribute(session, "cart").data, item);
		cart.key = lk_text("cart");
		cart.value = lk_text(content);
		update.token = lk_text(token);
		update.set = &cart;
		update.set_count = 1;
		update.expected_version = lk_session_version(session);
		lk_session_free(&session);
		if (lk_session_update(client, &update, NULL, NULL, &error) == LK_OK)
			return EXIT_SUCCESS;
		if (error.code != LK_E_CONFLICT)
			break;
	}
	return failed("add to the cart", &error);
}

/* "Where am I logged in?" Returns the number of devices, or -1. */
static int list_devices(lk_client *client, const char *user)
{
	struct lk_session_list_request request = LK_SESSION_LIST_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_sessions *devices;
	int count;

	request.user = lk_text(user);
	if (lk_session_list(client, &request, &devices, &error) != LK_OK) {
		(void)failed("list devices", &error);
		return -1;
	}
	count = (int)lk_sessions_count(devices);
	for (int i = 0; i < count; i++)
		printf("device %d: %s\n", i + 1, lk_session_label(lk_sessions_at(devices, (size_t)i)).data);
	lk_sessions_free(&devices);
	return count;
}

/* "Log me out everywhere." */
static int log_out_everywhere(lk_client *client, const char *user)
{
	struct lk_session_revoke_user_request request = LK_SESSION_REVOKE_USER_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	uint32_t revoked;

	request.user = lk_text(user);
	if (lk_session_revoke_user(client, &request, &revoked, &error) != LK_OK)
		return failed("log out", &error);
	printf("logged out on %u devices\n", revoked);
	return EXIT_SUCCESS;
}

static int live(lk_client *client)
{
	char laptop[TOKEN_CHARS_MAX], phone[TOKEN_CHARS_MAX];

	if (log_in(client, "ann", "Ann's laptop", laptop) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (log_in(client, "ann", "Ann's phone", phone) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	if (add_to_cart(client, laptop, "a lamp") != EXIT_SUCCESS || serve(client, laptop) != 200)
		return EXIT_FAILURE;
	if (serve(client, "not a token") != 401)
		return EXIT_FAILURE;
	if (list_devices(client, "ann") < 2)
		return EXIT_FAILURE;
	if (log_out_everywhere(client, "ann") != EXIT_SUCCESS)
		return EXIT_FAILURE;
	return serve(client, laptop) == 401 && serve(client, phone) == 401 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *const servers[] = {argc > 1 ? argv[1] : "tcp://127.0.0.1:7373"};
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client;
	int status;

	options.endpoints = servers;
	options.endpoint_count = 1;
	if (lk_client_open(&options, &client, &error) != LK_OK)
		return failed("open", &error);
	status = live(client);
	lk_client_close(&client);
	return status;
}
