/* Changes a keyring file for a rotation: the text stays as its owner wrote it, comments included, but for one line that
 * is added or moved.
 *
 * The new text is written beside the old file and takes its name by rename: whoever reads meanwhile, a reload or another
 * start, finds the one or the other, whole. The file's own lock keeps two editors apart; one that finds the name given
 * to another file in the meantime gives up. */

#include "crypto/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/codec.h"
#include "crypto/keyring.h"

#define KEY_CHARS BASE64_CHARS(KEYFILE_KEY_BYTES)
/* A line: number, spaces, key, and the end of a line before it that had none. */
#define LINE_BYTES_MAX (8 + KEY_CHARS + 3)

/* A file under change. */
struct edit {
	char path[PATH_MAX]; /* what the name leads to: a link stays one */
	int fd;
	struct stat info;
	struct keyfile_text old;
	struct keyfile_text new;
};

/* False: somebody else has the lock, or has put another file in its place since. */
static bool lock(struct edit *e)
{
	struct stat now;

	return flock(e->fd, LOCK_EX | LOCK_NB) == 0 && fstat(e->fd, &e->info) == 0 && stat(e->path, &now) == 0 &&
	       now.st_dev == e->info.st_dev && now.st_ino == e->info.st_ino;
}

/* What is changed must be good before. */
static enum status_code check(const char *path, struct status *st)
{
	keyring *kr = NULL;
	const enum status_code code = keyring_load(path, &kr, st);

	keyring_release(&kr);
	return code;
}

static enum status_code start(struct edit *e, const char *path, struct status *st)
{
	enum status_code code = check(path, st);

	if (code != STATUS_OK)
		return code;
	if (realpath(path, e->path) == NULL)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot find the file behind the name: %m", path);
	e->fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (e->fd < 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot open the keyring: %m", path);
	if (!lock(e))
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "%s: somebody else is changing it at this moment; look at it, then try again", path);
	code = keyfile_read_open(e->fd, e->path, &e->old, st);
	if (code != STATUS_OK)
		return code;
	e->new.bytes = sodium_malloc(KEYFILE_BYTES_MAX + LINE_BYTES_MAX + 1);
	return e->new.bytes == NULL ? status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: no memory for the keys", path)
				    : STATUS_OK;
}

static void put(struct edit *e, span text)
{
	if (text.len > 0)
		memcpy(e->new.bytes + e->new.len, text.ptr, text.len);
	e->new.len += text.len;
}

/* A line that is put before others needs an end, which the file's last may lack. */
static void end_line(struct edit *e)
{
	if (e->new.len > 0 && e->new.bytes[e->new.len - 1] != '\n')
		put(e, SPAN_LIT("\n"));
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		const ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Owned by whom it was, since root may do this for the service's user. */
static bool fill(const struct edit *e, int fd)
{
	if ((geteuid() != e->info.st_uid || getegid() != e->info.st_gid) &&
	    fchown(fd, e->info.st_uid, e->info.st_gid) != 0)
		return false;
	return fchmod(fd, e->info.st_mode & 0700) == 0 && write_all(fd, e->new.bytes, e->new.len) && fsync(fd) == 0;
}

static enum status_code replace(const struct edit *e, struct status *st)
{
	enum status_code code = STATUS_OK;
	char *temporary;
	const int fd = keyfile_make_beside(e->path, &temporary, st);

	if (fd < 0)
		return st->code;
	if (!fill(e, fd))
		code = status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot write the new file: %m", e->path);
	close(fd);
	/* The text is ours, and what it was made of was good; a mistake of ours must not get the name. */
	if (code == STATUS_OK)
		code = check(temporary, st);
	if (code == STATUS_OK && rename(temporary, e->path) != 0)
		code = status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot replace it: %m", e->path);
	if (code != STATUS_OK)
		(void)unlink(temporary);
	else if (!keyfile_sync_folder(e->path))
		code = status_set(st, STATUS_INVALID_ARGUMENT, "%s: changed, but cannot make it durable: %m", e->path);
	free(temporary);
	return code;
}

static void stop(struct edit *e)
{
	keyfile_free(&e->old);
	keyfile_free(&e->new);
	if (e->fd >= 0)
		close(e->fd);
}

static span old_text(const struct edit *e)
{
	return span_of(e->old.bytes, e->old.len);
}

static uint16_t highest_id(const struct edit *e)
{
	struct keyfile_reader r = {.rest = old_text(e)};
	struct keyfile_entry entry;
	uint16_t highest = 0;

	while (keyfile_next(&r, &entry))
		if (!entry.is_names && entry.id > highest)
			highest = entry.id;
	sodium_memzero(&entry, sizeof(entry));
	return highest;
}

static void put_fresh_key(struct edit *e, uint16_t id)
{
	uint8_t key[KEYFILE_KEY_BYTES];
	char number[9];
	char text[KEY_CHARS];

	random_fill(key, sizeof(key));
	base64_encode(span_of(key, sizeof(key)), text);
	(void)snprintf(number, sizeof(number), "%-6u ", id);
	put(e, span_str(number));
	put(e, span_of(text, sizeof(text)));
	put(e, SPAN_LIT("\n"));
	secret_wipe(key, sizeof(key));
	secret_wipe(text, sizeof(text));
}

enum status_code keyring_add_key(const char *path, uint16_t *ret_id, struct status *st)
{
	struct edit e = {.fd = -1};
	enum status_code code = start(&e, path, st);
	uint16_t highest = 0;

	if (code != STATUS_OK)
		goto out;
	highest = highest_id(&e);
	if (highest == UINT16_MAX) {
		code = status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s: there is no number above %u; add a line with a free one by hand", path, highest);
		goto out;
	}
	put(&e, old_text(&e));
	end_line(&e);
	put_fresh_key(&e, (uint16_t)(highest + 1));
	code = replace(&e, st);
	if (code == STATUS_OK)
		*ret_id = (uint16_t)(highest + 1);
out:
	stop(&e);
	return code;
}

/* The lines of the first key and of this one; false: there is no such key. */
static bool find_lines(const struct edit *e, uint16_t id, span *ret_first, span *ret_wanted)
{
	struct keyfile_reader r = {.rest = old_text(e)};
	struct keyfile_entry entry;
	span first = SPAN_EMPTY;
	bool is_found = false;

	while (!is_found && keyfile_next(&r, &entry)) {
		if (entry.is_names)
			continue;
		if (first.len == 0)
			first = entry.text;
		is_found = entry.id == id;
	}
	*ret_first = first;
	*ret_wanted = entry.text;
	sodium_memzero(&entry, sizeof(entry));
	return is_found;
}

enum status_code keyring_promote_key(const char *path, uint16_t id, struct status *st)
{
	struct edit e = {.fd = -1};
	enum status_code code = start(&e, path, st);
	const uint8_t *behind;
	span first;
	span wanted;

	if (code != STATUS_OK)
		goto out;
	if (!find_lines(&e, id, &first, &wanted)) {
		code = status_set(st, STATUS_NOT_FOUND, "%s: there is no key %u; --add-key makes one", path, id);
		goto out;
	}
	if (first.ptr == wanted.ptr)
		goto out;
	behind = wanted.ptr + wanted.len;
	put(&e, span_of(e.old.bytes, (size_t)(first.ptr - e.old.bytes)));
	put(&e, wanted);
	end_line(&e);
	put(&e, span_of(first.ptr, (size_t)(wanted.ptr - first.ptr)));
	put(&e, span_of(behind, (size_t)(e.old.bytes + e.old.len - behind)));
	code = replace(&e, st);
out:
	stop(&e);
	return code;
}
