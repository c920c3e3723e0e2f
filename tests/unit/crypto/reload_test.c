/* A keyring that changes under a running service: what a reload refuses, what stays counted, and the steps that edit the
 * file. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/keyring.h"
#include "crypto/tag.h"
#include "keyfile_of_test.h"

#define OTHER_NAMES_LINE "names ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n"
#define OTHER_KEY_1_LINE "1 QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8\n"
#define KEY_3_LINE	 "3 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"

#define NOW_MS 1764000000000ULL

struct place {
	char folder[32];
	char path[48];
};

static int start(void **state)
{
	static struct place p;

	(void)snprintf(p.folder, sizeof(p.folder), "/tmp/latchkey-test-XXXXXX");
	if (!crypto_start() || mkdtemp(p.folder) == NULL)
		return -1;
	(void)snprintf(p.path, sizeof(p.path), "%s/keyring", p.folder);
	*state = &p;
	return 0;
}

static int stop(void **state)
{
	const struct place *p = *state;

	(void)unlink(p->path);
	/* Nothing is left behind beside it. */
	return rmdir(p->folder);
}

static void write_file(const struct place *p, const char *text)
{
	FILE *f = fopen(p->path, "w");

	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void expect_file(const struct place *p, const char *text)
{
	char found[1024] = "";
	FILE *f = fopen(p->path, "r");

	assert_non_null(f);
	(void)!fread(found, 1, sizeof(found) - 1, f);
	(void)fclose(f);
	assert_string_equal(found, text);
}

static keyring *load(const struct place *p)
{
	struct status st = {0};
	keyring *kr = NULL;

	if (keyring_load(p->path, &kr, &st) != STATUS_OK)
		fail_msg("%s", st.text);
	return kr;
}

/* The old one is replaced. */
static void reload(const struct place *p, const char *text, uint64_t now_ms, keyring **kr)
{
	struct status st = {0};
	keyring *new = NULL;

	write_file(p, text);
	if (keyring_reload(*kr, p->path, now_ms, &new, &st) != STATUS_OK)
		fail_msg("%s", st.text);
	keyring_release(kr);
	*kr = new;
}

static void a_reload_that_would_lose_anything_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
	    {OTHER_NAMES_LINE KEY_1_LINE, "keyring:1: the names key is another"},
	    {"# x\n" NAMES_LINE KEY_2_LINE OTHER_KEY_1_LINE, "keyring:4: key 1 is another"},
	    {NAMES_LINE "1 x\n", "keyring:2: a key is 32 bytes"},
	    {NAMES_LINE, "no numbered key"},
	    {"", "no names key"},
	    {NAMES_LINE KEY_2_LINE, "key 1, which has signed up to now, is not there"},
	};
	const struct place *p = *state;
	keyring *kr;

	write_file(p, NAMES_LINE KEY_1_LINE);
	kr = load(p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct status st = {0};
		keyring *new = NULL;

		write_file(p, cases[i].text);
		assert_int_equal(keyring_reload(kr, p->path, NOW_MS, &new, &st), STATUS_INVALID_ARGUMENT);
		if (strstr(st.text, cases[i].message) == NULL)
			fail_msg("case %zu: \"%s\" has no \"%s\"", i, st.text, cases[i].message);
		assert_null(strstr(st.text, "QEFC"));
		assert_null(strstr(st.text, "ICEi"));
		assert_null(new);
	}
	assert_true(keyring_has(kr, 1));
	keyring_release(&kr);
}

static void what_the_old_one_signed_verifies_under_the_new(void **state)
{
	const struct place *p = *state;
	uint8_t tag[TAG_BYTES];
	keyring *kr;

	write_file(p, NAMES_LINE KEY_1_LINE);
	kr = load(p);
	tag_make(kr, 1, SPAN_LIT("r"), SPAN_LIT("b"), tag);
	reload(p, NAMES_LINE KEY_2_LINE KEY_1_LINE, NOW_MS, &kr);
	assert_int_equal(keyring_first_id(kr), 2);
	assert_true(tag_verify(kr, 1, SPAN_LIT("r"), SPAN_LIT("b"), tag));
	reload(p, NAMES_LINE KEY_2_LINE, NOW_MS, &kr);
	assert_false(keyring_has(kr, 1));
	keyring_release(&kr);
}

static struct keyring_key key_at(const keyring *kr, size_t i)
{
	struct keyring_key key = {0};

	assert_true(keyring_key_at(kr, i, &key));
	return key;
}

static void counts_go_on_over_reloads(void **state)
{
	const struct place *p = *state;
	struct keyring_key key;
	keyring *older;
	keyring *kr;

	write_file(p, NAMES_LINE KEY_1_LINE KEY_2_LINE KEY_3_LINE);
	kr = load(p);
	older = keyring_retain(kr);
	keyring_note(kr, 1, KEY_USE_TOKEN, NOW_MS);
	keyring_note(kr, 1, KEY_USE_RECORD, NOW_MS + 999);
	reload(p, NAMES_LINE KEY_2_LINE KEY_1_LINE, NOW_MS + 5000, &kr);
	/* A frame that began before. */
	keyring_note(older, 1, KEY_USE_TOKEN, NOW_MS + 6000);
	keyring_note(kr, 1, KEY_USE_PART, NOW_MS + 5500);
	keyring_release(&older);

	key = key_at(kr, 0);
	assert_true(key.id == 2 && key.is_first && !key.is_retired);
	assert_int_equal(key.first_until_ms, 0);
	key = key_at(kr, 1);
	assert_true(key.id == 1 && !key.is_first && !key.is_retired);
	assert_int_equal(key.tokens, 2);
	assert_int_equal(key.records, 1);
	assert_int_equal(key.last_used_ms, NOW_MS + 6000);
	assert_int_equal(key.first_until_ms, NOW_MS + 5000);
	/* Key 3 was never used: it leaves no trace. */
	assert_false(keyring_key_at(kr, 2, &key));

	reload(p, NAMES_LINE KEY_2_LINE, NOW_MS + 9000, &kr);
	key = key_at(kr, 1);
	assert_true(key.id == 1 && key.is_retired);
	assert_int_equal(key.tokens, 2);
	reload(p, NAMES_LINE KEY_1_LINE KEY_2_LINE, NOW_MS + 9500, &kr);
	key = key_at(kr, 0);
	assert_true(key.id == 1 && key.is_first && !key.is_retired);
	assert_int_equal(key.tokens, 2);
	assert_int_equal(key.first_until_ms, 0);
	assert_false(keyring_key_at(kr, 2, &key));
	keyring_release(&kr);
}

#define KEY_TEXT " QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8\n"

/* As many retired keys are remembered as a keyring may have, the youngest. */
static void retired_keys_are_limited(void **state)
{
	const struct place *p = *state;
	char text[256];
	struct keyring_key key;
	keyring *kr;

	write_file(p, NAMES_LINE "1" KEY_TEXT);
	kr = load(p);
	for (unsigned id = 1; id <= 2 * KEYRING_KEYS_MAX; id++) {
		keyring_note(kr, (uint16_t)id, KEY_USE_TOKEN, NOW_MS);
		(void)snprintf(text, sizeof(text), NAMES_LINE "%u" KEY_TEXT "%u" KEY_TEXT, id + 1, id);
		reload(p, text, NOW_MS, &kr);
		(void)snprintf(text, sizeof(text), NAMES_LINE "%u" KEY_TEXT, id + 1);
		reload(p, text, NOW_MS, &kr);
	}
	key = key_at(kr, 1);
	assert_int_equal(key.id, KEYRING_KEYS_MAX + 1);
	key = key_at(kr, KEYRING_KEYS_MAX);
	assert_int_equal(key.id, 2 * KEYRING_KEYS_MAX);
	assert_false(keyring_key_at(kr, KEYRING_KEYS_MAX + 1, &key));
	keyring_release(&kr);
}

/* ---- Editing ---- */

static void a_key_is_added_behind_the_others(void **state)
{
	const struct place *p = *state;
	struct status st = {0};
	uint16_t id = 0;
	struct stat before;
	struct stat after;
	keyring *kr;

	write_file(p, "# mine\n" NAMES_LINE KEY_2_LINE "# old\n1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8");
	assert_int_equal(stat(p->path, &before), 0);
	kr = load(p);
	assert_int_equal(keyring_add_key(p->path, &id, &st), STATUS_OK);
	assert_int_equal(id, 3);
	assert_int_equal(stat(p->path, &after), 0);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_uid, before.st_uid);
	assert_true(after.st_ino != before.st_ino);
	assert_int_equal(keyring_add_key(p->path, &id, &st), STATUS_OK);
	assert_int_equal(id, 4);
	{
		keyring *new = NULL;

		assert_int_equal(keyring_reload(kr, p->path, NOW_MS, &new, &st), STATUS_OK);
		assert_int_equal(keyring_first_id(new), 2);
		assert_true(keyring_has(new, 1) && keyring_has(new, 3) && keyring_has(new, 4));
		keyring_release(&new);
	}
	keyring_release(&kr);
}

static void a_key_is_moved_to_the_top(void **state)
{
	const struct place *p = *state;
	struct status st = {0};

	write_file(p, "# mine\n" NAMES_LINE "# first\n" KEY_1_LINE
		      "\n# last\n2 QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8");
	assert_int_equal(keyring_promote_key(p->path, 2, &st), STATUS_OK);
	expect_file(p, "# mine\n" NAMES_LINE "# first\n" KEY_2_LINE KEY_1_LINE "\n# last\n");
	assert_int_equal(keyring_promote_key(p->path, 2, &st), STATUS_OK);
	expect_file(p, "# mine\n" NAMES_LINE "# first\n" KEY_2_LINE KEY_1_LINE "\n# last\n");
	assert_int_equal(keyring_promote_key(p->path, 1, &st), STATUS_OK);
	expect_file(p, "# mine\n" NAMES_LINE "# first\n" KEY_1_LINE KEY_2_LINE "\n# last\n");
	assert_int_equal(keyring_promote_key(p->path, 9, &st), STATUS_NOT_FOUND);
	assert_non_null(strstr(st.text, "no key 9"));
	/* Numbered keys may stand before the names key. */
	write_file(p, KEY_1_LINE NAMES_LINE KEY_2_LINE KEY_3_LINE);
	assert_int_equal(keyring_promote_key(p->path, 3, &st), STATUS_OK);
	expect_file(p, KEY_3_LINE KEY_1_LINE NAMES_LINE KEY_2_LINE);
}

static void what_cannot_be_changed_stays(void **state)
{
	const struct place *p = *state;
	struct status st = {0};
	uint16_t id = 0;
	char text[4096];
	size_t len;
	int fd;

	assert_int_equal(keyring_add_key("/nonexistent/keyring", &id, &st), STATUS_INVALID_ARGUMENT);
	write_file(p, NAMES_LINE "1 x\n");
	assert_int_equal(keyring_add_key(p->path, &id, &st), STATUS_INVALID_ARGUMENT);
	expect_file(p, NAMES_LINE "1 x\n");
	write_file(p, NAMES_LINE "65535 QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8\n");
	assert_int_equal(keyring_add_key(p->path, &id, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "no number above 65535"));
	len = (size_t)sprintf(text, "%s", NAMES_LINE);
	for (int i = 1; i <= KEYRING_KEYS_MAX; i++)
		len += (size_t)sprintf(text + len, "%d ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n", i);
	write_file(p, text);
	assert_int_equal(keyring_add_key(p->path, &id, &st), STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.text, "more than 64 keys"));
	assert_int_equal(id, 0);

	write_file(p, NAMES_LINE KEY_1_LINE);
	fd = open(p->path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
	assert_int_equal(keyring_add_key(p->path, &id, &st), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(st.text, "somebody else"));
	close(fd);
	expect_file(p, NAMES_LINE KEY_1_LINE);
}

/* A link leads where it led, and the file behind it is the one that changes. */
static void links_are_followed(void **state)
{
	const struct place *p = *state;
	struct status st = {0};
	char name[64];
	struct stat info;
	uint16_t id;
	keyring *kr;

	(void)snprintf(name, sizeof(name), "%s/link", p->folder);
	write_file(p, NAMES_LINE KEY_1_LINE);
	assert_int_equal(symlink("keyring", name), 0);
	assert_int_equal(keyring_add_key(name, &id, &st), STATUS_OK);
	assert_int_equal(lstat(name, &info), 0);
	assert_true(S_ISLNK(info.st_mode));
	kr = load(p);
	assert_true(keyring_has(kr, 2));
	keyring_release(&kr);
	assert_int_equal(unlink(name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reload_that_would_lose_anything_is_refused),
	    cmocka_unit_test(what_the_old_one_signed_verifies_under_the_new),
	    cmocka_unit_test(counts_go_on_over_reloads),
	    cmocka_unit_test(retired_keys_are_limited),
	    cmocka_unit_test(a_key_is_added_behind_the_others),
	    cmocka_unit_test(a_key_is_moved_to_the_top),
	    cmocka_unit_test(what_cannot_be_changed_stays),
	    cmocka_unit_test(links_are_followed),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
