#include "file_watch.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "keyring_file.h"

/* Design notes.
 *
 * Files are looked at from time to time, by stat: inotify knows nothing of a folder that is another one behind the same
 * link, and that is how Kubernetes brings a changed Secret into a pod. The price is a period of delay.
 *
 * A change counts when two looks in a row have seen the same: a certificate and its key that are copied one after the
 * other are then both there, and no file is read half-written, unless writing pauses for a period. */

/* What tells two states of a file apart; all 0: it cannot be looked at. Of a file that is replaced the inode is another,
 * of one that is written to the time. */
struct mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
};

struct watched {
	const char *path;
	const char *key;      /* of a file that is read at a start only; else NULL */
	bool was_there;	      /* else it is made at this start: the keyring in the state folder */
	struct mark accepted; /* as it was when it was read */
	struct mark seen;     /* by the last look */
};

/* The configuration, keyring, callers, two passwords, Redis's three, and three of each listener. */
#define FILES_MAX (8 + 3 * CONFIG_LISTENERS_MAX)

struct file_watch {
	size_t count;
	struct watched files[FILES_MAX];
	char keyring[PATH_MAX];
};

static struct mark mark_of(const char *path)
{
	struct stat s;

	if (stat(path, &s) != 0)
		return (struct mark){0};
	return (struct mark){.device = s.st_dev, .inode = s.st_ino, .size = s.st_size, .modified = s.st_mtim};
}

static bool marks_are_same(const struct mark *a, const struct mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

static void add(file_watch *w, const char *path, const char *key)
{
	struct mark now;

	if (path == NULL)
		return;
	now = mark_of(path);
	w->files[w->count++] =
	    (struct watched){.path = path, .key = key, .was_there = now.inode != 0, .accepted = now, .seen = now};
}

file_watch *file_watch_new(const struct config *c)
{
	file_watch *w = calloc(1, sizeof(*w));
	struct status st;

	if (w == NULL)
		return NULL;
	add(w, c->file, NULL);
	/* A path that is too long is refused by whoever reads it. */
	if (keyring_file_path(c, w->keyring, &st) == STATUS_OK)
		add(w, w->keyring, NULL);
	add(w, c->credentials, NULL);
	for (size_t i = 0; i < c->listener_count; i++) {
		add(w, c->listeners[i].tls.cert, NULL);
		add(w, c->listeners[i].tls.key, NULL);
		add(w, c->listeners[i].tls.client_ca, NULL);
	}
	add(w, c->redis.tls_ca, NULL);
	add(w, c->redis.tls_cert, NULL);
	add(w, c->redis.tls_key, NULL);
	add(w, c->redis.password_file, "redis.password_file");
	add(w, c->redis.sentinel_password_file, "redis.sentinel_password_file");
	return w;
}

void file_watch_free(file_watch **w)
{
	free(*w);
	*w = NULL;
}

static void accept(struct watched *f, const struct mark *now)
{
	if (f->key != NULL && !marks_are_same(&f->accepted, now))
		log_event(LOG_WARN, "config_needs_restart", LOG_STR("key", f->key), LOG_STR("file", f->path));
	f->accepted = *now;
	f->seen = *now;
}

static bool has_settled(struct watched *f)
{
	const struct mark now = mark_of(f->path);
	const bool is_settled = marks_are_same(&now, &f->seen);

	f->seen = now;
	if (!f->was_there) {
		f->was_there = now.inode != 0;
		f->accepted = now;
	}
	return is_settled && !marks_are_same(&now, &f->accepted);
}

bool file_watch_has_changed(file_watch *w)
{
	bool has_changed = false;

	for (size_t i = 0; i < w->count; i++) {
		struct watched *f = &w->files[i];

		if (!has_settled(f))
			continue;
		if (f->key == NULL) {
			log_event(LOG_INFO, "file_changed", LOG_STR("file", f->path));
			has_changed = true;
		} else {
			accept(f, &f->seen);
		}
	}
	return has_changed;
}

void file_watch_accept(file_watch *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct mark now = mark_of(w->files[i].path);

		accept(&w->files[i], &now);
	}
}
