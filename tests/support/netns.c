/* A namespace is made by this thread's leaving its own for a moment; a descriptor keeps it. Devices are named h0, h1, ...
 * where they plug into the switch, and eth0 on the hosts. All is configured by `ip` inside the namespaces. */

#include "support/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/file.h"
#include "support/process.h"
#include "support/tmpdir.h"
#include "support/wait.h"

/* Commands of one `ip -batch`: four lines of less than 128 bytes a host. */
#define BATCH_BYTES (NETNS_HOSTS_MAX * 4 * 128)

static int own_namespace(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int new_namespace(void)
{
	int own = own_namespace();
	int fd;

	if (own < 0 || unshare(CLONE_NEWNET) != 0)
		fail_msg("no network namespace of one's own: %s", strerror(errno));
	fd = own_namespace();
	if (fd < 0 || setns(own, CLONE_NEWNET) != 0)
		fail_msg("no way back from a network namespace: %s", strerror(errno));
	close(own);
	return fd;
}

/* commands: as for `ip -batch`, a line each. */
static int run_ip(int netns_fd, const char *commands, const char *log)
{
	const char *const argv[] = {"ip", "-batch", "-", NULL};
	struct process_spec spec = {.argv = argv, .output_path = log, .netns_fd = netns_fd};
	struct process p;
	int status = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0 || write(ends[1], commands, strlen(commands)) != (ssize_t)strlen(commands))
		fail_msg("no pipe: %s", strerror(errno));
	close(ends[1]);
	spec.stdin_fd = ends[0];
	process_spawn(&p, &spec);
	close(ends[0]);
	if (!process_wait(&p, BOUND_MS, &status))
		process_kill(&p);
	return status;
}

static void ip(int netns_fd, const char *commands)
{
	char log[TMPDIR_FILE_BYTES];
	struct tmpdir dir;

	tmpdir_make(&dir);
	tmpdir_file(&dir, "ip.log", log);
	if (run_ip(netns_fd, commands, log) != 0)
		fail_msg("ip: %s\nThe commands were:\n%s", file_read(log, NULL), commands);
	tmpdir_remove(&dir);
}

static bool may_unshare(void)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool netns_is_possible(void)
{
	struct process p;
	int null_fd;
	int status = -1;
	int fd;

	if (!may_unshare())
		return false;
	fd = new_namespace();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Some kernels have namespaces but neither veth nor bridges. */
	process_spawn(
	    &p, &(struct process_spec){
		    .argv =
			(const char *const[]){
			    "sh", "-c", "ip link add br0 type bridge && ip link add v0 type veth peer name v1", NULL},
		    .stdout_fd = null_fd,
		    .stderr_fd = null_fd,
		    .netns_fd = fd,
		});
	if (!process_wait(&p, BOUND_MS, &status))
		process_kill(&p);
	close(null_fd);
	close(fd);
	return status == 0;
}

static void plug_in(const struct netns *n)
{
	char batch[BATCH_BYTES];
	size_t used = (size_t)snprintf(batch, sizeof(batch),
				       "link add near type bridge forward_delay 0\nlink set near up\n"
				       "link add far type bridge forward_delay 0\nlink set far up\n");

	for (size_t i = 0; i < n->count; i++) {
		used += (size_t)snprintf(batch + used, sizeof(batch) - used,
					 "link add h%zu type veth peer name eth0 netns /proc/%d/fd/%d\n"
					 "link set h%zu master near\nlink set h%zu up\n",
					 i, (int)getpid(), n->hosts[i].fd, i, i);
		assert_true(used < sizeof(batch));
	}
	ip(n->switch_fd, batch);
}

static void configure(const struct netns_host *host)
{
	char batch[256];

	snprintf(batch, sizeof(batch), "link set lo up\naddr add %s/24 dev eth0\nlink set eth0 up\n", host->address);
	ip(host->fd, batch);
}

void netns_open(struct netns *n, size_t hosts)
{
	assert_true(hosts <= NETNS_HOSTS_MAX);
	*n = (struct netns){.switch_fd = new_namespace(), .count = hosts};
	for (size_t i = 0; i < hosts; i++) {
		struct netns_host *host = &n->hosts[i];

		*host = (struct netns_host){.fd = new_namespace(), .switch_fd = n->switch_fd, .index = (unsigned)i};
		snprintf(host->address, sizeof(host->address), "10.77.0.%zu", i + 1);
	}
	plug_in(n);
	for (size_t i = 0; i < hosts; i++)
		configure(&n->hosts[i]);
}

void netns_close(struct netns *n)
{
	for (size_t i = 0; i < n->count; i++)
		close(n->hosts[i].fd);
	if (n->switch_fd > 0)
		close(n->switch_fd);
	*n = (struct netns){0};
}

void netns_cut(const struct netns_host *host)
{
	char command[64];

	snprintf(command, sizeof(command), "link set h%u down\n", host->index);
	ip(host->switch_fd, command);
}

void netns_part(const struct netns_host *host)
{
	char command[64];

	snprintf(command, sizeof(command), "link set h%u master far\n", host->index);
	ip(host->switch_fd, command);
}

void netns_heal(const struct netns_host *host)
{
	char commands[128];

	snprintf(commands, sizeof(commands), "link set h%u master near\nlink set h%u up\n", host->index, host->index);
	ip(host->switch_fd, commands);
}
