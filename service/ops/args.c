#include "ops/args.h"

#include <argp.h>
#include <stddef.h>

enum { OPTION_CONFIG = 'c', OPTION_CHECK = 256, OPTION_PRINT, OPTION_NEW_KEYRING };

static const struct argp_option options[] = {
    {.name = "config", .key = OPTION_CONFIG, .arg = "FILE", .doc = "Read the configuration from FILE"},
    {.name = "check-config", .key = OPTION_CHECK, .doc = "Say whether the configuration is valid, and end"},
    {.name = "print-config",
     .key = OPTION_PRINT,
     .doc = "Print the configuration in force, every key explained, and end"},
    {.name = "new-keyring", .key = OPTION_NEW_KEYRING, .arg = "FILE", .doc = "Write new secret keys to FILE, and end"},
    {.name = NULL}};

static const char doc[] =
    "The Latchkey service: keeps login sessions in Redis.\v"
    "Without options everything has a default: it listens on tcp://127.0.0.1:7373 and keeps a private Redis in its "
    "state "
    "folder. The configuration is read from --config, else $LATCHKEY_CONFIG, else /etc/latchkey/latchkeyd.yaml if "
    "there "
    "is one; variables LATCHKEY_... override single keys.\n\n"
    "Exit status: 0 done, 1 cannot start or had to cut calls off at its end, 2 bad usage or configuration.";

static void act(struct args *a, struct argp_state *state, enum args_action action)
{
	if (a->action != ARGS_RUN && a->action != action)
		argp_error(state, "--check-config, --print-config and --new-keyring exclude one another");
	a->action = action;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case OPTION_CONFIG:
		a->config_file = arg;
		return 0;
	case OPTION_CHECK:
		act(a, state, ARGS_CHECK_CONFIG);
		return 0;
	case OPTION_PRINT:
		act(a, state, ARGS_PRINT_CONFIG);
		return 0;
	case OPTION_NEW_KEYRING:
		act(a, state, ARGS_NEW_KEYRING);
		a->keyring = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\": there are only options", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct args args_parse(int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse, .doc = doc};
	struct args a = {.action = ARGS_RUN};

	argp_program_version = "latchkeyd " LK_VERSION;
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return a;
}
