#include "ops/args.h"

#include <argp.h>
#include <stddef.h>
#include <stdlib.h>

enum {
	OPTION_CONFIG = 'c',
	OPTION_CHECK = 256,
	OPTION_PRINT,
	OPTION_METRICS,
	OPTION_SCHEMA,
	OPTION_NEW_KEYRING,
	OPTION_ADD_KEY,
	OPTION_PROMOTE_KEY
};

static const struct argp_option options[] = {
    {.name = "config", .key = OPTION_CONFIG, .arg = "FILE", .doc = "Read the configuration from FILE"},
    {.name = "check-config", .key = OPTION_CHECK, .doc = "Say whether the configuration is valid, and end"},
    {.name = "print-config",
     .key = OPTION_PRINT,
     .doc = "Print the configuration in force, every key explained, and end"},
    {.name = "print-metrics", .key = OPTION_METRICS, .doc = "Print every metric: name, type, labels, meaning; and end"},
    {.name = "print-config-schema", .key = OPTION_SCHEMA, .doc = "Print the JSON Schema of the configuration, and end"},
    {.name = "new-keyring", .key = OPTION_NEW_KEYRING, .arg = "FILE", .doc = "Write new secret keys to FILE, and end"},
    {.name = "add-key",
     .key = OPTION_ADD_KEY,
     .arg = "FILE",
     .doc = "Add a fresh key to the keyring FILE, which opens and does not seal yet, and end"},
    {.name = "promote-key",
     .key = OPTION_PROMOTE_KEY,
     .arg = "FILE NUMBER",
     .doc = "Make this key of the keyring FILE the first, which seals and signs, and end"},
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
		argp_error(state, "--check-config, --print-config, --print-config-schema, --print-metrics, "
				  "--new-keyring, --add-key and "
				  "--promote-key exclude one another");
	a->action = action;
}

static void act_on_keyring(struct args *a, struct argp_state *state, enum args_action action, const char *path)
{
	act(a, state, action);
	a->keyring = path;
}

/* Only --promote-key is followed by anything. */
static void take_argument(struct args *a, struct argp_state *state, const char *arg)
{
	char *end;
	unsigned long n;

	if (a->action != ARGS_PROMOTE_KEY || a->key != 0)
		argp_error(state, "unexpected argument \"%s\": there are only options", arg);
	n = strtoul(arg, &end, 10);
	if (arg[0] < '1' || arg[0] > '9' || *end != '\0' || n > UINT16_MAX)
		argp_error(state, "\"%s\" is no key's number: 1 to %d", arg, UINT16_MAX);
	a->key = (uint16_t)n;
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
	case OPTION_METRICS:
		act(a, state, ARGS_PRINT_METRICS);
		return 0;
	case OPTION_SCHEMA:
		act(a, state, ARGS_PRINT_SCHEMA);
		return 0;
	case OPTION_NEW_KEYRING:
		act_on_keyring(a, state, ARGS_NEW_KEYRING, arg);
		return 0;
	case OPTION_ADD_KEY:
		act_on_keyring(a, state, ARGS_ADD_KEY, arg);
		return 0;
	case OPTION_PROMOTE_KEY:
		act_on_keyring(a, state, ARGS_PROMOTE_KEY, arg);
		return 0;
	case ARGP_KEY_ARG:
		take_argument(a, state, arg);
		return 0;
	case ARGP_KEY_END:
		if (a->action == ARGS_PROMOTE_KEY && a->key == 0)
			argp_error(state, "--promote-key FILE NUMBER: the key's number is missing");
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
