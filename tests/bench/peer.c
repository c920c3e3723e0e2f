#include "bench/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/stage.h"
#include "support/file.h"
#include "support/port.h"
#include "support/wait.h"

#define PATH_BYTES 512
#define PORT_BYTES 8

void peer_path(const char *name, char *out, size_t out_size)
{
	char service[PATH_BYTES];

	/* Which must be there, while a peer need not. */
	binary_path("latchkeyd", service, sizeof(service));
	(void)snprintf(out, out_size, "%.*s/%s", (int)(strrchr(service, '/') - service), service, name);
}

static bool accepts(uint16_t port)
{
	const struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const bool is_open = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return is_open;
}

static void start(struct peer *p, const char *const *argv)
{
	static const char *const env[] = {"NODE_ENV=production", NULL};
	char log[TMPDIR_FILE_BYTES];

	tmpdir_file(&p->dir, "log", log);
	process_spawn(&p->process, &(struct process_spec){.argv = argv, .env = env, .output_path = log});
	if (WAIT_FOR(accepts(p->port) || !process_is_running(&p->process), BOUND_MS) && process_is_running(&p->process))
		return;
	(void)fprintf(stderr, "latchkey-bench: %s says:\n%s\n", argv[0], file_read(log, NULL));
	bench_die("a peer does not start", NULL);
}

static void prepare(struct peer *p)
{
	*p = (struct peer){.port = port_free()};
	tmpdir_make(&p->dir);
}

/* Debian has it in a folder that only administrators have in their PATH. */
static const char *twemproxy_path(void)
{
	static const char *const places[] = {"/usr/sbin/nutcracker", "/usr/bin/nutcracker",
					     "/usr/local/sbin/nutcracker", "/usr/local/bin/nutcracker"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

const char *peer_open_twemproxy(struct peer *p, uint16_t redis_port)
{
	const char *path = twemproxy_path();
	char config[TMPDIR_FILE_BYTES];
	char statistics[PORT_BYTES];
	char text[512];

	if (path == NULL)
		return "nutcracker (twemproxy) is not installed";
	prepare(p);
	(void)snprintf(text, sizeof(text),
		       "bench:\n  listen: 127.0.0.1:%u\n  redis: true\n  hash: fnv1a_64\n  distribution: ketama\n"
		       "  preconnect: true\n  servers:\n    - 127.0.0.1:%u:1\n",
		       p->port, redis_port);
	tmpdir_file(&p->dir, "nutcracker.yml", config);
	file_write(config, text);
	(void)snprintf(statistics, sizeof(statistics), "%u", port_free());
	start(p, (const char *const[]){path, "-c", config, "-a", "127.0.0.1", "-s", statistics, "-v", "2", NULL});
	return NULL;
}

static void start_between(struct peer *p, const char *program, const char *first, uint16_t redis_port)
{
	char port[PORT_BYTES];
	char redis[PORT_BYTES];

	prepare(p);
	(void)snprintf(port, sizeof(port), "%u", p->port);
	(void)snprintf(redis, sizeof(redis), "%u", redis_port);
	start(p, (const char *const[]){program, first, port, redis, NULL});
}

const char *peer_open_grpc(struct peer *p, uint16_t redis_port)
{
	char path[PATH_BYTES];

	peer_path("latchkey-peer-grpc", path, sizeof(path));
	if (access(path, X_OK) != 0)
		return "the gRPC server is not built (cmake -DLK_BENCH_PEERS=ON, with gRPC's C++ library)";
	start_between(p, path, "serve", redis_port);
	return NULL;
}

const char *peer_open_express(struct peer *p, uint16_t redis_port)
{
	struct run_result node;
	char path[PATH_BYTES];
	char modules[PATH_BYTES];
	bool has_node;

	run_capture((const char *const[]){"sh", "-c", "command -v node", NULL}, NULL, NULL, BOUND_MS, &node);
	has_node = node.status == 0;
	run_result_free(&node);
	if (!has_node)
		return "node is not installed";
	peer_path("../peers/express/server.js", path, sizeof(path));
	peer_path("../peers/express/node_modules/express", modules, sizeof(modules));
	if (access(modules, R_OK) != 0)
		return "its packages are not installed (./dev bench does that with npm)";
	start_between(p, "node", path, redis_port);
	return NULL;
}

const char *peer_open_echo(struct peer *p, const char *protocol)
{
	char path[PATH_BYTES];
	char port[PORT_BYTES];

	peer_path("latchkey-peer-echo", path, sizeof(path));
	if (access(path, X_OK) != 0)
		return "latchkey-peer-echo is not built";
	prepare(p);
	(void)snprintf(port, sizeof(port), "%u", p->port);
	start(p, (const char *const[]){path, protocol, port, NULL});
	return NULL;
}

void peer_close(struct peer *p)
{
	process_kill(&p->process);
	tmpdir_remove(&p->dir);
}
