/* The latchkey command: one call of the library, its result as text or JSON, and an exit status that a script can act
 * on. */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "connect.h"
#include "line_read.h"
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
    {"profile set", "USER K=V...",
     "Set fields of a user's profile. All or none. Prints the profile's new version.\n"
     "A V is kept as it is, digits too; a number that profile incr adds to is set by --number.\n"
     "With --replace these are all that it has.",
     1, 1 + ATTRIBUTES_MAX, verb_profile_set},
    {"profile get", "USER [K...]",
     "Print a user's profile, or fields of it, as JSON.\n"
     "Exit status: 0 there is one, 1 there is none.",
     1, 1 + ATTRIBUTES_MAX, verb_profile_get},
    {"profile incr", "USER K[=N]...",
     "Add to counters of a user's profile. 1, unless N, which may be negative. Prints what they are now.", 2,
     1 + ATTRIBUTES_MAX, verb_profile_incr},
    {"profile unset", "USER K...", "Remove fields of a user's profile. Prints the profile's new version.", 2,
     1 + ATTRIBUTES_MAX, verb_profile_unset},
    {"profile delete", "USER", "Delete a user's profile.", 1, 1, verb_profile_delete},
    {"profile changes", "GROUP",
     "Take changes of the realm's profiles, for a group of consumers. The oldest first; a line for each, with --json "
     "an\n"
     "object. Without profile ack they are handed out again. The realm must keep changes (realms.profiles.changes).",
     1, 1, verb_profile_changes},
    {"profile ack", "GROUP ID...", "Acknowledge changes. Of profile changes, or of profile dead.", 2,
     1 + ATTRIBUTES_MAX, verb_profile_ack},
    {"profile dead", "GROUP", "List changes that no delivery got acknowledged. As profile changes shows them.", 1, 1,
     verb_profile_dead},
    {"visitors record", "COUNTER ID...",
     "Record visitors. In the buckets of the day and of the hour, UTC. An ID of - stands for all lines of the standard "
     "input.",
     2, 1 + ATTRIBUTES_MAX, verb_visitors_record},
    {"visitors count", "COUNTER...",
     "Estimate how many different visitors there were. In all buckets and all counters together; standard error 0.81 "
     "%.",
     1, COUNTERS_MAX, verb_visitors_count},
    {"auth lookup", "SUBJECT KEY",
     "Look for an answer of the auth cache. Prints JSON: the state, the answer, and the lease where one is given.\n"
     "Exit status: 0 HIT or STALE, 1 NEGATIVE, MISS or WAIT.",
     2, 2, verb_auth_lookup},
    {"auth fill", "SUBJECT KEY LEASE [ANSWER]",
     "Put an answer into the auth cache. With the lease of a lookup; - reads the lease from the standard input.\n"
     "Exit status: 0 it is kept; 1 it is not: it was forgotten, or the lease ended, since loading began.",
     3, 4, verb_auth_fill},
    {"auth forget", "[SUBJECT [KEY]]",
     "Forget an answer, all of a subject, or, with --group, all of a group. They are never served again.", 0, 2,
     verb_auth_forget},
    {"limit check", "NAME",
     "Take from a rate limit, of --limit in each --per.\n"
     "Exit status: 0 allowed, 1 refused, 3 no server could tell.",
     1, 1, verb_limit_check},
    {"limit reset", "NAME", "Forget what was taken from a rate limit. It must be of the same --algorithm.", 1, 1,
     verb_limit_reset},
    {"lock acquire", "NAME",
     "Acquire a lock, for --ttl. Prints the owner, which is a secret, and the fencing token.\n"
     "Exit status: 0 acquired, 1 another has it.",
     1, 1, verb_lock_acquire},
    {"lock extend", "NAME OWNER",
     "Hold a lock for --ttl from now. An OWNER of - is read from the standard input.\n"
     "Exit status: 0 it is held, 1 it is not: it has ended, or another has it.",
     2, 2, verb_lock_extend},
    {"lock release", "NAME OWNER",
     "Release a lock. An OWNER of - is read from the standard input.\n"
     "Exit status: 0 released, 1 it had ended, or another has it.",
     2, 2, verb_lock_release},
    {"info", "", "What the server says of itself.", 0, 0, verb_info},
    {"health", "", "Whether the server serves. Exit status 0 if it does, 3 if not.", 0, 0, verb_health},
    {"stats", "", "The server's counters.", 0, 0, verb_stats},
    {"redis", "",
     "The Redis servers behind the server. As the instance that answers sees them.\n"
     "Exit status: 0 all slots have a serving primary, 1 some have none, 3 no server could tell.",
     0, 0, verb_redis},
    {"policy", "",
     "The policy in force for a class of sessions. Of the realm's first class, unless --class.\n"
     "And what the realm has beside its classes: how long profiles, visitors and answers of the auth cache are kept.",
     0, 0, verb_policy},
    {"keys", "",
     "The server's keys, and what it meets under each. Counted since its start, by the instance that answers: a key "
     "can go\n"
     "when no instance has used it for as long as sessions live.",
     0, 0, verb_keys},
    {"credential new", "ID",
     "Make a credential for a caller, and print it with the line for the server's file of callers. Asks no server.\n"
     "Nothing is stored: give the credential to the caller, by --credential-file, and the line to each server.",
     1, 1, verb_credential_new},
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

	if (line->verb->run == verb_credential_new)
		return line->verb->run(line, NULL);
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
		line_print_help(&line);
		return say_done(true);
	}
	return run(&line);
}
