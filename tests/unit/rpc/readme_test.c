/* The example of proto/README.md, byte by byte, against the real server. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/check.h"
#include "support/fixture.h"

#define README	    "proto/README.md"
#define BYTES_MAX   256
#define HEX_COLUMNS 48 /* what follows on a line explains it */

struct example {
	size_t len;
	uint8_t bytes[BYTES_MAX];
};

static void read_line(char *line, struct example *e)
{
	char *at = line;

	if (strlen(line) > HEX_COLUMNS)
		line[HEX_COLUMNS] = '\0';
	for (;;) {
		char *end;
		const unsigned long byte = strtoul(at, &end, 16);

		if (end == at)
			return;
		check(byte <= 0xff && e->len < BYTES_MAX);
		e->bytes[e->len++] = (uint8_t)byte;
		at = end;
	}
}

static struct example read_example(const char *which)
{
	FILE *file = fopen(README, "r");
	struct example e = {0};
	bool is_inside = false;
	char fence[64];
	char line[512];

	check(file != NULL);
	(void)snprintf(fence, sizeof(fence), "```hex %s\n", which);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (is_inside && line[0] == '`')
			break;
		if (is_inside)
			read_line(line, &e);
		else
			is_inside = strcmp(line, fence) == 0;
	}
	(void)fclose(file);
	check(e.len > 0);
	return e;
}

static int connect_to(const char *url)
{
	const struct timeval patience = {.tv_sec = CHECK_PATIENCE_S};
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *port = strrchr(url, ':');

	check(fd >= 0 && port != NULL);
	addr.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
	check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	check(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0);
	return fd;
}

static void receive(int fd, const void *expected, size_t len)
{
	uint8_t got[BYTES_MAX];

	assert_int_equal(recv(fd, got, len, MSG_WAITALL), (ssize_t)len);
	assert_memory_equal(got, expected, len);
}

static void test_example(void **state)
{
	const struct rpc_options options = fixture_options();
	const struct example request = read_example("request");
	const struct example reply = read_example("reply");
	struct fixture *f = fixture_start(&options);
	struct status st;
	int fd;

	(void)state;
	assert_int_equal(rpc_server_listen(f->server, "tcp://127.0.0.1:0", NULL, 0, &st), STATUS_OK);
	fd = connect_to(rpc_server_url(f->server, 1));
	assert_int_equal(send(fd, "\0SP\0\0\x30\0\0", 8, 0), 8);
	receive(fd, "\0SP\0\0\x31\0\0", 8);
	assert_int_equal(send(fd, request.bytes, request.len, 0), (ssize_t)request.len);
	receive(fd, reply.bytes, reply.len);
	(void)close(fd);
	fixture_stop(&f);
}

/* The request of the page is what a caller's protobuf library makes of the same call. */
static void test_example_is_protobuf(void **state)
{
	const struct example request = read_example("request");
	struct bytes frame = frame_of_one(HEALTH, NULL, 1000);

	(void)state;
	assert_int_equal(request.len, 12 + frame.len);
	assert_memory_equal(request.bytes + 12, frame.data, frame.len);
	bytes_free(&frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_example_is_protobuf),
	    cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
