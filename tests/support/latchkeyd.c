#include "support/latchkeyd.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/file.h"
#include "support/raw.h"
#include "support/wait.h"

#define PATH_BYTES 512
/* A drain may last 10 s by default, and the embedded Redis has as long to save. */
#define STOP_MS 30000

void latchkeyd_init(struct latchkeyd *d, const struct latchkeyd_options *options)
{
	*d = (struct latchkeyd){0};
	if (options != NULL)
		d->options = *options;
	tmpdir_make(&d->dir);
	tmpdir_file(&d->dir, "latchkeyd.yaml", d->config);
	tmpdir_file(&d->dir, "state", d->state);
	tmpdir_file(&d->dir, "latchkeyd.log", d->log);
	if (mkdir(d->state, 0700) != 0)
		fail_msg("cannot make %s", d->state);
	file_write(d->config, d->options.config == NULL ? "log_level: info\n" : d->options.config);
	snprintf(d->url, sizeof(d->url), "%s",
		 d->options.listen_url == NULL ? "tcp://127.0.0.1:0" : d->options.listen_url);
}

/* The address in the `ready` line of this run: the real port, where port 0 was asked for. */
static bool learn_url(struct latchkeyd *d)
{
	char *log = latchkeyd_log(d);
	const char *ready = strstr(log + d->log_start, " ready ");
	const char *url = ready == NULL ? NULL : strstr(ready, "://");

	while (url != NULL && url > ready && url[-1] != '=' && url[-1] != '"')
		url--;
	if (url != NULL)
		snprintf(d->url, sizeof(d->url), "%.*s", (int)strcspn(url, " \n\",="), url);
	free(log);
	return url != NULL;
}

static void learn_admin_url(struct latchkeyd *d)
{
	static const char event[] = " admin_listening url=";
	char *log = latchkeyd_log(d);
	const char *at = strstr(log + d->log_start, event);

	d->admin_url[0] = '\0';
	if (at != NULL)
		snprintf(d->admin_url, sizeof(d->admin_url), "%.*s", (int)strcspn(at + strlen(event), " \n"),
			 at + strlen(event));
	free(log);
}

static void spawn(struct latchkeyd *d)
{
	char binary[PATH_BYTES];
	char listen[PATH_BYTES];
	char redis[PATH_BYTES];
	char state[PATH_BYTES];
	char keyring[PATH_BYTES];
	const char *argv[] = {binary, "--config", d->config, NULL};
	const char *env[LATCHKEYD_ENV_MAX + 7] = {
	    state, redis, d->options.has_admin ? "LATCHKEY_ADMIN_LISTEN=http://127.0.0.1:0" : "LATCHKEY_ADMIN_LISTEN="};
	size_t count = 3;
	struct process_spec spec = {.argv = argv, .env = env, .output_path = d->log};

	if (d->options.host != NULL)
		spec.netns_fd = d->options.host->fd;
	binary_path("latchkeyd", binary, sizeof(binary));
	if (d->options.listen_url == NULL || d->options.listen_url[0] != '\0') {
		snprintf(listen, sizeof(listen), "LATCHKEY_LISTEN=%s", d->url);
		env[count++] = listen;
	}
	snprintf(state, sizeof(state), "LATCHKEY_STATE_DIR=%s", d->state);
	snprintf(redis, sizeof(redis), "LATCHKEY_REDIS_URL=%s",
		 d->options.redis_url == NULL ? "embedded:" : d->options.redis_url);
	if (d->options.keyring_of != NULL) {
		snprintf(keyring, sizeof(keyring), "LATCHKEY_KEYRING=%s/keyring", d->options.keyring_of->state);
		env[count++] = keyring;
	}
#ifdef __SANITIZE_THREAD__
	/* A race is only seen where several threads work: as many as nng has, in place of the one by default. */
	env[count++] = "LATCHKEY_CALLS_THREADS=64";
#endif
	for (size_t i = 0; i < LATCHKEYD_ENV_MAX; i++)
		env[count + i] = d->options.env[i];
	process_spawn(&d->process, &spec);
}

void latchkeyd_start(struct latchkeyd *d)
{
	free(file_read(d->log, &d->log_start));
	spawn(d);
	if (!WAIT_FOR(learn_url(d) || !process_is_running(&d->process), BOUND_MS) || !process_is_running(&d->process))
		fail_msg("latchkeyd does not start:\n%s", latchkeyd_log(d));
	learn_admin_url(d);
}

void latchkeyd_start_serving(struct latchkeyd *d)
{
	latchkeyd_start(d);
	if (!WAIT_FOR(latchkeyd_is_serving(d), BOUND_MS))
		fail_msg("latchkeyd does not serve:\n%s", latchkeyd_log(d));
}

bool latchkeyd_is_serving(const struct latchkeyd *d)
{
	Latchkey__V1__HealthCheckRequest check = LATCHKEY__V1__HEALTH_CHECK_REQUEST__INIT;
	const struct raw_call call = {.method = "/latchkey.v1.Health/Check", .request = &check.base};
	Latchkey__V1__ReplyFrame *frame = NULL;
	Latchkey__V1__HealthCheckResponse *health;
	bool is_serving = false;
	struct raw r;

	if (!raw_try_connect(&r, d->url))
		return false;
	if (raw_send_calls(&r, 1, &call, 1) && raw_receive(&r, NULL, &frame, BOUND_MS) && frame->n_replies == 1) {
		health = (void *)raw_unpack(frame->replies[0], &latchkey__v1__health_check_response__descriptor);
		is_serving = health != NULL && health->status == LATCHKEY__V1__SERVING_STATUS__SERVING;
		raw_free(health);
	}
	raw_free(frame);
	raw_close(&r);
	return is_serving;
}

void latchkeyd_stop(struct latchkeyd *d)
{
	int status = -1;

	process_signal(&d->process, SIGTERM);
	if (!process_wait(&d->process, STOP_MS, &status))
		fail_msg("latchkeyd does not stop:\n%s", latchkeyd_log(d));
	if (status != 0)
		fail_msg("latchkeyd ended with status %d:\n%s", status, latchkeyd_log(d));
}

void latchkeyd_remove(struct latchkeyd *d)
{
	process_kill(&d->process);
	tmpdir_remove(&d->dir);
}

void latchkeyd_end(struct latchkeyd *d)
{
	latchkeyd_stop(d);
	latchkeyd_remove(d);
}

char *latchkeyd_log(const struct latchkeyd *d)
{
	return file_read(d->log, NULL);
}

void latchkeyd_run(const char *const *args, const char *const *env, struct run_result *ret)
{
	char binary[PATH_BYTES];
	const char *argv[16] = {binary};

	binary_path("latchkeyd", binary, sizeof(binary));
	for (size_t i = 0; i < 14 && args[i] != NULL; i++)
		argv[1 + i] = args[i];
	run_capture(argv, env, NULL, BOUND_MS, ret);
}
