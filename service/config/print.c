/* Design note. The text printed is the manual of the configuration as well as the configuration: everything that the
 * tables say of a key stands above it, and what is printed loads to the same again. Text is always quoted, so that no
 * value can be taken for another YAML type. */

#include <stdlib.h>

#include "config/keys.h"

/* Of a comment line, indentation included. */
#define LINE_BYTES 100

static void print_comment(FILE *out, int indent, const char *text)
{
	while (*text != 0) {
		const size_t room = LINE_BYTES - (size_t)indent - 2;
		size_t len = strlen(text);

		if (len > room) {
			len = room;
			while (len > 0 && text[len] != ' ')
				len--;
			if (len == 0)
				len = strcspn(text, " ");
		}
		fprintf(out, "%*s# %.*s\n", indent, "", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
}

static void print_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; text != NULL && *text != 0; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputs("\"", out);
}

/* Masked where it may hold a password: as long as the URL can get, and its mask. */
static void print_secret(FILE *out, const char *text, size_t bytes_max)
{
	const size_t len = bytes_max + 16;
	char *masked = malloc(len);

	if (masked != NULL)
		config_mask_url(text, masked, len);
	print_text(out, masked);
	free(masked);
}

static void print_value(FILE *out, const struct config_key *key, const void *base)
{
	switch (key->type) {
	case KEY_TEXT:
		if (key->flags & KEY_SECRET)
			print_secret(out, key_text(key, base), key->max);
		else
			print_text(out, key_text(key, base));
		break;
	case KEY_U32:
		fprintf(out, "%u", key_number(key, base));
		break;
	case KEY_OCTAL:
		fprintf(out, "\"%04o\"", key_number(key, base));
		break;
	case KEY_WORD:
		fprintf(out, "%s", key->words[key_number(key, base)]);
		break;
	}
}

/* "1..16 connections; default 2; LATCHKEY_REDIS_CONNECTIONS" */
static void describe(const struct config_key *key, bool has_variable, char out[static KEY_MESSAGE_BYTES])
{
	char allowed[160];
	char variable[KEY_ENV_BYTES] = "";

	if (key->type == KEY_TEXT)
		snprintf(allowed, sizeof(allowed), "text up to %u bytes", key->max);
	else
		key_describe_allowed(key, allowed, sizeof(allowed));
	if (has_variable)
		key_env_name(key->path, variable);
	snprintf(out, KEY_MESSAGE_BYTES, "%s; default %s%s%s%s", allowed,
		 key->default_text == NULL ? "empty" : key->default_text,
		 key->flags & KEY_RELOADABLE ? "; SIGHUP reloads it" : "", has_variable ? "; " : "", variable);
}

static void print_key(FILE *out, const struct config_key *key, const struct config *c)
{
	const int indent = key->section == NULL ? 0 : 2;
	char facts[KEY_MESSAGE_BYTES];

	describe(key, true, facts);
	print_comment(out, indent, key->doc);
	print_comment(out, indent, facts);
	fprintf(out, "%*s%s: ", indent, "", key->name);
	print_value(out, key, c);
	fputs("\n", out);
}

static void print_section(FILE *out, const struct config_section *section, const struct config *c)
{
	fputs("\n", out);
	if (section->name != NULL) {
		print_comment(out, 0, section->doc);
		fprintf(out, "%s:\n", section->name);
	}
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const char *of = config_keys[i].section;

		if (of == NULL ? section->name == NULL : section->name != NULL && strcmp(of, section->name) == 0)
			print_key(out, &config_keys[i], c);
	}
}

static void print_list_docs(FILE *out, const char *in, const struct config_key *keys, size_t count)
{
	char facts[KEY_MESSAGE_BYTES];
	char line[2 * KEY_MESSAGE_BYTES];

	for (size_t i = 0; i < count; i++) {
		describe(&keys[i], false, facts);
		snprintf(line, sizeof(line), "  %s%s: %s (%s)", in, keys[i].path, keys[i].doc, facts);
		print_comment(out, 0, line);
	}
}

static void print_field(FILE *out, const struct config_key *key, const void *base, const char *before)
{
	fprintf(out, "%s%s: ", before, key->name);
	print_value(out, key, base);
}

static void print_tls(FILE *out, const struct config_listener *l)
{
	fputs(", tls: {", out);
	print_field(out, &listener_keys[LISTENER_TLS_CERT], l, "");
	print_field(out, &listener_keys[LISTENER_TLS_KEY], l, ", ");
	if (l->tls.client_ca != NULL)
		print_field(out, &listener_keys[LISTENER_TLS_CLIENT_CA], l, ", ");
	fputs("}", out);
}

static void print_listeners(FILE *out, const struct config *c)
{
	fputs("listen:\n", out);
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listeners[i];

		print_field(out, &listener_keys[LISTENER_URL], l, "  - {");
		if (l->tls.cert != NULL)
			print_tls(out, l);
		if (strncmp(l->url, "ipc:", 4) == 0)
			print_field(out, &listener_keys[LISTENER_IPC_MODE], l, ", ");
		fputs("}\n", out);
	}
}

/* Tiers are a list, in the section of the keys before it. */
static void print_tiers(FILE *out, const struct config_realm *r)
{
	fputs("      tiers:\n", out);
	for (size_t i = 0; i < r->profiles.tier_count; i++) {
		print_field(out, &tier_keys[TIER_NAME], &r->profiles.tiers[i], "        - {");
		print_field(out, &tier_keys[TIER_TTL], &r->profiles.tiers[i], ", ");
		fputs("}\n", out);
	}
}

/* Keys of one section follow one another. */
static void print_realm_keys(FILE *out, const struct config_realm *r)
{
	const char *section = NULL;

	for (size_t k = 0; k < REALM_KEYS; k++) {
		const struct config_key *key = &realm_keys[k];

		if (key->section != NULL && (section == NULL || strcmp(section, key->section) != 0))
			fprintf(out, "    %s:\n", key->section);
		section = key->section;
		print_field(out, key, r, section == NULL ? "    " : "      ");
		fputs("\n", out);
		if (k == REALM_PROFILES_CHANGES_MAX)
			print_tiers(out, r);
	}
}

static void print_realms(FILE *out, const struct config *c)
{
	fputs("realms:\n", out);
	for (size_t i = 0; i < c->realm_count; i++) {
		const struct config_realm *r = &c->realms[i];

		fprintf(out, "  - name: \"%s\"\n", r->name);
		print_realm_keys(out, r);
		fputs("    classes:\n", out);
		for (size_t j = 0; j < r->class_count; j++)
			for (size_t k = 0; k < CLASS_KEYS; k++) {
				print_field(out, &class_keys[k], &r->classes[j], k == 0 ? "      - " : "        ");
				fputs("\n", out);
			}
	}
}

bool config_print(const struct config *c, FILE *out)
{
	const struct config_section top = {.name = NULL};

	fprintf(out, "# The configuration in force. Read from: %s, then the environment.\n",
		c->file == NULL ? "no file" : c->file);
	print_section(out, &top, c);
	fputs("\n", out);
	print_comment(out, 0,
		      "Addresses for callers, 1..16: of this machine only, loopback or ipc. "
		      "LATCHKEY_LISTEN: URLs with commas between.");
	print_list_docs(out, "", listener_keys, LISTENER_KEYS);
	print_listeners(out, c);
	for (size_t i = 0; config_sections[i].name != NULL; i++)
		print_section(out, &config_sections[i], c);
	fputs("\n", out);
	print_comment(out, 0,
		      "Tenants, 1..1024, each with 1..32 classes of sessions, of which the first is the default. "
		      "Callers that name no realm get \"default\".");
	print_list_docs(out, "", realm_keys, REALM_KEYS);
	print_list_docs(out, "profiles.tiers[].", tier_keys, TIER_KEYS);
	print_list_docs(out, "", class_keys, CLASS_KEYS);
	print_realms(out, c);
	return fflush(out) == 0 && ferror(out) == 0;
}
