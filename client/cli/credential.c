/* The verb credential new. */

#include <stdio.h>
#include <string.h>

#include "credential/credential.h"
#include "report.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

/* As the service's file has them: names with commas and no blanks between, or the line that is printed is refused there. */
static bool are_roles(const char *list)
{
	for (;;) {
		size_t len = strcspn(list, ",");

		if (!credential_id_is_valid(list, len))
			return false;
		if (list[len] == '\0')
			return true;
		list += len + 1;
	}
}

int verb_credential_new(const struct line *line, lk_client *client)
{
	const char *id = line->args[0];
	char text[CREDENTIAL_CHARS_MAX + 1];
	char hash[CREDENTIAL_HASH_CHARS + 1];
	bool written = true;

	(void)client;
	if (!credential_id_is_valid(id, strlen(id)))
		return usage_error("ID \"%s\": 1 to %d of a-z 0-9 - _", id, CREDENTIAL_ID_CHARS_MAX);
	if (line->role == NULL)
		return usage_error("--role is missing: what the caller may do, such as --role frontend");
	if (!are_roles(line->role))
		return usage_error("--role \"%s\": names of 1 to %d of a-z 0-9 - _, with commas and no blanks between",
				   line->role, CREDENTIAL_ID_CHARS_MAX);
	if (!credential_new(id, text, hash))
		return usage_error("there is no randomness to be had");
	if (line->json)
		written = json_print(
		    json_pack("{s:s, s:s, s:s, s:s}", "id", id, "credential", text, "hash", hash, "role", line->role));
	else
		(void)printf("credential  %s\nline        caller %s %s %s\n", text, id, hash, line->role);
	explicit_bzero(text, sizeof(text));
	return say_done(written);
}
