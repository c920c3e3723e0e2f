/* Design note. The file's bytes are kept, and everything else borrows from them: names, methods and realms are spans. A call
 * is held against each grant of its caller's roles, which are a handful, by comparing text: less than a microsecond, and
 * nothing that a reload of realms or a method's new name could make stale. */

#include "callers/callers.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "callers/line.h"
#include "credential/credential.h"

struct grant {
	span role;
	span methods; /* words with commas between them, */
	span realms;  /* and so these */
};

struct caller {
	const callers *of;
	span id;
	uint8_t hash[CREDENTIAL_HASH_BYTES];
	size_t role_count;
	span roles[CALLERS_ROLES_MAX];
};

struct callers {
	_Atomic uint32_t refs;
	uint8_t *text;
	size_t grant_count;
	size_t caller_count;
	struct grant *grants;
	struct caller *callers; /* in order of id */
};

/* ---- Reading ---- */

struct reading {
	const char *path;
	const struct line *line;
	struct status *st;
};

static enum status_code mistake(const struct reading *r, const char *text)
{
	return status_set(r->st, STATUS_INVALID_ARGUMENT, "%s, line %u: %s", r->path, r->line->number, text);
}

static bool has_role(const callers *a, span role)
{
	for (size_t i = 0; i < a->grant_count; i++)
		if (span_eq(a->grants[i].role, role))
			return true;
	return false;
}

/* A path, a service's, or all. */
static bool is_method(span word)
{
	const uint8_t *second;

	if (span_eq(word, SPAN_LIT("*")))
		return true;
	if (word.len < 4 || word.ptr[0] != '/')
		return false;
	second = memchr(word.ptr + 1, '/', word.len - 1);
	if (second == NULL || second == word.ptr + 1 || second + 1 == word.ptr + word.len)
		return false;
	for (const uint8_t *c = word.ptr; c < word.ptr + word.len; c++)
		if (*c == '*' && !(c == second + 1 && c + 1 == word.ptr + word.len))
			return false;
	return true;
}

static bool is_realm(span word)
{
	if (span_eq(word, SPAN_LIT("*")))
		return true;
	for (size_t i = 0; i < word.len; i++)
		if (word.ptr[i] == '*' || word.ptr[i] == '/')
			return false;
	return word.len > 0;
}

static bool is_each(span list, bool (*is_good)(span word))
{
	span word;

	while (line_take_item(&list, &word))
		if (!is_good(word))
			return false;
	return true;
}

static enum status_code read_role(const struct reading *r, callers *a)
{
	const struct line *l = r->line;

	if (l->word_count != 4)
		return mistake(r, "a role's line is: role NAME METHOD[,METHOD] REALM[,REALM]");
	if (!credential_id_is_valid(l->words[1].ptr, l->words[1].len))
		return mistake(r, "a role's name has 1 to 32 of a-z 0-9 - _");
	if (!is_each(l->words[2], is_method))
		return mistake(r, "a method is /package.Service/Method, /package.Service/* or *; commas and no blanks "
				  "between several");
	if (!is_each(l->words[3], is_realm))
		return mistake(r, "a realm is a name or *; commas and no blanks between several");
	if (a->grant_count == CALLERS_GRANTS_MAX)
		return mistake(r, "more lines of roles than the 1024 that there may be");
	a->grants[a->grant_count++] = (struct grant){l->words[1], l->words[2], l->words[3]};
	return STATUS_OK;
}

static enum status_code read_roles(const struct reading *r, const callers *a, struct caller *c)
{
	span list = r->line->words[3];
	span role;

	while (line_take_item(&list, &role)) {
		if (!has_role(a, role))
			return mistake(r, "names a role that no line above grants anything");
		if (c->role_count == CALLERS_ROLES_MAX)
			return mistake(r, "more roles than the 16 that a caller may have");
		c->roles[c->role_count++] = role;
	}
	return STATUS_OK;
}

static enum status_code read_caller(const struct reading *r, callers *a)
{
	const struct line *l = r->line;
	struct caller c = {.of = a};

	if (l->word_count != 4)
		return mistake(r,
			       "a caller's line is: caller ID HASH ROLE[,ROLE]; `latchkey credential new` prints it");
	c.id = l->words[1];
	if (!credential_id_is_valid(c.id.ptr, c.id.len))
		return mistake(r, "a caller's id has 1 to 32 of a-z 0-9 - _");
	if (!credential_hash_read(l->words[2].ptr, l->words[2].len, c.hash))
		return mistake(r, "a credential's hash is 32 bytes in base64url: 43 characters, no padding");
	if (read_roles(r, a, &c) != STATUS_OK)
		return r->st->code;
	for (size_t i = 0; i < a->caller_count; i++)
		if (span_eq(a->callers[i].id, c.id))
			return mistake(r, "a second line for the same caller; remove one");
	if (a->caller_count == CALLERS_CALLERS_MAX)
		return mistake(r, "more callers than the 1024 that there may be");
	a->callers[a->caller_count++] = c;
	return STATUS_OK;
}

static enum status_code read_line(const struct reading *r, callers *a)
{
	const span kind = r->line->words[0];

	if (span_eq(kind, SPAN_LIT("role")))
		return read_role(r, a);
	if (span_eq(kind, SPAN_LIT("caller")))
		return read_caller(r, a);
	return mistake(r, "a line starts with role or caller, or # for a comment");
}

static int compare_ids(span x, span y)
{
	const int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);

	if (order != 0)
		return order;
	return x.len == y.len ? 0 : x.len < y.len ? -1 : 1;
}

static int compare_callers(const void *x, const void *y)
{
	return compare_ids(((const struct caller *)x)->id, ((const struct caller *)y)->id);
}

static void free_callers(callers *a)
{
	free(a->text);
	free(a->grants);
	free(a->callers);
	free(a);
}

static callers *new_callers(span text)
{
	callers *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	atomic_init(&a->refs, 1);
	a->text = malloc(text.len + 1);
	a->grants = calloc(CALLERS_GRANTS_MAX, sizeof(a->grants[0]));
	a->callers = calloc(CALLERS_CALLERS_MAX, sizeof(a->callers[0]));
	if (a->text == NULL || a->grants == NULL || a->callers == NULL) {
		free_callers(a);
		return NULL;
	}
	if (text.len > 0)
		memcpy(a->text, text.ptr, text.len);
	return a;
}

enum status_code callers_read(const char *path, span text, callers **ret, struct status *st)
{
	callers *a = new_callers(text);
	struct line_reader lines;
	struct line line;
	const struct reading r = {.path = path, .line = &line, .st = st};

	if (a == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: no memory for its %zu bytes", path, text.len);
	lines = (struct line_reader){.rest = span_of(a->text, text.len)};
	while (line_next(&lines, &line)) {
		if (read_line(&r, a) != STATUS_OK) {
			free_callers(a);
			return st->code;
		}
	}
	if (a->caller_count == 0) {
		free_callers(a);
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s: names no caller, so that nobody could call; `latchkey credential new` prints a "
				  "caller's line",
				  path);
	}
	qsort(a->callers, a->caller_count, sizeof(a->callers[0]), compare_callers);
	*ret = a;
	return STATUS_OK;
}

/* Whoever writes to it may call everything. Reading is not guarded: hashes tell no secret. */
static enum status_code check_file(int fd, const char *path, struct status *st)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot look at it: %m", path);
	if (!S_ISREG(info.st_mode))
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: not a regular file", path);
	if ((info.st_mode & 022) != 0)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "%s: mode %04o lets others write to it; run: chmod go-w %s", path,
				  (unsigned)(info.st_mode & 07777), path);
	if (info.st_size > CALLERS_FILE_BYTES_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: larger than %d bytes", path,
				  CALLERS_FILE_BYTES_MAX);
	return STATUS_OK;
}

static enum status_code read_open(int fd, const char *path, callers **ret, struct status *st)
{
	uint8_t *text = NULL;
	ssize_t len;

	if (check_file(fd, path, st) != STATUS_OK)
		return st->code;
	text = malloc(CALLERS_FILE_BYTES_MAX + 1);
	if (text == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: no memory to read it", path);
	len = file_read(fd, text, CALLERS_FILE_BYTES_MAX + 1);
	if (len < 0)
		(void)status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot read it: %m", path);
	else if (len > CALLERS_FILE_BYTES_MAX)
		(void)status_set(st, STATUS_INVALID_ARGUMENT, "%s: larger than %d bytes", path, CALLERS_FILE_BYTES_MAX);
	else if (callers_read(path, span_of(text, (size_t)len), ret, st) == STATUS_OK)
		st->code = STATUS_OK;
	free(text);
	return st->code;
}

enum status_code callers_load(const char *path, callers **ret, struct status *st)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum status_code code;

	if (fd < 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot open it: %m", path);
	code = read_open(fd, path, ret, st);
	(void)close(fd);
	return code;
}

callers *callers_retain(callers *a)
{
	const uint32_t before = atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);

	assert(before > 0);
	return a;
}

void callers_release(callers **a)
{
	callers *old = *a;

	*a = NULL;
	if (old != NULL && atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) == 1)
		free_callers(old);
}

size_t callers_count(const callers *a)
{
	return a->caller_count;
}

/* ---- Asking ---- */

static int compare_id(const void *key, const void *row)
{
	return compare_ids(*(const span *)key, ((const struct caller *)row)->id);
}

const struct caller *callers_find(const callers *a, span credential)
{
	static const uint8_t nobodys[CREDENTIAL_HASH_BYTES];
	uint8_t hash[CREDENTIAL_HASH_BYTES];
	const struct caller *c;
	size_t id_len;
	span id;

	if (!credential_read(credential.ptr, credential.len, &id_len, hash))
		return NULL;
	id = span_of(credential.ptr, id_len);
	c = bsearch(&id, a->callers, a->caller_count, sizeof(a->callers[0]), compare_id);
	return credential_hash_eq(hash, c == NULL ? nobodys : c->hash) ? c : NULL;
}

span caller_id(const struct caller *c)
{
	return c->id;
}

static bool is_all(span word)
{
	return word.len == 1 && word.ptr[0] == '*';
}

static bool covers_method(span word, span method)
{
	const span service = span_of(word.ptr, word.len - 1);

	if (is_all(word) || span_eq(word, method))
		return true;
	return word.ptr[word.len - 1] == '*' && span_starts_with(method, service);
}

static bool has_method(const struct grant *g, span method)
{
	span list = g->methods;
	span word;

	while (line_take_item(&list, &word))
		if (covers_method(word, method))
			return true;
	return false;
}

static bool has_realm(const struct grant *g, span realm)
{
	span list = g->realms;
	span word;

	while (line_take_item(&list, &word))
		if (is_all(word) || span_eq(word, realm))
			return true;
	return false;
}

static bool is_granted(const struct caller *c, const struct grant *g)
{
	for (size_t i = 0; i < c->role_count; i++)
		if (span_eq(c->roles[i], g->role))
			return true;
	return false;
}

/* NULL: whichever. */
static bool allows(const struct caller *c, const span *method, const span *realm)
{
	for (size_t i = 0; i < c->of->grant_count; i++) {
		const struct grant *g = &c->of->grants[i];

		if (is_granted(c, g) && (method == NULL || has_method(g, *method)) &&
		    (realm == NULL || has_realm(g, *realm)))
			return true;
	}
	return false;
}

bool caller_may_call(const struct caller *c, span method)
{
	return allows(c, &method, NULL);
}

bool caller_may_call_in(const struct caller *c, span method, span realm)
{
	return allows(c, &method, &realm);
}

bool caller_knows_realm(const struct caller *c, span realm)
{
	return allows(c, NULL, &realm);
}
