#ifndef LK_TEST_CLIENT_CLI_UTIL_H
#define LK_TEST_CLIENT_CLI_UTIL_H

/* The command against a server whose answers a test makes up. Include after cmocka. */

#include "fake_server.h"
#include "support/cli.h"

#define OK LATCHKEY__V1__CODE__OK

static inline ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

/* A server whose answer to every call is this message. */
static inline void answer(const struct fake_call *call)
{
	fake_reply(call->channel, call->route, OK, NULL, call->server->arg, 0);
}

/* `latchkey ARGS...` against it. */
static inline void ask(const ProtobufCMessage *message, int status, struct run_result *r, const char *a, const char *b,
		       const char *c)
{
	struct fake_server server;

	fake_start(&server, "tcp://127.0.0.1:0", answer, (void *)(uintptr_t)message);
	cli_expect(status, r, fake_url(&server), a, b, c, NULL);
	fake_stop(&server);
}

static inline void expect_line(const char *out, const char *line)
{
	const char *at = strstr(out, line);

	if (at == NULL || (at != out && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line \"%s\" in:\n%s", line, out);
}

#endif
