#include "support/tmpdir.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/wait.h"

static const char *base_folder(void)
{
	const char *base = getenv("TMPDIR");

	/* Longer ones leave no room for a socket's name. */
	return base != NULL && base[0] == '/' && strlen(base) < 40 ? base : "/tmp";
}

void tmpdir_make(struct tmpdir *dir)
{
	int written = snprintf(dir->path, sizeof(dir->path), "%s/latchkey-XXXXXX", base_folder());

	if (written >= (int)sizeof(dir->path) || mkdtemp(dir->path) == NULL)
		fail_msg("mkdtemp %s: %s", dir->path, strerror(errno));
}

static void remove_entry(const FTSENT *entry)
{
	if (entry->fts_info == FTS_D)
		return;
	if (remove(entry->fts_accpath) != 0 && errno != ENOENT)
		fprintf(stderr, "cannot remove %s: %s\n", entry->fts_path, strerror(errno));
}

void tmpdir_remove(struct tmpdir *dir)
{
	char *roots[] = {dir->path, NULL};
	FTSENT *entry;
	FTS *tree;

	if (dir->path[0] == '\0')
		return;
	if (getenv("LATCHKEY_KEEP") != NULL) {
		fprintf(stderr, "kept: %s\n", dir->path);
		return;
	}
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (tree == NULL)
		return;
	while ((entry = fts_read(tree)) != NULL)
		remove_entry(entry);
	fts_close(tree);
	dir->path[0] = '\0';
}

void tmpdir_file(const struct tmpdir *dir, const char *name, char out[static TMPDIR_FILE_BYTES])
{
	if (snprintf(out, TMPDIR_FILE_BYTES, "%s/%s", dir->path, name) >= TMPDIR_FILE_BYTES)
		fail_msg("%s/%s is longer than %d bytes", dir->path, name, TMPDIR_FILE_BYTES - 1);
}

void tmpdir_url(const struct tmpdir *dir, const char *name, char out[static TMPDIR_URL_BYTES])
{
	char path[TMPDIR_FILE_BYTES];

	tmpdir_file(dir, name, path);
	(void)snprintf(out, TMPDIR_URL_BYTES, "ipc://%s", path);
}
