#include "support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/file.h"
#include "support/wait.h"

extern char **environ;

/* Made before the fork: a child of a threaded process may not allocate. The strings stay their owners'. */
static const char **environment_of(const char *const *extra)
{
	size_t count = 0;
	size_t kept = 0;
	const char **env;

	while (environ[count] != NULL)
		count++;
	for (size_t i = 0; extra != NULL && extra[i] != NULL; i++)
		count++;
	env = calloc(count + 1, sizeof(*env));
	if (env == NULL)
		abort();
	/* The extra ones first: of two of a name, getenv finds the first. */
	for (size_t i = 0; extra != NULL && extra[i] != NULL; i++)
		env[kept++] = extra[i];
	for (size_t i = 0; environ[i] != NULL; i++) {
		if (strncmp(environ[i], "LATCHKEY_", 9) != 0)
			env[kept++] = environ[i];
	}
	return env;
}

static int output_of(const struct process_spec *spec)
{
	if (spec->output_path == NULL)
		return -1;
	return open(spec->output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void redirect(int fd, int target)
{
	if (fd > 0 && dup2(fd, target) < 0)
		_exit(126);
}

/* Only async-signal-safe calls: other threads may have held any lock at the fork. */
static void child(const struct process_spec *spec, const char *const *env, int output, int null_fd, pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	if (spec->netns_fd > 0 && setns(spec->netns_fd, CLONE_NEWNET) != 0)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	redirect(spec->stdin_fd > 0 ? spec->stdin_fd : null_fd, STDIN_FILENO);
	redirect(output >= 0 ? output : spec->stdout_fd, STDOUT_FILENO);
	redirect(output >= 0 ? output : spec->stderr_fd, STDERR_FILENO);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execvpe(spec->argv[0], (char *const *)(uintptr_t)spec->argv, (char *const *)(uintptr_t)env);
	_exit(127);
}

void process_spawn(struct process *p, const struct process_spec *spec)
{
	const char **env = environment_of(spec->env);
	int output = output_of(spec);
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0)
		child(spec, env, output, null_fd, parent);
	if (output >= 0)
		close(output);
	close(null_fd);
	free(env);
	if (pid < 0)
		fail_msg("fork: %s", strerror(errno));
	p->pid = pid;
}

static int exit_status_of(int wait_status)
{
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

bool process_wait(struct process *p, uint32_t bound_ms, int *ret_status)
{
	struct pollfd ended = {.events = POLLIN};
	int wait_status = 0;
	pid_t got;

	assert_true(p->pid > 0);
	ended.fd = pidfd_open(p->pid, 0);
	if (ended.fd < 0)
		fail_msg("pidfd_open %d: %s", (int)p->pid, strerror(errno));
	while (poll(&ended, 1, (int)bound_ms) < 0 && errno == EINTR)
		continue;
	close(ended.fd);
	got = waitpid(p->pid, &wait_status, WNOHANG);
	if (got != p->pid)
		return false;
	p->pid = 0;
	if (ret_status != NULL)
		*ret_status = exit_status_of(wait_status);
	return true;
}

bool process_is_running(const struct process *p)
{
	siginfo_t info = {0};

	if (p->pid <= 0)
		return false;
	return waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

void process_signal(const struct process *p, int signal_number)
{
	assert_true(p->pid > 0);
	kill(p->pid, signal_number);
}

void process_kill(struct process *p)
{
	if (p->pid <= 0)
		return;
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	p->pid = 0;
}

static int scratch(const char *name, const char *input)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		fail_msg("memfd_create: %s", strerror(errno));
	if (input == NULL)
		return fd;
	if (write(fd, input, strlen(input)) != (ssize_t)strlen(input))
		fail_msg("short write");
	lseek(fd, 0, SEEK_SET);
	return fd;
}

void run_capture(const char *const *argv, const char *const *env, const char *input, uint32_t bound_ms,
		 struct run_result *ret)
{
	struct process_spec spec = {.argv = argv, .env = env};
	struct process p;

	*ret = (struct run_result){0};
	spec.stdin_fd = input == NULL ? 0 : scratch("stdin", input);
	spec.stdout_fd = scratch("stdout", NULL);
	spec.stderr_fd = scratch("stderr", NULL);
	process_spawn(&p, &spec);
	if (!process_wait(&p, bound_ms, &ret->status)) {
		process_kill(&p);
		fail_msg("%s %s: still running after %u ms", argv[0], argv[1] == NULL ? "" : argv[1], bound_ms);
	}
	ret->out = file_read_fd(spec.stdout_fd, &ret->out_len);
	ret->err = file_read_fd(spec.stderr_fd, &ret->err_len);
	if (spec.stdin_fd > 0)
		close(spec.stdin_fd);
	close(spec.stdout_fd);
	close(spec.stderr_fd);
}

void run_result_free(struct run_result *r)
{
	free(r->out);
	free(r->err);
	*r = (struct run_result){0};
}

void binary_path(const char *name, char *out, size_t out_size)
{
	const char *folder = getenv("LATCHKEY_BIN");

	if (snprintf(out, out_size, "%s/%s", folder == NULL ? "build/bin" : folder, name) >= (int)out_size)
		fail_msg("LATCHKEY_BIN is too long");
	if (access(out, X_OK) != 0)
		fail_msg("%s: %s. Build it, or set LATCHKEY_BIN to the folder that has it", out, strerror(errno));
}

uint64_t process_rss_kib(pid_t pid)
{
	char path[64];
	unsigned long kib = 0;
	const char *line;
	char *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = file_read(path, NULL);
	line = strstr(status, "VmRSS:");
	if (line == NULL || sscanf(line, "VmRSS: %lu kB", &kib) != 1)
		fail_msg("%s has no VmRSS", path);
	free(status);
	return kib;
}
