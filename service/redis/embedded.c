/* The supervisor of a private redis-server.
 *
 *   STARTING -> RUNNING -> PAUSING -> RUNNING ... -> ENDED
 *
 * One thread starts the server, waits for its end and starts it again; it lives as long as the embedded does, because
 * the kernel signals the server (PR_SET_PDEATHSIG) when the thread that started it ends. So the server cannot outlive a
 * latchkeyd that was killed; should it, for the moment that it needs to save its data, the next latchkeyd finds it on
 * the socket and ends it first (folder_clear): two servers on one append-only file would spoil it.
 *
 * `lock` guards the state and the process id. The child is reaped under the lock only, so that a process id read under
 * it cannot have become another process's. Events are reported with no lock held. */

#include "redis/embedded.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "redis/backoff.h"
#include "redis/child.h"
#include "redis/folder.h"

/* For a start on an empty folder some 50 ms do. A large append-only file may take longer to load: it is not waited for,
 * but a server that cannot read its data has died by then. */
#define START_TIMEOUT_MS 10000
/* SIGTERM lets the server write out what it has. */
#define STOP_TIMEOUT_MS 10000
#define POLL_MS		5
/* A server that ran for so long had started well: its next death begins a new count. */
#define PROVEN_MS     10000U
#define ARGUMENTS_MAX 32

enum embedded_state { STATE_STARTING, STATE_RUNNING, STATE_PAUSING, STATE_ENDED, STATES };

struct embedded {
	struct folder folder;
	struct redis_events events;
	char address[sizeof("ipc://") + FOLDER_PATH_BYTES];
	char binary[PATH_MAX];
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum embedded_state state;
	bool is_stopping;
	bool has_served; /* once: from now on a death is followed by a restart */
	pid_t pid;	 /* 0: no child */
	off_t log_start;
	uint64_t started_ms;
	uint32_t deaths; /* since it last ran for PROVEN_MS */
};

static void move(embedded *e, enum embedded_state to)
{
	static const uint8_t from[STATES] = {
	    [STATE_STARTING] = 0,
	    [STATE_RUNNING] = 1U << STATE_STARTING | 1U << STATE_PAUSING,
	    [STATE_PAUSING] = 1U << STATE_STARTING | 1U << STATE_RUNNING | 1U << STATE_PAUSING,
	    [STATE_ENDED] = 1U << STATE_STARTING | 1U << STATE_RUNNING | 1U << STATE_PAUSING,
	};

	assert((from[to] & 1U << e->state) != 0);
	e->state = to;
	pthread_cond_broadcast(&e->changed);
}

static void report(const embedded *e, const struct redis_event *event)
{
	if (e->events.report != NULL)
		e->events.report(e->events.owner, event);
}

/* Waits for a change, with the lock held, until then at the latest. */
static void wait_locked(embedded *e, uint64_t until_ms)
{
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};

	(void)pthread_cond_timedwait(&e->changed, &e->lock, &until);
}

/* No config file: every setting that matters is here.
 * appendfsync always: what is answered is on disk. With everysec Redis holds a write back for up to two seconds while
 * a sync is under way, and a kill then loses logins and revocations that were acknowledged; measured under a busy disk.
 * It costs about a tenth of the commands a second at 64 callers. save "": the append-only file has it all; a snapshot
 * would be the same work again. noeviction: a full store refuses new sessions and never drops a living one. */
static pid_t start_server(embedded *e)
{
	static const char *const settings[] = {
	    "--port",
	    "0",
	    "--unixsocketperm",
	    "700",
	    "--daemonize",
	    "no",
	    "--appendonly",
	    "yes",
	    "--appendfsync",
	    "always",
	    "--save",
	    "",
	    "--databases",
	    "1",
	    "--maxmemory-policy",
	    "noeviction",
	    "--loglevel",
	    "notice",
	    "--always-show-logo",
	    "no",
	    "--unixsocket",
	};
	enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };
	union {
		const char *in[ARGUMENTS_MAX];
		char *out[ARGUMENTS_MAX];
	} argv = {.in = {e->binary}};
	size_t n = 1;

	_Static_assert(SETTINGS + 7 < ARGUMENTS_MAX, "the arguments fit");
	for (size_t i = 0; i < SETTINGS; i++)
		argv.in[n++] = settings[i];
	argv.in[n++] = e->folder.socket;
	argv.in[n++] = "--dir";
	argv.in[n++] = e->folder.path;
	argv.in[n++] = "--logfile";
	argv.in[n++] = e->folder.log;
	argv.in[n] = NULL;
	return child_start(&(struct child_spec){.path = e->binary, .argv = argv.out, .output = e->folder.log});
}

/* False: no process could be started. */
static bool launch_locked(embedded *e)
{
	pid_t pid;

	e->log_start = folder_rotate_log(&e->folder);
	e->started_ms = clock_mono_ms();
	pid = start_server(e);
	if (pid < 0)
		return false;
	e->pid = pid;
	folder_note_pid(&e->folder, pid);
	move(e, STATE_RUNNING);
	return true;
}

static void describe_end(const siginfo_t *info, char *ret, size_t size)
{
	if (info->si_code == CLD_EXITED)
		(void)snprintf(ret, size, "exited with status %d", info->si_status);
	else
		(void)snprintf(ret, size, "was ended by signal %d", info->si_status);
}

/* Waits for the child without the lock, and reaps it with. */
static void await_end(embedded *e, char *ret_how, size_t size)
{
	siginfo_t info = {0};
	pid_t pid = e->pid;

	pthread_mutex_unlock(&e->lock);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0)
		assert(errno == EINTR);
	pthread_mutex_lock(&e->lock);
	(void)waitpid(pid, NULL, 0);
	e->pid = 0;
	folder_note_pid(&e->folder, 0);
	describe_end(&info, ret_how, size);
}

static void report_death(embedded *e, const char *how)
{
	char words[160];
	char text[400];

	if (!backoff_is_worth_a_word(e->deaths))
		return;
	folder_last_words(&e->folder, e->log_start, words, sizeof(words));
	(void)snprintf(text, sizeof(text), "it is started again; its last words: %s", words);
	report(e, &(struct redis_event){
		      .kind = REDIS_EVENT_PROBLEM,
		      .name = "embedded_died",
		      .node = e->folder.path,
		      .error = how,
		      .text = text,
		      .attempt = e->deaths,
		  });
}

static void report_start(embedded *e, pid_t pid)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "redis-server, process %d", (int)pid);
	report(e, &(struct redis_event){
		      .kind = REDIS_EVENT_RECOVERY,
		      .name = "embedded_started",
		      .node = e->folder.path,
		      .text = text,
		  });
}

/* After a death, or a start that failed; with the lock held, which it lets go of in between. */
static void pause_locked(embedded *e, const char *how)
{
	uint64_t until_ms;

	if (clock_mono_ms() - e->started_ms >= PROVEN_MS)
		e->deaths = 0;
	e->deaths++;
	move(e, STATE_PAUSING);
	pthread_mutex_unlock(&e->lock);
	metric_add(METRIC_EMBEDDED_RESTARTS, 1);
	report_death(e, how);
	pthread_mutex_lock(&e->lock);
	until_ms = clock_mono_ms() + backoff_ms(e->deaths);
	while (!e->is_stopping && clock_mono_ms() < until_ms)
		wait_locked(e, until_ms);
}

static void run_once_locked(embedded *e, char *ret_how, size_t size)
{
	pid_t pid;

	if (!launch_locked(e)) {
		(void)snprintf(ret_how, size, "could not be started (%s)", strerrordesc_np(errno));
		return;
	}
	pid = e->pid;
	pthread_mutex_unlock(&e->lock);
	report_start(e, pid);
	pthread_mutex_lock(&e->lock);
	await_end(e, ret_how, size);
}

static void *supervise(void *owner)
{
	embedded *e = owner;
	char how[120];
	sigset_t all;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, NULL);
	pthread_mutex_lock(&e->lock);
	while (!e->is_stopping) {
		run_once_locked(e, how, sizeof(how));
		if (!e->has_served)
			break;
		if (!e->is_stopping)
			pause_locked(e, how);
	}
	move(e, STATE_ENDED);
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* True when the server answers with its data, or still loads it when the time is over; false when it died, as it does
 * over data that it cannot read, or never answered. */
static bool await_service(embedded *e)
{
	uint64_t until_ms = clock_mono_ms() + START_TIMEOUT_MS;
	enum folder_service service = FOLDER_SILENT;
	bool is_served;

	pthread_mutex_lock(&e->lock);
	while (e->state != STATE_ENDED && service != FOLDER_SERVED && clock_mono_ms() < until_ms) {
		wait_locked(e, clock_mono_ms() + POLL_MS);
		pthread_mutex_unlock(&e->lock);
		service = folder_ask(&e->folder);
		pthread_mutex_lock(&e->lock);
	}
	is_served = e->state != STATE_ENDED && service != FOLDER_SILENT;
	e->has_served = is_served;
	pthread_mutex_unlock(&e->lock);
	return is_served;
}

static enum status_code start(embedded *e, struct status *st)
{
	char words[80];
	off_t log_start;

	if (pthread_create(&e->thread, NULL, supervise, e) != 0)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "embedded redis: no thread could be started");
	e->has_thread = true;
	if (await_service(e))
		return STATUS_OK;
	pthread_mutex_lock(&e->lock);
	log_start = e->log_start;
	pthread_mutex_unlock(&e->lock);
	folder_last_words(&e->folder, log_start, words, sizeof(words));
	return status_set(st, STATUS_FAILED_PRECONDITION,
			  "embedded redis: redis-server does not come up; the end of %s: %s", e->folder.log, words);
}

static embedded *embedded_new(const struct embedded_options *options)
{
	embedded *e = calloc(1, sizeof(*e));
	pthread_condattr_t monotonic;

	if (e == NULL)
		return NULL;
	e->events = options->events;
	e->folder.lock_fd = -1;
	e->state = STATE_STARTING;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return e;
}

enum status_code embedded_start(const struct embedded_options *options, embedded **ret, struct status *st)
{
	embedded *e = embedded_new(options);
	enum status_code code;

	if (e == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	code = child_find(options->server_binary, e->binary, sizeof(e->binary), st);
	if (code == STATUS_OK)
		code = folder_open(options->folder, &e->folder, st);
	if (code == STATUS_OK)
		code = folder_clear(&e->folder, st);
	if (code == STATUS_OK)
		code = start(e, st);
	if (code == STATUS_OK) {
		(void)snprintf(e->address, sizeof(e->address), "ipc://%s", e->folder.socket);
		*ret = e;
		e = NULL;
	}
	embedded_stop(&e);
	return code;
}

const char *embedded_address(const embedded *e)
{
	return e->address;
}

static void signal_locked(const embedded *e, int signal_number)
{
	if (e->pid > 0)
		(void)kill(e->pid, signal_number);
}

static void stop_server(embedded *e)
{
	uint64_t until_ms = clock_mono_ms() + STOP_TIMEOUT_MS;
	bool is_late;

	pthread_mutex_lock(&e->lock);
	e->is_stopping = true;
	pthread_cond_broadcast(&e->changed);
	signal_locked(e, SIGTERM);
	while (e->state != STATE_ENDED && clock_mono_ms() < until_ms)
		wait_locked(e, until_ms);
	is_late = e->state != STATE_ENDED;
	if (is_late)
		signal_locked(e, SIGKILL);
	pthread_mutex_unlock(&e->lock);
	if (is_late)
		report(e, &(struct redis_event){
			      .kind = REDIS_EVENT_PROBLEM,
			      .name = "embedded_killed",
			      .node = e->folder.path,
			      .error = "redis-server did not end within 10 s of SIGTERM",
			  });
	(void)pthread_join(e->thread, NULL);
}

void embedded_stop(embedded **e)
{
	embedded *old = *e;

	if (old == NULL)
		return;
	*e = NULL;
	if (old->has_thread)
		stop_server(old);
	folder_close(&old->folder);
	pthread_mutex_destroy(&old->lock);
	pthread_cond_destroy(&old->changed);
	free(old);
}
