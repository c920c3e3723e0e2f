/* single_flight_crowd LOG KEY THREADS LEASE_MS PAUSE_MS SERVER... : so many threads of one process that want one key at
 * once. Each run of the loader appends a line to LOG, its monotonic time in ms, and takes PAUSE_MS; "die" in its place: it ends the process. Prints
 * how many threads had the answer. */

#include <errno.h>
#include <fcntl.h>
#include <latchkey/auth.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 512
#define ANSWER	    "the answer"
/* This is about how often it loads, on a machine as busy as may be: nothing here may run out of time. */
#define PATIENCE_MS 60000

struct crowd {
	lk_client *client;
	pthread_barrier_t start;
	const char *log;
	const char *key;
	uint32_t lease_ms;
	long pause_ms; /* negative: dies */
};

static void note(const char *log)
{
	int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	struct timespec now;
	char line[32];
	int len;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	len = snprintf(line, sizeof(line), "%lld\n", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	/* One write: lines of several processes do not mix. */
	if (fd < 0 || write(fd, line, (size_t)len) != len)
		abort();
	(void)close(fd);
}

static enum lk_err load(lk_auth_load *load, void *arg)
{
	const struct crowd *crowd = arg;
	struct timespec left = {.tv_sec = crowd->pause_ms / 1000, .tv_nsec = crowd->pause_ms % 1000 * 1000000};

	note(crowd->log);
	if (crowd->pause_ms < 0)
		_exit(EXIT_SUCCESS);
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
	return lk_auth_load_found(load, lk_text(ANSWER));
}

/* Returns NULL unless it had the answer. */
static void *want(void *arg)
{
	struct crowd *crowd = arg;
	struct lk_auth_get_request get = LK_AUTH_GET_REQUEST_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_auth_answer *answer = NULL;
	bool had;

	get.subject = lk_text("ann");
	get.key = lk_text(crowd->key);
	get.timeout_ms = get.lookup_ms = PATIENCE_MS;
	get.lookup_ms /= 2;
	get.lease_ms = crowd->lease_ms;
	(void)pthread_barrier_wait(&crowd->start);
	if (lk_auth_get_or_load(crowd->client, &get, load, crowd, &answer, &error) != LK_OK) {
		fprintf(stderr, "%s: %s\n", lk_err_name(error.code), error.message);
		return NULL;
	}
	had = lk_auth_state_of(answer) == LK_AUTH_HIT && strcmp(lk_auth_answer_bytes(answer).data, ANSWER) == 0;
	lk_auth_answer_free(&answer);
	return had ? crowd : NULL;
}

static unsigned run(struct crowd *crowd, unsigned threads)
{
	static pthread_t all[THREADS_MAX];
	pthread_attr_t small;
	unsigned had = 0;

	(void)pthread_barrier_init(&crowd->start, NULL, threads);
	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, 512 * 1024);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&all[i], &small, want, crowd) != 0)
			abort();
	for (unsigned i = 0; i < threads; i++) {
		void *found;

		(void)pthread_join(all[i], &found);
		had += found != NULL;
	}
	(void)pthread_attr_destroy(&small);
	(void)pthread_barrier_destroy(&crowd->start);
	return had;
}

int main(int argc, char **argv)
{
	struct lk_options options = LK_OPTIONS_INIT;
	struct crowd crowd = {0};
	unsigned threads;

	if (argc < 7)
		return EXIT_FAILURE;
	threads = (unsigned)atoi(argv[3]);
	if (threads == 0 || threads > THREADS_MAX)
		return EXIT_FAILURE;
	crowd.log = argv[1];
	crowd.key = argv[2];
	crowd.lease_ms = (uint32_t)atoi(argv[4]);
	crowd.pause_ms = strcmp(argv[5], "die") == 0 ? -1 : atoi(argv[5]);
	options.endpoints = (const char *const *)&argv[6];
	options.endpoint_count = (size_t)argc - 6;
	if (lk_client_open(&options, &crowd.client, NULL) != LK_OK)
		return EXIT_FAILURE;
	printf("%u\n", run(&crowd, threads));
	lk_client_close(&crowd.client);
	return EXIT_SUCCESS;
}
