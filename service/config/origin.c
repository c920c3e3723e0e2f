#include "config/origin.h"

#include <assert.h>
#include <stdarg.h>

static struct origin *add(struct origins *o, const char *path)
{
	const size_t bytes = strlen(path) + 1;
	struct origin *new = arena_alloc(o->memory, sizeof(*new));
	char *copy = arena_alloc(o->memory, bytes);

	if (new == NULL || copy == NULL)
		return NULL;
	memcpy(copy, path, bytes);
	*new = (struct origin){.next = o->newest, .path = copy};
	o->newest = new;
	return new;
}

bool origin_add(struct origins *o, const char *path, size_t line, size_t column)
{
	struct origin *new = add(o, path);

	if (new == NULL)
		return false;
	new->line = line;
	new->column = column;
	return true;
}

bool origin_add_variable(struct origins *o, const char *path, const char *variable)
{
	struct origin *new = add(o, path);
	const span copy = arena_printf(o->memory, "%s", variable);

	if (new == NULL || copy.ptr == NULL)
		return false;
	new->variable = (const char *)copy.ptr;
	return true;
}

const struct origin *origin_find(const struct origins *o, const char *path)
{
	for (const struct origin *at = o->newest; at != NULL; at = at->next)
		if (strcmp(at->path, path) == 0)
			return at;
	return NULL;
}

/* "realms[0].classes" -> "realms[0]" -> "realms" -> "" */
static void cut_last(char *path)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] != '.' && path[len - 1] != '[')
		len--;
	path[len > 0 ? len - 1 : 0] = 0;
}

static const struct origin *find_nearest(const struct origins *o, const char *path)
{
	char at[ORIGIN_PATH_BYTES];
	const struct origin *found;

	snprintf(at, sizeof(at), "%s", path);
	while ((found = origin_find(o, at)) == NULL && at[0] != 0)
		cut_last(at);
	return found;
}

/* Keys come from the file as they are: a message must not move the terminal's cursor. */
static void clean(char *text)
{
	for (; *text != 0; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

bool origin_fail(const struct origins *o, struct config_error *error, const char *path, const char *format, ...)
{
	const struct origin *at = find_nearest(o, path);
	const char *join = path[0] == 0 ? "" : ": ";
	const size_t room = sizeof(error->text);
	va_list args;
	int n;

	if (at != NULL && at->variable != NULL)
		n = snprintf(error->text, room, "%s in the environment: ", at->variable);
	else if (at != NULL)
		n = snprintf(error->text, room, "%s:%zu:%zu: %s%s", o->file, at->line, at->column, path, join);
	else
		n = snprintf(error->text, room, "%s%s%s%s", o->file == NULL ? "" : o->file, o->file == NULL ? "" : ": ",
			     path, join);
	assert(n >= 0);
	if ((size_t)n >= room)
		return false;
	va_start(args, format);
	vsnprintf(error->text + n, room - (size_t)n, format, args);
	va_end(args);
	clean(error->text);
	return false;
}
