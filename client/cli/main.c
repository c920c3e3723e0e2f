/* The latchkey command: one call of the library, its result as text or JSON, and an exit status that a script can act
 * on. */

#include <stdio.h>
#include <stdlib.h>

#include "line.h"
#include "verbs.h"

#define TOKEN_NOTE                                                                                                     \
	"A TOKEN of - is read from the standard input; on the line, ps shows it to every user of the machine."

const struct verb verbs[] = {
    {"session create", "USER",
     "Start a session and print its token. With --json, an object that also has the handle and the times.", 1, 1,
     verb_session_create},
    {"session get", "TOKEN",
     "Judge a token and print the session as JSON. The session's idle timeout starts anew, unless --peek.\n" TOKEN_NOTE,
     1, 1, verb_session_get},
    {"session list", "USER", "List a user's living sessions. As a table, or with --json as an array.", 1, 1,
     verb_session_list},
    {"session update", "TOKEN [K=V...]", "Set and remove attributes of a session. All or none.\n" TOKEN_NOTE, 1,
     1 + ATTRIBUTES_MAX, verb_session_update},
    {"session revoke", "TOKEN|HANDLE", "End a session. The handle is the one that list shows.\n" TOKEN_NOTE, 1, 1,
     verb_session_revoke},
    {"session revoke-user", "USER", "End all sessions of a user. But for --except, or only those of --class.", 1, 1,
     verb_session_revoke_user},
    {"info", "", "What the server says of itself.", 0, 0, verb_info},
    {"health", "", "Whether the server serves. Exit status 0 if it does, 3 if not.", 0, 0, verb_health},
    {"stats", "", "The server's counters.", 0, 0, verb_stats},
};
const unsigned verb_count = sizeof(verbs) / sizeof(verbs[0]);

static const enum exit_status statuses[] = {
    [LK_OK] = EXIT_DONE,
    [LK_E_INVALID_ARGUMENT] = EXIT_USAGE,
    [LK_E_NO_MEMORY] = EXIT_UNKNOWN,
    [LK_E_MISUSE] = EXIT_UNKNOWN,
    [LK_E_CANCELED] = EXIT_UNKNOWN,
    [LK_E_UNAVAILABLE] = EXIT_UNKNOWN,
    [LK_E_TIMED_OUT] = EXIT_UNKNOWN,
    [LK_E_LIMIT] = EXIT_REFUSED,
    [LK_E_CONFLICT] = EXIT_REFUSED,
    [LK_E_SESSION_INVALID] = EXIT_INVALID,
    [LK_E_NOT_FOUND] = EXIT_USAGE,
    [LK_E_ALREADY_EXISTS] = EXIT_REFUSED,
    [LK_E_DENIED] = EXIT_REFUSED,
    [LK_E_UNAUTHENTICATED] = EXIT_REFUSED,
    [LK_E_FAILED_PRECONDITION] = EXIT_REFUSED,
    [LK_E_UNIMPLEMENTED] = EXIT_REFUSED,
    [LK_E_UNREADABLE] = EXIT_UNKNOWN,
    [LK_E_INTERNAL] = EXIT_UNKNOWN,
    [LK_E_PROTOCOL] = EXIT_UNKNOWN,
    [LK_E_TLS] = EXIT_USAGE,
};

int report(const struct lk_error *error)
{
	size_t known = sizeof(statuses) / sizeof(statuses[0]);

	(void)fprintf(stderr, "latchkey: %s (%s)\n", error->message, lk_err_name(error->code));
	return (size_t)error->code < known ? (int)statuses[error->code] : EXIT_UNKNOWN;
}

/* The first line of a file: the credential, without the end of the line. False: it cannot be read. */
static bool read_credential(const char *path, char *to, size_t bytes)
{
	FILE *file = fopen(path, "re");
	bool read;

	if (file == NULL)
		return false;
	read = fgets(to, (int)bytes, file) != NULL;
	(void)fclose(file);
	if (read)
		to[strcspn(to, "\r\n")] = '\0';
	return read;
}

/* "a,b" into `urls`, which borrow from `list`. Returns how many. */
static size_t split_servers(char *list, const char *urls[static LK_ENDPOINTS_MAX + 1])
{
	size_t count = 0;
	char *save = NULL;

	for (char *at = strtok_r(list, ",", &save); at != NULL; at = strtok_r(NULL, ",", &save)) {
		urls[count++] = at;
		/* One more than allowed is enough for the library to refuse it. */
		if (count > LK_ENDPOINTS_MAX)
			break;
	}
	return count;
}

static int open_client(const struct line *line, const char *credential, lk_client **ret_client)
{
	char *servers = line->servers != NULL ? strdup(line->servers) : NULL;
	struct lk_options options = LK_OPTIONS_INIT;
	const char *urls[LK_ENDPOINTS_MAX + 1];
	struct lk_error error = LK_ERROR_INIT;
	enum lk_err err;

	if (servers != NULL) {
		options.endpoint_count = split_servers(servers, urls);
		options.endpoints = urls;
	}
	options.realm = line->realm;
	options.credential = credential;
	options.connect_timeout_ms = line->timeout_ms;
	options.call_timeout_ms = line->timeout_ms;
	options.fail_fast = true;
	options.tls_ca_file = line->ca_file;
	options.tls_cert_file = line->cert_file;
	options.tls_key_file = line->key_file;
	options.tls_server_name = line->server_name;
	err = lk_client_open(&options, ret_client, &error);
	free(servers);
	return err == LK_OK ? EXIT_DONE : report(&error);
}

static int run(const struct line *line)
{
	/* One more than a credential may have, so that a longer one is refused and not cut, and its line's end. */
	char credential[132] = "";
	lk_client *client;
	int status;

	if (line->credential_file != NULL && !read_credential(line->credential_file, credential, sizeof(credential)))
		return usage_error("cannot read the credential file %s", line->credential_file);
	status = open_client(line, credential, &client);
	explicit_bzero(credential, sizeof(credential));
	if (status != EXIT_DONE)
		return status;
	status = line->verb->run(line, client);
	lk_client_close(&client);
	return status;
}

int main(int argc, char **argv)
{
	struct line line;

	line_read(argc, argv, &line);
	if (line.version) {
		(void)printf("latchkey %s\n", lk_version());
		return EXIT_DONE;
	}
	if (line.help) {
		line_print_help(line.verb);
		return EXIT_DONE;
	}
	return run(&line);
}
