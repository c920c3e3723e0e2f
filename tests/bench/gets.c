/* So many Gets of one session, in rounds: so many at once, and the next round when the last of them is answered. Started
 * within a callback they are written together and arrive together, so every run brings the two sides the same bytes in
 * the same portions: what tests/bench/instructions counts does not depend on the clock. */

#include <latchkey/latchkey.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define TOGETHER_MAX	1024
#define ATTRIBUTE_BYTES 256
/* Under callgrind one Get takes a hundred times as long. */
#define TIMEOUT_MS 60000

struct gets {
	struct lk_session_get_request request;
	lk_call *calls[TOGETHER_MAX];
	unsigned together;
	unsigned long rounds_left;
	_Atomic unsigned unanswered; /* of this round */
	_Atomic bool has_failed;
	sem_t is_over;
};

_Noreturn static void die(const char *what, const struct lk_error *error)
{
	(void)fprintf(stderr, "latchkey-gets: %s%s%s\n", what, error != NULL ? ": " : "",
		      error != NULL ? error->message : "");
	exit(1);
}

static void begin_round(struct gets *g)
{
	if (g->rounds_left == 0 || atomic_load(&g->has_failed)) {
		(void)sem_post(&g->is_over);
		return;
	}
	g->rounds_left--;
	atomic_store(&g->unanswered, g->together);
	for (unsigned i = 0; i < g->together; i++)
		if (lk_session_get_async(g->calls[i], &g->request) != LK_OK)
			die("a call could not be started", NULL);
}

static void on_got(lk_call *call, enum lk_err err, void *arg)
{
	struct gets *g = arg;

	if (err != LK_OK || lk_call_verdict(call) != LK_VALID)
		atomic_store(&g->has_failed, true);
	if (atomic_fetch_sub(&g->unanswered, 1) == 1)
		begin_round(g);
}

/* Its value does not compress, as an identity provider's tokens do not. */
static lk_session *create(lk_client *client)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	struct lk_attribute attribute;
	char value[ATTRIBUTE_BYTES];
	uint32_t x = 1;
	lk_session *session;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
	attribute = (struct lk_attribute){lk_text("profile"), lk_bytes_of(value, sizeof(value))};
	request.user = lk_text("ann");
	request.attributes = &attribute;
	request.attribute_count = 1;
	if (lk_session_create(client, &request, &session, &error) != LK_OK)
		die("create", &error);
	return session;
}

static lk_client *open_client(const char *url)
{
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client;

	options.endpoints = &url;
	options.endpoint_count = 1;
	options.call_timeout_ms = TIMEOUT_MS;
	options.connect_timeout_ms = TIMEOUT_MS;
	if (lk_client_open(&options, &client, &error) != LK_OK)
		die("client", &error);
	return client;
}

static void run(lk_client *client, struct gets *g)
{
	(void)sem_init(&g->is_over, 0, 0);
	for (unsigned i = 0; i < g->together; i++)
		if (lk_call_new(client, on_got, g, &g->calls[i]) != LK_OK)
			die("out of memory", NULL);
	begin_round(g);
	while (sem_wait(&g->is_over) != 0)
		;
	for (unsigned i = 0; i < g->together; i++)
		lk_call_free(&g->calls[i]);
	(void)sem_destroy(&g->is_over);
}

int main(int argc, char **argv)
{
	static struct gets gets;
	lk_session *session;
	lk_client *client;

	if (argc != 4)
		die("usage: latchkey-gets URL ROUNDS TOGETHER", NULL);
	gets.rounds_left = strtoul(argv[2], NULL, 10);
	gets.together = (unsigned)strtoul(argv[3], NULL, 10);
	if (gets.together < 1 || gets.together > TOGETHER_MAX)
		die("TOGETHER is 1 to 1024", NULL);
	client = open_client(argv[1]);
	session = create(client);
	gets.request = (struct lk_session_get_request)LK_SESSION_GET_REQUEST_INIT;
	gets.request.token = lk_text(lk_session_token(session));
	run(client, &gets);
	lk_session_free(&session);
	lk_client_close(&client);
	if (atomic_load(&gets.has_failed))
		die("a Get was not answered VALID", NULL);
	return 0;
}
