#ifndef LK_SUPPORT_CLI_H
#define LK_SUPPORT_CLI_H

#include "support/process.h"

/* The latchkey command's documented exit statuses. */
enum { CLI_DONE = 0, CLI_INVALID = 1, CLI_USAGE = 2, CLI_UNAVAILABLE = 3 };

/* Runs `latchkey ARGS...` against the server (LATCHKEY_SERVER) and captures. End the arguments with NULL. */
void cli_run(struct run_result *ret, const char *server, ...) __attribute__((sentinel));

/* The same with text on its standard input. */
void cli_run_with_input(struct run_result *ret, const char *server, const char *input, ...) __attribute__((sentinel));

/* As cli_run, and fails the test unless it exits with this status. */
void cli_expect(int status, struct run_result *ret, const char *server, ...) __attribute__((sentinel));

/* "latchkey credential new": the credential, and the line of the service's file with its hash. */
#define CLI_LINE_BYTES 256
void cli_new_credential(const char *id, const char *role, char credential[static CLI_LINE_BYTES],
			char line[static CLI_LINE_BYTES]);

#endif
