#include "text.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *text_of_time(uint64_t at_ms, char to[static TIME_TEXT_BYTES])
{
	time_t seconds = (time_t)(at_ms / 1000);
	struct tm parts;
	size_t len;

	if (gmtime_r(&seconds, &parts) == NULL)
		return "?";
	len = strftime(to, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(to + len, TIME_TEXT_BYTES - len, ".%03uZ", (unsigned)(at_ms % 1000));
	return to;
}

/* How many bytes the character at the front has, by RFC 3629: one spelling for each. 0: there is none. */
static size_t read_character(struct lk_bytes bytes, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *at = (const unsigned char *)bytes.data;
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	uint32_t character = len == 1 ? at[0] : at[0] & 0x7fu >> len;

	/* Neither the middle of a character nor the front of one of five bytes. */
	if ((at[0] >= 0x80 && at[0] < 0xc0) || at[0] >= 0xf8 || len > bytes.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (at[i] & 0x3fu);
	}
	if (character < least[len] || character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
		return 0;
	*ret = character;
	return len;
}

static bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

int text_print(FILE *to, struct lk_bytes bytes, int columns)
{
	int printed = 0;

	while (bytes.len > 0 && printed < columns) {
		uint32_t character = 0;
		size_t len = read_character(bytes, &character);

		if (to != NULL && (len == 0 || is_control(character)))
			(void)fputc('?', to);
		else if (to != NULL)
			(void)fwrite(bytes.data, 1, len, to);
		len += len == 0;
		bytes = lk_bytes_of(bytes.data + len, bytes.len - len);
		printed++;
	}
	return printed;
}

int text_columns(struct lk_bytes bytes)
{
	return text_print(NULL, bytes, INT_MAX);
}

static char *base64_of(struct lk_bytes bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((bytes.len + 2) / 3 * 4 + 1);
	char *at = text;

	assert(bytes.data != NULL);
	if (text == NULL)
		abort();
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t word = (uint32_t)(unsigned char)bytes.data[i] << 16;

		word |= left > 1 ? (uint32_t)(unsigned char)bytes.data[i + 1] << 8 : 0;
		word |= left > 2 ? (uint32_t)(unsigned char)bytes.data[i + 2] : 0;
		*at++ = digits[word >> 18];
		*at++ = digits[word >> 12 & 63];
		*at++ = left > 1 ? digits[word >> 6 & 63] : '=';
		*at++ = left > 2 ? digits[word & 63] : '=';
	}
	*at = '\0';
	return text;
}

json_t *json_of_bytes(struct lk_bytes bytes)
{
	json_t *json = json_stringn(bytes.data != NULL ? bytes.data : "", bytes.len);
	char *base64;

	if (json != NULL)
		return json;
	base64 = base64_of(bytes);
	json = json_pack("{s:s}", "base64", base64);
	free(base64);
	return json;
}

json_t *json_of_message(const char *message)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	json_t *json;

	if (to == NULL)
		abort();
	(void)text_print(to, lk_text(message), INT_MAX);
	if (fclose(to) != 0)
		abort();
	json = json_stringn(text, len);
	free(text);
	return json;
}

json_t *json_of_time(uint64_t at_ms)
{
	char text[TIME_TEXT_BYTES];

	return at_ms > 0 ? json_string(text_of_time(at_ms, text)) : json_null();
}

void json_set_named(json_t *object, struct lk_bytes name, json_t *value)
{
	char *base64;

	/* It takes the value over even where it fails. */
	if (json_object_setn_new(object, name.data, name.len, json_incref(value)) != 0) {
		base64 = base64_of(name);
		(void)json_object_set(object, base64, value);
		free(base64);
	}
	json_decref(value);
}

static json_t *json_of_attributes(const lk_session *session)
{
	json_t *json = json_object();

	for (size_t i = 0; i < lk_session_attribute_count(session); i++) {
		struct lk_attribute attribute = lk_session_attribute_at(session, i);

		json_set_named(json, attribute.key, json_of_bytes(attribute.value));
	}
	return json;
}

static json_t *json_of_device(const lk_session *session)
{
	const struct {
		const char *name;
		struct lk_bytes value;
	} rows[] = {
	    {"user_agent", lk_session_user_agent(session)},
	    {"ip", lk_session_ip(session)},
	    {"label", lk_session_label(session)},
	};
	json_t *json = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].value.data != NULL)
			(void)json_object_set_new(json, rows[i].name, json_of_bytes(rows[i].value));
	return json;
}

static json_t *json_of_authentication(const lk_session *session)
{
	json_t *amr = json_array();

	for (size_t i = 0; i < lk_session_amr_count(session); i++)
		(void)json_array_append_new(amr, json_of_bytes(lk_session_amr(session, i)));
	return json_pack("{s:o, s:I, s:o}", "at", json_of_time(lk_session_authenticated_at_ms(session)), "aal",
			 (json_int_t)lk_session_aal(session), "amr", amr);
}

static json_t *json_of_invalid(const lk_session *session)
{
	json_t *json = json_pack("{s:s, s:s}", "verdict", lk_verdict_name(lk_session_verdict(session)), "reason",
				 lk_reason_name(lk_session_reason(session)));

	if (lk_session_revoked_at_ms(session) > 0)
		(void)json_object_set_new(json, "revoked_at", json_of_time(lk_session_revoked_at_ms(session)));
	return json;
}

/* What few sessions have, and what an anonymous one has not. */
static void add_rare(const lk_session *session, json_t *object)
{
	static const char *const of_somebody[] = {"handle", "user", "version", "device", "authentication"};

	if (lk_session_privileged_until_ms(session) > 0)
		(void)json_object_set_new(object, "privileged_until",
					  json_of_time(lk_session_privileged_until_ms(session)));
	if (lk_session_successor(session) != NULL)
		(void)json_object_set_new(object, "successor", json_string(lk_session_successor(session)));
	if (!lk_session_is_anonymous(session))
		return;
	for (size_t i = 0; i < sizeof(of_somebody) / sizeof(of_somebody[0]); i++)
		(void)json_object_del(object, of_somebody[i]);
	(void)json_object_set_new(object, "anonymous", json_true());
}

json_t *json_of_session(const lk_session *session)
{
	json_t *object;

	if (lk_session_verdict(session) != LK_VALID)
		return json_of_invalid(session);
	object = json_pack("{s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "verdict", "VALID",
			   "reason", "NONE", "handle", lk_session_handle(session), "user",
			   json_of_bytes(lk_session_user(session)), "class", json_of_bytes(lk_session_class(session)),
			   "created_at", json_of_time(lk_session_created_at_ms(session)), "last_seen_at",
			   json_of_time(lk_session_last_seen_at_ms(session)), "idle_expires_at",
			   json_of_time(lk_session_idle_expires_at_ms(session)), "expires_at",
			   json_of_time(lk_session_expires_at_ms(session)), "version",
			   (json_int_t)lk_session_version(session), "attributes", json_of_attributes(session), "device",
			   json_of_device(session), "authentication", json_of_authentication(session));
	add_rare(session, object);
	return object;
}

bool json_print(json_t *json)
{
	bool written = json != NULL && json_dumpf(json, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;

	json_decref(json);
	return written && fflush(stdout) == 0;
}
