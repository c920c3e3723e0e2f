/* The keyring's life: a file is read into guarded memory, each line's master key is turned into subkeys and wiped, the
 * file's text is wiped, and the subkeys' pages become read-only. From then on nothing changes but the reference count,
 * so readers need no lock. The last release wipes the pages (sodium_free does).
 *
 * Guarded memory (sodium_malloc) has guard pages around it, is locked as far as RLIMIT_MEMLOCK lets it be, and is left
 * out of core dumps. */

#include "crypto/keyring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/codec.h"
#include "crypto/keyfile.h"
#include "crypto/subkeys.h"

/* 64 keys of 60 characters with as much again of comments, and room. */
#define KEYFILE_BYTES_MAX 65536

_Static_assert(SUBKEY_BYTES == crypto_kdf_KEYBYTES, "master keys feed crypto_kdf");
_Static_assert(KEYFILE_KEY_BYTES == crypto_kdf_KEYBYTES, "master keys feed crypto_kdf");

/* What crypto_kdf mixes in: a change makes all that is stored unreadable. */
static const char name_contexts[NAME_PURPOSES][crypto_kdf_CONTEXTBYTES + 1] = {
    [NAME_USER_TAG] = "lkn-user",    [NAME_SESSION] = "lkn-sess",     [NAME_SCOPE] = "lkn-scop",
    [NAME_IDEMPOTENCY] = "lkn-idem", [NAME_FINGERPRINT] = "lkn-fing",
};
static const char key_contexts[SUBKEYS][crypto_kdf_CONTEXTBYTES + 1] = {
    [SUBKEY_TOKEN] = "lkk-tokn",
    [SUBKEY_METADATA] = "lkk-meta",
    [SUBKEY_DATA] = "lkk-data",
    [SUBKEY_ANONYMOUS] = "lkk-anon",
};

struct secrets {
	uint8_t names[NAME_PURPOSES][SUBKEY_BYTES];
	uint8_t keys[KEYRING_KEYS_MAX][SUBKEYS][SUBKEY_BYTES];
};

struct keyring {
	_Atomic uint32_t references;
	size_t count;
	uint16_t ids[KEYRING_KEYS_MAX];
	struct secrets *secrets;
};

bool crypto_start(void)
{
	return sodium_init() >= 0;
}

static void derive(const uint8_t master[static KEYFILE_KEY_BYTES], const char *context,
		   uint8_t out[static SUBKEY_BYTES])
{
	const int rc = crypto_kdf_derive_from_key(out, SUBKEY_BYTES, 1, context, master);

	assert(rc == 0);
	(void)rc;
}

/* The id's place in the ring; `count` when it is not there. A handful of keys is the rule: a scan beats any index. */
static size_t place_of(const keyring *kr, uint16_t id)
{
	size_t i = 0;

	while (i < kr->count && kr->ids[i] != id)
		i++;
	return i;
}

static void add_names(keyring *kr, const uint8_t master[static KEYFILE_KEY_BYTES])
{
	for (size_t p = 0; p < NAME_PURPOSES; p++)
		derive(master, name_contexts[p], kr->secrets->names[p]);
}

static void add_key(keyring *kr, uint16_t id, const uint8_t master[static KEYFILE_KEY_BYTES])
{
	for (size_t s = 0; s < SUBKEYS; s++)
		derive(master, key_contexts[s], kr->secrets->keys[kr->count][s]);
	kr->ids[kr->count++] = id;
}

static enum status_code add_entry(keyring *kr, const char *path, const struct keyfile_entry *entry, bool *has_names,
				  struct status *st)
{
	if (entry->is_names) {
		if (*has_names)
			return status_set(st, STATUS_INVALID_ARGUMENT, "%s:%u: a second names key; keep the first only",
					  path, entry->line);
		*has_names = true;
		add_names(kr, entry->key);
		return STATUS_OK;
	}
	if (place_of(kr, entry->id) < kr->count)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s:%u: key %u is there twice; give each its own number",
				  path, entry->line, entry->id);
	if (kr->count == KEYRING_KEYS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s:%u: more than %d keys; take out the oldest", path,
				  entry->line, KEYRING_KEYS_MAX);
	add_key(kr, entry->id, entry->key);
	return STATUS_OK;
}

static enum status_code add_all(keyring *kr, const char *path, span text, struct status *st)
{
	struct keyfile_reader reader = {.rest = text};
	struct keyfile_entry entry;
	enum status_code code = STATUS_OK;
	bool has_names = false;

	while (code == STATUS_OK && keyfile_next(&reader, &entry)) {
		if (entry.mistake != NULL)
			code = status_set(st, STATUS_INVALID_ARGUMENT, "%s:%u: %s", path, entry.line, entry.mistake);
		else
			code = add_entry(kr, path, &entry, &has_names, st);
	}
	sodium_memzero(&entry, sizeof(entry));
	if (code != STATUS_OK)
		return code;
	if (!has_names)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s: no names key; add a line `names` and 32 bytes in base64url", path);
	if (kr->count == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s: no numbered key; add a line `1` and 32 bytes in base64url", path);
	return STATUS_OK;
}

static enum status_code check_file(int fd, const char *path, struct status *st)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot look at it: %m", path);
	if (!S_ISREG(info.st_mode))
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: not a regular file", path);
	if ((info.st_mode & 077) != 0)
		return status_set(st, STATUS_FAILED_PRECONDITION,
				  "%s: mode %04o lets others at the keys; run: chmod 600 %s", path,
				  (unsigned)(info.st_mode & 07777), path);
	return STATUS_OK;
}

static enum status_code read_whole(int fd, const char *path, uint8_t *buffer, size_t *ret_len, struct status *st)
{
	size_t len = 0;

	for (;;) {
		const ssize_t n = read(fd, buffer + len, KEYFILE_BYTES_MAX + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot read it: %m", path);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > KEYFILE_BYTES_MAX)
			return status_set(st, STATUS_INVALID_ARGUMENT,
					  "%s: larger than %d bytes; a keyring holds at most %d keys", path,
					  KEYFILE_BYTES_MAX, KEYRING_KEYS_MAX);
	}
	*ret_len = len;
	return STATUS_OK;
}

static keyring *ring_new(void)
{
	keyring *kr = calloc(1, sizeof(*kr));

	if (kr == NULL)
		return NULL;
	atomic_init(&kr->references, 1);
	kr->secrets = sodium_malloc(sizeof(*kr->secrets));
	if (kr->secrets == NULL) {
		free(kr);
		return NULL;
	}
	return kr;
}

static enum status_code load_open(int fd, const char *path, keyring **ret, struct status *st)
{
	uint8_t *text = sodium_malloc(KEYFILE_BYTES_MAX + 1);
	keyring *kr = ring_new();
	enum status_code code;
	size_t len = 0;

	if (text == NULL || kr == NULL) {
		code = status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: no memory for the keys", path);
		goto out;
	}
	code = read_whole(fd, path, text, &len, st);
	if (code == STATUS_OK)
		code = add_all(kr, path, span_of(text, len), st);
	if (code != STATUS_OK)
		goto out;
	if (sodium_mprotect_readonly(kr->secrets) != 0) {
		code = status_set(st, STATUS_INTERNAL, "%s: cannot protect the keys' memory: %m", path);
		goto out;
	}
	*ret = kr;
	kr = NULL;
out:
	keyring_release(&kr);
	sodium_free(text);
	return code;
}

enum status_code keyring_load(const char *path, keyring **ret, struct status *st)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum status_code code;

	if (fd < 0)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s: cannot open the keyring: %m", path);
	code = check_file(fd, path, st);
	if (code == STATUS_OK)
		code = load_open(fd, path, ret, st);
	close(fd);
	return code;
}

keyring *keyring_retain(keyring *kr)
{
	const uint32_t before = atomic_fetch_add_explicit(&kr->references, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
	return kr;
}

void keyring_release(keyring **kr)
{
	keyring *k = *kr;

	if (k == NULL)
		return;
	*kr = NULL;
	if (atomic_fetch_sub_explicit(&k->references, 1, memory_order_acq_rel) > 1)
		return;
	sodium_free(k->secrets);
	free(k);
}

uint16_t keyring_first_id(const keyring *kr)
{
	return kr->ids[0];
}

bool keyring_has(const keyring *kr, uint16_t id)
{
	return place_of(kr, id) < kr->count;
}

const uint8_t *keyring_subkey(const keyring *kr, uint16_t id, enum subkey which)
{
	const size_t place = place_of(kr, id);

	assert(which < SUBKEYS);
	return place < kr->count ? kr->secrets->keys[place][which] : NULL;
}

const uint8_t *keyring_name_key(const keyring *kr, enum name_purpose purpose)
{
	assert(purpose < NAME_PURPOSES);
	return kr->secrets->names[purpose];
}
