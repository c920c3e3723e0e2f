/* Design note. The JSON Schema of the configuration file, for tools that judge a file before the service sees it: editors,
 * and charts. It says what the tables say and no more: what hangs on several keys together is for config_load alone, so
 * what the schema refuses the service refuses, and not the other way round. Of text it says the length in characters,
 * where the service counts bytes. */

#include "config/keys.h"

/* No pattern of the tables holds a quote or a backslash of its own; these are JSON already. */
#define TEXT_PATTERN "^[^\\u0000-\\u001f\\u007f]*$"
#define NAME_PATTERN "^[a-z0-9._-]+$"

static void print_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != 0; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_member(FILE *out, const char *name, const char *text)
{
	fprintf(out, ", \"%s\": ", name);
	print_string(out, text);
}

static bool is_boolean(const struct config_key *key)
{
	return strcmp(key->words[0], "false") == 0;
}

static void print_words(FILE *out, const struct config_key *key)
{
	fputs("\"type\": \"string\", \"enum\": [", out);
	for (size_t i = 0; key->words[i] != NULL; i++) {
		fputs(i == 0 ? "" : ", ", out);
		print_string(out, key->words[i]);
	}
	fputs("]", out);
}

static void print_type(FILE *out, const struct config_key *key)
{
	switch (key->type) {
	case KEY_TEXT:
		fprintf(out, "\"type\": \"string\", \"minLength\": %d, \"maxLength\": %u, \"pattern\": \"%s\"",
			key->flags & KEY_REQUIRED ? 1 : 0, key->max, TEXT_PATTERN);
		break;
	case KEY_U32:
		fprintf(out, "\"type\": \"integer\", \"minimum\": %u, \"maximum\": %u", key->min, key->max);
		break;
	case KEY_OCTAL:
		/* In quotes: a bare 0600 is 384 to a reader of YAML 1.1. */
		fputs("\"type\": \"string\", \"pattern\": \"^0?[0-7]{3}$\"", out);
		break;
	case KEY_WORD:
		if (is_boolean(key))
			fputs("\"type\": \"boolean\"", out);
		else
			print_words(out, key);
		break;
	}
}

static void print_default(FILE *out, const struct config_key *key)
{
	if (key->default_text == NULL)
		return;
	if (key->type == KEY_U32 || (key->type == KEY_WORD && is_boolean(key)))
		fprintf(out, ", \"default\": %s", key->default_text);
	else
		print_member(out, "default", key->default_text);
}

static void print_key(FILE *out, const struct config_key *key)
{
	print_string(out, key->name);
	fputs(": {", out);
	print_type(out, key);
	print_default(out, key);
	print_member(out, "description", key->doc);
	fputs("}", out);
}

static void open_object(FILE *out, const char *doc)
{
	fputs("{\"type\": \"object\", \"additionalProperties\": false", out);
	if (doc != NULL)
		print_member(out, "description", doc);
	fputs(", \"properties\": {\n", out);
}

static bool is_in(const struct config_key *key, const char *section)
{
	if (key->section == NULL || section == NULL)
		return key->section == section;
	return strcmp(key->section, section) == 0;
}

/* *first: nothing stands in the object yet. */
static void print_keys(FILE *out, const struct config_key *keys, size_t count, const char *section, bool *first)
{
	for (size_t i = 0; i < count; i++) {
		if (!is_in(&keys[i], section))
			continue;
		fputs(*first ? "" : ",\n", out);
		*first = false;
		print_key(out, &keys[i]);
	}
}

/* Ends an object: what has to be there, which is what has no default. */
static void close_object(FILE *out, const struct config_key *keys, size_t count, const char *section)
{
	const char *join = "";

	fputs("}, \"required\": [", out);
	for (size_t i = 0; i < count; i++)
		if (is_in(&keys[i], section) && (keys[i].flags & KEY_REQUIRED) && keys[i].default_text == NULL) {
			fputs(join, out);
			print_string(out, keys[i].name);
			join = ", ";
		}
	fputs("]}", out);
}

static void print_object(FILE *out, const struct config_key *keys, size_t count, const char *section, const char *doc)
{
	bool first = true;

	open_object(out, doc);
	print_keys(out, keys, count, section, &first);
	close_object(out, keys, count, section);
}

static void open_list(FILE *out, const char *name, unsigned max, const char *doc)
{
	fprintf(out, ",\n\"%s\": {\"type\": \"array\", \"minItems\": 1, \"maxItems\": %u, \"description\": ", name,
		max);
	print_string(out, doc);
	fputs(", \"items\": ", out);
}

static void print_listeners(FILE *out)
{
	bool first = true;

	open_list(out, "listen", CONFIG_LISTENERS_MAX, "Addresses for callers.");
	open_object(out, NULL);
	print_keys(out, listener_keys, LISTENER_KEYS, NULL, &first);
	fputs(",\n\"tls\": ", out);
	print_object(out, listener_keys, LISTENER_KEYS, "tls", "For tls+tcp://.");
	close_object(out, listener_keys, LISTENER_KEYS, NULL);
	fputs("}", out);
}

static void print_tiers(FILE *out)
{
	open_list(out, "tiers", CONFIG_TIERS_MAX, "Of profiles; the first is the default.");
	print_object(out, tier_keys, TIER_KEYS, NULL, NULL);
	fputs("}", out);
}

/* Tiers are a list, in the section of profiles. */
static void print_realm_section(FILE *out, const char *section)
{
	bool first = true;

	fprintf(out, ",\n\"%s\": ", section);
	open_object(out, NULL);
	print_keys(out, realm_keys, REALM_KEYS, section, &first);
	if (strcmp(section, realm_keys[REALM_PROFILES_CHANGES].section) == 0)
		print_tiers(out);
	close_object(out, realm_keys, REALM_KEYS, section);
}

/* Keys of one section follow one another. */
static void print_realm_sections(FILE *out)
{
	const char *section = NULL;

	for (size_t k = 0; k < REALM_KEYS; k++) {
		if (realm_keys[k].section != NULL && !is_in(&realm_keys[k], section))
			print_realm_section(out, realm_keys[k].section);
		section = realm_keys[k].section;
	}
}

static void print_realms(FILE *out)
{
	bool first = false;

	open_list(out, "realms", CONFIG_REALMS_MAX, "Tenants. Callers that name none get \"default\".");
	open_object(out, NULL);
	fprintf(out, "\"name\": {\"type\": \"string\", \"maxLength\": %d, \"pattern\": \"%s\"}",
		CONFIG_REALM_NAME_BYTES_MAX, NAME_PATTERN);
	print_keys(out, realm_keys, REALM_KEYS, NULL, &first);
	print_realm_sections(out);
	open_list(out, "classes", CONFIG_CLASSES_MAX, "Of sessions; the first is the default.");
	print_object(out, class_keys, CLASS_KEYS, NULL, NULL);
	fputs("}}, \"required\": [\"name\"]}}", out);
}

bool config_print_schema(FILE *out)
{
	bool first = true;

	open_object(out, "The configuration of latchkeyd.");
	print_keys(out, config_keys, CONFIG_KEYS, NULL, &first);
	print_listeners(out);
	for (size_t i = 0; config_sections[i].name != NULL; i++) {
		fprintf(out, ",\n\"%s\": ", config_sections[i].name);
		print_object(out, config_keys, CONFIG_KEYS, config_sections[i].name, config_sections[i].doc);
	}
	print_realms(out);
	fputs("}, \"required\": []}\n", out);
	return fflush(out) == 0 && ferror(out) == 0;
}
