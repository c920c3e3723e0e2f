#include "redis/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "parsed.h"
#include "support/wait.h"

#define ID "$40\r\n0123456789012345678901234567890123456789\r\n"
/* Nodes as Redis 7 and as older versions give them. */
#define NODE(host, port) "*4\r\n" host ":" port "\r\n" ID "*0\r\n"
#define OLD_NODE(host)	 "*3\r\n" host ":6379\r\n" ID
#define A		 "$8\r\n10.0.0.1\r\n"
#define B		 "$8\r\n10.0.0.2\r\n"
#define WITH_IP(host)	 "*4\r\n" host ":6379\r\n" ID "*4\r\n$4\r\nport\r\n$1\r\n9\r\n$2\r\nip\r\n$8\r\n10.0.0.9\r\n"

struct reading {
	struct map *map;
	const char *why;
};

static void read_map(void *owner, const struct store_reply *reply)
{
	struct reading *r = owner;
	struct address asked;

	assert_true(address_make(SPAN_LIT("asked.example"), 7000, &asked));
	r->map = map_read(reply, &asked, &r->why);
}

/* The map in a line. */
static void print(const struct map *m, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "%u:", m->slots);

	for (size_t i = 0; i < m->range_count; i++) {
		const struct map_range *range = &m->ranges[i];
		char text[ADDRESS_TEXT_BYTES];

		address_print(&range->primary, text);
		at += (size_t)snprintf(out + at, size - at, " %u-%u %s", range->first, range->last, text);
		for (size_t j = 0; j < range->replica_count; j++) {
			address_print(&range->replicas[j], text);
			at += (size_t)snprintf(out + at, size - at, "+%s", text);
		}
	}
}

static void takes_what_is_a_map(void **state)
{
	static const struct {
		const char *resp;
		const char *map;
	} rows[] = {
	    {"*0\r\n", "0:"},
	    {"*1\r\n*3\r\n:0\r\n:16383\r\n" NODE(A, "6379"), "16384: 0-16383 10.0.0.1:6379"},
	    {"*2\r\n*4\r\n:10\r\n:20\r\n" NODE(A, "1") NODE(B, "65535") "*3\r\n:5\r\n:5\r\n" OLD_NODE(B),
	     "12: 10-20 10.0.0.1:1+10.0.0.2:65535 5-5 10.0.0.2:6379"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" NODE("$-1\r\n", "6379"), "2: 0-1 asked.example:6379"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" NODE("$0\r\n\r\n", "6379"), "2: 0-1 asked.example:6379"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" NODE("$1\r\n?\r\n", "6379"), "2: 0-1 asked.example:6379"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" WITH_IP("$1\r\n?\r\n"), "2: 0-1 10.0.0.9:6379"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" WITH_IP("$-1\r\n"), "2: 0-1 asked.example:6379"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" WITH_IP("$3\r\n::1\r\n"), "2: 0-1 [::1]:6379"},
	    /* A replica that cannot be read is one less. */
	    {"*1\r\n*5\r\n:0\r\n:1\r\n" NODE(A, "6379") NODE(B, "0") NODE(B, "2"), "2: 0-1 10.0.0.1:6379+10.0.0.2:2"},
	    {"*1\r\n*4\r\n:0\r\n:1\r\n" NODE(A, "6379") ":3\r\n", "2: 0-1 10.0.0.1:6379"},
	    {"*1\r\n*9\r\n:0\r\n:1\r\n" NODE(A, "1") NODE(B, "1") NODE(B, "2") NODE(B, "3") NODE(B, "4") NODE(B, "5")
		 NODE(B, "6"),
	     "2: 0-1 10.0.0.1:1+10.0.0.2:1+10.0.0.2:2+10.0.0.2:3+10.0.0.2:4+10.0.0.2:5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reading r = {.why = ""};
		char text[512];

		parsed(rows[i].resp, read_map, &r);
		if (r.map == NULL)
			fail_msg("%s: %s", rows[i].map, r.why);
		print(r.map, text, sizeof(text));
		assert_string_equal(text, rows[i].map);
		free(r.map);
	}
}

static void refuses_what_is_none(void **state)
{
	static const struct {
		const char *resp;
		const char *why;
	} rows[] = {
	    {"-ERR This instance has cluster support disabled\r\n", "no array"},
	    {"$-1\r\n", "no array"},
	    {":1\r\n", "no array"},
	    {"*1\r\n:1\r\n", "bounds"},
	    {"*1\r\n*0\r\n", "bounds"},
	    {"*1\r\n*1\r\n:0\r\n", "bounds"},
	    {"*1\r\n*3\r\n$1\r\n0\r\n:1\r\n" NODE(A, "1"), "bounds"},
	    {"*1\r\n*3\r\n:-1\r\n:1\r\n" NODE(A, "1"), "out of bounds"},
	    {"*1\r\n*3\r\n:0\r\n:16384\r\n" NODE(A, "1"), "out of bounds"},
	    {"*1\r\n*3\r\n:2\r\n:1\r\n" NODE(A, "1"), "out of bounds"},
	    {"*1\r\n*3\r\n:0\r\n:9223372036854775807\r\n" NODE(A, "1"), "out of bounds"},
	    {"*1\r\n*3\r\n:4294967296\r\n:4294967297\r\n" NODE(A, "1"), "out of bounds"},
	    {"*1\r\n*2\r\n:0\r\n:1\r\n", "primary"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n$1\r\na\r\n", "primary"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n*0\r\n", "primary"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n" A, "primary"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" NODE(A, "0"), "primary"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" NODE(A, "65536"), "primary"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n" NODE("$3\r\na b\r\n", "1"), "primary"},
	    {"*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n" A "$1\r\n1\r\n", "primary"},
	    {"*2\r\n*3\r\n:0\r\n:10\r\n" NODE(A, "1") "*3\r\n:10\r\n:11\r\n" NODE(B, "1"), "overlap"},
	    {"*2\r\n*3\r\n:0\r\n:16383\r\n" NODE(A, "1") "*3\r\n:7\r\n:7\r\n" NODE(A, "1"), "overlap"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reading r = {.why = ""};

		parsed(rows[i].resp, read_map, &r);
		if (r.map != NULL)
			fail_msg("taken: %s", rows[i].resp);
		if (strstr(r.why, rows[i].why) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].resp, r.why, rows[i].why);
	}
}

static void bounds_the_ranges(void **state)
{
	static char text[(MAP_RANGES_MAX + 1) * 80];

	(void)state;
	for (unsigned count = MAP_RANGES_MAX; count <= MAP_RANGES_MAX + 1; count++) {
		struct reading r = {.why = ""};
		size_t at = (size_t)sprintf(text, "*%u\r\n", count);

		for (unsigned i = 0; i < count; i++)
			at += (size_t)sprintf(text + at, "*3\r\n:%u\r\n:%u\r\n*2\r\n$1\r\nh\r\n:1\r\n", i, i);
		parsed(text, read_map, &r);
		assert_int_equal(r.map != NULL, count == MAP_RANGES_MAX);
		if (r.map != NULL)
			assert_int_equal(r.map->slots, MAP_RANGES_MAX);
		free(r.map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_what_is_a_map),
	    cmocka_unit_test(refuses_what_is_none),
	    cmocka_unit_test(bounds_the_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
