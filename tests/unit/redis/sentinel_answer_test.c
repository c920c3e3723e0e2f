#include "redis/sentinel_answer.h"

#include <stdio.h>

#include "parsed.h"
#include "support/wait.h"

#define ID "0123456789012345678901234567890123456789"

struct reading {
	bool is_read;
	enum sentinel_opinion opinion;
	struct address primary;
	char id[SENTINEL_ID_BYTES];
	size_t count;
	struct sentinel_peer peers[SENTINEL_MEMBERS_MAX];
	struct address replicas[SENTINEL_REPLICAS_MAX];
};

static void read_primary(void *owner, const struct store_reply *reply)
{
	struct reading *r = owner;

	r->is_read = sentinel_read_primary(reply, &r->opinion, &r->primary);
}

static void reads_who_is_primary(void **state)
{
	static const char *const bad[] = {
	    "-ERR no\r\n",
	    "+OK\r\n",
	    "*0\r\n",
	    "*1\r\n$1\r\nh\r\n",
	    "*3\r\n$1\r\nh\r\n$1\r\n1\r\n$1\r\n1\r\n",
	    "*2\r\n$1\r\nh\r\n:1\r\n",
	    "*2\r\n$1\r\nh\r\n$1\r\n0\r\n",
	    "*2\r\n$1\r\nh\r\n$5\r\n65536\r\n",
	    "*2\r\n$1\r\nh\r\n$2\r\n-1\r\n",
	    "*2\r\n$1\r\nh\r\n$0\r\n\r\n",
	    "*2\r\n$1\r\nh\r\n$20\r\n18446744073709551617\r\n",
	    "*2\r\n$0\r\n\r\n$1\r\n1\r\n",
	    "*2\r\n$3\r\na b\r\n$1\r\n1\r\n",
	    "*2\r\n$-1\r\n$1\r\n1\r\n",
	};
	struct reading r;

	(void)state;
	parsed("*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6380\r\n", read_primary, &r);
	assert_true(r.is_read);
	assert_int_equal(r.opinion, SENTINEL_PRIMARY_IS);
	assert_string_equal(r.primary.host, "10.0.0.1");
	assert_int_equal(r.primary.port, 6380);
	parsed("*-1\r\n", read_primary, &r);
	assert_true(r.is_read);
	assert_int_equal(r.opinion, SENTINEL_UNKNOWN_NAME);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		parsed(bad[i], read_primary, &r);
		if (r.is_read)
			fail_msg("taken: %s", bad[i]);
	}
}

static void reads_a_switch(void **state)
{
	static const struct {
		const char *payload;
		const char *primary; /* NULL: none */
	} rows[] = {
	    {"mymaster 10.0.0.1 6379 10.0.0.2 6380", "10.0.0.2:6380"},
	    {"mymaster redis-0.example 6379 redis-1.example 6379", "redis-1.example:6379"},
	    {"mymaster ::1 6379 fe80::2 6379", "[fe80::2]:6379"},
	    {"mymaster2 10.0.0.1 6379 10.0.0.2 6380", NULL},
	    {"mymaste 10.0.0.1 6379 10.0.0.2 6380", NULL},
	    {"", NULL},
	    {"mymaster", NULL},
	    {"mymaster 10.0.0.1 6379 10.0.0.2", NULL},
	    {"mymaster 10.0.0.1 6379 10.0.0.2 ", NULL},
	    {"mymaster 10.0.0.1 6379 10.0.0.2 x", NULL},
	    {"mymaster 10.0.0.1 6379 10.0.0.2 0", NULL},
	    {"mymaster 10.0.0.1 6379 10.0.0.2 6380 more", NULL},
	    {"mymaster  10.0.0.1 6379 10.0.0.2 6380", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		char text[ADDRESS_TEXT_BYTES] = "";
		bool taken = sentinel_read_switch(span_str(rows[i].payload), SPAN_LIT("mymaster"), &a);

		if (taken != (rows[i].primary != NULL))
			fail_msg("%s: %s", taken ? "taken" : "refused", rows[i].payload);
		if (!taken)
			continue;
		address_print(&a, text);
		assert_string_equal(text, rows[i].primary);
	}
}

static void read_id(void *owner, const struct store_reply *reply)
{
	struct reading *r = owner;

	r->is_read = sentinel_read_id(reply, r->id);
}

static void reads_an_id(void **state)
{
	struct reading r;

	(void)state;
	parsed("$40\r\n" ID "\r\n", read_id, &r);
	assert_true(r.is_read);
	assert_string_equal(r.id, ID);
	parsed("$39\r\n012345678901234567890123456789012345678\r\n", read_id, &r);
	assert_false(r.is_read);
	parsed("*0\r\n", read_id, &r);
	assert_false(r.is_read);
	parsed("-ERR unknown subcommand\r\n", read_id, &r);
	assert_false(r.is_read);
}

static void read_lists(void *owner, const struct store_reply *reply)
{
	struct reading *r = owner;

	r->count = sentinel_read_peers(reply, r->peers);
	assert_int_equal(sentinel_read_replicas(reply, r->replicas), r->count);
}

static size_t put_word(char *out, const char *word)
{
	return (size_t)sprintf(out, "$%zu\r\n%s\r\n", strlen(word), word);
}

/* An instance of a list; the text has room for it. */
static size_t put_instance(char *out, const char *ip, const char *port, const char *flags, const char *id)
{
	const char *words[] = {"name", "x", "ip", ip, "port", port, "runid", id, "flags", flags, "odd"};
	size_t at = (size_t)sprintf(out, "*%zu\r\n", sizeof(words) / sizeof(words[0]));

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		at += put_word(out + at, words[i]);
	return at;
}

static void reads_lists(void **state)
{
	static const struct {
		const char *ip;
		const char *port;
		const char *flags;
		bool is_taken;
	} rows[] = {
	    {"10.0.0.1", "26379", "sentinel", true},
	    {"10.0.0.2", "26379", "sentinel,s_down", false},
	    {"10.0.0.2", "26379", "sentinel,disconnected", false},
	    {"10.0.0.2", "26379", "s_down,slave,disconnected", false},
	    {"10.0.0.2", "26379", "slave,o_down", false},
	    {"", "26379", "slave", false},
	    {"10.0.0.2", "0", "slave", false},
	    {"10.0.0.2", "x", "slave", false},
	    {"redis-3.example", "6379", "slave", true},
	    {"::3", "6379", "", true},
	};
	char text[8192];
	size_t at = (size_t)sprintf(text, "*%zu\r\n", sizeof(rows) / sizeof(rows[0]) + 2);
	struct reading r;
	size_t expected = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		at += put_instance(text + at, rows[i].ip, rows[i].port, rows[i].flags, i == 0 ? ID : "short");
	(void)sprintf(text + at, ":1\r\n*0\r\n");
	parsed(text, read_lists, &r);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].is_taken) {
			assert_true(expected < r.count);
			assert_string_equal(r.peers[expected].address.host, rows[i].ip);
			assert_string_equal(r.replicas[expected].host, rows[i].ip);
			assert_string_equal(r.peers[expected].id, i == 0 ? ID : "");
			expected++;
		}
	assert_int_equal(r.count, expected);
	parsed("-ERR No such master with that name\r\n", read_lists, &r);
	assert_int_equal(r.count, 0);
}

static void bounds_lists(void **state)
{
	char text[65536];
	size_t at = (size_t)sprintf(text, "*%d\r\n", 4 * SENTINEL_MEMBERS_MAX);
	struct reading r;

	(void)state;
	_Static_assert(SENTINEL_MEMBERS_MAX == SENTINEL_REPLICAS_MAX, "one list tries both");
	for (unsigned i = 0; i < 4 * SENTINEL_MEMBERS_MAX; i++)
		at += put_instance(text + at, "h", "1", "slave", ID);
	parsed(text, read_lists, &r);
	assert_int_equal(r.count, SENTINEL_MEMBERS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_who_is_primary), cmocka_unit_test(reads_a_switch), cmocka_unit_test(reads_an_id),
	    cmocka_unit_test(reads_lists),	    cmocka_unit_test(bounds_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
