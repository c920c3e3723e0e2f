/* The latchkey command: one call of the library, its result as text or JSON, and an exit status that a script can act
 * on. */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "connect.h"
#include "line.h"
#include "report.h"
#include "verbs.h"

#define TOKEN_NOTE                                                                                                     \
	"A TOKEN of - is read from the standard input; on the line, ps shows it to every user of the machine."

const struct verb verbs[] = {
    {"session create", "USER|--anonymous",
     "Start a session and print its token. With --json, an object that also has the handle and the times. The\n"
     "attributes are not repeated in it: they are those of the line.",
     0, 1, verb_session_create},
    {"session promote", "TOKEN USER",
     "Start a session that takes over an anonymous one's attributes. Prints the new token.\n" TOKEN_NOTE, 2, 2,
     verb_session_promote},
    {"session rotate", "TOKEN",
     "Give a session a new token and print it. The old one is good for its grace period only; who uses it later ends "
     "the\n"
     "session. With --aal or --amr the user has proved anew who it is, and that counts from now on.\n" TOKEN_NOTE,
     1, 1, verb_session_rotate},
    {"session get", "TOKEN",
     "Judge a token and print the session as JSON. The session's idle timeout starts anew, unless --peek.\n"
     "Exit status: 0 VALID, 1 INVALID, 3 UNKNOWN, 2 the line makes no sense or there is no such realm.\n" TOKEN_NOTE,
     1, 1, verb_session_get},
    {"session get-many", "TOKEN...",
     "Judge up to 64 tokens and print the sessions as JSON. An array, in the tokens' order.\n"
     "Exit status: 3 if one of them is UNKNOWN, else 1 if one is INVALID.\n"
     "A TOKEN of - stands for all lines of the standard input.",
     1, TOKENS_MAX, verb_session_get_many},
    {"session list", "USER", "List a user's living sessions. As a table, or with --json as an array.", 1, 1,
     verb_session_list},
    {"session update", "TOKEN [K=V...]",
     "Set and remove attributes of a session. All or none. Of an anonymous one, print the token that has them "
     "now.\n" TOKEN_NOTE,
     1, 1 + ATTRIBUTES_MAX, verb_session_update},
    {"session revoke", "TOKEN|HANDLE", "End a session. The handle is the one that list shows.\n" TOKEN_NOTE, 1, 1,
     verb_session_revoke},
    {"session revoke-user", "USER",
     "End all sessions of a user. But for --except, or only those of --class.\n"
     "With --except - the token is read from the standard input; on the line, ps shows it to every user.",
     1, 1, verb_session_revoke_user},
    {"session revoke-realm", "",
     "End all sessions of a realm: of \"default\", unless --realm or LATCHKEY_REALM names another. Nothing is asked.\n"
     "Prints the moment in force: sessions created before it have ended, and it never moves back.",
     0, 0, verb_session_revoke_realm},
    {"session verify", "USER",
     "Compare a user's list with the sessions, and repair the list. Prints what was found.\n"
     "sessions: alive. dangling: entries without a session, removed. wrong score: entries with a wrong deadline,\n"
     "corrected. missing: sessions of --token that were not in the list, added.",
     1, 1, verb_session_verify},
    {"session watch", "",
     "Print what happens to the sessions of the realm, a line for each event. Until interrupted.\n"
     "Creations, rotations and updates are told only if the realm's configuration has events on. Lines: when, what,\n"
     "the handle, the reason. With --json an object for each, with a cursor to go on from.",
     0, 0, verb_session_watch},
    {"info", "", "What the server says of itself.", 0, 0, verb_info},
    {"health", "", "Whether the server serves. Exit status 0 if it does, 3 if not.", 0, 0, verb_health},
    {"stats", "", "The server's counters.", 0, 0, verb_stats},
    {"redis", "",
     "The Redis servers behind the server. As the instance that answers sees them.\n"
     "Exit status: 0 all slots have a serving primary, 1 some have none, 3 no server could tell.",
     0, 0, verb_redis},
    {"policy", "", "The policy in force for a class of sessions. Of the realm's first class, unless --class.", 0, 0,
     verb_policy},
    {"keys", "",
     "The server's keys, and what it meets under each. Counted since its start, by the instance that answers: a key "
     "can go\n"
     "when no instance has used it for as long as sessions live.",
     0, 0, verb_keys},
    {"bench", "",
     "Put a load on the server, and print calls a second and latencies. Sessions of its own, which it ends.\n"
     "Without --rate the loop is closed: --callers calls are always in flight. With --rate it is open: calls begin "
     "when\n"
     "they are due, and their latency counts from then on, whether or not the server keeps up.\n"
     "Exit status: that of the first call that failed; 0 if none did.",
     0, 0, verb_bench},
};
const unsigned verb_count = sizeof(verbs) / sizeof(verbs[0]);

static int run(const struct line *line)
{
	struct lk_options options = LK_OPTIONS_INIT;
	lk_client *client;
	int status;

	options.fail_fast = true;
	status = connect_open(line, &options, &client);
	if (status != EXIT_DONE)
		return status;
	status = line->verb->run(line, client);
	lk_client_close(&client);
	return status;
}

/* A standard stream that came closed stays without an end that takes a byte: a connection must not get its number, and
 * with it what is printed. */
static void hold_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	struct line line;

	hold_streams();
	line_read(argc, argv, &line);
	if (line.version) {
		(void)printf("latchkey %s\n", lk_version());
		return say_done(true);
	}
	if (line.help) {
		line_print_help(line.verb);
		return say_done(true);
	}
	return run(&line);
}
