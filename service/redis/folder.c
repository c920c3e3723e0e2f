#include "redis/folder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_BYTES_MAX ((off_t)1024 * 1024)
/* A server that saves its data at SIGTERM is given as long as one of our own. */
#define LEFT_OVER_TERM_MS 10000
/* SIGKILL takes effect at once unless the process hangs in the kernel. */
#define LEFT_OVER_KILL_MS 2000
/* A server that loads its data answers several times a second. */
#define ASK_MS 200

static enum status_code failed(struct status *st, const char *what, const char *path)
{
	return status_set(st, STATUS_FAILED_PRECONDITION, "embedded redis: cannot %s %s: %s", what, path,
			  strerrordesc_np(errno));
}

static enum status_code name_files(const char *path, struct folder *f, struct status *st)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (path[0] != '/' || len + sizeof("/redis.sock") > sizeof(f->socket))
		return status_set(
		    st, STATUS_INVALID_ARGUMENT,
		    "redis.url: the embedded server's folder must be absolute and at most %zu bytes long, for "
		    "its socket's address holds %d; this one has %zu: use a shorter one",
		    sizeof(f->socket) - sizeof("/redis.sock"), URL_SOCKET_BYTES_MAX, len);
	(void)snprintf(f->path, sizeof(f->path), "%.*s", (int)len, path);
	(void)snprintf(f->socket, sizeof(f->socket), "%.*s/redis.sock", (int)len, path);
	(void)snprintf(f->log, sizeof(f->log), "%.*s/redis.log", (int)len, path);
	(void)snprintf(f->pid_file, sizeof(f->pid_file), "%.*s/redis.pid", (int)len, path);
	return STATUS_OK;
}

static enum status_code make(const char *path, struct status *st)
{
	char part[FOLDER_PATH_BYTES];
	size_t len = strlen(path);

	assert(len < sizeof(part));
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return failed(st, "make the folder", part);
	}
	return STATUS_OK;
}

/* The folder's permissions are all that keeps other users of the machine from the data: the socket asks no password. */
static enum status_code check_private(const char *path, struct status *st)
{
	struct stat s;

	if (stat(path, &s) != 0)
		return failed(st, "look at the folder", path);
	if (!S_ISDIR(s.st_mode))
		return status_set(st, STATUS_FAILED_PRECONDITION, "embedded redis: %s is not a folder", path);
	if (s.st_uid != geteuid())
		return status_set(
		    st, STATUS_FAILED_PRECONDITION,
		    "embedded redis: %s belongs to user %u, latchkeyd runs as %u: chown it, or name another", path,
		    s.st_uid, geteuid());
	if ((s.st_mode & 077) != 0)
		return status_set(
		    st, STATUS_FAILED_PRECONDITION,
		    "embedded redis: %s is open to others (mode %03o): chmod 700 it, or name a folder within", path,
		    s.st_mode & 0777);
	return STATUS_OK;
}

static enum status_code take_lock(struct folder *f, struct status *st)
{
	char path[FOLDER_PATH_BYTES];
	int fd;

	(void)snprintf(path, sizeof(path), "%.*s/lock", (int)(sizeof(path) - sizeof("/lock")), f->path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return failed(st, "open", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		f->lock_fd = fd;
		return STATUS_OK;
	}
	(void)close(fd);
	return status_set(st, STATUS_FAILED_PRECONDITION,
			  "embedded redis: %s is in use by another latchkeyd: stop it, or name another folder",
			  f->path);
}

enum status_code folder_open(const char *path, struct folder *ret, struct status *st)
{
	struct folder f = {.lock_fd = -1};

	if (name_files(path, &f, st) != STATUS_OK || make(f.path, st) != STATUS_OK ||
	    check_private(f.path, st) != STATUS_OK || take_lock(&f, st) != STATUS_OK)
		return st->code;
	*ret = f;
	return STATUS_OK;
}

void folder_close(struct folder *f)
{
	if (f->lock_fd >= 0)
		(void)close(f->lock_fd);
	f->lock_fd = -1;
}

/* -1 and errno: EAGAIN when the backlog is full, which shows that somebody listens; else nobody does. */
static int connect_to(const struct folder *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int reason;

	if (fd < 0)
		return -1;
	memcpy(address.sun_path, f->socket, strlen(f->socket) + 1);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	reason = errno;
	(void)close(fd);
	errno = reason;
	return -1;
}

/* False: nobody listens. *ret_pid is who does, 0 when that cannot be told. */
static bool find_listener(const struct folder *f, pid_t *ret_pid)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int fd = connect_to(f);

	*ret_pid = 0;
	if (fd < 0)
		return errno == EAGAIN;
	/* Of a connected unix socket: who called listen() on the other end. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		*ret_pid = peer.pid;
	(void)close(fd);
	return true;
}

static bool is_readable(int fd, int bound_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, bound_ms) == 1;
}

enum folder_service folder_ask(const struct folder *f)
{
	static const char ping[] = "PING\r\n";
	enum folder_service service = FOLDER_SILENT;
	char answer = '\0';
	int fd = connect_to(f);

	if (fd < 0)
		return FOLDER_SILENT;
	if (send(fd, ping, sizeof(ping) - 1, MSG_NOSIGNAL) == sizeof(ping) - 1 && is_readable(fd, ASK_MS) &&
	    read(fd, &answer, 1) == 1)
		service = answer == '+' ? FOLDER_SERVED : FOLDER_LOADING;
	(void)close(fd);
	return service;
}

static pid_t read_pid(const struct folder *f)
{
	char text[24] = "";
	int fd = open(f->pid_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	long pid;
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return 0;
	pid = strtol(text, NULL, 10);
	return pid > 1 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* The descriptor cannot come to mean another process, as a number could; what it means is proven after it is open. */
static bool end_left_over(const struct folder *f, pid_t pid)
{
	int pidfd = pidfd_open(pid, 0);
	pid_t again;
	bool ended;

	if (pidfd < 0)
		return errno == ESRCH;
	ended = !find_listener(f, &again);
	if (!ended && again == pid) {
		(void)pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
		ended = is_readable(pidfd, LEFT_OVER_TERM_MS);
		if (!ended) {
			(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
			ended = is_readable(pidfd, LEFT_OVER_KILL_MS);
		}
	}
	(void)close(pidfd);
	return ended;
}

enum status_code folder_clear(const struct folder *f, struct status *st)
{
	pid_t pid;

	if (!find_listener(f, &pid))
		return STATUS_OK;
	if (pid > 1 && pid == read_pid(f) && end_left_over(f, pid))
		return STATUS_OK;
	return status_set(st, STATUS_FAILED_PRECONDITION,
			  "embedded redis: process %d listens on %s and is not ours to end: stop it", (int)pid,
			  f->socket);
}

void folder_note_pid(const struct folder *f, pid_t pid)
{
	FILE *file;

	(void)unlink(f->pid_file);
	if (pid == 0)
		return;
	file = fopen(f->pid_file, "wxe");
	if (file == NULL)
		return;
	(void)fprintf(file, "%d\n", (int)pid);
	(void)fclose(file);
}

off_t folder_rotate_log(const struct folder *f)
{
	char old[FOLDER_PATH_BYTES + 2];
	struct stat s;

	if (stat(f->log, &s) != 0)
		return 0;
	if (s.st_size <= LOG_BYTES_MAX)
		return s.st_size;
	(void)snprintf(old, sizeof(old), "%s.1", f->log);
	return rename(f->log, old) == 0 ? 0 : s.st_size;
}

void folder_last_words(const struct folder *f, off_t since, char *ret, size_t size)
{
	char text[1024];
	int fd = open(f->log, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t from = end - (off_t)sizeof(text) > since ? end - (off_t)sizeof(text) : since;
	ssize_t len = fd < 0 || from >= end ? 0 : pread(fd, text, sizeof(text), from);
	ssize_t start;
	size_t out = 0;

	if (fd >= 0)
		(void)close(fd);
	while (len > 0 && text[len - 1] == '\n')
		len--;
	for (start = len; start > 0 && text[start - 1] != '\n'; start--)
		;
	for (; start < len && out + 1 < size; start++)
		ret[out++] = text[start] >= 0x20 && text[start] < 0x7f ? text[start] : '?';
	ret[out] = '\0';
}
