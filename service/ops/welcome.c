#include "ops/welcome.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND	    "latchkey"
#define DEFAULT_URL "tcp://127.0.0.1:7373"

bool welcome_is_wanted(void)
{
	const char *wish = getenv("LATCHKEY_WELCOME");

	return (wish != NULL && wish[0] != 0) || isatty(STDOUT_FILENO) == 1 || isatty(STDERR_FILENO) == 1;
}

static void find_command(const char *program, char out[static PATH_MAX])
{
	const char *slash = strrchr(program, '/');
	const int folder = slash == NULL ? 0 : (int)(slash - program) + 1;

	if (slash == NULL || snprintf(out, PATH_MAX, "%.*s" COMMAND, folder, program) >= PATH_MAX ||
	    access(out, X_OK) != 0)
		memcpy(out, COMMAND, sizeof(COMMAND));
}

void welcome_print(const char *url, const char *program, const char *state_dir)
{
	char command[PATH_MAX];

	find_command(program, command);
	printf("\nLatchkey is ready on %s. Try, in another terminal:\n\n", url);
	if (strcmp(url, DEFAULT_URL) != 0)
		printf("    export LATCHKEY_SERVER=%s\n", url);
	printf("    TOKEN=$(%s session create alice --attr theme=dark)   # log alice in\n", command);
	printf("    %s session get \"$TOKEN\"                              # who is it?\n", command);
	printf("    %s session list alice                                # her devices\n", command);
	printf("    %s session revoke \"$TOKEN\"                           # log out\n", command);
	printf("    %s session get \"$TOKEN\"                              # exit status 1, and why\n\n", command);
	printf("Ctrl-C ends it; keys and data stay in %s.\n\n", state_dir);
	(void)fflush(stdout);
}
