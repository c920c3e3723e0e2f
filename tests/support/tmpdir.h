#ifndef LK_SUPPORT_TMPDIR_H
#define LK_SUPPORT_TMPDIR_H

#define TMPDIR_BYTES 64
/* A file in one. Unix sockets live here too, and a sockaddr holds 107 bytes. */
#define TMPDIR_FILE_BYTES 108
/* "ipc://" and one of them. */
#define TMPDIR_URL_BYTES (TMPDIR_FILE_BYTES + 6)

/* A folder of its own for a test, removed with all that is in it; kept for inspection when LATCHKEY_KEEP is set. */
struct tmpdir {
	char path[TMPDIR_BYTES];
};

void tmpdir_make(struct tmpdir *dir);
void tmpdir_remove(struct tmpdir *dir);

/* PATH/name into out. */
void tmpdir_file(const struct tmpdir *dir, const char *name, char out[static TMPDIR_FILE_BYTES]);

/* ipc://PATH/name into out. */
void tmpdir_url(const struct tmpdir *dir, const char *name, char out[static TMPDIR_URL_BYTES]);

#endif
