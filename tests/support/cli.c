#include "support/cli.h"

#include <stdio.h>

#include "support/wait.h"

#define ARGS_MAX   64
#define PATH_BYTES 512

static void run(struct run_result *ret, const char *server, const char *input, va_list args)
{
	char variable[PATH_BYTES];
	char binary[PATH_BYTES];
	const char *argv[ARGS_MAX] = {binary};
	const char *const env[] = {variable, NULL};
	size_t argc = 1;

	binary_path("latchkey", binary, sizeof(binary));
	snprintf(variable, sizeof(variable), "LATCHKEY_SERVER=%s", server);
	while (argc < ARGS_MAX - 1 && (argv[argc] = va_arg(args, const char *)) != NULL)
		argc++;
	run_capture(argv, env, input, BOUND_MS, ret);
}

void cli_run(struct run_result *ret, const char *server, ...)
{
	va_list args;

	va_start(args, server);
	run(ret, server, NULL, args);
	va_end(args);
}

void cli_run_with_input(struct run_result *ret, const char *server, const char *input, ...)
{
	va_list args;

	va_start(args, input);
	run(ret, server, input, args);
	va_end(args);
}

void cli_expect(int status, struct run_result *ret, const char *server, ...)
{
	va_list args;

	va_start(args, server);
	run(ret, server, NULL, args);
	va_end(args);
	if (ret->status != status)
		fail_msg("exit status %d, not %d\nout: %s\nerr: %s", ret->status, status, ret->out, ret->err);
}

void cli_new_credential(const char *id, const char *role, char credential[static CLI_LINE_BYTES],
			char line[static CLI_LINE_BYTES])
{
	struct run_result made;

	/* No server is asked. */
	cli_expect(CLI_DONE, &made, "tcp://127.0.0.1:1", "credential", "new", id, "--role", role, NULL);
	assert_int_equal(sscanf(made.out, "credential %255s line %255[^\n]", credential, line), 2);
	run_result_free(&made);
}
