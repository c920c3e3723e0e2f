/* The keyring's life: a file is read into guarded memory, each line's master key is turned into subkeys and wiped, the
 * file's text is wiped, and the subkeys' pages become read-only. From then on nothing changes but the reference count,
 * so readers need no lock. The last release wipes the pages (sodium_free does).
 *
 * Reloading makes a new keyring beside the old one, line by line held against it. What both have in common is the counts:
 * each key's are an object of its own, held by all keyrings that have had the key, so that frames which still work with
 * the old keyring are counted with the rest.
 *
 * Guarded memory (sodium_malloc) has guard pages around it, is locked as far as RLIMIT_MEMLOCK lets it be, and is left
 * out of core dumps. */

#include "crypto/keyring.h"

#include <assert.h>
#include <sodium.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/keyfile.h"
#include "crypto/subkeys.h"

/* When it was used last is told to the second. */
#define USED_MS 1000

_Static_assert(SUBKEY_BYTES == crypto_kdf_KEYBYTES, "master keys feed crypto_kdf");
_Static_assert(KEYFILE_KEY_BYTES == crypto_kdf_KEYBYTES, "master keys feed crypto_kdf");

/* What crypto_kdf mixes in: a change makes all that is stored unreadable. */
static const char name_contexts[NAME_PURPOSES][crypto_kdf_CONTEXTBYTES + 1] = {
    [NAME_USER_TAG] = "lkn-user",    [NAME_SESSION] = "lkn-sess",     [NAME_SCOPE] = "lkn-scop",
    [NAME_IDEMPOTENCY] = "lkn-idem", [NAME_FINGERPRINT] = "lkn-fing", [NAME_COUNTER] = "lkn-cntr",
    [NAME_VISITOR] = "lkn-visi",     [NAME_LIMIT] = "lkn-limt",	      [NAME_LOCK] = "lkn-lock",
    [NAME_LOCK_OWNER] = "lkn-ownr",  [NAME_FIELD] = "lkn-prof",	      [NAME_GROUP] = "lkn-grup",
    [NAME_AUTH_ANSWER] = "lkn-auan", [NAME_AUTH_GROUP] = "lkn-augr",  [NAME_AUTH_LEASE] = "lkn-aule",
};
static const char key_contexts[SUBKEYS][crypto_kdf_CONTEXTBYTES + 1] = {
    [SUBKEY_TOKEN] = "lkk-tokn",     [SUBKEY_METADATA] = "lkk-meta",	  [SUBKEY_DATA] = "lkk-data",
    [SUBKEY_ANONYMOUS] = "lkk-anon", [SUBKEY_PART_METADATA] = "lkk-pmet", [SUBKEY_PART_DATA] = "lkk-pdat",
    [SUBKEY_AUTH] = "lkk-auth",
};

struct secrets {
	uint8_t names[NAME_PURPOSES][SUBKEY_BYTES];
	uint8_t keys[KEYRING_KEYS_MAX][SUBKEYS][SUBKEY_BYTES];
};

/* Tokens are met by the threads that plan, records by those that answer: in lines of their own the counts are not taken
 * from one another. */
#define LINE_BYTES 64

struct usage {
	_Atomic uint32_t references;
	uint16_t id;
	_Atomic uint64_t last_used_ms;
	_Atomic uint64_t first_until_ms;
	alignas(LINE_BYTES) _Atomic uint64_t tokens;
	alignas(LINE_BYTES) _Atomic uint64_t records;
};

struct keyring {
	_Atomic uint32_t references;
	size_t count;
	uint16_t ids[KEYRING_KEYS_MAX];
	struct usage *usages[KEYRING_KEYS_MAX]; /* by place, as ids */
	size_t retired_count;
	struct usage *retired[KEYRING_KEYS_MAX]; /* the youngest last */
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
static size_t index_of(const keyring *kr, uint16_t id)
{
	size_t i = 0;

	while (i < kr->count && kr->ids[i] != id)
		i++;
	return i;
}

static struct usage *usage_retain(struct usage *u)
{
	(void)atomic_fetch_add_explicit(&u->references, 1, memory_order_relaxed);
	return u;
}

static void usage_release(struct usage **u)
{
	struct usage *old = *u;

	*u = NULL;
	if (old != NULL && atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) == 1)
		free(old);
}

/* The one that is counted in already, else a new one; NULL: no memory. */
static struct usage *usage_of(const keyring *old, uint16_t id)
{
	struct usage *u;

	for (size_t i = 0; old != NULL && i < old->count; i++)
		if (old->ids[i] == id)
			return usage_retain(old->usages[i]);
	for (size_t i = 0; old != NULL && i < old->retired_count; i++)
		if (old->retired[i]->id == id)
			return usage_retain(old->retired[i]);
	u = aligned_alloc(LINE_BYTES, sizeof(*u));
	if (u == NULL)
		return NULL;
	memset(u, 0, sizeof(*u));
	atomic_init(&u->references, 1);
	u->id = id;
	return u;
}

/* A keyring on its way from the file to memory. */
struct loading {
	const char *path;
	const keyring *old; /* NULL: there is none that it must agree with */
	keyring *kr;
	bool has_names;
};

static enum status_code add_names(struct loading *l, const struct keyfile_entry *entry, struct status *st)
{
	keyring *kr = l->kr;

	if (l->has_names)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s:%u: a second names key; keep the first only",
				  l->path, entry->line);
	for (size_t p = 0; p < NAME_PURPOSES; p++)
		derive(entry->key, name_contexts[p], kr->secrets->names[p]);
	if (l->old != NULL &&
	    sodium_memcmp(kr->secrets->names, l->old->secrets->names, sizeof(kr->secrets->names)) != 0)
		return status_set(
		    st, STATUS_INVALID_ARGUMENT,
		    "%s:%u: the names key is another than the one in force, and under another nothing that "
		    "is stored can be found; put the old line back",
		    l->path, entry->line);
	l->has_names = true;
	return STATUS_OK;
}

static enum status_code add_key(struct loading *l, const struct keyfile_entry *entry, struct status *st)
{
	keyring *kr = l->kr;
	const size_t place = kr->count;
	const size_t before = l->old == NULL ? 0 : index_of(l->old, entry->id);

	if (index_of(kr, entry->id) < kr->count)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s:%u: key %u is there twice; give each its own number",
				  l->path, entry->line, entry->id);
	if (place == KEYRING_KEYS_MAX)
		return status_set(st, STATUS_INVALID_ARGUMENT, "%s:%u: more than %d keys; take out the oldest", l->path,
				  entry->line, KEYRING_KEYS_MAX);
	for (size_t s = 0; s < SUBKEYS; s++)
		derive(entry->key, key_contexts[s], kr->secrets->keys[place][s]);
	if (l->old != NULL && before < l->old->count &&
	    sodium_memcmp(kr->secrets->keys[place], l->old->secrets->keys[before], sizeof(kr->secrets->keys[0])) != 0)
		return status_set(
		    st, STATUS_INVALID_ARGUMENT,
		    "%s:%u: key %u is another than the key %u in force, whose sessions would be lost; give a "
		    "new key a number of its own",
		    l->path, entry->line, entry->id, entry->id);
	kr->usages[place] = usage_of(l->old, entry->id);
	if (kr->usages[place] == NULL)
		return status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: no memory for the keys", l->path);
	kr->ids[place] = entry->id;
	kr->count++;
	return STATUS_OK;
}

static enum status_code add_all(struct loading *l, span text, struct status *st)
{
	struct keyfile_reader reader = {.rest = text};
	struct keyfile_entry entry = {0};
	enum status_code code = STATUS_OK;

	while (code == STATUS_OK && keyfile_next(&reader, &entry)) {
		if (entry.mistake != NULL)
			code = status_set(st, STATUS_INVALID_ARGUMENT, "%s:%u: %s", l->path, entry.line, entry.mistake);
		else
			code = entry.is_names ? add_names(l, &entry, st) : add_key(l, &entry, st);
	}
	sodium_memzero(&entry, sizeof(entry));
	if (code != STATUS_OK)
		return code;
	if (!l->has_names)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s: no names key; add a line `names` and 32 bytes in base64url", l->path);
	if (l->kr->count == 0)
		return status_set(st, STATUS_INVALID_ARGUMENT,
				  "%s: no numbered key; add a line `1` and 32 bytes in base64url", l->path);
	return STATUS_OK;
}

/* Nobody takes out the key that signs at this very moment; a file that is only half there may well lack it. */
static enum status_code check_first(const struct loading *l, struct status *st)
{
	if (l->old == NULL || keyring_has(l->kr, l->old->ids[0]))
		return STATUS_OK;
	return status_set(
	    st, STATUS_INVALID_ARGUMENT,
	    "%s: key %u, which has signed up to now, is not there, and all its sessions would end; put it "
	    "back, or promote another, reload, and take it out then",
	    l->path, l->old->ids[0]);
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

/* What left the keyring, and was used. Of more than there is room for, the youngest. */
static void pass_on(const keyring *old, keyring *kr)
{
	struct usage *left[2 * KEYRING_KEYS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < old->retired_count; i++)
		if (!keyring_has(kr, old->retired[i]->id))
			left[count++] = old->retired[i];
	for (size_t i = 0; i < old->count; i++)
		if (!keyring_has(kr, old->ids[i]) && atomic_load(&old->usages[i]->last_used_ms) > 0)
			left[count++] = old->usages[i];
	for (size_t i = count > KEYRING_KEYS_MAX ? count - KEYRING_KEYS_MAX : 0; i < count; i++)
		kr->retired[kr->retired_count++] = usage_retain(left[i]);
}

static enum status_code load(const char *path, const keyring *old, keyring **ret, struct status *st)
{
	struct loading l = {.path = path, .old = old, .kr = ring_new()};
	struct keyfile_text text = {0};
	enum status_code code;

	if (l.kr == NULL) {
		code = status_set(st, STATUS_RESOURCE_EXHAUSTED, "%s: no memory for the keys", path);
		goto out;
	}
	code = keyfile_read(path, &text, st);
	if (code == STATUS_OK)
		code = add_all(&l, span_of(text.bytes, text.len), st);
	if (code == STATUS_OK)
		code = check_first(&l, st);
	if (code != STATUS_OK)
		goto out;
	if (sodium_mprotect_readonly(l.kr->secrets) != 0) {
		code = status_set(st, STATUS_INTERNAL, "%s: cannot protect the keys' memory: %m", path);
		goto out;
	}
	if (old != NULL)
		pass_on(old, l.kr);
	*ret = l.kr;
	l.kr = NULL;
out:
	keyring_release(&l.kr);
	keyfile_free(&text);
	return code;
}

enum status_code keyring_load(const char *path, keyring **ret, struct status *st)
{
	return load(path, NULL, ret, st);
}

enum status_code keyring_reload(const keyring *old, const char *path, uint64_t now_ms, keyring **ret, struct status *st)
{
	keyring *kr = NULL;
	enum status_code code = load(path, old, &kr, st);

	if (code != STATUS_OK)
		return code;
	assert(kr != NULL);
	if (kr->ids[0] != old->ids[0]) {
		atomic_store(&old->usages[0]->first_until_ms, now_ms);
		atomic_store(&kr->usages[0]->first_until_ms, 0);
	}
	*ret = kr;
	return STATUS_OK;
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
	for (size_t i = 0; i < k->count; i++)
		usage_release(&k->usages[i]);
	for (size_t i = 0; i < k->retired_count; i++)
		usage_release(&k->retired[i]);
	sodium_free(k->secrets);
	free(k);
}

uint16_t keyring_first_id(const keyring *kr)
{
	return kr->ids[0];
}

bool keyring_has(const keyring *kr, uint16_t id)
{
	return index_of(kr, id) < kr->count;
}

const uint8_t *keyring_subkey(const keyring *kr, uint16_t id, enum subkey which)
{
	const size_t place = index_of(kr, id);

	assert(which < SUBKEYS);
	return place < kr->count ? kr->secrets->keys[place][which] : NULL;
}

const uint8_t *keyring_name_key(const keyring *kr, enum name_purpose purpose)
{
	assert(purpose < NAME_PURPOSES);
	return kr->secrets->names[purpose];
}

void keyring_note(const keyring *kr, uint16_t id, enum key_use use, uint64_t now_ms)
{
	const size_t place = index_of(kr, id);
	struct usage *u;

	assert(place < kr->count);
	u = kr->usages[place];
	if (use == KEY_USE_TOKEN)
		(void)atomic_fetch_add_explicit(&u->tokens, 1, memory_order_relaxed);
	if (use == KEY_USE_RECORD)
		(void)atomic_fetch_add_explicit(&u->records, 1, memory_order_relaxed);
	if (now_ms >= atomic_load_explicit(&u->last_used_ms, memory_order_relaxed) + USED_MS)
		atomic_store_explicit(&u->last_used_ms, now_ms, memory_order_relaxed);
}

bool keyring_key_at(const keyring *kr, size_t i, struct keyring_key *ret)
{
	const bool is_retired = i >= kr->count;
	const struct usage *u;

	if (i >= kr->count + kr->retired_count)
		return false;
	u = is_retired ? kr->retired[i - kr->count] : kr->usages[i];
	*ret = (struct keyring_key){
	    .id = u->id,
	    .is_first = i == 0,
	    .is_retired = is_retired,
	    .tokens = atomic_load_explicit(&u->tokens, memory_order_relaxed),
	    .records = atomic_load_explicit(&u->records, memory_order_relaxed),
	    .last_used_ms = atomic_load_explicit(&u->last_used_ms, memory_order_relaxed),
	    .first_until_ms = atomic_load_explicit(&u->first_until_ms, memory_order_relaxed),
	};
	return true;
}
