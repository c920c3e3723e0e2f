/* Help is written here and not by argp, because it differs from verb to verb. */

#include <stdio.h>
#include <string.h>

#include "line.h"
#include "option.h"

const char *line_usage(const struct verb *verb, char to[static USAGE_BYTES])
{
	(void)snprintf(to, USAGE_BYTES, "%s%s%s", verb->words, verb->args[0] != '\0' ? " " : "", verb->args);
	return to;
}

static void print_options(const struct verb *verb, bool own)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		char left[64];

		if ((row->verbs[0] != NULL) != own || (own && !option_goes_with(row, verb)))
			continue;
		(void)snprintf(left, sizeof(left), "--%s%s%s", row->name, row->arg != NULL ? " " : "",
			       row->arg != NULL ? row->arg : "");
		(void)printf("  %-24s %s%s%s%s\n", left, row->help, row->environment != NULL ? " [" : "",
			     row->environment != NULL ? row->environment : "", row->environment != NULL ? "]" : "");
	}
}

static bool has_own_options(const struct verb *verb)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].verbs[0] != NULL && option_goes_with(&option_rows[i], verb))
			return true;
	return false;
}

static void print_verb_help(const struct verb *verb)
{
	char usage[USAGE_BYTES];

	(void)printf("Usage: latchkey %s [OPTION...]\n\n%s\n", line_usage(verb, usage), verb->help);
	if (has_own_options(verb)) {
		(void)puts("\nOptions:");
		print_options(verb, true);
	}
	(void)puts("\nOptions of every verb:");
	print_options(verb, false);
	if (verb->args_max > 0)
		(void)printf("\nA word that begins with \"-\" goes behind \"--\": latchkey %s -- -word\n", verb->words);
}

static void print_statuses(void)
{
	(void)puts(
	    "Exit status:\n"
	    "  0  the session is valid, or it is done\n"
	    "  1  the session is invalid; of \"redis\": some slots have no serving primary; of profile, auth, limit "
	    "and\n"
	    "     lock: no: it is not there, refused, or not held\n"
	    "  2  the line makes no sense, or names a realm, class, handle or file that is not there\n"
	    "  3  no server could tell, or the result could not be written: try again; never take it for invalid\n"
	    "  4  refused by the server: a conflict, a cap or another limit, not allowed, not supported;\n"
	    "     but \"session get\" then says UNKNOWN, with 3");
}

/* Those of a group, or all. */
static void print_verbs(const char *group)
{
	const size_t len = group == NULL ? 0 : strlen(group);
	char usage[USAGE_BYTES];

	for (unsigned i = 0; i < verb_count; i++) {
		const struct verb *verb = &verbs[i];

		if (len != 0 && (strncmp(verb->words, group, len) != 0 || verb->words[len] != ' '))
			continue;
		(void)printf("  %-34s %.*s\n", line_usage(verb, usage), (int)strcspn(verb->help, "."), verb->help);
	}
}

static void print_group_help(const char *group)
{
	(void)printf("Usage: latchkey %s VERB [ARGUMENT...] [OPTION...]\n\nVerbs:\n", group);
	print_verbs(group);
	(void)printf("\n\"latchkey %s VERB --help\" has the options of a verb.\n", group);
}

static void print_whole_help(void)
{
	(void)puts("Usage: latchkey VERB [ARGUMENT...] [OPTION...]\n\n"
		   "Login sessions, and what belongs to them, kept by latchkeyd.\n\nVerbs:");
	print_verbs(NULL);
	(void)puts("\nOptions of every verb, anywhere on the line, or else in the environment:");
	print_options(NULL, false);
	(void)puts(
	    "\n\"latchkey VERB --help\" has the options of a verb.\n"
	    "A word that begins with \"-\" goes behind \"--\": latchkey session list -- -ann\n\n"
	    "A TOKEN of - is read from the standard input, that of --except too: what stands on a command line is\n"
	    "shown by ps to every user of the machine, and kept in the shell's history.\n\n"
	    "A failure is a sentence on the standard error; with --json also an object on the standard output, with\n"
	    "error, message and reason. What is wrong with the line itself is a sentence only.\n");
	print_statuses();
}

void line_print_help(const struct line *line)
{
	if (line->verb != NULL)
		print_verb_help(line->verb);
	else if (line->group != NULL)
		print_group_help(line->group);
	else
		print_whole_help();
}
