/* The table of options serves argp, the help texts, and the check that an option goes with the verb. argp parses, so
 * options may stand anywhere on the line. The environment is read last, for what the line left open: a bad value that
 * an option overrides, or that --help has no use for, is nobody's mistake. */

#include "line_read.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "option.h"
#include "usage.h"
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
		if ((int)option_rows[i].key != key)
			continue;
		(void)snprintf(name, sizeof(name), "--%s", option_rows[i].name);
		value_take(parse->line, option_rows[i].key, name, arg);
		parse->used[i] = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void read_environment(const struct parse *parse)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *name = option_rows[i].environment;
		const char *value = name != NULL && !parse->used[i] ? getenv(name) : NULL;

		if (value != NULL && value[0] != '\0')
			value_take(parse->line, option_rows[i].key, name, value);
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
	if (begins_verbs(first) && parse->word_count < 2 && line->help) {
		line->group = first;
		return;
	}
	if (begins_verbs(first) && parse->word_count < 2)
		FAIL("%s: say what to do; latchkey %s --help has the verbs", first, first);
	if (begins_verbs(first))
		FAIL("unknown verb \"%s %s\"", first, parse->words[1]);
	FAIL("unknown verb \"%s\"", first);
}

static bool key_goes_with(enum option_key key, const struct verb *verb)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].key == key && option_goes_with(&option_rows[i], verb))
			return true;
	return false;
}

static void check_line(const struct parse *parse, const struct line *line)
{
	const struct verb *verb = line->verb;
	char usage[USAGE_BYTES];

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (parse->used[i] && !key_goes_with(option_rows[i].key, verb))
			FAIL("--%s does not go with \"%s\"", option_rows[i].name, verb->words);
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
		table[i] = (struct argp_option){
		    .name = option_rows[i].name, .key = option_rows[i].key, .arg = option_rows[i].arg};
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
