#ifndef LK_SUPPORT_PROCESS_H
#define LK_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Child processes. Nothing outlives a crashed test: a child gets SIGKILL when the thread that spawned it ends, so spawn
 * from the test's main thread. A child's environment is the test's without LATCHKEY_*, plus what the spec adds: the
 * caller's own settings cannot change what a test sees. */

struct process_spec {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH unless it has a slash */
	const char *const *env;	 /* "NAME=value", NULL-terminated; NULL: none */
	const char *output_path; /* stdout and stderr are appended here; NULL: the descriptors below */
	int stdin_fd;		 /* 0: /dev/null */
	int stdout_fd;		 /* 0: the test's own */
	int stderr_fd;
	int netns_fd; /* the network namespace it runs in; 0: the test's own */
};

struct process {
	pid_t pid; /* 0: none */
};

void process_spawn(struct process *p, const struct process_spec *spec);

/* True when it ended within bound_ms: *ret_status (NULL allowed) is its exit status, or 128 + the signal that ended
 * it, and p is empty again. */
bool process_wait(struct process *p, uint32_t bound_ms, int *ret_status);
bool process_is_running(const struct process *p);
void process_signal(const struct process *p, int signal_number);

/* SIGKILL and wait. Accepts an empty p. */
void process_kill(struct process *p);

struct run_result {
	int status;
	char *out;
	size_t out_len;
	char *err;
	size_t err_len;
};

/* Runs to the end and captures. input may be NULL. Fails the test when it takes longer than bound_ms. */
void run_capture(const char *const *argv, const char *const *env, const char *input, uint32_t bound_ms,
		 struct run_result *ret);
void run_result_free(struct run_result *r);

/* BUILD/bin/NAME of the build under test: LATCHKEY_BIN, else build/bin. */
void binary_path(const char *name, char *out, size_t out_size);

/* VmRSS. */
uint64_t process_rss_kib(pid_t pid);

#endif
