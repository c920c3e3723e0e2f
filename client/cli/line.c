/* The table of options serves argp, the help texts, and the check that an option goes with the verb. argp parses, so
 * options may stand anywhere on the line. The environment is read last, for what the line left open: a bad value that
 * an option overrides, or that --help has no use for, is nobody's mistake. */

#include "line.h"

#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "option.h"
#include "value.h"

#define TIMEOUT_MS_DEFAULT 5000
/* Room for "--" and the name of an option. */
#define NAME_BYTES 32

struct parse {
	struct line *line;
	unsigned word_count;
	char *words[WORDS_MAX];
	bool used[OPTION_COUNT];
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

/* In what follows, `name` is what the value comes from: "--timeout", or "LATCHKEY_TIMEOUT". */

static uint64_t read_number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number < min || number > max)
		FAIL("%s \"%s\": not a number from %llu to %llu", name, text, (unsigned long long)min,
		     (unsigned long long)max);
	return number;
}

static uint32_t read_timeout(const char *name, const char *text)
{
	double max_s = LK_TIMEOUT_MS_MAX / 1000.0;
	char *end;
	double seconds = strtod(text, &end);

	/* strtod reads more than people write: 0x5, inf, 1e2. */
	if (text[strspn(text, "0123456789.")] != '\0' || *end != '\0' || !(seconds >= 0.001 && seconds <= max_s))
		FAIL("%s \"%s\": not a number of seconds from 0.001 to %.0f", name, text, max_s);
	return (uint32_t)(seconds * 1000.0 + 0.5);
}

static enum lk_reason read_reason(const char *name, const char *text)
{
	if (strcmp(text, "logout") == 0)
		return LK_REASON_LOGOUT;
	if (strcmp(text, "admin") == 0)
		return LK_REASON_ADMIN;
	if (strcmp(text, "credential-change") == 0)
		return LK_REASON_CREDENTIAL_CHANGE;
	FAIL("%s \"%s\": not logout, admin or credential-change", name, text);
}

/* "2026-01-31T12:00:00Z", as the command prints it, with or without a fraction. */
static uint64_t read_time(const char *name, const char *text)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	const int day = parts.tm_mday;
	unsigned ms = 0, unit = 100;
	time_t seconds;

	if (rest != NULL && *rest == '.' && isdigit((unsigned char)rest[1]))
		for (rest++; isdigit((unsigned char)*rest); rest++, unit /= 10)
			ms += unit * (unsigned)(*rest - '0');
	seconds = rest != NULL ? timegm(&parts) : -1;
	/* timegm would make the 2nd of March of the 30th of February. */
	if (rest == NULL || strcmp(rest, "Z") != 0 || seconds <= 0 || parts.tm_mday != day)
		FAIL("%s \"%s\": not a time in UTC such as 2026-01-31T12:00:00Z", name, text);
	return (uint64_t)seconds * 1000 + ms;
}

static void add(const char *name, const char **list, unsigned *count, unsigned max, const char *text)
{
	if (*count == max)
		FAIL("%s is given more than %u times", name, max);
	list[(*count)++] = text;
}

/* The numbers of "bench". */
static void take_bench(struct bench_line *bench, enum option_key key, const char *name, const char *arg)
{
	static const struct {
		enum option_key key;
		size_t at;
		uint32_t min;
		uint32_t max;
	} numbers[] = {
	    {OPT_CALLERS, offsetof(struct bench_line, callers), 1, BENCH_CALLERS_MAX},
	    {OPT_RATE, offsetof(struct bench_line, rate), 1, BENCH_RATE_MAX},
	    {OPT_CONNECTIONS, offsetof(struct bench_line, connections), 1, BENCH_CONNECTIONS_MAX},
	    {OPT_SECONDS, offsetof(struct bench_line, seconds), 1, BENCH_SECONDS_MAX},
	    {OPT_WARMUP, offsetof(struct bench_line, warmup_s), 0, BENCH_SECONDS_MAX},
	    {OPT_SESSIONS, offsetof(struct bench_line, sessions), 1, BENCH_SESSIONS_MAX},
	    {OPT_VALUE_BYTES, offsetof(struct bench_line, value_bytes), 0, BENCH_VALUE_BYTES_MAX},
	    {OPT_USER_COUNT, offsetof(struct bench_line, user_count), 1, BENCH_SESSIONS_MAX},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].key != key)
			continue;
		*(uint32_t *)(void *)((char *)bench + numbers[i].at) =
		    (uint32_t)read_number(name, arg, numbers[i].min, numbers[i].max);
		return;
	}
	abort();
}

static bool read_arrivals(const char *name, const char *text)
{
	if (strcmp(text, "poisson") != 0 && strcmp(text, "even") != 0)
		FAIL("%s \"%s\": not poisson or even", name, text);
	return strcmp(text, "even") == 0;
}

/* Options that are more than a word. */
static void take_value(struct line *line, enum option_key key, const char *name, const char *arg)
{
	switch (key) {
	case OPT_TIMEOUT:
		line->timeout_ms = read_timeout(name, arg);
		break;
	case OPT_ATTR:
		add(name, line->attributes, &line->attribute_count, ATTRIBUTES_MAX, arg);
		break;
	case OPT_REMOVE:
		add(name, line->remove, &line->remove_count, ATTRIBUTES_MAX, arg);
		break;
	case OPT_IDLE:
		line->idle_s = (uint32_t)read_number(name, arg, 1, UINT32_MAX);
		break;
	case OPT_MAX:
		line->max_s = (uint32_t)read_number(name, arg, 1, UINT32_MAX);
		break;
	case OPT_EXPECT:
		line->expected_version = read_number(name, arg, 1, UINT64_MAX);
		break;
	case OPT_AAL:
		line->aal = (uint32_t)read_number(name, arg, 1, AAL_MAX);
		break;
	case OPT_AMR:
		add(name, line->amr, &line->amr_count, AMR_MAX, arg);
		break;
	case OPT_WITHIN:
		line->within_s = (uint32_t)read_number(name, arg, 1, UINT32_MAX);
		break;
	case OPT_GRACE:
		line->has_grace = true;
		line->grace_s = (uint32_t)read_number(name, arg, 0, UINT32_MAX);
		break;
	case OPT_BEFORE:
		line->before_ms = read_time(name, arg);
		break;
	case OPT_TOKEN:
		add(name, line->tokens, &line->token_count, TOKENS_MAX, arg);
		break;
	case OPT_COUNT:
		line->count = read_number(name, arg, 1, UINT64_MAX);
		break;
	case OPT_REASON:
		line->reason = read_reason(name, arg);
		break;
	case OPT_ARRIVALS:
		line->bench.has_arrivals = true;
		line->bench.is_even = read_arrivals(name, arg);
		break;
	default:
		take_bench(&line->bench, key, name, arg);
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
	case OPT_ANONYMOUS:
		return line->anonymous = true;
	case OPT_PRIVILEGED:
		return line->privileged = true;
	case OPT_PROGRESS:
		return line->bench.progress = true;
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
	case OPT_PROMOTE:
		return &line->promote;
	case OPT_CURSOR:
		return &line->cursor;
	case OPT_ROLE:
		return &line->role;
	case OPT_MIX:
		return &line->bench.mix;
	default:
		return NULL;
	}
}

/* An empty word would mean the default: not what a script with an unset variable asks for, least of all where it says
 * which sessions to end or to spare. What merely describes a device may be empty. */
static void check_word(enum option_key key, const char *name, const char *arg)
{
	if (key == OPT_SERVER && arg[strspn(arg, ",")] == '\0')
		FAIL("%s \"%s\": names no server", name, arg);
	if (arg[0] == '\0' && key != OPT_USER_AGENT && key != OPT_IP && key != OPT_LABEL)
		FAIL("%s \"\": must not be empty", name);
}

static void take_option(struct line *line, enum option_key key, const char *name, const char *arg)
{
	const char **word = word_of(line, key);

	if (take_flag(line, key))
		return;
	if (word == NULL) {
		take_value(line, key, name, arg);
		return;
	}
	check_word(key, name, arg);
	*word = arg;
}

static error_t parse_word(struct parse *parse, char *arg)
{
	if (parse->word_count == WORDS_MAX)
		FAIL("more than %d words", WORDS_MAX);
	parse->words[parse->word_count++] = arg;
	return 0;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;
	char name[NAME_BYTES];

	if (key == ARGP_KEY_INIT)
		/* What getopt says of an unknown option is enough: argp would add a hint to options that are not here. */
		state->err_stream = NULL;
	if (key == ARGP_KEY_ARG)
		return parse_word(parse, arg);
	if (key == 'h' || key == '?')
		key = OPT_HELP;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if ((int)options[i].key != key)
			continue;
		(void)snprintf(name, sizeof(name), "--%s", options[i].name);
		value_take(parse->line, options[i].key, name, arg);
		parse->used[i] = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void read_environment(const struct parse *parse)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *name = options[i].environment;
		const char *value = name != NULL && !parse->used[i] ? getenv(name) : NULL;

		if (value != NULL && value[0] != '\0')
			value_take(parse->line, options[i].key, name, value);
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

/* Whether it is the first of a verb's words: "session". */
static bool begins_verbs(const char *word)
{
	size_t len = strlen(word);

	for (unsigned i = 0; i < verb_count; i++)
		if (strncmp(verbs[i].words, word, len) == 0 && verbs[i].words[len] == ' ')
			return true;
	return false;
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
	if (begins_verbs(first) && parse->word_count < 2)
		FAIL("%s: say what to do; latchkey --help has the verbs", first);
	if (begins_verbs(first))
		FAIL("unknown verb \"%s %s\"", first, parse->words[1]);
	FAIL("unknown verb \"%s\"", first);
}

static bool key_goes_with(enum option_key key, const struct verb *verb)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (options[i].key == key && option_goes_with(&options[i], verb))
			return true;
	return false;
}

static void check_line(const struct parse *parse, const struct line *line)
{
	const struct verb *verb = line->verb;
	char usage[USAGE_BYTES];

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (parse->used[i] && !key_goes_with(options[i].key, verb))
			FAIL("--%s does not go with \"%s\"", options[i].name, verb->words);
	if (line->reason == LK_REASON_LOGOUT && strcmp(verb->words, REVOKE_USER) == 0)
		FAIL("--reason \"logout\": \"%s\" takes admin or credential-change; without --reason the sessions "
		     "are logged out everywhere",
		     verb->words);
	if (line->arg_count < verb->args_min)
		FAIL("usage: latchkey %s", line_usage(verb, usage));
	if (line->arg_count > verb->args_max)
		FAIL("\"%s\" is one word too many; usage: latchkey %s", line->args[verb->args_max],
		     line_usage(verb, usage));
}

/* argp's own table: the options, and two more names of --help. */
static void parse_line(int argc, char **argv, struct parse *parse)
{
	struct argp_option table[OPTION_COUNT + 3] = {0};
	struct argp argp = {.options = table, .parser = parse_one};
	/* getopt puts it in front of what it says. */
	static char program[] = "latchkey";
	size_t i;

	/* Of rows with the same name argp takes the first. */
	for (i = 0; i < OPTION_COUNT; i++)
		table[i] = (struct argp_option){.name = options[i].name, .key = options[i].key, .arg = options[i].arg};
	table[i++].key = 'h';
	table[i].key = '?';
	if (argc > 0)
		argv[0] = program;
	if (argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, parse) == 0)
		return;
	(void)fputs("Try \"latchkey --help\". A word that begins with \"-\" goes behind \"--\".\n", stderr);
	exit(EXIT_USAGE);
}

void line_read(int argc, char **argv, struct line *ret)
{
	struct parse parse = {.line = ret};

	*ret = (struct line){.timeout_ms = TIMEOUT_MS_DEFAULT, .bench = BENCH_LINE_DEFAULT};
	parse_line(argc, argv, &parse);
	if (ret->version)
		return;
	if (parse.word_count > 0)
		find_verb(&parse, ret);
	if (ret->help)
		return;
	if (parse.word_count == 0)
		FAIL("no verb");
	check_line(&parse, ret);
	read_environment(&parse);
}
