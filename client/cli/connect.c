#include "connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "usage.h"

/* What the library takes. */
#define CREDENTIAL_BYTES_MAX 128
/* One more, so that a longer one is refused and not cut, the two bytes of a line's end, and the NUL. */
#define CREDENTIAL_ROOM (CREDENTIAL_BYTES_MAX + 4)

/* The first line of a file into `to`, empty where there is none. False: it cannot be read; errno says why. */
static bool read_first_line(const char *path, char to[static CREDENTIAL_ROOM])
{
	FILE *file = fopen(path, "re");
	bool read;

	to[0] = '\0';
	if (file == NULL)
		return false;
	read = fgets(to, CREDENTIAL_ROOM, file) != NULL || ferror(file) == 0;
	(void)fclose(file);
	to[strcspn(to, "\r\n")] = '\0';
	return read;
}

static int read_credential(const char *path, char to[static CREDENTIAL_ROOM])
{
	if (!read_first_line(path, to))
		return usage_error("cannot read the credential file %s: %s", path, strerror(errno));
	if (to[0] == '\0')
		return usage_error("the credential file %s is empty: its first line must be the credential, id.secret",
				   path);
	if (strlen(to) > CREDENTIAL_BYTES_MAX)
		return usage_error("the credential in %s has over %d bytes: it is no id.secret", path,
				   CREDENTIAL_BYTES_MAX);
	return EXIT_DONE;
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

static int open_client(const struct line *line, const struct lk_options *more, const char *credential,
		       lk_client **ret_client)
{
	char *servers = line->servers != NULL ? strdup(line->servers) : NULL;
	struct lk_options options = *more;
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
	options.tls_ca_file = line->ca_file;
	options.tls_cert_file = line->cert_file;
	options.tls_key_file = line->key_file;
	options.tls_server_name = line->server_name;
	err = lk_client_open(&options, ret_client, &error);
	free(servers);
	return err == LK_OK ? EXIT_DONE : report_failure(line, &error);
}

int connect_open(const struct line *line, const struct lk_options *options, lk_client **ret_client)
{
	char credential[CREDENTIAL_ROOM] = "";
	int status = EXIT_DONE;

	if (line->credential_file != NULL)
		status = read_credential(line->credential_file, credential);
	if (status == EXIT_DONE)
		status = open_client(line, options, credential, ret_client);
	explicit_bzero(credential, sizeof(credential));
	return status;
}
