/* From fork to exec only async-signal-safe calls are made: other threads may have held any lock at the fork, nng's and
 * malloc's among them. */

#include "redis/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_NOT_STARTED 127
/* Where the kernel has no close_range (before 5.9): what a process has open is well below. */
#define DESCRIPTORS_MAX 65536

static bool is_program(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0 && S_ISREG(s.st_mode) && access(path, X_OK) == 0;
}

static bool find_in_path(const char *name, char *ret, size_t size)
{
	const char *folders = getenv("PATH");

	if (folders == NULL)
		folders = "/usr/local/bin:/usr/bin:/bin";
	while (*folders != '\0') {
		size_t len = strcspn(folders, ":");

		if (len > 0 && (size_t)snprintf(ret, size, "%.*s/%s", (int)len, folders, name) < size &&
		    is_program(ret))
			return true;
		folders += len;
		folders += *folders == ':';
	}
	return false;
}

enum status_code child_find(const char *name, char *ret, size_t size, struct status *st)
{
	bool has_slash = strchr(name, '/') != NULL;

	if (has_slash && is_program(name) && (size_t)snprintf(ret, size, "%s", name) < size)
		return STATUS_OK;
	if (!has_slash && find_in_path(name, ret, size))
		return STATUS_OK;
	return status_set(
	    st, STATUS_FAILED_PRECONDITION,
	    "embedded redis: no program %.80s%s: install Redis 7.0 or later (Debian: redis-server), or name it "
	    "by redis.server_binary",
	    name, has_slash ? "" : " in PATH");
}

static void reset_signals(void)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &standard, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_others(void)
{
	if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
		return;
	for (int fd = 3; fd < DESCRIPTORS_MAX; fd++)
		(void)close(fd);
}

static bool open_standard(const char *output)
{
	int in = open("/dev/null", O_RDONLY);
	int out = open(output, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);

	return in >= 0 && out >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2;
}

__attribute__((noreturn)) static void become(const struct child_spec *spec, pid_t parent)
{
	static const char sorry[] = "cannot be executed\n";
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char *const environment[] = {path, NULL};

	(void)umask(077);
	(void)setsid();
	if (!open_standard(spec->output))
		_exit(EXIT_NOT_STARTED);
	close_others();
	reset_signals();
	/* The parent may have died before the death signal was asked for. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(EXIT_NOT_STARTED);
	(void)execve(spec->path, spec->argv, environment);
	(void)!write(2, sorry, sizeof(sorry) - 1);
	_exit(EXIT_NOT_STARTED);
}

pid_t child_start(const struct child_spec *spec)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0)
		become(spec, parent);
	return pid;
}
