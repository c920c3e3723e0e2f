/* Reads and writes keyring files. Writing goes by a temporary file in the same folder and a hard link: whatever stops
 * it half-way, the name either holds a whole keyring or nothing, and an existing one is never replaced. */

#include "crypto/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/words.h"
#include "crypto/codec.h"
#include "crypto/keyring.h"

#define KEY_CHARS BASE64_CHARS(KEYFILE_KEY_BYTES)

static bool parse_id(span word, uint16_t *ret)
{
	uint32_t id = 0;

	if (word.len == 0 || word.len > 5 || word.ptr[0] == '0')
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] < '0' || word.ptr[i] > '9')
			return false;
		id = id * 10 + (uint32_t)(word.ptr[i] - '0');
	}
	if (id > UINT16_MAX)
		return false;
	*ret = (uint16_t)id;
	return true;
}

static const char *parse_line(span first, span line, struct keyfile_entry *ret)
{
	const span key = span_take_word(&line);

	ret->is_names = span_eq(first, SPAN_LIT("names"));
	if (!ret->is_names && !parse_id(first, &ret->id))
		return "a line starts with `names` or a key's number, 1 to 65535";
	if (!base64_decode(key, ret->key, sizeof(ret->key)))
		return "a key is 32 bytes in base64url: 43 characters, no padding";
	if (span_take_word(&line).len > 0)
		return "something follows the key; a line is a name or number and a key";
	return NULL;
}

bool keyfile_next(struct keyfile_reader *r, struct keyfile_entry *ret)
{
	while (r->rest.len > 0) {
		const uint8_t *start = r->rest.ptr;
		span line = span_take_until(&r->rest, '\n');
		const span first = span_take_word(&line);

		r->line++;
		if (first.len == 0 || first.ptr[0] == '#')
			continue;
		*ret = (struct keyfile_entry){.line = r->line};
		ret->text = span_of(start, (size_t)(r->rest.ptr - start));
		ret->mistake = parse_line(first, line, ret);
		return true;
	}
	return false;
}

/* ---- Reading ---- */

/* A file that root owns is given to another user by its group, as PostgreSQL takes its keys: so Kubernetes mounts a secret
 * for a pod that runs as somebody else. */
static mode_t others_may_not(const struct stat *info)
{
	return info->st_uid == 0 && geteuid() != 0 ? 037 : 077;
}

static enum status_code check_file(int fd, const char *path, struct status *st)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot look at it: %m", path);
	if (!S_ISREG(info.st_mode))
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: not a regular file", path);
	if ((info.st_mode & others_may_not(&info)) != 0)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "%s: mode %04o lets others at the keys; run: chmod 600 %s", path,
				  (unsigned)(info.st_mode & 07777), path);
	return STATUS_OK;
}

static enum status_code read_whole(int fd, const char *path, uint8_t *buffer, size_t *ret_len, struct status *st)
{
	const ssize_t len = file_read(fd, buffer, KEYFILE_BYTES_MAX + 1);

	if (len < 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot read it: %m", path);
	if (len > KEYFILE_BYTES_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s: larger than %d bytes; a keyring holds at most %d keys", path, KEYFILE_BYTES_MAX,
				  KEYRING_KEYS_MAX);
	*ret_len = (size_t)len;
	return STATUS_OK;
}

enum status_code keyfile_read_open(int fd, const char *path, struct keyfile_text *ret, struct status *st)
{
	if (check_file(fd, path, st) != STATUS_OK)
		return st->code;
	ret->bytes = sodium_malloc(KEYFILE_BYTES_MAX + 1);
	if (ret->bytes == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: no memory for the keys", path);
	return read_whole(fd, path, ret->bytes, &ret->len, st);
}

enum status_code keyfile_read(const char *path, struct keyfile_text *ret, struct status *st)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum status_code code;

	if (fd < 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot open the keyring: %m", path);
	code = keyfile_read_open(fd, path, ret, st);
	close(fd);
	return code;
}

void keyfile_free(struct keyfile_text *text)
{
	sodium_free(text->bytes);
	*text = (struct keyfile_text){0};
}

/* ---- Writing ---- */

static bool write_key(FILE *f, const char *name)
{
	uint8_t key[KEYFILE_KEY_BYTES];
	char text[KEY_CHARS];
	bool done;

	random_fill(key, sizeof(key));
	base64_encode(span_of(key, sizeof(key)), text);
	done = fprintf(f, "%-6s %.*s\n", name, (int)sizeof(text), text) > 0;
	secret_wipe(key, sizeof(key));
	secret_wipe(text, sizeof(text));
	return done;
}

/* Closes fd. errno tells what failed. */
static bool write_file(int fd)
{
	char buffer[512];
	FILE *f = fdopen(fd, "w");
	bool done;

	if (f == NULL) {
		close(fd);
		return false;
	}
	/* stdio's own buffer would keep the keys in the heap. */
	(void)setvbuf(f, buffer, _IOFBF, sizeof(buffer));
	done = fputs("# Latchkey's secret keys. Whoever has this file can forge sessions; without it all are lost.\n"
		     "# names: never changes. Numbered keys: the first one seals and signs, all open and verify.\n",
		     f) >= 0 &&
	       write_key(f, "names") && write_key(f, "1") && fflush(f) == 0 && fsync(fd) == 0;
	if (fclose(f) != 0)
		done = false;
	secret_wipe(buffer, sizeof(buffer));
	return done;
}

bool keyfile_sync_folder(const char *path)
{
	char *copy = strdup(path);
	bool done = false;
	int fd;

	if (copy == NULL)
		return false;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd >= 0) {
		done = fsync(fd) == 0;
		close(fd);
	}
	return done;
}

static enum status_code publish(const char *temporary, const char *path, struct status *st)
{
	if (link(temporary, path) != 0) {
		if (errno == EEXIST)
			return status_set(st, STATUS_ALREADY_EXISTS,
					  "%s: there is a keyring already; it is never overwritten", path);
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot name the new keyring: %m", path);
	}
	if (!keyfile_sync_folder(path))
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot make it durable: %m", path);
	return STATUS_OK;
}

int keyfile_make_beside(const char *path, char **ret_path, struct status *st)
{
	char *name;
	int fd;

	if (asprintf(&name, "%s.XXXXXX", path) < 0) {
		(void)status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: no memory", path);
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0) {
		(void)status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot make a file there: %m", path);
		free(name);
		return -1;
	}
	*ret_path = name;
	return fd;
}

enum status_code keyring_create(const char *path, struct status *st)
{
	enum status_code code;
	char *temporary;
	const int fd = keyfile_make_beside(path, &temporary, st);

	if (fd < 0)
		return st->code;
	if (write_file(fd))
		code = publish(temporary, path, st);
	else
		code = status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot write it: %m", path);
	(void)unlink(temporary);
	free(temporary);
	return code;
}
