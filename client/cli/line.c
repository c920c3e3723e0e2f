/* One table of options serves argp, the help texts, and the check that an option goes with the verb. argp parses, so
 * options may stand anywhere on the line; help is written here, because it differs from verb to verb. */

#include "line.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS_DEFAULT 5000

enum option_key {
	OPT_SERVER = 256,
	OPT_REALM,
	OPT_CREDENTIAL,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_CA,
	OPT_CERT,
	OPT_KEY,
	OPT_SERVER_NAME,
	OPT_HELP,
	OPT_VERSION,
	OPT_CLASS,
	OPT_ATTR,
	OPT_IDLE,
	OPT_MAX,
	OPT_USER_AGENT,
	OPT_IP,
	OPT_LABEL,
	OPT_PEEK,
	OPT_REMOVE,
	OPT_EXPECT,
	OPT_REASON,
	OPT_EXCEPT,
};

struct option_row {
	const char *name;
	enum option_key key;
	const char *arg; /* NULL: none */
	const char *help;
	const char *environment; /* NULL: none */
	const char *verbs[3];	 /* none: of every verb */
};

static const struct option_row options[] = {
    {"server",
     OPT_SERVER,
     "URL[,URL]",
     "servers: tcp://host:port, tls+tcp://host:port or ipc:///path; "
     "default tcp://127.0.0.1:7373",
     "LATCHKEY_SERVER",
     {0}},
    {"realm", OPT_REALM, "REALM", "the realm; default: the server's, \"default\"", "LATCHKEY_REALM", {0}},
    {"credential-file", OPT_CREDENTIAL, "FILE", "file with the credential, id.secret", "LATCHKEY_CREDENTIAL_FILE", {0}},
    {"timeout", OPT_TIMEOUT, "S", "seconds to wait for an answer, such as 0.5; default 5", "LATCHKEY_TIMEOUT", {0}},
    {"json", OPT_JSON, NULL, "JSON instead of text for people", NULL, {0}},
    {"ca", OPT_CA, "FILE", "PEM file of the authority that signs servers, for tls+tcp", "LATCHKEY_CA", {0}},
    {"cert", OPT_CERT, "FILE", "PEM file of the client's certificate, for mutual TLS", "LATCHKEY_CERT", {0}},
    {"key", OPT_KEY, "FILE", "PEM file of its key", "LATCHKEY_KEY", {0}},
    {"server-name",
     OPT_SERVER_NAME,
     "NAME",
     "name expected in the server's certificate; default: the URL's host",
     "LATCHKEY_SERVER_NAME",
     {0}},
    {"help", OPT_HELP, NULL, "this text, or the verb's", NULL, {0}},
    {"version", OPT_VERSION, NULL, "the version", NULL, {0}},
    {"class",
     OPT_CLASS,
     "CLASS",
     "class of sessions of the realm's policy",
     NULL,
     {"session create", "session revoke-user"}},
    {"attr", OPT_ATTR, "K=V", "an attribute; may be given up to 64 times", NULL, {"session create"}},
    {"idle", OPT_IDLE, "S", "idle timeout in seconds, at most the policy's", NULL, {"session create"}},
    {"max", OPT_MAX, "S", "absolute timeout in seconds, at most the policy's", NULL, {"session create"}},
    {"user-agent", OPT_USER_AGENT, "TEXT", "the device's user agent", NULL, {"session create"}},
    {"ip", OPT_IP, "ADDRESS", "the device's address", NULL, {"session create"}},
    {"label", OPT_LABEL, "TEXT", "the device's name, such as \"Ann's phone\"", NULL, {"session create"}},
    {"peek", OPT_PEEK, NULL, "do not count this as use: the idle timeout does not slide", NULL, {"session get"}},
    {"remove", OPT_REMOVE, "K", "an attribute to remove; may be given up to 64 times", NULL, {"session update"}},
    {"expect", OPT_EXPECT, "VERSION", "write only if the session has this version", NULL, {"session update"}},
    {"reason",
     OPT_REASON,
     "REASON",
     "logout, admin or credential-change",
     NULL,
     {"session revoke", "session revoke-user"}},
    {"except", OPT_EXCEPT, "TOKEN", "a session of the user that stays alive", NULL, {"session revoke-user"}},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

struct parse {
	struct line *line;
	unsigned word_count;
	char *words[WORDS_MAX];
	const struct option_row *used[OPTION_COUNT];
	unsigned used_count;
};

int usage_error(const char *format, ...)
{
	va_list args;

	(void)fputs("latchkey: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputs("\nTry \"latchkey --help\".\n", stderr);
	return EXIT_USAGE;
}

#define FAIL(...) exit(usage_error(__VA_ARGS__))

static uint64_t read_number(const char *name, const char *text, uint64_t max)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number < 1 || number > max)
		FAIL("--%s %s: not a number from 1 to %llu", name, text, (unsigned long long)max);
	return number;
}

static uint32_t read_timeout(const char *text)
{
	double max_s = LK_TIMEOUT_MS_MAX / 1000.0;
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= max_s))
		FAIL("timeout %s: not a number of seconds from 0.001 to %.0f", text, max_s);
	return (uint32_t)(seconds * 1000.0 + 0.5);
}

static enum lk_reason read_reason(const char *text)
{
	if (strcmp(text, "logout") == 0)
		return LK_REASON_LOGOUT;
	if (strcmp(text, "admin") == 0)
		return LK_REASON_ADMIN;
	if (strcmp(text, "credential-change") == 0)
		return LK_REASON_CREDENTIAL_CHANGE;
	FAIL("--reason %s: not logout, admin or credential-change", text);
}

static void add(const char *name, const char **list, unsigned *count, const char *text)
{
	if (*count == ATTRIBUTES_MAX)
		FAIL("--%s is given more than %d times", name, ATTRIBUTES_MAX);
	list[(*count)++] = text;
}

/* Options that are more than a word. */
static void take_value(struct line *line, const struct option_row *row, const char *arg)
{
	switch (row->key) {
	case OPT_TIMEOUT:
		line->timeout_ms = read_timeout(arg);
		break;
	case OPT_ATTR:
		add(row->name, line->attributes, &line->attribute_count, arg);
		break;
	case OPT_REMOVE:
		add(row->name, line->remove, &line->remove_count, arg);
		break;
	case OPT_IDLE:
		line->idle_s = (uint32_t)read_number(row->name, arg, UINT32_MAX);
		break;
	case OPT_MAX:
		line->max_s = (uint32_t)read_number(row->name, arg, UINT32_MAX);
		break;
	case OPT_EXPECT:
		line->expected_version = read_number(row->name, arg, UINT64_MAX);
		break;
	case OPT_REASON:
		line->reason = read_reason(arg);
		break;
	default:
		abort();
	}
}

static bool take_flag(struct line *line, enum option_key key)
{
	switch (key) {
	case OPT_JSON:
		return line->json = true;
	case OPT_HELP:
		return line->help = true;
	case OPT_VERSION:
		return line->version = true;
	case OPT_PEEK:
		return line->peek = true;
	default:
		return false;
	}
}

static const char **word_of(struct line *line, enum option_key key)
{
	switch (key) {
	case OPT_SERVER:
		return &line->servers;
	case OPT_REALM:
		return &line->realm;
	case OPT_CREDENTIAL:
		return &line->credential_file;
	case OPT_CA:
		return &line->ca_file;
	case OPT_CERT:
		return &line->cert_file;
	case OPT_KEY:
		return &line->key_file;
	case OPT_SERVER_NAME:
		return &line->server_name;
	case OPT_CLASS:
		return &line->session_class;
	case OPT_USER_AGENT:
		return &line->user_agent;
	case OPT_IP:
		return &line->ip;
	case OPT_LABEL:
		return &line->label;
	case OPT_EXCEPT:
		return &line->except;
	default:
		return NULL;
	}
}

static void take_option(struct line *line, const struct option_row *row, const char *arg)
{
	const char **word = word_of(line, row->key);

	if (take_flag(line, row->key))
		return;
	if (word != NULL)
		*word = arg;
	else
		take_value(line, row, arg);
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;

	if (key == ARGP_KEY_ARG) {
		if (parse->word_count == WORDS_MAX)
			FAIL("more than %d words", WORDS_MAX);
		parse->words[parse->word_count++] = arg;
		return 0;
	}
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if ((int)options[i].key != key)
			continue;
		take_option(parse->line, &options[i], arg);
		if (parse->used_count < OPTION_COUNT)
			parse->used[parse->used_count++] = &options[i];
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void read_environment(struct line *line)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *value = options[i].environment != NULL ? getenv(options[i].environment) : NULL;

		if (value != NULL && value[0] != '\0')
			take_option(line, &options[i], value);
	}
}

/* How many of the words are the verb's; 0: the verb is another. */
static unsigned verb_words(const struct verb *verb, const struct parse *parse)
{
	const char *at = verb->words;
	unsigned count = 0;

	while (*at != '\0') {
		size_t len = strcspn(at, " ");

		if (count == parse->word_count || strlen(parse->words[count]) != len ||
		    strncmp(parse->words[count], at, len) != 0)
			return 0;
		count++;
		at += len;
		at += *at == ' ';
	}
	return count;
}

static void find_verb(const struct parse *parse, struct line *line)
{
	const char *first = parse->words[0];

	for (unsigned i = 0; i < verb_count; i++) {
		unsigned words = verb_words(&verbs[i], parse);

		if (words == 0)
			continue;
		line->verb = &verbs[i];
		line->arg_count = parse->word_count - words;
		memcpy(line->args, &parse->words[words], line->arg_count * sizeof(line->args[0]));
		return;
	}
	if (strcmp(first, "session") == 0 && parse->word_count < 2)
		FAIL("session: say what to do: create, get, list, update, revoke or revoke-user");
	if (strcmp(first, "session") == 0)
		FAIL("unknown verb \"session %s\"", parse->words[1]);
	FAIL("unknown verb \"%s\"", first);
}

static bool goes_with(const struct option_row *row, const struct verb *verb)
{
	if (row->verbs[0] == NULL)
		return true;
	for (size_t i = 0; row->verbs[i] != NULL; i++)
		if (strcmp(row->verbs[i], verb->words) == 0)
			return true;
	return false;
}

static void check_line(const struct parse *parse, const struct line *line)
{
	const struct verb *verb = line->verb;

	for (unsigned i = 0; i < parse->used_count; i++)
		if (!goes_with(parse->used[i], verb))
			FAIL("--%s does not go with \"%s\"", parse->used[i]->name, verb->words);
	if (line->arg_count < verb->args_min)
		FAIL("usage: latchkey %s %s", verb->words, verb->args);
	if (line->arg_count > verb->args_max)
		FAIL("\"%s\" is one word too many; usage: latchkey %s %s", line->args[verb->args_max], verb->words,
		     verb->args);
}

void line_read(int argc, char **argv, struct line *ret)
{
	struct argp_option table[OPTION_COUNT + 1] = {0};
	struct argp argp = {.options = table, .parser = parse_one};
	struct parse parse = {.line = ret};

	for (size_t i = 0; i < OPTION_COUNT; i++)
		table[i] = (struct argp_option){.name = options[i].name, .key = options[i].key, .arg = options[i].arg};
	*ret = (struct line){.timeout_ms = TIMEOUT_MS_DEFAULT};
	read_environment(ret);
	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, &parse) != 0)
		FAIL("the line cannot be read");
	if (ret->version)
		return;
	if (parse.word_count > 0)
		find_verb(&parse, ret);
	if (ret->help)
		return;
	if (parse.word_count == 0)
		FAIL("no verb");
	check_line(&parse, ret);
}

static void print_options(const struct verb *verb, bool own)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &options[i];
		char left[64];

		if ((row->verbs[0] != NULL) != own || (own && !goes_with(row, verb)))
			continue;
		(void)snprintf(left, sizeof(left), "--%s%s%s", row->name, row->arg != NULL ? " " : "",
			       row->arg != NULL ? row->arg : "");
		(void)printf("  %-24s %s%s%s%s\n", left, row->help, row->environment != NULL ? " [" : "",
			     row->environment != NULL ? row->environment : "", row->environment != NULL ? "]" : "");
	}
}

static void print_verb_help(const struct verb *verb)
{
	(void)printf("Usage: latchkey %s %s [OPTION...]\n\n%s\n", verb->words, verb->args, verb->help);
	(void)puts("\nOptions:");
	print_options(verb, true);
	(void)puts("\nOptions of every verb:");
	print_options(verb, false);
}

void line_print_help(const struct verb *verb)
{
	if (verb != NULL) {
		print_verb_help(verb);
		return;
	}
	(void)puts("Usage: latchkey VERB [ARGUMENT...] [OPTION...]\n\n"
		   "Login sessions kept by latchkeyd.\n\nVerbs:");
	for (unsigned i = 0; i < verb_count; i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s %s", verbs[i].words, verbs[i].args);
		(void)printf("  %-34s %.*s\n", left, (int)strcspn(verbs[i].help, "."), verbs[i].help);
	}
	(void)puts("\nOptions of every verb, anywhere on the line, or in the environment:");
	print_options(NULL, false);
	(void)puts(
	    "\n\"latchkey VERB --help\" has the options of a verb.\n\n"
	    "A TOKEN of - is read from the standard input: what stands on a command line is shown by ps to every\n"
	    "user of the machine, and kept in the shell's history.\n\n"
	    "Exit status: 0 the session is valid, or it is done. 1 the session is invalid. 2 the line, or what it\n"
	    "asks for, makes no sense. 3 no server, or it could not tell: try again. 4 refused by the server: a\n"
	    "conflict, a limit, not allowed.");
}
