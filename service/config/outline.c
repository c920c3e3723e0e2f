/* Design note. libcyaml reports the place of the value it stopped at, and only for mistakes of structure. So the file is
 * read twice: here for syntax and places, then by libcyaml for structure and values. A stack of open mappings and
 * sequences is kept; each holds the path of the child that comes next. Nothing outlives outline_read but the origins. */

#include "config/outline.h"

#include <yaml.h>

/* realms, entry, profiles, tiers, entry, value: 6 with the root above them; two more than anyone needs. */
#define DEPTH_MAX 8
/* The largest known mapping, redis, has 12 keys. */
#define KEYS_MAX 64

struct frame {
	bool is_mapping;
	bool expects_value;
	size_t count;
	size_t path_len;	    /* of this frame's own path, in outline.path */
	const char *keys[KEYS_MAX]; /* their paths, to find duplicates */
};

struct outline {
	struct origins *origins;
	struct config_error *error;
	char path[ORIGIN_PATH_BYTES]; /* of what is being read */
	struct frame frames[DEPTH_MAX];
	size_t depth;
	unsigned documents;
	bool has_content;
};

static void append_path(struct outline *u, size_t at, const char *text)
{
	snprintf(u->path + at, sizeof(u->path) - at, "%s", text);
}

static bool add_origin(struct outline *u, const yaml_event_t *e)
{
	if (origin_add(u->origins, u->path, e->start_mark.line + 1, e->start_mark.column + 1))
		return true;
	return origin_fail(u->origins, u->error, "", "has too many keys to keep in memory; remove what is not needed");
}

/* The path so far has no place yet when a mistake is found in it. */
static bool fail_at(struct outline *u, const yaml_event_t *e, const char *what)
{
	if (!add_origin(u, e))
		return false;
	return origin_fail(u->origins, u->error, u->path, "%s", what);
}

static bool read_key(struct outline *u, struct frame *f, const yaml_event_t *e)
{
	const char *key = (const char *)e->data.scalar.value;

	append_path(u, f->path_len, f->path_len == 0 ? "" : ".");
	append_path(u, strlen(u->path), key);
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->keys[i], u->path) == 0) {
			const struct origin *first = origin_find(u->origins, u->path);
			const size_t line = first == NULL ? 0 : first->line;

			return add_origin(u, e) && origin_fail(u->origins, u->error, u->path,
							       "is already set in line %zu; remove one of them", line);
		}
	if (f->count == KEYS_MAX)
		return fail_at(u, e, "found more than 64 keys in one mapping; none has so many");
	if (!add_origin(u, e))
		return false;
	f->keys[f->count++] = u->origins->newest->path;
	f->expects_value = true;
	return true;
}

/* A scalar, mapping or sequence begins: is it a key, and if not, what is its path? */
static bool begin_node(struct outline *u, const yaml_event_t *e, bool *ret_is_key)
{
	struct frame *f = u->depth == 0 ? NULL : &u->frames[u->depth - 1];
	char entry[32];

	*ret_is_key = false;
	if (f == NULL)
		return add_origin(u, e);
	if (f->is_mapping && !f->expects_value) {
		append_path(u, f->path_len, "");
		if (e->type != YAML_SCALAR_EVENT)
			return fail_at(u, e, "found a mapping or sequence as a key, allowed: a word");
		*ret_is_key = true;
		return read_key(u, f, e);
	}
	if (f->is_mapping)
		return true;
	snprintf(entry, sizeof(entry), "[%zu]", f->count++);
	append_path(u, f->path_len, entry);
	return add_origin(u, e);
}

static void end_node(struct outline *u)
{
	if (u->depth > 0)
		u->frames[u->depth - 1].expects_value = false;
}

static bool push(struct outline *u, const yaml_event_t *e)
{
	bool is_key;

	u->has_content = true;
	if (!begin_node(u, e, &is_key))
		return false;
	if (u->depth == DEPTH_MAX)
		return fail_at(u, e, "is nested more than 8 levels deep; no key is");
	u->frames[u->depth++] =
	    (struct frame){.is_mapping = e->type == YAML_MAPPING_START_EVENT, .path_len = strlen(u->path)};
	return true;
}

static void pop(struct outline *u)
{
	u->depth--;
	append_path(u, u->frames[u->depth].path_len, "");
	end_node(u);
}

static bool read_scalar(struct outline *u, const yaml_event_t *e)
{
	bool is_key;

	/* The root of "---" with only comments behind it is a scalar of nothing. */
	u->has_content = u->has_content || u->depth > 0 || e->data.scalar.length > 0;
	if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
		return fail_at(u, e, "found a NUL character, allowed: text");
	if (!begin_node(u, e, &is_key))
		return false;
	if (!is_key)
		end_node(u);
	return true;
}

static bool read_event(struct outline *u, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return ++u->documents == 1 || fail_at(u, e, "found a second document, allowed: one");
	case YAML_ALIAS_EVENT:
		return fail_at(u, e, "found an alias (*name); write the value out");
	case YAML_SCALAR_EVENT:
		return read_scalar(u, e);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return push(u, e);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		pop(u);
		return true;
	default:
		return true;
	}
}

static bool fail_syntax(struct outline *u, const yaml_parser_t *parser)
{
	const yaml_mark_t *at = &parser->problem_mark;
	const char *problem = parser->problem == NULL ? "unknown" : parser->problem;

	if (parser->error == YAML_READER_ERROR)
		return origin_fail(u->origins, u->error, "", "is no YAML: byte %zu: %s; save it as UTF-8",
				   parser->problem_offset, problem);
	snprintf(u->error->text, sizeof(u->error->text), "%s:%zu:%zu: is no YAML: %s%s%s; check indentation and quotes",
		 u->origins->file, at->line + 1, at->column + 1, parser->context == NULL ? "" : parser->context,
		 parser->context == NULL ? "" : ", ", problem);
	return false;
}

bool outline_read(struct origins *o, span text, bool *ret_is_empty, struct config_error *error)
{
	struct outline u = {.origins = o, .error = error};
	yaml_parser_t parser;
	yaml_event_t event;
	bool at_end = false;
	bool ok = true;

	if (yaml_parser_initialize(&parser) == 0)
		return origin_fail(o, error, "", "cannot be read: out of memory");
	yaml_parser_set_input_string(&parser, text.ptr, text.len);
	while (ok && !at_end) {
		if (yaml_parser_parse(&parser, &event) == 0) {
			ok = fail_syntax(&u, &parser);
			break;
		}
		ok = read_event(&u, &event);
		at_end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (ok)
		*ret_is_empty = !u.has_content;
	return ok;
}
