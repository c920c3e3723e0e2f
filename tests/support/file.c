#include "support/file.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/wait.h"

void file_write(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	if (write(fd, text, len) != (ssize_t)len)
		fail_msg("%s: short write", path);
	close(fd);
}

char *file_read_fd(int fd, size_t *ret_len)
{
	size_t room = 4096;
	size_t len = 0;
	char *text = malloc(room);
	ssize_t got;

	while (text != NULL && (got = pread(fd, text + len, room - len - 1, (off_t)len)) > 0) {
		len += (size_t)got;
		if (room - len - 1 == 0)
			text = realloc(text, room *= 2);
	}
	if (text == NULL)
		abort();
	text[len] = '\0';
	if (ret_len != NULL)
		*ret_len = len;
	return text;
}

char *file_read(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;

	if (fd < 0 && errno != ENOENT)
		fail_msg("%s: %s", path, strerror(errno));
	text = file_read_fd(fd, ret_len);
	if (fd >= 0)
		close(fd);
	return text;
}

bool file_contains(const char *path, const void *bytes, size_t len)
{
	size_t text_len;
	char *text = file_read(path, &text_len);
	bool found = memmem(text, text_len, bytes, len) != NULL;

	free(text);
	return found;
}

unsigned tree_count_files_with(const char *folder, const void *bytes, size_t len, unsigned *ret_files)
{
	char *root = strdup(folder);
	char *roots[] = {root, NULL};
	unsigned files = 0;
	unsigned hits = 0;
	FTSENT *entry;
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

	if (tree == NULL)
		fail_msg("%s: %s", folder, strerror(errno));
	while ((entry = fts_read(tree)) != NULL) {
		if (entry->fts_info != FTS_F)
			continue;
		files++;
		if (!file_contains(entry->fts_accpath, bytes, len))
			continue;
		hits++;
		fprintf(stderr, "found in %s\n", entry->fts_path);
	}
	fts_close(tree);
	free(root);
	*ret_files = files;
	return hits;
}
